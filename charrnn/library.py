"""What `import charrnn` offers: a trained model as an object.

    import charrnn

    model = charrnn.load("runs/demo")
    model.sample("The ", length=200, temperature=0.7)
    model.score("some text").bits_per_char
    model.suggest("The wo", k=3).words
    model.embeddings().neighbours("q", 5)

It needs no torch: language models run in NumPy, as in `charrnn sample`, unless `load` is told a CUDA `device`. What
goes wrong is raised as one of the errors of `charrnn.errors`, which say where, why, and what to try.

Shapes: N symbols, V rows of a table, D factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.runs.embedding import open_embedding
from charrnn.runs.folder import find_checkpoint
from charrnn.runs.named_vectors import NamedVectors
from charrnn.runs.rated_vectors import Of
from charrnn.runs.scoring import score_text
from charrnn.runs.suggesting import suggest
from charrnn.runs.use import OpenModel, config_of, open_model
from charrnn.sample.lines import Score
from charrnn.sample.offers import Suggestions
from charrnn.text.encode import Unknown

RUNS, CORPORA = Path("runs"), Path("corpora")


@dataclass(frozen=True)
class Scored:
    """What a text costs a model.

    Attributes:
        symbols: its symbols, as the model reads them, each on one line; of a model of characters, the characters.
        nats_N: the surprise of each of them, in nats.
        whole: how many symbols, characters and bytes there are, and the sum of their surprise.
    """

    symbols: tuple[str, ...]
    nats_N: np.ndarray
    whole: Score

    @property
    def nats(self) -> float:
        """The mean over the symbols."""
        return self.whole.total / self.whole.symbols

    @property
    def bits_per_char(self) -> float:
        """Bits per character of the text, whatever the model's symbols are."""
        return self.whole.total / math.log(2.0) / self.whole.characters

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of its UTF-8."""
        return self.whole.total / math.log(2.0) / self.whole.bytes


@dataclass(frozen=True)
class Embeddings:
    """Vectors, each with a name.

    Attributes:
        names: one for each row: a symbol on one line and without spaces, such as `<space>`; or the user's or item's
            own id.
        table_VD: the vectors.
    """

    names: tuple[str, ...]
    table_VD: np.ndarray
    _vectors: NamedVectors

    def __getitem__(self, name: str) -> np.ndarray:
        """The vector of a symbol, or of an id.

        Raises:
            UsageError: there is none of this name, or it was never trained.
        """
        vector_D: np.ndarray = self.table_VD[self._vectors.row(name)]
        return vector_D

    def neighbours(self, name: str, k: int = 10) -> list[tuple[str, float]]:
        """The k names whose vectors point most nearly the same way, the nearest first, each with the cosine."""
        near = self._vectors.neighbours(self._vectors.row(name), k)
        return [(self.names[row], cosine) for row, cosine in near]


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        folder: the checkpoint that it is from.
        config: the whole config that it was trained with, as plain values.
    """

    folder: Path
    config: dict[str, Any]
    _corpora: Path
    _device: str = "cpu"

    def sample(self, seed: str | None = None, *, number: int = 0, unknown: Unknown = "error", **options: Any) -> str:
        """The text that follows a seed, without the seed.

        Args:
            seed: what warms the model up; None for the one of the config.
            number: the number of the sample: each has draws of its own.
            unknown: `error`, `skip` or `replace`, for symbols of the seed that the vocabulary lacks.
            **options: keys of the `sample:` section of a config, such as `length`, `temperature`, `top_p`, `stop`,
                `random_seed`; those that are not given are the run's.

        Raises:
            UsageError: an option has a value that is not allowed, or the model writes no text.
            DataError: the seed has a symbol that the vocabulary lacks.
        """
        return "".join(self.stream(seed, number=number, unknown=unknown, **options))

    def stream(
        self, seed: str | None = None, *, number: int = 0, unknown: Unknown = "error", **options: Any
    ) -> Iterator[str]:
        """The same, in pieces as they are drawn; what is wrong with the arguments is raised at once."""
        given = ({} if seed is None else {"seed": seed}) | options
        drawn = self._language.samples(self._language.options(given), (number,), unknown)
        return (one.piece for one in drawn if one.piece)

    def samples(self, count: int, seed: str | None = None, *, unknown: Unknown = "error", **options: Any) -> list[str]:
        """The samples with the numbers 0 to `count` − 1, drawn side by side; see `sample`."""
        given = ({} if seed is None else {"seed": seed}) | options
        texts = [""] * count
        for one in self._language.samples(self._language.options(given), range(count), unknown):
            texts[one.stream] += one.piece
        return texts

    def score(self, text: str, *, unknown: Unknown = "error") -> Scored:
        """How much a text surprises the model; it begins with no text in front of it.

        Raises:
            DataError: the text is empty, or has a symbol that the vocabulary lacks.
            UsageError: the model reads no text.
        """
        model = self._language
        lines, whole = score_text(model, text, unknown)
        ids_N = np.concatenate([line.ids for line in lines])
        symbols = tuple(model.vocabulary.symbol(int(id_)) for id_ in ids_N)
        return Scored(symbols, np.concatenate([line.surprise.nats for line in lines]), whole)

    def suggest(self, seed: str, k: int = 5, *, unknown: Unknown = "error") -> Suggestions:
        """The k likeliest next characters, and the k likeliest words that the text goes on with.

        Raises:
            DataError: the seed has a symbol that the vocabulary lacks.
            UsageError: the model writes no text.
        """
        return suggest(self._language, seed, k, unknown)

    def embeddings(self, of: Of | None = None) -> Embeddings:
        """The vectors that the model has learned: of symbols, words, items or users.

        Args:
            of: of a model of ratings, `items` (unless told otherwise) or `users`.

        Raises:
            UsageError: it has none.
        """
        vectors = open_embedding(self.folder, RUNS, self._corpora, of)
        return Embeddings(tuple(vectors.names), vectors.table_VD, vectors)

    @cached_property
    def _language(self) -> OpenModel:
        if self._device == "cpu":
            return open_model(self.folder, RUNS)
        from charrnn.runs.on_device import open_on  # loads torch

        return open_on(self.folder, RUNS, self._device)


def load(
    run: str | Path | None = None, *, runs: str | Path = RUNS, corpora: str | Path = CORPORA, device: str = "cpu"
) -> Model:
    """Open a trained model.

    Args:
        run: the folder of a run, whose best checkpoint is taken, or its last where there is no best; or a checkpoint;
            None for the newest run in `runs`.
        runs: where runs lie.
        corpora: where prepared texts lie; only `embeddings` ever looks there.
        device: where a language model runs: `cpu`, in NumPy; `cuda` or `cuda:N`, in torch; `auto`, the latter where
            there is a CUDA device.

    Raises:
        UsageError: there is no such run.
        CheckpointError: the checkpoint is missing or damaged, or does not fit its own config.
        DeviceError: the device does not exist here.
    """
    checkpoint, _ = find_checkpoint(None if run is None else Path(run), Path(runs))
    model = Model(checkpoint.folder, config_of(checkpoint).model_dump(mode="json"), Path(corpora), device)
    if model.config["task"] == "language":
        model._language  # noqa: B018  what is damaged is said now
    return model
