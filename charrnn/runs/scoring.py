"""A text read by a trained model, line by line, and what is usual for it on its own validation text. Torch-free.

Shapes: B lanes, N symbols of a lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.config.schema import Windows
from charrnn.config.schema.corpus import SeparatedDocuments
from charrnn.corpus.ready import named_by
from charrnn.corpus.tokens import Split, TokenCorpus
from charrnn.errors import DataError, DivergedError, UsageError
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared
from charrnn.runs.folder import config_beside
from charrnn.runs.resume import as_prepared, check_corpus
from charrnn.runs.use import OpenModel
from charrnn.sample.anomalies import LEAST, Calibration
from charrnn.sample.lines import LineReader, LineScore, Score
from charrnn.sample.reading import Reading, Surprise
from charrnn.text.blocks import SourceFile, read_blocks
from charrnn.text.encode import Unknown
from charrnn.text.lines import TextLine, text_lines
from charrnn.text.normal import normalised_text
from charrnn.text.reader import Reader
from charrnn.text.sources import typed
from charrnn.text.watch import Check, Progress, Watch, no_check, no_progress

STDIN = "standard input"

_MOST_SYMBOLS = 1 << 18
_MOST_LANES, _LEAST_LANE = 16, 2048
_BLOCK = 256


def text_of(model: OpenModel, file: Path | None, watch: Watch) -> tuple[str, Iterator[TextLine]]:
    """The lines of a file, in the form of the model's corpus, read as they are asked for; and what errors call it.

    Args:
        model: the model; its corpus says what encoding, newlines, normal form and case are.
        file: plain or gzip; None for standard input.
        watch: hears of the bytes read, and may stop the work.

    Raises:
        DataError: it cannot be read, or is not such a text.
    """
    settings = model.config.corpus
    blocks: Iterable[bytes]
    if file is None:
        name, blocks = STDIN, iter(partial(typed, watch.check), b"")
    else:
        source = SourceFile(file.name, file)
        name, size = str(file), source.size()
        blocks = read_blocks(source, None, lambda done: watch.block("score", done, size))
    return name, text_lines(Reader(settings).pieces(name, blocks), settings.unit)


def line_reader(
    model: OpenModel, unknown: Unknown = "error", name: str = "text", check: Check = no_check
) -> LineReader:
    """What reads lines with a model: it begins anew where a document does, if it has learned to.

    Args:
        model: the model.
        unknown: what becomes of symbols that its vocabulary lacks.
        name: what errors call the text.
        check: called before every symbol; it may raise to stop.
    """
    documents = model.config.corpus.documents
    separator = None
    if isinstance(documents, SeparatedDocuments):
        separator = model.vocabulary.encode(normalised_text(documents.text, model.config.corpus))
    return LineReader(model.network, model.vocabulary, unknown, name, separator, check)


def score_text(
    model: OpenModel, text: str, unknown: Unknown = "error", check: Check = no_check
) -> tuple[list[LineScore], Score]:
    """What a text that is in memory costs a model: its lines, and the whole.

    Raises:
        DataError: it is empty, or has symbols that the vocabulary lacks; see `LineReader.score`.
    """
    reader = line_reader(model, unknown, check=check)
    formed = normalised_text(text, model.config.corpus)
    unit = model.vocabulary.unit
    content = formed.encode("utf-8", "surrogateescape") if unit == "byte" else formed
    lines = [reader.score(line) for line in text_lines([content], unit)]
    whole = sum((line.score for line in lines), Score())
    refuse_empty(whole, "text")
    return lines, whole


def refuse_empty(whole: Score, name: str) -> None:
    """Raise unless a text had symbols that could be scored.

    Raises:
        DataError: it had none.
    """
    if whole.symbols == 0:
        raise DataError("there is nothing to score: the text is empty", where=name)


def validation_text(model: OpenModel, config: Path | None, corpora: Path, console: Console, check: Check) -> Split:
    """The validation split of the text that a model was trained with: found prepared, else prepared from its source.

    Args:
        model: the model.
        config: the config of its run; None for the one in the run's folder.
        corpora: where corpora lie.
        console: shows the progress.
        check: may raise to stop.

    Raises:
        UsageError: nothing says where the text is.
        DataError: it is not there any more, or is another one, or the split is empty.
    """
    checkpoint = Checkpoint.open(model.folder)
    digest = checkpoint.document("config")["corpus_digest"]
    folder = named_by(corpora, digest)
    corpus = None if folder is None else TokenCorpus.open(folder)
    if corpus is None or corpus.digest != digest:
        loaded = load_config(config or config_beside(checkpoint), [])
        corpus = prepared(as_prepared(checkpoint, loaded, corpora), corpora, console, check).corpus
        check_corpus(checkpoint, corpus)
    split = corpus.split("valid")
    if not len(split.tokens):
        raise DataError(
            "the validation split is empty", where=corpus.folder, hint="train with a share for it in corpus.split"
        )
    return split


def calibrated(
    model: OpenModel, split: Split, check: Check = no_check, progress: Progress = no_progress
) -> Calibration:
    """What is usual for a model on the lines of its validation text.

    At most the first 262,144 symbols of the split are read, by up to 16 lanes side by side, each with a state of its
    own that is carried on; of each the part of a line that it begins with, cold, is left out, and the one that it ends
    in.

    Raises:
        UsageError: there are fewer than 50 whole lines.
        DivergedError: the model has no finite scores for them.
    """
    tokens = np.asarray(split.tokens[:_MOST_SYMBOLS]).astype(np.int64)
    lanes = max(1, min(_MOST_LANES, len(tokens) // _LEAST_LANE))
    if isinstance(model.config.stream, Windows):
        lanes = 1 if len(split.documents) > 1 else lanes  # rows of windows cannot begin anew one by one
    length = len(tokens) // lanes
    ids_BN = tokens[: lanes * length].reshape(lanes, length)
    begins = np.zeros(len(tokens), bool)
    begins[split.documents[split.documents < len(tokens)]] = True
    begins_BN = begins[: lanes * length].reshape(lanes, length)
    reading = Reading(model.network, lanes, check)
    parts = []
    for first in range(0, length, _BLOCK):
        cut = slice(first, first + _BLOCK)
        parts.append(reading.read(ids_BN[:, cut], begins_BN[:, cut]))
        progress("calibrate", min(length, first + _BLOCK), length)
    lines = list(_whole_lines(model, ids_BN, parts))
    if len(lines) < LEAST:
        raise UsageError(
            f"the validation split has only {len(lines)} whole lines, too few to say what is unusual",
            why=f"at least {LEAST} are needed",
            hint="train on more text, or with a larger share for validation in corpus.split",
        )
    if not all(np.isfinite(line.nats).all() for line in lines):
        raise DivergedError("the loss of the validation split is not finite", hint="use an earlier checkpoint")
    return Calibration.of(lines)


def _whole_lines(model: OpenModel, ids_BN: np.ndarray, parts: list[Surprise]) -> Iterator[Surprise]:
    """The surprise of each line that lies in one lane from its beginning to its end."""
    names = ("nats", "expected", "variance")
    read = Surprise(*(np.concatenate([getattr(part, name) for part in parts], axis=1) for name in names))
    feeds = [id_ for id_, spelled in enumerate(model.vocabulary.utf8) if spelled == b"\n"]
    for lane, ends in enumerate(np.isin(ids_BN, feeds)):
        places = np.flatnonzero(ends) + 1
        for start, end in pairwise(places):
            yield read[lane, slice(start, end)]
