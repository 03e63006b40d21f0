"""The runs of which rounds are made: each is one that `charrnn train` could do, with a few keys of the config set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.config.render import flow, render
from charrnn.errors import DataError
from charrnn.files.atomic import write_text
from charrnn.logs.console import Console
from charrnn.pseudo.labeller import Settings
from charrnn.runs.folder import RunFolder, find_checkpoint
from charrnn.runs.start import train_run
from charrnn.runs.use import weights_sha256
from charrnn.text.watch import Check
from charrnn.train.company import SharedInterrupt
from charrnn.train.interrupt import Interrupt
from charrnn.train.world import World

PSEUDO, CHECKED = "pseudo", "checked"
"""What the parts of a mix are called that hold pseudo-labelled items, and validation items with their true labels."""

_ALWAYS = {
    # Rounds are compared after equally many updates, and each run keeps its best checkpoint and its newest.
    "train.early_stop": None,
    "train.save.keep": 1,
    "pseudo": None,
    "tune": None,
}


@dataclass(frozen=True)
class Model:
    """A trained model, for manifests.

    Attributes:
        checkpoint: where it lies, seen from the folder of all rounds; absolute where it was given.
        step: the updates behind it.
        updates: those of the whole run.
        seed: `train.seed` of the run; None where it was given.
        sha256: of its tensors.
    """

    checkpoint: str
    step: int
    updates: int
    seed: int | None
    sha256: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """From a manifest."""
        return cls(**record)

    def moved(self, folder: Path, place: Path) -> Self:
        """The same once `folder`, in which it lies, is at `place`, beside it; what lies elsewhere stays there."""
        names = [place.name if part == folder.name else part for part in Path(self.checkpoint).parts]
        return replace(self, checkpoint=str(Path(*names)))

    def record(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


@dataclass(frozen=True)
class Trainer:
    """Trains, and finds again what it has trained.

    Attributes:
        top: the folder of all rounds.
        loaded: the config.
        corpora: where data lie.
        new_console: makes what shows one run to the user.
        interrupt: the signals so far.
        world: the processes that do the rounds together; each calls everything here, and what is written, the first
            one writes.
    """

    top: Path
    loaded: Loaded
    corpora: Path
    new_console: Callable[[], Console]
    interrupt: Interrupt
    world: World = field(default_factory=World)

    @cached_property
    def check(self) -> Check:
        """Raises where a signal asks to stop; all processes look together."""
        return self.interrupt.check if self.world.alone else SharedInterrupt(self.interrupt, self.world).check

    @property
    def settings(self) -> Settings:
        """The `pseudo:` section."""
        found: Settings = self.loaded.config.pseudo  # type: ignore[attr-defined]
        return found

    def say(self, text: str) -> None:
        """Tell the user something."""
        with self.new_console() as console:
            console.note(text)

    def train(self, run: Path, seed: int, values: Mapping[str, Any]) -> None:
        """Train a run, or on where it stopped; nothing happens where it has ended.

        Args:
            run: its folder.
            seed: its `train.seed`.
            values: the other keys that it has of its own.

        Raises:
            CharRnnError: as `charrnn train` does.
        """
        mode = self.world.first_does(lambda: "resume" if RunFolder(run).used else "new")
        loaded, world = self._varied(seed, values), self.world.anew()
        with self.new_console() as console:
            train_run(loaded, run, mode, self.corpora, console, self.interrupt, world=world)

    def refer(self, run: Path, seed: int, values: Mapping[str, Any]) -> None:
        """Let the copy of the config in a run's folder say `values`: what they name will soon have another place."""
        text = render(self._varied(seed, values).anchored())
        self.world.first_does(lambda: write_text(RunFolder(run).config, text))

    def _varied(self, seed: int, values: Mapping[str, Any]) -> Loaded:
        settings = {**_ALWAYS, "train.seed": seed, **values}
        return self.loaded.varied([f"{key}={flow(value)}" for key, value in settings.items()])

    def mixed(self, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """The key that puts further parts into every batch, beside those of the config."""
        own = self.loaded.config.model_dump(mode="json")["stream"].get("mix") or {}
        return {"stream.mix": {**own, **parts}}

    def updates(self, count: int | None) -> dict[str, Any]:
        """The keys for so many updates; None leaves it to the config."""
        return {} if count is None else {"train.epochs": None, "train.max_steps": count}

    def beginning(self, model: Model | None) -> dict[str, Any]:
        """The keys for a run that begins with the weights of `model`; None leaves it to the config."""
        if model is None:
            return {}
        source = self.loaded.config.model_dump(mode="json")["model"].get("input", {})
        # A file of vectors would take the place of what the model has made of them, unless it had to leave them alone.
        replaced = source.get("pretrained") is not None and not source.get("frozen")
        own = {"model.input.pretrained": None} if replaced else {}
        return {"train.start_from": str(self.path(model)), **own}

    def path(self, model: Model) -> Path:
        """Where the checkpoint of a model lies."""
        return (self.top / model.checkpoint).absolute()

    def open(self, model: Model) -> Checkpoint:
        """The checkpoint of a model.

        Raises:
            CheckpointError: it is gone or damaged.
            DataError: it is another one.
        """
        with self.world.agreeing():
            checkpoint = Checkpoint.open(self.path(model))
            if weights_sha256(checkpoint) != model.sha256:
                raise DataError(
                    "this is not the model that the rounds were made with",
                    where=checkpoint.folder,
                    why=f"SHA-256 of its tensors: {weights_sha256(checkpoint)[:16]}… now, {model.sha256[:16]}… then",
                    hint="bring the former one back, or begin anew with --force or --out DIR",
                )
        return checkpoint

    def model(self, run: Path, seed: int, last: bool = False) -> Model:
        """The model of a run that has ended.

        Args:
            run: where it lies.
            seed: its `train.seed`.
            last: take that of the end, whatever pseudo.checkpoint says.

        Raises:
            CheckpointError: it is damaged.
        """

        def found() -> Model:
            folder = RunFolder(run)
            end, chosen = folder.newest(), folder.preferred()[0]
            assert end is not None, "a run that has ended has a checkpoint"
            if last or self.settings.checkpoint == "last":
                chosen = end
            place = os.path.relpath(chosen.folder, self.top)
            return Model(place, chosen.step, end.step, seed, weights_sha256(chosen))

        return self.world.first_does(found)

    def given(self, teacher: str) -> Model:
        """The teacher that the config names.

        Raises:
            UsageError: there is no such run.
            CheckpointError: it has no readable checkpoint.
        """

        def found() -> Model:
            checkpoint, _ = find_checkpoint(Path(teacher), Path(teacher).parent)
            place, step = str(checkpoint.folder.absolute()), checkpoint.step
            return Model(place, step, step, None, weights_sha256(checkpoint))

        return self.world.first_does(found)
