"""A bounded piece of text that a model was not trained on, to measure by what a narrower type costs.

Shapes: B rows, N symbols of each.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.ready import named_by
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError, UsageError
from charrnn.export.tables import Tables
from charrnn.files.regular import open_regular
from charrnn.runs.use import OpenModel
from charrnn.sample.decode import Stepper
from charrnn.sample.reading import nats_of
from charrnn.text.normal import normalised_text
from charrnn.text.watch import Check

_ROWS, _LENGTH, _SHORTEST = 16, 512, 64
_WORK = 1 << 13  # steps of the network per row, where each symbol takes as many as a window has
_LARGEST = 1 << 18  # bytes of a text that are looked at


@dataclass(frozen=True)
class Measure:
    """Where to find the text that the loss of narrower weights is measured on.

    Attributes:
        corpora: the folder of prepared corpora.
        text: a text in its place.
    """

    corpora: Path
    text: Path | None


@dataclass(frozen=True)
class HeldOut:
    """Passages that are read side by side, each from the beginning of a state.

    Attributes:
        ids_BN: their symbols.
        source: what they are, in words.
    """

    ids_BN: np.ndarray
    source: str

    def nats(self, model: Stepper, check: Check) -> float:
        """The mean surprise of their symbols."""
        return float(nats_of(model, self.ids_BN, check).mean())

    def cost(self, full: float, narrow: float, word: str) -> dict[str, object]:
        """What the weights in full and in a narrower type, called `word`, come to here, for a report."""
        rows, length = self.ids_BN.shape
        return {
            "text": f"{rows} × {length} symbols of {self.source}",
            "fp32_nats": full,
            f"{word}_nats": narrow,
            "lost_nats": narrow - full,
        }


def held_out(model: OpenModel, tables: Tables, where: Measure) -> HeldOut:
    """Passages of the given text, or else of the run's validation split, spread over all of it.

    Raises:
        UsageError: there is no prepared corpus of the run; or the text cannot be read.
        DataError: the text is empty, or has symbols that the vocabulary lacks.
    """
    tokens, source = _validation(model, where.corpora) if where.text is None else _given(model, where.text)
    if len(tokens) == 0:
        raise DataError(f"{source} is empty: it tells nothing about a loss", hint="give a text with --text FILE")
    rows = min(_ROWS, max(1, len(tokens) // _SHORTEST))
    length = min(len(tokens) // rows, steps(tables.window, _LENGTH))
    apart = len(tokens) // rows
    return HeldOut(np.stack([tokens[b * apart : b * apart + length] for b in range(rows)]).astype(np.int64), source)


def steps(window: int | None, most: int) -> int:
    """How many symbols to read, so that a model which reads a whole window for each does not take for ever."""
    return most if window is None else max(16, min(most, _WORK // window))


def _validation(model: OpenModel, corpora: Path) -> tuple[np.ndarray, str]:
    digest = Checkpoint.open(model.folder).document("config")["corpus_digest"]
    folder = named_by(corpora, digest)
    if folder is None:
        raise UsageError(
            "there is no text to measure the loss on",
            where=corpora,
            why="what the model was trained on is not prepared here",
            hint="give a text with --text FILE, or prepare it with charrnn prepare CONFIG",
        )
    corpus = TokenCorpus.open(folder)
    if corpus.vocabulary.digest != model.vocabulary.digest:
        raise DataError("this corpus has another vocabulary than the model", where=folder, hint="give --text FILE")
    return np.asarray(corpus.split("valid").tokens), "the validation split"


def _given(model: OpenModel, path: Path) -> tuple[np.ndarray, str]:
    try:
        with open_regular(path) as file:
            data = file.read(_LARGEST)
    except OSError as error:
        raise UsageError("cannot read the text", where=path, why=error.strerror) from error
    if model.vocabulary.unit == "byte":
        return model.vocabulary.encode(data), path.name
    try:  # a character that the limit cuts in two is left out
        text = codecs.getincrementaldecoder("utf-8")().decode(data, final=len(data) < _LARGEST)
    except UnicodeDecodeError as error:
        raise DataError("the text is not UTF-8", where=path, why=str(error)) from error
    return model.vocabulary.encode(normalised_text(text, model.config.corpus)), path.name
