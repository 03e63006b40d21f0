"""`charrnn sample --trace`: the states of units over a text, and those that follow it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from charrnn.cli.sampled import Made, Wanted
    from charrnn.corpus.tokens import TokenCorpus
    from charrnn.logs.console import Console
    from charrnn.runs.use import OpenModel
    from charrnn.sample.following import Follower
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.train.interrupt import Interrupt

_PASSAGE = 800
_NAMES = {"auc": "AUC", "correlation": "r"}


def traced(
    model: OpenModel,
    prompt: Sequence[int],
    made: Made,
    wanted: Wanted,
    corpus: TokenCorpus | None,
    console: Console,
    interrupt: Interrupt,
) -> dict[str, Any]:
    """Trace the sample or a split, write what was asked for, and tell which units follow the text."""
    from charrnn.cli.sampled import TRACED
    from charrnn.runs.trained_text import passage
    from charrnn.sample.features import features_of
    from charrnn.sample.following import followers
    from charrnn.sample.trace import trace, write_trace

    if wanted.split is None:
        ids, from_start = [*prompt, *made.symbols], not prompt
    else:
        assert corpus is not None, "opened before"
        most = TRACED if wanted.trace_length is None else wanted.trace_length
        ids, from_start = passage(corpus, wanted.split).tokens[:most].tolist(), True
    console.note(f"tracing {len(ids)} symbols")
    states = trace(model.network, ids, from_start, interrupt.check)
    features = features_of(ids, model.vocabulary)
    found = followers(states, features, interrupt.check)
    if wanted.trace is not None:
        write_trace(wanted.trace, ids, model.vocabulary, states)
    if wanted.picture is not None:
        _draw(wanted.picture, ids, model.vocabulary, states, features, found)
    return {
        "text": wanted.split or "sample",
        "symbols": len(ids),
        "trace": None if wanted.trace is None else str(wanted.trace),
        "picture": None if wanted.picture is None else str(wanted.picture),
        "units": {name: array.shape[1] for name, array in states.items()},
        "followers": [_finite(asdict(one)) for one in found],
    }


def units_table(told: Mapping[str, Any]) -> Iterator[str]:
    """The result as lines for people."""
    units = sum(told["units"].values())
    yield f"{units} units over {told['symbols']} symbols of the {told['text']} text; the best unit for each feature,"
    yield "chosen by the first half of the text and measured on the second"
    yield ""
    yield f"{'feature':<22}{'unit':>10}  measure      chosen by  measured"
    for one in told["followers"]:
        unit = f"{one['tensor']}[{one['unit']}]"
        chosen, value = (math.nan if one[key] is None else one[key] for key in ("chosen", "value"))
        yield f"{one['feature']:<22}{unit:>10}  {one['measure']:<11}  {chosen:>9.3f}  {value:>8.3f}"
    if not told["followers"]:
        yield "none: no feature changes in both halves of so short a text"


def _draw(
    path: Path,
    ids: Sequence[int],
    vocabulary: Vocabulary,
    states: Mapping[str, np.ndarray],
    features: Mapping[str, np.ndarray],
    found: Sequence[Follower],
) -> None:
    from charrnn.report.units import Coloured, draw_units, most_telling
    from charrnn.sample.text import pieces_of

    if not found:
        raise UsageError(
            "there is nothing to draw",
            where=path,
            why="no feature (quotes, brackets, lines, indentation) changes in both halves of the text",
            hint="trace a longer text: --trace-text valid",
        )
    pieces = pieces_of(ids, vocabulary)
    half = len(ids) // 2
    last = max(half, len(ids) - _PASSAGE)
    begins = [n for n in range(half, last + 1) if n == half or pieces[n - 1].endswith("\n")]
    passages = []
    for one in found:
        begin = most_telling(features[one.feature], begins, _PASSAGE)
        part = slice(begin, begin + _PASSAGE)
        title = f"{one.feature}: unit {one.tensor}[{one.unit}], {_NAMES[one.measure]} {one.value:.2f}"
        passages.append(Coloured(title, pieces[part], states[one.tensor][part, one.unit]))
    draw_units(path, passages)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """A diverged model has states that are no numbers, and JSON has none of those."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
