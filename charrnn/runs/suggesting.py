"""A trained model that suggests what comes next, and the text on which it is measured. Torch-free."""

from __future__ import annotations

from pathlib import Path

from charrnn.corpus.tokens import Split
from charrnn.errors import DataError
from charrnn.runs.scoring import text_of
from charrnn.runs.use import OpenModel
from charrnn.sample.offers import Suggestions
from charrnn.sample.suggest import BEAM, Suggester
from charrnn.text.encode import Unknown
from charrnn.text.normal import normalised_text
from charrnn.text.watch import Check, Watch, no_check


def suggester(model: OpenModel, unknown: Unknown = "error", beam: int = BEAM, check: Check = no_check) -> Suggester:
    """What suggests by a model; the arguments are those of `Suggester`."""
    return Suggester(model.network, model.vocabulary, unknown, beam, check)


def suggest(model: OpenModel, seed: str, k: int, unknown: Unknown = "error", beam: int = BEAM) -> Suggestions:
    """What may come after a text: the k likeliest symbols and words.

    Raises:
        UnknownSymbols: the vocabulary lacks a symbol of it, under `error`.
    """
    source = suggester(model, unknown, beam)
    return source.suggest(source.after(source.start, normalised_text(seed, model.config.corpus)), k)


def first_of_split(model: OpenModel, split: Split, length: int) -> str:
    """The first characters of a prepared text."""
    # Every character has at least one symbol, and no symbol of it more than one place where it may be cut.
    text = model.vocabulary.decode(split.tokens[: 4 * length])
    return text[:length]


def first_of_file(model: OpenModel, file: Path | None, length: int, watch: Watch) -> str:
    """The first characters of a file, or of standard input, in the form of the model's corpus.

    Raises:
        DataError: it cannot be read, is not such a text, or is empty.
    """
    name, lines = text_of(model, file, watch)
    text = ""
    for line in lines:
        content = line.content
        text += content if isinstance(content, str) else content.decode("utf-8", "surrogateescape")
        if len(text) >= length:
            break
    if not text:
        raise DataError("there is nothing to type: the text is empty", where=name)
    return text[:length]
