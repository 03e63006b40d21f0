"""Rows of a batch as slices."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise


def slices(rows: int, parts: int) -> list[slice]:
    """Neighbouring rows in so many parts, whose lengths differ by one at most; some are empty where there are fewer
    rows."""
    return [slice(*ends) for ends in pairwise(-(-rows * i // parts) for i in range(parts + 1))]


def overlap(own: slice, rows: slice) -> slice | None:
    """Where among `rows` those of `own` stand; None where none of them does."""
    begin, end = max(own.start, rows.start), min(own.stop, rows.stop)
    return slice(begin - rows.start, end - rows.start) if begin < end else None


def shares_of(shares: Mapping[str, slice], rows: slice) -> dict[str, slice]:
    """The shares that have some of `rows`, and where among these."""
    found = {name: overlap(own, rows) for name, own in shares.items()}
    return {name: within for name, within in found.items() if within is not None}
