"""Pairs of a user and an item that nobody has rated, drawn by chance.

Arrays: N pairs, M ratings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from charrnn.stream.chance import shuffled

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Unrated:
    """Pairs to be rated, in the order in which they were drawn.

    Attributes:
        users_N: the users' numbers.
        items_N: the items' numbers.
        of: how many such pairs there are in all.
    """

    users_N: NDArray[np.int64]
    items_N: NDArray[np.int64]
    of: int

    def __len__(self) -> int:
        return len(self.users_N)


def draw_unrated(
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    rated: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]],
    count: int,
    seed: int,
) -> Unrated:
    """`count` different pairs, each as likely as any other, or all where there are fewer.

    The pairs are walked through in an order of chance, block by block, so no array is as long as they are many.

    Args:
        users: the numbers of the users to draw from, ascending.
        items: those of the items, ascending.
        rated: users and items of ratings; pairs that occur in one of them are not drawn.
        count: how many.
        seed: of the draw.
    """
    taken = np.unique(np.concatenate([_codes(users, items, *pairs) for pairs in rated]))
    grid = len(users) * len(items)
    found, missing, begin = [np.empty(0, np.int64)], min(count, grid - len(taken)), 0
    while missing:
        places = np.arange(begin, min(begin + _BLOCK, grid))
        codes = shuffled(places, grid, seed, "unrated")
        free = codes[~np.isin(codes, taken)][:missing]
        found.append(free)
        missing, begin = missing - len(free), begin + _BLOCK
    codes = np.concatenate(found)
    return Unrated(users[codes // len(items)], items[codes % len(items)], grid - len(taken))


def _codes(
    users: NDArray[np.int64], items: NDArray[np.int64], users_M: NDArray[np.int64], items_M: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Of ratings by these users of these items, the number that each pair has among all of theirs."""
    own_M = np.isin(users_M, users) & np.isin(items_M, items)
    codes: NDArray[np.int64] = np.searchsorted(users, users_M[own_M]) * len(items) + np.searchsorted(
        items, items_M[own_M]
    )
    return codes
