"""Which passages of a short row of symbols stand, symbol for symbol, in a very long one.

The long row is read once, block by block. Hashes of all its n-grams are made with array operations, and only where an
n-gram of the short row is met is it looked at more closely: the suffix automaton of the short row (Blumer et al. 1985)
reads those regions and says how long every match is. Hashes that collide cost time and nothing else.

Shapes: N symbols of the short row (the query).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from charrnn.text.watch import Watch

BLOCK = 1 << 20
NOWHERE = -1
"""An id in the query that stands nowhere; it keeps passages apart."""

_BASE = 0x9E3779B97F4A7C15  # odd, so that no symbol is multiplied away
_TABLE_BITS = 20
_MOST_SEEN, _LONGEST_SEEN = 100_000, 1_000
_LABEL = "looking for copies"


def longest_copies(
    query_N: np.ndarray, tokens: np.ndarray, least: int, watch: Watch | None = None, block: int = BLOCK
) -> tuple[np.ndarray, np.ndarray]:
    """For each place of the query, the longest passage that ends there and stands in `tokens`.

    Args:
        query_N: ids from 0, or `NOWHERE`.
        tokens: the ids of the long row; it may be mapped from a file.
        least: passages of fewer symbols are not looked for; from 1.
        watch: told about every block; it may raise to stop.
        block: places of `tokens` that are looked at together.

    Returns:
        lengths_N: symbols of the passage, 0 where none has `least`; and starts_N: where in `tokens` one occurrence of
        it begins.
    """
    grams = _Grams(query_N, least)
    if not len(grams.known):
        return np.zeros(len(query_N), np.int64), np.zeros(len(query_N), np.int64)
    automaton, seen = _Automaton(query_N.tolist()), set[bytes]()
    watch = watch or Watch()
    for begin, end in _regions(grams, tokens, watch, block):
        stop = end + least - 1
        if stop - begin <= _LONGEST_SEEN:  # what a text repeats all the time is read once
            content = tokens[begin:stop].tobytes()
            if content in seen:
                continue
            if len(seen) < _MOST_SEEN:
                seen.add(content)
        automaton.read(tokens, begin, stop, block, watch)
    lengths_N, ends_N = automaton.matches()
    lengths_N[lengths_N < least] = 0
    return lengths_N, np.where(lengths_N > 0, ends_N - lengths_N, 0)


def _regions(grams: _Grams, tokens: np.ndarray, watch: Watch, block: int) -> Iterator[tuple[int, int]]:
    """The runs of places, begin and end, at which n-grams of the query seem to stand."""
    places = len(tokens) - grams.length + 1
    pending: tuple[int, int] | None = None
    for start in range(0, max(places, 0), block):
        watch.block(_LABEL, start, places)
        hits = start + grams.places(np.asarray(tokens[start : start + block + grams.length - 1]))
        if not len(hits):
            continue
        breaks = np.flatnonzero(np.diff(hits) > 1)
        begins = [int(hits[0]), *hits[breaks + 1].tolist()]
        ends = [*(hits[breaks] + 1).tolist(), int(hits[-1]) + 1]
        if pending is not None:
            if pending[1] == begins[0]:
                begins[0] = pending[0]
            else:
                yield pending
        pending = (begins[-1], ends[-1])
        yield from zip(begins[:-1], ends[:-1], strict=True)
    if pending is not None:
        yield pending


class _Grams:
    """The n-grams of the query, found among those of any row by their hashes."""

    def __init__(self, query_N: np.ndarray, length: int) -> None:
        self.length = length
        self._codes = np.random.default_rng(1).integers(
            0, 1 << 64, max(int(query_N.max(initial=0)), 0) + 2, dtype=np.uint64
        )
        whole = np.convolve(query_N < 0, np.ones(length, np.int64), "valid") == 0 if len(query_N) >= length else []
        self.known = np.unique(self._hashes(np.maximum(query_N, 0))[whole]) if len(whole) else np.empty(0, np.uint64)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._table[self._slots(self.known)] = True

    def places(self, ids: np.ndarray) -> np.ndarray:
        """Where in `ids` one of them seems to begin."""
        hashes = self._hashes(ids)
        places = np.flatnonzero(self._table[self._slots(hashes)])
        found = hashes[places]
        index = np.minimum(np.searchsorted(self.known, found), len(self.known) - 1)
        same: np.ndarray = places[self.known[index] == found]
        return same

    def _hashes(self, ids: np.ndarray) -> np.ndarray:
        """The hash of every n-gram: a polynomial of its symbols' codes, put together from those of half the length."""
        piece = self._codes[np.minimum(ids, len(self._codes) - 1)]
        size, rest, done, done_size = 1, self.length, np.empty(0, np.uint64), 0
        while True:
            if rest & 1:
                done = _joined(done, done_size, piece, size) if done_size else piece
                done_size += size
            rest >>= 1
            if not rest:
                return done
            piece, size = _joined(piece, size, piece, size), 2 * size

    def _slots(self, hashes: np.ndarray) -> np.ndarray:
        return (hashes >> np.uint64(64 - _TABLE_BITS)).astype(np.intp)


def _joined(first: np.ndarray, size: int, second: np.ndarray, second_size: int) -> np.ndarray:
    """The hashes of n-grams of both sizes together, the first in front."""
    count = max(len(second) - size, 0)
    joined: np.ndarray = first[:count] * np.uint64(pow(_BASE, second_size, 1 << 64)) + second[size : size + count]
    return joined


class _Automaton:
    """The suffix automaton of a row: its states are the passages of the row that end at the same places.

    Each state holds passages of several lengths, all ends of the longest; the next shorter ones are at `link`.
    """

    def __init__(self, query: list[int]) -> None:
        self._next: list[dict[int, int]] = [{}]
        self._link, self._length, self._prefix = [-1], [0], list[int]()
        last = 0
        for symbol in query:
            last = self._longer(last, symbol)
            self._prefix.append(last)
        self._best = [0] * len(self._next)  # the longest passage of each state that was met, and where it ended
        self._end = [0] * len(self._next)

    def _longer(self, last: int, symbol: int) -> int:
        state = self._state(self._length[last] + 1, {}, 0)
        place = last
        while place >= 0 and symbol not in self._next[place]:
            self._next[place][symbol] = state
            place = self._link[place]
        if place < 0:
            return state
        other = self._next[place][symbol]
        if self._length[place] + 1 != self._length[other]:
            twin = self._state(self._length[place] + 1, dict(self._next[other]), self._link[other])
            while place >= 0 and self._next[place].get(symbol) == other:
                self._next[place][symbol] = twin
                place = self._link[place]
            self._link[other] = twin
            other = twin
        self._link[state] = other
        return state

    def _state(self, length: int, following: dict[int, int], link: int) -> int:
        self._next.append(following)
        self._link.append(link)
        self._length.append(length)
        return len(self._next) - 1

    def read(self, tokens: np.ndarray, begin: int, end: int, block: int, watch: Watch) -> None:
        """Meet all passages of the row in `tokens[begin:end]`."""
        following, link, lengths, best = self._next, self._link, self._length, self._best
        state = length = 0
        for start in range(begin, end, block):
            watch.check()
            for place, symbol in enumerate(np.asarray(tokens[start : min(start + block, end)]).tolist(), start + 1):
                while state and symbol not in following[state]:
                    state = link[state]
                    length = lengths[state]
                if symbol in following[state]:
                    state = following[state][symbol]
                    length += 1
                if length > best[state]:
                    best[state], self._end[state] = length, place

    def matches(self) -> tuple[np.ndarray, np.ndarray]:
        """For each place of the row the longest passage ending there that was met, and the end of what was met."""
        order = sorted(range(1, len(self._next)), key=self._length.__getitem__)
        for state in reversed(order):
            link = self._link[state]
            if self._best[state] and self._best[link] < self._length[link]:
                self._best[link], self._end[link] = self._length[link], self._end[state]
        met = [0] * len(self._next)
        for state in order:
            met[state] = state if self._best[state] else met[self._link[state]]
        found = [met[state] for state in self._prefix]
        return np.array([self._best[s] for s in found], np.int64), np.array([self._end[s] for s in found], np.int64)
