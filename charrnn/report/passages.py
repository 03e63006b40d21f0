"""What a language model makes of its own validation text: a passage by surprise, and the loss after a cold start.

Shapes: B windows, N symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.corpus.ready import named_by
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError
from charrnn.report.told import Told
from charrnn.runs.baseline import ngram_table
from charrnn.runs.use import OpenModel, open_model
from charrnn.sample.reading import nats_of
from charrnn.text.watch import Check

_SHADES = 9
_PER_SHADE = 0.75
_WINDOWS, _WINDOW = 256, 64
_ORDER = 6
_COUNTED = 1_000_000
_SCORED = 300_000


@dataclass(frozen=True)
class Symbol:
    """A symbol of a passage.

    Attributes:
        text: what it is, as it is read: a line break is a mark and a break.
        shade: 0 for what was expected, 9 for what was not at all.
        nats: its surprise.
    """

    text: str
    shade: int
    nats: float


@dataclass(frozen=True)
class Reading:
    """What a model made of its validation text.

    Attributes:
        passage: the first symbols of it.
        of: how many symbols the text has.
        mean: nats per symbol of the passage.
        positions: mean nats at each position after a cold start.
        windows: over so many windows; 0 where the records said it.
        baselines: what simpler models come to on the same text: their names, and bits per character.
        unmeasured: why there are none.
    """

    passage: Sequence[Symbol]
    of: int
    mean: float
    positions: Sequence[float]
    windows: int
    baselines: Sequence[tuple[str, float]]
    unmeasured: str


def read_passage(told: Told, corpus: TokenCorpus, symbols: int, check: Check) -> Reading:
    """Let a run's model read the beginning of its validation text.

    Args:
        told: the run, with a checkpoint.
        corpus: its corpus.
        symbols: so many.
        check: called before every step; it may raise to stop.

    Raises:
        DataError: the validation split is empty.
        CheckpointError, UsageError: the model cannot be opened.
    """
    assert told.checkpoint is not None, "asked for with a checkpoint only"
    model = open_model(told.checkpoint.folder, told.run.path)
    part = corpus.split("valid")
    if len(part.tokens) == 0:
        raise DataError("the validation split is empty", where=corpus.folder)
    ids_N = np.asarray(part.tokens[:symbols], np.int64)
    nats_N = nats_of(model.network, ids_N[None], check)[0]
    passage = [_symbol(model, int(id_), float(nats)) for id_, nats in zip(ids_N, nats_N, strict=True)]
    positions, windows = _positions(told, model, part.tokens, check)
    baselines, unmeasured = _baselines(model, corpus, check)
    return Reading(passage, len(part.tokens), float(nats_N.mean()), positions, windows, baselines, unmeasured)


def corpus_of(told: Told, corpora: Path) -> TokenCorpus:
    """The prepared text that a run was trained on.

    Raises:
        DataError: it is not prepared here, or it is damaged.
    """
    digest = told.about["corpus_digest"]
    folder = named_by(corpora, digest)
    if folder is not None:
        corpus = TokenCorpus.open(folder)
        if corpus.digest == digest:
            return corpus
    raise DataError(
        "the text that the run was trained on is not prepared here",
        where=corpora,
        hint=f"charrnn prepare {told.run.config}",
    )


def _symbol(model: OpenModel, id_: int, nats: float) -> Symbol:
    utf8 = model.vocabulary.utf8[id_]
    try:
        text = utf8.decode("utf-8")
    except UnicodeDecodeError:
        text = model.vocabulary.symbol(id_)
    shown = "".join(c if c.isprintable() else "↵\n" if c == "\n" else "→" if c == "\t" else "·" for c in text)
    return Symbol(shown, min(_SHADES, int(nats / _PER_SHADE)) if np.isfinite(nats) else _SHADES, nats)


def _positions(told: Told, model: OpenModel, tokens: np.ndarray, check: Check) -> tuple[list[float], int]:
    """As the records tell for windows; else measured now, over windows that are spread over the text."""
    known = told.history.details.get("positions")
    if isinstance(known, list) and known and all(type(nats) in (int, float) for nats in known):
        return [float(nats) for nats in known], 0
    window = min(_WINDOW, len(tokens))
    count = min(_WINDOWS, len(tokens) // window)
    starts_B = np.linspace(0, len(tokens) - window, count).astype(np.int64)
    ids_BN = np.stack([np.asarray(tokens[start : start + window], np.int64) for start in starts_B])
    nats_BN = nats_of(model.network, ids_BN, check)
    return [float(nats) for nats in nats_BN.mean(axis=0)], count


def _baselines(model: OpenModel, corpus: TokenCorpus, check: Check) -> tuple[list[tuple[str, float]], str]:
    """n-grams with interpolated Kneser–Ney, as `charrnn baseline` has them; of a very long text that command tells."""
    if len(corpus.split("valid").tokens) > _SCORED:
        return [], f"the validation text is longer than {_SCORED:,} symbols: charrnn baseline CONFIG takes its time"
    table = ngram_table(corpus, model.config, _ORDER, "valid", _COUNTED, check)
    best, first = table["best"], table["orders"][0]
    named = [(f"n-gram of order {best['order']}, Kneser–Ney", float(best["bits_per_char"]))]
    if best is not first:
        named.append(("symbols by frequency alone", float(first["bits_per_char"])))
    return named, ""
