"""n-grams scored as a model of windows is: each prediction sees the symbols of its window and none before them.

Legend: N tokens, M tokens of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from charrnn.baselines.counts import START, Ids, Tokens
from charrnn.baselines.discounting import Floats
from charrnn.baselines.kneser_ney import KneserNey, Places
from charrnn.text.watch import Check, no_check


def window_nats(
    model: KneserNey,
    tokens: Tokens,
    length: int,
    stride: int,
    count: int,
    last: bool,
    check: Check = no_check,
) -> tuple[Floats, int]:
    """-log p in nats, summed over the targets of all windows, by the model of each order; and how many targets.

    Window j has the targets j * stride ... j * stride + length - 1, as far as the split goes, and begins with the
    symbol in front of the first of them. Where windows overlap, a token is a target once for each.

    Args:
        model: n-grams of every order.
        tokens: shape (N,), symbols in [1, V).
        length: symbols of a window.
        stride: from one window to the next; at most `length`.
        count: how many windows there are.
        last: whether only the last target of each counts.
        check: called once per block and order; it may raise to stop.

    Returns:
        Sums of shape (order,), and the number of targets.
    """
    totals, targets = np.zeros(model.order), 0
    for places in _passes(length, stride, count, last):
        for begin, order, row in model.rows(tokens, places, START):
            check()
            here = places(begin, begin + len(row)) >= 0
            totals[order - 1] += row[here].sum()
            targets += int(here.sum()) if order == 1 else 0
    return totals, targets


def _passes(length: int, stride: int, count: int, last: bool) -> Iterator[Places]:
    """Readings of the split in which every token is a target once at most; together they have all targets.

    Each tells the place of a token in its window, from 0, and -1 where it is no target.
    """
    if last:
        yield partial(_last_places, length=length, stride=stride, count=count)
        return
    families = -(-length // stride)  # windows that lie so many apart do not overlap
    for first in range(min(families, count)):
        members = -(-(count - first) // families)
        yield partial(_each_place, offset=first * stride, apart=families * stride, length=length, count=members)


def _each_place(begin: int, end: int, offset: int, apart: int, length: int, count: int) -> Ids:
    position = np.arange(begin, end) - offset
    place = position % apart
    return np.where((position >= 0) & (place < length) & (position < count * apart), place, -1)


def _last_places(begin: int, end: int, length: int, stride: int, count: int) -> Ids:
    position = np.arange(begin, end) - (length - 1)
    there = (position >= 0) & (position % stride == 0) & (position < count * stride)
    return np.where(there, length - 1, -1)
