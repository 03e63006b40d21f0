"""Pseudo-labels for the task `classify`: every item gets the label that its teachers find likeliest.

Arrays: S teachers, N candidates, M items of a split, C labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Pseudo
from charrnn.config.schema.pseudo import FineTune
from charrnn.errors import ConfigError, DataError
from charrnn.logs.console import Console
from charrnn.pseudo.admit import admit
from charrnn.pseudo.calibrate import Temperature, fit_temperature, softmax
from charrnn.pseudo.candidates import candidates_of
from charrnn.pseudo.choice import Choice, by_label
from charrnn.pseudo.compare import mcnemar
from charrnn.pseudo.guards import refusal
from charrnn.pseudo.labeller import Record, Table
from charrnn.pseudo.opened import opened
from charrnn.pseudo.shares import shared_pass
from charrnn.runs.memory import out_of_memory
from charrnn.stream.items import ItemStream, OncePlan
from charrnn.stream.sequences import filling
from charrnn.tasks.classify import ClassifyTask
from charrnn.tasks.mixed_items import sequences_of
from charrnn.text.watch import Check, Progress, no_progress
from charrnn.train.evaluate import evaluate
from charrnn.train.world import World

_ALONE = World()


class ClassifyLabeller:
    """Labels items, and measures classifiers.

    Args:
        task: the task, whose config has a `pseudo:` section.
        new_console: makes what shows the progress.
        check: called between batches; it may raise to stop.
        world: the processes that share every pass over items.

    Raises:
        DataError: there is nothing to label, or nothing to judge the rounds by.
        ConfigError: the config itself mixes test items in, and rounds may not.
    """

    extra, name, things = "pseudo-labels", "labels.csv", "items"
    since = 0

    def __init__(
        self, task: ClassifyTask, new_console: Callable[[], Console], check: Check, world: World = _ALONE
    ) -> None:
        assert task.config.pseudo is not None
        self._task, self._config, self._corpus = task, task.config, task.corpus
        self._settings: Pseudo = task.config.pseudo
        self._new_console, self._check, self._world = new_console, check, world
        self._refuse_the_blind()
        self._refuse_test_items()
        self._candidates = candidates_of(self._corpus, self._settings.transductive)
        if not len(self._candidates):
            left = ", ".join(f"{count} {why}" for why, count in self._candidates.left_out.items())
            raise DataError(
                "there is nothing to label: the corpus has no unlabelled items of its own",
                where=self._corpus.folder,
                why=f"all were left out: {left}" if left else None,
                hint="name an unlabelled_source, or let corpus.labelled hide the labels of all but so many items",
            )

    def _refuse_the_blind(self) -> None:
        use = {"valid": "the rounds are judged by it", self._settings.report: "it is what the report is of"}
        for split, why in use.items():
            if len(self._corpus.split(split)) == 0:
                report = "; or set pseudo.report: valid" if split == "test" else ""
                hint = f"give it a share in corpus.split{report}"
                raise DataError(f"the {split} split is empty", where=self._corpus.folder, why=why, hint=hint)

    def _refuse_test_items(self) -> None:
        for name, mixed in self._task.mixed.items():
            if mixed.transductive and not self._settings.transductive:
                raise ConfigError(
                    f"stream.mix.{name}: it holds {mixed.transductive} items of the test split",
                    hint="remove them, or set pseudo.transductive: true, and every figure will be marked",
                )

    @property
    def table(self) -> Table:
        """This one writes labels down."""
        return self

    @property
    def digest(self) -> str:
        """That of the corpus."""
        return self._corpus.digest

    @property
    def marks(self) -> Record:
        """The corpus, and whether test items are learned from."""
        return {"corpus_digest": self.digest, "transductive": self.transductive}

    @property
    def transductive(self) -> bool:
        """As the config has it."""
        return self._settings.transductive

    @property
    def report(self) -> str:
        """As the config has it."""
        return self._settings.report

    @property
    def finetune(self) -> FineTune | None:
        """As the config has it."""
        return self._settings.finetune

    @property
    def selection(self) -> Record:
        """What is taken of the labels."""
        return self._settings.model_dump(mode="json", include={"select", "balance", "cap", "keep", "calibrate"})

    def refusal(self, counts: Record) -> str | None:
        """See `charrnn.pseudo.guards`."""
        return refusal(self._settings, counts)

    @property
    def about(self) -> Record:
        """Counts of the corpus."""
        own = self._corpus.split("train")
        return {
            "labelled": len(own),
            "labelled_labels": by_label(self._corpus, own.labels),
            "candidates": len(self._candidates),
            "left_out": self._candidates.left_out,
            "valid": len(self._corpus.split("valid")),
            "test": len(self._corpus.split("test")),
        }

    @property
    def remarks(self) -> Sequence[str]:
        """Which unlabelled items are left out, and whether the test's are let in."""
        left = self._candidates.left_out.items()
        own = [f"unlabelled items that are left out, for they are {why}: {count:,}" for why, count in left]
        transductive = "transductive: the test items are labelled and learned from; their figures are no headline"
        return [*own, *([transductive] if self._settings.transductive else [])]

    def admit(self, teacher: Checkpoint) -> Record:
        """Refuse a teacher that does not belong here; see `charrnn.pseudo.admit`."""
        return admit(teacher, self._config, self._corpus)

    def label(self, teachers: Sequence[Checkpoint], path: Path) -> Record:
        """Calibrate the teachers, label, select, balance, write; see `Table.label`."""
        found = [self._probabilities(teacher) for teacher in teachers]
        choice = Choice(self._config, self._settings, self._corpus, self._candidates)
        return self._world.first_does(lambda: choice.write(found, teachers, path))

    def _probabilities(self, teacher: Checkpoint) -> tuple[NDArray[np.float64], Temperature]:
        """What a teacher makes of the candidates, p_NC, and its temperature."""
        model, device = self._open(teacher)
        temperature = Temperature()
        if self._settings.calibrate:
            truths = self._corpus.split("valid").labels.astype(np.int64)
            temperature = fit_temperature(self._scores(model, "valid", device), truths)
        of, parts = self._candidates, []
        for number, part in enumerate(of.parts):
            chosen = of.number_N[of.part_N == number]
            if len(chosen):
                with self._new_console() as console:
                    parts.append(self._scores(model, part, device, console.progress)[chosen])
        return softmax(np.concatenate(parts), temperature.value), temperature

    def _scores(
        self, model: nn.Module, part: str, device: torch.device, progress: Progress = no_progress
    ) -> NDArray[np.float64]:
        """The scores of all items of a part of the corpus, M × C."""
        own = sequences_of(self._corpus, part)
        stream = ItemStream(OncePlan(len(own), self._config.stream.batch), filling({part: own}))

        def of_batch(step: int) -> NDArray[np.float64]:
            batch = stream.batch(step, device)
            found: NDArray[np.float64] = model(batch.x, batch.length_B).double().cpu().numpy()
            return found

        with torch.no_grad(), out_of_memory(self._config, training=False):
            found = shared_pass(stream.steps_per_epoch, self._world, self._check, of_batch, progress, "labelling")
        scores: NDArray[np.float64] = np.concatenate(found)
        return scores

    def _open(self, checkpoint: Checkpoint) -> tuple[nn.Module, torch.device]:
        return opened(checkpoint, self._config, lambda config: ClassifyTask(config, self._corpus))

    def measure(self, model: Checkpoint, split: str) -> dict[str, float]:
        """`nats`, `accuracy`, `macro_f1` and `calibration_error`."""
        network, device = self._open(model)
        with out_of_memory(self._config, training=False):
            result = evaluate(self._task, network, split, device, self._check, world=self._world)
        assert result is not None, "an empty split is refused before anything begins"
        return {"nats": result.mean, **result.numbers}

    def error(self, figures: Mapping[str, float]) -> float:
        """The share of items that are called wrongly."""
        return 1.0 - figures["accuracy"]

    def paired(self, control: Checkpoint, student: Checkpoint, split: str) -> Record:
        """McNemar's test."""
        return {"mcnemar": asdict(mcnemar(*(self._right(model, split) for model in (control, student))))}

    def _right(self, model: Checkpoint, split: str) -> NDArray[np.bool_]:
        """Of which items a model finds the true label the likeliest."""
        network, device = self._open(model)
        said_M = self._scores(network, split, device).argmax(-1)
        right_M: NDArray[np.bool_] = said_M == self._corpus.split(split).labels
        return right_M

    def mixed(self, labels: Path, teacher: Path) -> Mapping[str, Any]:
        """Rows of the items that were kept."""
        settings = self._settings
        own = {"temperature": settings.temperature} if settings.targets == "soft" else {}
        keys = {"rows": settings.rows, "weight": settings.weight, "ramp": settings.ramp, "targets": settings.targets}
        return {"kind": "labels", "source": str(labels), **keys, **own}
