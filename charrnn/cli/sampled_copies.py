"""`charrnn sample --memorized`: what of the samples stands in the training text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.cli.sampled import Made
    from charrnn.corpus.tokens import TokenCorpus
    from charrnn.logs.console import Console
    from charrnn.sample.memorized import Memorized
    from charrnn.train.interrupt import Interrupt

_MOST_SHOWN, _WIDEST = 10, 60


def copied(
    made: Sequence[Made], corpus: TokenCorpus, least: int, console: Console, interrupt: Interrupt
) -> dict[str, Any]:
    """What the samples copy in passages of at least `least` characters, beside what held-out text has in common."""
    from charrnn.sample.memorized import memorized
    from charrnn.text.watch import Watch

    symbols = sum(len(one.symbols) for one in made)
    held_out = corpus.vocabulary.decode(corpus.split("valid").tokens[:symbols])
    watch = Watch(console.progress, interrupt.check)
    texts = [*(one.text for one in made), held_out]
    *samples, beside = memorized(texts, corpus.vocabulary, corpus.split("train").tokens, least, watch)
    characters, copies = sum(one.characters for one in samples), sum(one.copied for one in samples)
    return {
        "least": least,
        "characters": characters,
        "copied": copies,
        "share": copies / characters if characters else 0.0,
        "longest": max(one.longest for one in samples),
        "lengths": _lengths(samples, least),
        "samples": [
            {
                "characters": one.characters,
                "copied": one.copied,
                "share": one.share,
                "longest": one.longest,
                "passages": [
                    {"start": p.start, "characters": len(p.text), "offset": p.offset, "line": p.line, "text": p.text}
                    for p in one.passages
                ],
            }
            for one in samples
        ],
        "held_out": {"characters": beside.characters, "share": beside.share, "longest": beside.longest}
        if beside.characters
        else None,
    }


def _lengths(samples: Sequence[Memorized], least: int) -> list[dict[str, int]]:
    """How many passages there are of each length, each range twice as long as the one before."""
    lengths = [len(passage.text) for one in samples for passage in one.passages]
    found, low = [], least
    while any(length >= low for length in lengths):
        high = 2 * low - 1
        count = sum(low <= length <= high for length in lengths)
        found.append({"from": low, "to": high, "passages": count})
        low = high + 1
    return found


def copies_table(told: Mapping[str, Any], count: int) -> Iterator[str]:
    """The result as lines for people."""
    yield (
        f"copied from the training text in passages of {told['least']} characters or more: {told['copied']} of"
        f" {told['characters']} characters ({told['share']:.1%}), the longest {told['longest']}"
    )
    beside = told["held_out"]
    if beside is not None:
        yield (
            f"held-out text, {beside['characters']} characters, has {beside['share']:.1%} in common with it,"
            f" the longest {beside['longest']}"
        )
    rows = [(n, p) for n, one in enumerate(told["samples"], 1) for p in one["passages"]]
    rows.sort(key=lambda row: -row[1]["characters"])
    if not rows:
        return
    yield ", ".join(f"{r['from']}–{r['to']} characters: {r['passages']}" for r in told["lengths"] if r["passages"])
    yield ""
    of = "  sample" if count > 1 else ""
    yield f"characters{of}  at character  training character    line  passage"
    for number, passage in rows[:_MOST_SHOWN]:
        of = f"{number:>8}" if count > 1 else ""
        shown = json.dumps(passage["text"], ensure_ascii=False)
        shown = shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 1]}…"
        yield (
            f"{passage['characters']:>10}{of}  {passage['start']:>12}  {passage['offset']:>18}"
            f"  {passage['line']:>6}  {shown}"
        )
    if len(rows) > _MOST_SHOWN:
        yield f"and {len(rows) - _MOST_SHOWN} more"
