"""What a trained model loses on a split of its own text: as training validates it, position by position, adapting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.config.schema import LanguageConfig, Windows
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError, DivergedError, UsageError
from charrnn.logs.console import Console
from charrnn.models.minimal import use_form
from charrnn.runs.changes import say_changed
from charrnn.runs.corpus import language, prepared
from charrnn.runs.memory import out_of_memory
from charrnn.runs.plan import apply_plan, make_plan, with_scan
from charrnn.runs.resume import as_prepared, check_corpus, check_model
from charrnn.tasks.language import LanguageTask
from charrnn.text.watch import Watch
from charrnn.train.dynamic import evaluate_dynamically
from charrnn.train.evaluate import Evaluation, evaluate, position_losses
from charrnn.train.interrupt import Interrupt
from charrnn.train.state import load_model

POSITIONS = "mean nats at position k after a cold start"

_POSITIONS_OF_LANES = 64


@dataclass(frozen=True)
class Wanted:
    """What to measure.

    Attributes:
        split: `train`, `valid` or `test`.
        positions: the tokens of a window, for the loss at each position after a cold start; None for the very windows
            of a windows stream, else for 64, or for as many as there are.
        dynamic: whether to evaluate dynamically too, as `evaluate.dynamic` says.
    """

    split: str
    positions: int | None
    dynamic: bool


def evaluate_run(
    checkpoint: Checkpoint, loaded: Loaded, wanted: Wanted, corpora: Path, console: Console, interrupt: Interrupt
) -> dict[str, Any]:
    """Measure the model of a checkpoint on a split of the text that it was trained with.

    Read by the lanes and the chunk of the config, or by its windows, the validation split gives to the last bit what
    training recorded, on the same machine.

    Args:
        checkpoint: the model.
        loaded: the config of its run; keys that only say how to measure and to compute may differ.
        wanted: what to measure.
        corpora: where corpora are looked for and prepared.
        console: shows the progress.
        interrupt: the signals so far.

    Returns:
        Split, tokens and lanes (or windows) with nats, bits per character and byte, and perplexity; `positions`; and
        `dynamic` with the static figure at the same lanes and the gain, or None.

    Raises:
        ConfigError: the config is of another model.
        DataError: the text is another one, or the split is empty.
        UsageError: the positions are more than the split has tokens; or a windows stream is to be evaluated
            dynamically; or there is no such device.
        CheckpointError: the checkpoint is damaged.
        DivergedError: a loss is not finite.
        Interrupted: a signal asked to stop.
    """
    config = language(loaded.config)
    check_model(checkpoint, loaded)
    _check_dynamic(config, wanted)
    corpus = _corpus(checkpoint, loaded, corpora, console, interrupt)
    _check_split(corpus, wanted)
    former = checkpoint.document("config")["plan"]
    task = LanguageTask(config, corpus)
    plan = make_plan(config.train, former, training=False)
    device = apply_plan(plan)
    stream = task.stream(wanted.split, _as_validated(config))
    assert stream is not None, "an empty split is refused before"
    plan = with_scan(plan, config, stream, former)
    changed = plan.differences_in_measuring(former)
    say_changed(checkpoint, console)
    if changed:
        console.note("not as the run was trained, so the last digits may differ: " + ", ".join(changed))
    with out_of_memory(config, training=False):
        model = task.model().to(device)
        use_form(model, plan.scan)
        load_model(model, checkpoint)
        measure = _Measure(task, model, wanted.split, device, Watch(console.progress, interrupt.check))
        static = measure.as_validated()
        figures = {
            "checkpoint": str(checkpoint.folder),
            "step": checkpoint.step,
            "split": wanted.split,
            "training_text": wanted.split == "train",
            "tokens": len(corpus.split(wanted.split).tokens),
            **measure.figures(static),
            "positions": measure.positions(wanted.positions, static),
        }
        dynamic = measure.dynamic() if wanted.dynamic else None
    if dynamic is not None and dynamic["gain"]["nats"] < 0.0:
        console.note("dynamic evaluation lost by learning: a lower evaluate.dynamic.lr learns more carefully")
    return figures | {"dynamic": dynamic}


@dataclass(frozen=True)
class _Measure:
    task: LanguageTask
    model: nn.Module
    split: str
    device: torch.device
    watch: Watch

    def as_validated(self) -> Evaluation:
        """Read as training reads for validation, whatever the split."""
        return self._read(_as_validated(self.task.config))

    def positions(self, window: int | None, static: Evaluation) -> dict[str, Any]:
        if window is None and static.figures.get("positions"):
            positions = static.figures["positions"]
            return {"figure": POSITIONS, "window": len(positions), **static.reading, "nats": positions}
        tokens = len(self.task.corpus.split(self.split).tokens)
        window = window or min(_usual_positions(self.task.config), tokens)
        # No more lanes than leave every lane a whole window.
        cut = (min(self.task.config.evaluate.lanes, tokens // window), window)
        nats = position_losses(self.task, self.model, self.split, self.device, self.watch.check, cut)
        return {"figure": POSITIONS, "window": window, "lanes": cut[0], "nats": nats}

    def dynamic(self) -> dict[str, Any]:
        settings = self.task.config.evaluate.dynamic
        static = self.figures(self._read((settings.lanes, self.task.config.evaluate.chunk)))
        result = evaluate_dynamically(self.task, self.model, self.split, self.device, settings, self.watch)
        adapted = self.figures(result)
        gain = {name: static[name] - adapted[name] for name in ("nats", "bits_per_char", "bits_per_byte")}
        return {"settings": settings.model_dump(mode="json"), **adapted, "static": static, "gain": gain}

    def figures(self, result: Evaluation | None) -> dict[str, Any]:
        """What a reading has come to, in the units that users compare, and how it was read."""
        assert result is not None, "an empty split is refused before"
        if not math.isfinite(result.mean):
            raise DivergedError(
                f"the loss of the {self.split} split is {result.mean}", hint="evaluate an earlier checkpoint of the run"
            )
        return {**result.reading, **self.task.metrics(result.mean, self.split)}

    def _read(self, cut: tuple[int, int] | None) -> Evaluation:
        """By so many lanes and such chunks; None: by the windows of the config."""
        result = evaluate(self.task, self.model, self.split, self.device, self.watch.check, cut)
        assert result is not None, "an empty split is refused before"
        return result


def _as_validated(config: LanguageConfig) -> tuple[int, int] | None:
    """The lanes and the chunk that training validates by; None: by windows."""
    return None if isinstance(config.stream, Windows) else (config.evaluate.lanes, config.evaluate.chunk)


def _usual_positions(config: LanguageConfig) -> int:
    return config.stream.length if isinstance(config.stream, Windows) else _POSITIONS_OF_LANES


def _check_dynamic(config: LanguageConfig, wanted: Wanted) -> None:
    if wanted.dynamic and isinstance(config.stream, Windows):
        raise UsageError(
            "a model of windows is not evaluated dynamically",
            why="dynamic evaluation reads an unbroken passage with a state that is carried on, and this model begins "
            "anew at every window",
            hint="to see what it makes of a carried state all the same: --set 'stream={kind: lanes}'",
        )


def _corpus(
    checkpoint: Checkpoint, loaded: Loaded, corpora: Path, console: Console, interrupt: Interrupt
) -> TokenCorpus:
    """The corpus that the model was trained with: found under whatever name it has, else prepared."""
    corpus = prepared(as_prepared(checkpoint, loaded, corpora), corpora, console, interrupt.check).corpus
    try:
        check_corpus(checkpoint, corpus)
    except DataError as error:
        error.hint = "bring the former text back; a model is measured on the text that it was split from"
        raise
    return corpus


def _check_split(corpus: TokenCorpus, wanted: Wanted) -> None:
    tokens = len(corpus.split(wanted.split).tokens)
    if tokens == 0:
        raise DataError(
            f"the {wanted.split} split is empty",
            where=corpus.folder,
            hint="name another one with --split, or train with a share for it in corpus.split",
        )
    if wanted.positions is not None and wanted.positions > tokens:
        raise UsageError(
            f"--positions {wanted.positions} is longer than the {wanted.split} split",
            why=f"it has {tokens} tokens",
            hint=f"choose at most {tokens}",
        )
