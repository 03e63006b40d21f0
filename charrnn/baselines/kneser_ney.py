"""Interpolated modified Kneser-Ney n-grams of every order up to a limit, fitted and scored in one go.

After S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling" (TR-10-98,
Harvard, 1998), the section on modified Kneser-Ney smoothing:

    p_n(w | h) = (c(h, w) - D(c(h, w))) / c(h) + gamma(h) · p_{n-1}(w | h'), h' = h less its oldest symbol

c is the raw count in the highest order of a model and the number of distinct left neighbours below it (an
n-gram that begins with `<start>` has no left neighbour and keeps its raw count). c(h) sums c(h, w) over w;
gamma(h) is the share of c(h) that the discounts D took; order 0 gives every symbol but `<start>` the same
probability. A context that never occurs passes p_{n-1} on unchanged.

Legend: N tokens, V vocabulary (`<start>` included), B lanes, M tokens of a block, G distinct n-grams of one
length, K distinct contexts of one length, h context, w next symbol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from charrnn.baselines.counts import START, UNSEEN, Ids, Level, Tokens, count_levels
from charrnn.baselines.discounting import Floats
from charrnn.baselines.smoothing import Smoothing
from charrnn.errors import DataError, UsageError
from charrnn.text.watch import Check, no_check

__all__ = ["START", "KneserNey"]

Places = Callable[[int, int], Ids]

BLOCK = 1 << 20
"""Tokens scored at a time: bounds the memory of scoring, and has no influence on the result."""


def _lane_places(count: int, lanes: int) -> Places:
    if lanes < 1:
        raise UsageError(f"a split is cut into 1 lane or more, not {lanes}")
    return partial(_places_in_lane, count=count, lanes=lanes)


def _places_in_lane(begin: int, end: int, count: int, lanes: int) -> Ids:
    """How far into its lane each of the tokens `begin` … `end` - 1 of `count` is, shape (M,)."""
    shorter, longer_lanes = divmod(count, lanes)
    joint = longer_lanes * (shorter + 1)
    position = np.arange(begin, end)
    return np.where(position < joint, position % (shorter + 1), (position - joint) % max(shorter, 1))


@dataclass(frozen=True)
class KneserNey:
    """Models of the orders 1 … `order` of one text; the counts of one serve all.

    Made by `fit`. Keeps at most 16 bytes per training token and order.

    Attributes:
        levels: the n-grams of lengths 1 … order.
        vocabulary_size: V.
        trained_on: how many tokens were counted; fewer than given to `fit` if those exceeded its limit.
    """

    levels: tuple[Level, ...]
    vocabulary_size: int
    trained_on: int

    @property
    def order(self) -> int:
        """The highest order n of a model; it looks back n - 1 symbols."""
        return len(self.levels)

    @classmethod
    def fit(
        cls,
        tokens: Tokens,
        vocabulary_size: int,
        order: int,
        *,
        max_tokens: int | None = None,
        check: Check = no_check,
    ) -> KneserNey:
        """Count the n-grams of a training split.

        Takes, beside what it keeps, about 65 bytes per token counted, whatever the order.

        Args:
            tokens: shape (N,), symbols in [1, V); `<start>` stands before the first of them.
            vocabulary_size: V, `<start>` included; at most 2^24.
            order: the highest order.
            max_tokens: of a longer split, only this many last tokens are counted; at most 2^32 - 1.
            check: called once per order; it may raise to stop.

        Raises:
            UsageError: `order` or `max_tokens` is below 1.
            DataError: the split is empty.
        """
        if order < 1:
            raise UsageError(f"an n-gram has an order of 1 or more, not {order}")
        if max_tokens is not None and max_tokens < 1:
            raise UsageError(f"an n-gram model counts 1 token or more, not {max_tokens}")
        if not len(tokens):
            raise DataError(
                "the training split is empty",
                why="an n-gram model has nothing to count",
                hint="a longer text",
            )
        counted = tokens if max_tokens is None else tokens[-max_tokens:]
        _check_symbols(counted, vocabulary_size)
        return cls(count_levels(counted, vocabulary_size, order, check), vocabulary_size, len(counted))

    def nats(self, tokens: Tokens, lanes: int, before: int = START) -> Floats:
        """-log p of every token in nats: shape (order, N), by the model of order n in row n - 1.

        A token is predicted from the earlier ones of its own lane and the one just before the lane, which is
        what the recurrent models see. Where these are fewer than n - 1, the model of the highest order that
        needs no more stands in.

        Args:
            tokens: shape (N,), symbols in [1, V).
            lanes: B; the first N mod B lanes are one token longer.
            before: the symbol just before the first lane.

        Raises:
            UsageError: `lanes` is below 1.
        """
        result = np.empty((self.order, len(tokens)))
        for begin, order, row in self.rows(tokens, _lane_places(len(tokens), lanes), before):
            result[order - 1, begin : begin + len(row)] = row
        return result

    def total_nats(self, tokens: Tokens, lanes: int, before: int = START, check: Check = no_check) -> Floats:
        """The row sums of `nats`, shape (order,), in memory that grows with neither N nor the order.

        `check` is called once per block and order; it may raise to stop.

        Takes about 110 bytes per token of a block and 65 per training token, beside the model.
        """
        totals = np.zeros(self.order)
        for _, order, row in self.rows(tokens, _lane_places(len(tokens), lanes), before):
            check()
            totals[order - 1] += row.sum()
        return totals

    def probabilities(self, context: Sequence[int], order: int | None = None) -> Floats:
        """p(w | context) for every w: shape (V,), sums to one, the entry of `<start>` is 0.

        Args:
            context: the symbols before, oldest first, beginning with `<start>` if a text does. The last
                `order` - 1 are used; if there are fewer, the model of the highest order that needs no more.
            order: the order of the model; the highest unless given.

        Raises:
            UsageError: there is no model of this order.
        """
        order = self.order if order is None else order
        if not 1 <= order <= self.order:
            raise UsageError(f"no n-gram model of order {order}", why=f"the orders are 1 to {self.order}")
        order = min(order, len(context) + 1)
        words = np.array(context[len(context) - (order - 1) :], dtype=np.int64)
        _check_symbols(words, self.vocabulary_size, lowest=START)
        p = self._uniform()
        ids = np.zeros(0, dtype=np.int64)
        for length, level in enumerate(self.levels[:order], start=1):
            context_id = 0 if length == 1 else int(ids[-1])
            p = self._interpolate_row(level, context_id, p, highest=length == order)
            ids = level.find(_contexts(ids, length, len(words)), words, self.vocabulary_size)
        return p

    def _interpolate_row(self, level: Level, context_id: int, lower: Floats, *, highest: bool) -> Floats:
        first = context_id * self.vocabulary_size
        row = slice(*np.searchsorted(level.keys, (first, first + self.vocabulary_size)))
        tally = level.raw if highest or level.continuations is None else level.continuations
        total = tally.counts[row].sum()
        if not total:  # the context, or the one before it, never occurs
            return lower
        taken = tally.taken(row)
        p: Floats = lower * (taken.sum() / total)
        p[level.keys[row] - first] += (tally.counts[row] - taken) / total
        return p

    def _uniform(self) -> Floats:
        p = np.full(self.vocabulary_size, 1 / (self.vocabulary_size - 1))
        p[START] = 0.0
        return p

    def rows(self, tokens: Tokens, places: Places, before: int) -> Iterator[tuple[int, int, Floats]]:
        """(first token, order, -log p in nats of shape (M,)) for every block and order.

        `places` tells of the tokens from one to another how many tokens lie between each and the one token before its
        passage: an n-gram holds that one token, those between, and this one, and no more.
        """
        assert START <= before < self.vocabulary_size, before
        for begin in range(0, len(tokens), BLOCK):
            end = min(begin + BLOCK, len(tokens))
            # The block and the order - 1 symbols before it; what lies before the split is of no known symbol.
            words = np.full(self.order - 1 + end - begin, UNSEEN, dtype=np.int64)
            known = tokens[max(0, begin - (self.order - 1)) : end]
            _check_symbols(known, self.vocabulary_size)
            words[len(words) - len(known) :] = known
            if len(words) > len(known):
                words[len(words) - len(known) - 1] = before
            for order, row in enumerate(self._score(words, places(begin, end) + 2), start=1):
                yield begin, order, row

    def _score(self, words: Ids, longest: Ids) -> Iterator[Floats]:
        """-log p in nats, order by order, of the last M of `words`; `longest` (M,) limits the n-grams."""
        block = slice(len(words) - len(longest), None)
        ids = words
        lower = self._uniform()[words[block]]
        nats = np.empty(len(longest))
        context_count = 1
        for length, level in enumerate(self.levels, start=1):
            contexts = _contexts(ids, length, len(words))
            ids = words if length == 1 else level.find(contexts, words, self.vocabulary_size)
            here = contexts[block], ids[block]
            highest = Smoothing.of(level, level.raw, context_count, self.vocabulary_size)
            p = highest.interpolate(lower, *here)
            nats = np.where(length <= longest, -np.log(p), nats)
            yield nats
            if level.continuations is not None:
                below = Smoothing.of(level, level.continuations, context_count, self.vocabulary_size)
                lower = below.interpolate(lower, *here)
            context_count = len(level.keys)


def _contexts(ids: Ids, length: int, count: int) -> Ids:
    """The ids of the contexts of n-grams of this length, shape (count,): what ends one symbol earlier."""
    if length == 1:
        return np.zeros(count, dtype=np.int64)
    return np.concatenate((np.array([UNSEEN]), ids))[:count]


def _check_symbols(tokens: Tokens, vocabulary_size: int, lowest: int = START + 1) -> None:
    in_range = not len(tokens) or (lowest <= int(tokens.min()) and int(tokens.max()) < vocabulary_size)
    assert in_range, f"symbols must lie in [{lowest}, {vocabulary_size})"
