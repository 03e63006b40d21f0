"""Distillation for the task `language`: a student learns what its teacher predicts, while it is trained.

Shapes: B rows (lanes), T columns, N passages of a split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Lanes, TextRounds
from charrnn.config.schema.mixed_text import MixedText
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.pseudo.admit import other_data
from charrnn.pseudo.compare import wilcoxon
from charrnn.pseudo.labeller import Record
from charrnn.pseudo.opened import opened
from charrnn.runs.memory import out_of_memory
from charrnn.runs.mixed_texts import open_teacher
from charrnn.stream.gather import TokenBatch
from charrnn.tasks.beside import Beside
from charrnn.tasks.language import LanguageTask
from charrnn.text.watch import Check
from charrnn.train.evaluate import evaluate
from charrnn.train.world import World

_ALONE = World()
_TARGETS = "soft, predicted while the student trains: there is no table of labels"


class LanguageLabeller:
    """Says what a student learns from its teacher, and measures language models. Nothing is written down: a prediction
    is a number for every symbol of the vocabulary at every place of the text, and is made where it is needed.

    Args:
        task: the task, whose config has a `pseudo:` section.
        text: the text that teachers predict; None where it is the training split.
        check: called between batches; it may raise to stop.
        world: the processes that share the lanes of an evaluation.

    Raises:
        DataError: there is nothing to judge the rounds by, or the text is shorter than its lanes are many.
    """

    extra, table = "a teacher's predictions", None
    transductive, finetune = False, None

    def __init__(self, task: LanguageTask, text: Beside | None, check: Check, world: World = _ALONE) -> None:
        assert task.config.pseudo is not None
        self._task, self._config, self._corpus = task, task.config, task.corpus
        self._settings: TextRounds = task.config.pseudo
        self._check, self._world = check, world
        stream = self._config.stream
        assert isinstance(stream, Lanes), "the config is refused with any other"
        if len(self._corpus.split("valid").tokens) == 0:
            why, hint = "the rounds are judged by it", "give it a share in corpus.split"
            raise DataError("the valid split is empty", where=self._corpus.folder, why=why, hint=hint)
        own = Beside(self._corpus.split("train"), self._corpus.digest, self._settings.lanes, self._settings.weight)
        self._text = own if text is None else text
        self._text.ring("pseudo", stream, self._config.train.seed)

    @property
    def digest(self) -> str:
        """That of the main text, and of the one that is predicted."""
        main, text = self._corpus.digest, self._text.digest
        return main if main == text else digest.of_json([main, text])

    @property
    def marks(self) -> Record:
        """The main text, the one that is predicted, and that there is no table."""
        return {"corpus_digest": self._corpus.digest, "text_digest": self._text.digest, "targets": _TARGETS}

    @property
    def report(self) -> str:
        """The test, or validation where there is none."""
        return self._settings.report if len(self._corpus.split("test").tokens) else "valid"

    @property
    def since(self) -> int:
        """A given teacher is no student of this config, and is not handed back."""
        return 0 if self._settings.teacher is None else 1

    @property
    def about(self) -> Record:
        """Counts of characters, and of the tokens that teachers predict."""
        splits = {name: self._corpus.split(name).characters for name in ("train", "valid", "test")}
        return {
            **splits,
            "predicted": len(self._text.split.tokens),
            "own_text": self._text.digest == self._corpus.digest,
        }

    @property
    def remarks(self) -> Sequence[str]:
        """Where the report is of another split than was asked for."""
        if self.report == self._settings.report:
            return ()
        return ("the test split is empty: the report is of validation, which also chooses, so its figures flatter",)

    def admit(self, teacher: Checkpoint) -> Record:
        """Refuse a teacher that is no language model of lanes over this vocabulary; see `runs.mixed_texts`."""
        open_teacher(MixedText(teacher=str(teacher.folder)), self._config, self._corpus.vocabulary)
        return other_data(teacher, self._corpus.digest, "passages")

    def _open(self, checkpoint: Checkpoint) -> tuple[nn.Module, torch.device]:
        return opened(checkpoint, self._config, lambda config: LanguageTask(config, self._corpus))

    def measure(self, model: Checkpoint, split: str) -> dict[str, float]:
        """`nats`, bits per character and per byte, and perplexity."""
        network, device = self._open(model)
        with out_of_memory(self._config, training=False):
            result = evaluate(self._task, network, split, device, self._check, world=self._world)
        assert result is not None, "an empty split is refused, or not reported"
        return self._task.metrics(result.mean, split)

    def error(self, figures: Mapping[str, float]) -> float:
        """The mean nats."""
        return figures["nats"]

    def paired(self, control: Checkpoint, student: Checkpoint, split: str) -> Record:
        """Wilcoxon's test of the nats of the same passages."""
        nats = [self._passages(model, split) for model in (control, student)]
        return {"wilcoxon": {"passages": len(nats[0]), **asdict(wilcoxon(*nats))}}

    def _passages(self, checkpoint: Checkpoint, split: str) -> NDArray[np.float64]:
        """The mean nats of every lane's part of every chunk that evaluation reads, nats_N."""
        model, device = self._open(checkpoint)
        stream = self._task.stream(split)
        assert stream is not None, "an empty split is refused, or not reported"
        own = self._world.rows(stream.rows)
        state, found = self._task.initial_state(model, own.stop - own.start), []
        with torch.no_grad(), out_of_memory(self._config, training=False):
            for step in range(stream.steps_per_epoch):
                self._check()
                batch = stream.batch(step, device, self._world.share)
                assert isinstance(batch, TokenBatch), "a text is read"
                if not batch.rows:
                    found.append(np.empty(0))
                    continue
                loss = self._task.loss(model, batch, state)
                state, count_B = loss.state, batch.counts_BT.sum(1)
                there_B = count_B > 0
                found.append((loss.each.double().sum(1)[there_B] / count_B[there_B]).cpu().numpy())
        shares = self._world.gathered(found)
        nats_N: NDArray[np.float64] = np.concatenate([share[step] for step in range(len(found)) for share in shares])
        return nats_N

    def mixed(self, labels: Path, teacher: Path) -> Mapping[str, Any]:
        """Lanes of the text, whose targets are what the teacher predicts."""
        settings = self._settings
        text = None if settings.text is None else settings.text.model_dump(mode="json")
        keys = {"lanes": settings.lanes, "weight": settings.weight, "temperature": settings.temperature}
        return {"corpus": text, "teacher": str(teacher), **keys}
