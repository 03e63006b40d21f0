"""A trained model, opened for use: torch-free, from a checkpoint alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Config, Corpus, LanguageConfig, Sample, Windows, config_from
from charrnn.errors import CheckpointError
from charrnn.runs.corpus import language
from charrnn.runs.folder import find_checkpoint
from charrnn.runs.sampling import settled
from charrnn.sample.bursts import Bursts, BurstStreams, by_symbol
from charrnn.sample.decode import Stepper, Streams
from charrnn.sample.several import check_options, several, streams_of
from charrnn.sample.stream import Drawn
from charrnn.sample.window import WindowStepper
from charrnn.scratch.cells import Arrays
from charrnn.scratch.network import StepNetwork
from charrnn.text.encode import Unknown
from charrnn.text.normal import normalised_text
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check

_TEXTS = ("stop", "require")


@dataclass(frozen=True)
class OpenModel:
    """A model with all that using it needs.

    Attributes:
        folder: the checkpoint.
        label: how to call it in a message.
        config: the run's config.
        vocabulary: its symbols.
        network: the model, one symbol at a time; see `stepper`.
        bursts: the same on a device, many symbols at a time; None: in NumPy alone.
        device: where that is.
    """

    folder: Path
    label: str
    config: LanguageConfig
    vocabulary: Vocabulary
    network: Stepper
    bursts: Bursts | None = None
    device: str = "cpu"

    def options(self, given: Mapping[str, Any]) -> Sample:
        """The run's `sample:` section with the options that were given in its place; see `sampling.settled`.

        Raises:
            UsageError: an option has a value that is not allowed, or they exclude one another.
        """
        return in_form(settled(self.config.sample, given), self.config.corpus)

    def prompt(self, options: Sample, unknown: Unknown = "error") -> list[int]:
        """The symbols of the seed; `unknown`: `error`, `skip` or `replace`, for those that the vocabulary lacks."""
        return self.vocabulary.encode(options.seed, unknown=unknown).tolist() if options.seed else []

    def samples(
        self,
        options: Sample,
        numbers: Sequence[int],
        unknown: Unknown = "error",
        check: Check = no_check,
        odds: int | None = None,
    ) -> Iterator[Drawn]:
        """The texts that follow the seed, side by side as they are made; see `charrnn.sample.several.several`.

        Raises:
            UsageError, DataError: at once, where the vocabulary cannot do what is asked for.
        """
        check_options(options, self.vocabulary, numbers)
        prompt = self.prompt(options, unknown)
        return several(self.network, self.vocabulary, prompt, options, numbers, check, odds, self.bursts)

    def streams(self) -> Streams | BurstStreams:
        """Where texts join and leave at any time; one of these may be in use at a time."""
        return streams_of(self.network, self.vocabulary, self.bursts)

    def by_symbol(self, options: Sample, odds: int | None = None) -> list[str]:
        """The options for which a device goes one symbol at a time; none where there is no device."""
        return by_symbol(options, self.vocabulary, odds) if self.bursts is not None else []

    def text(self, options: Sample, number: int, unknown: Unknown, check: Callable[[], None]) -> Iterator[str]:
        """The text that follows the seed, in pieces as it is made.

        Args:
            options: what to draw and how.
            number: the number of the sample; each has draws of its own.
            unknown: `error`, `skip` or `replace`, for symbols of the seed that the vocabulary lacks.
            check: called before every symbol; it may raise to stop.
        """
        return (drawn.piece for drawn in self.samples(options, (number,), unknown, check) if drawn.piece)


def in_form(options: Sample, corpus: Corpus) -> Sample:
    """`options` with its texts in the form that the corpus was brought into: its case, newlines and normal form.

    The characters of `ban` and `only` are taken as they stand.
    """
    seed = None if options.seed is None else normalised_text(options.seed, corpus)
    texts = {name: tuple(normalised_text(text, corpus) for text in getattr(options, name)) for name in _TEXTS}
    return options.model_copy(update={"seed": seed, **texts})


@dataclass(frozen=True)
class Engine:
    """What computes a model: symbol by symbol, and perhaps many at a time."""

    network: Stepper
    bursts: Bursts | None = None


def in_numpy(config: LanguageConfig, vocabulary: Vocabulary, arrays: Arrays) -> Engine:
    """The engine on every machine; see `stepper`."""
    return Engine(stepper(config, arrays))


def stepper(config: LanguageConfig, arrays: Arrays) -> Stepper:
    """A trained model, one symbol at a time, that sees of the past what it saw of it in training.

    Args:
        config: its whole config.
        arrays: the tensors of the checkpoint's group `model`.
    """
    network = StepNetwork(config.model, arrays)
    return WindowStepper(network, config.stream.length) if isinstance(config.stream, Windows) else network


def open_model(
    place: Path | None, runs: Path, engine: Callable[[LanguageConfig, Vocabulary, Arrays], Engine] = in_numpy
) -> OpenModel:
    """Open the model of a run or of a checkpoint; None means the newest run.

    Args:
        place: the run or the checkpoint.
        runs: where runs lie.
        engine: what is to compute it; `on_device.py` has another.

    Raises:
        UsageError: there is no such run.
        CheckpointError: the checkpoint is missing, damaged, or does not fit its own config.
    """
    checkpoint, which = find_checkpoint(place, runs)
    config = language(config_of(checkpoint))
    vocabulary = Vocabulary.from_json(checkpoint.document("vocabulary"))
    arrays = checkpoint.tensors("model")
    try:
        made = engine(config, vocabulary, arrays)
        ends = np.array([0, vocabulary.size - 1], np.int64)
        scores = made.network.step(ends, made.network.initial_state(2))[0]
        if scores.shape != (2, vocabulary.size):
            raise ValueError(f"it scores {scores.shape[-1]} symbols, and the vocabulary has {vocabulary.size}")
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise CheckpointError(
            "the checkpoint's tensors do not fit its config", where=checkpoint.folder, why=str(error)
        ) from error
    label = f"{checkpoint.folder} ({which})"
    return OpenModel(checkpoint.folder, label, config, vocabulary, made.network, made.bursts)


def config_of(checkpoint: Checkpoint) -> Config:
    """The config that a checkpoint was trained with.

    Raises:
        CheckpointError: it is damaged, or of another version of charrnn.
    """
    try:
        return config_from(checkpoint.document("config")["config"])
    except (ValidationError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            "the checkpoint's config is not one that this version of charrnn knows",
            where=checkpoint.folder / "config.json",
            why=str(error),
        ) from error


def weights_sha256(checkpoint: Checkpoint) -> str:
    """The SHA-256 of a model's tensors, wherever they lie."""
    return checkpoint.files.get("model.safetensors", (0, ""))[1]
