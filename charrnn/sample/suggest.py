"""What may come next, as the keyboard of a phone offers it: symbols, and whole words by a beam to the end of a word.

A word is a run of letters, digits and underscores, as in `charrnn.text.units`; it ends in front of the first symbol
that is none of these. What is told of a word is the probability that the text goes on with exactly it and then ends
it: of its symbols one after another, times that of all symbols together that may end it. A text within a word goes on
with the rest of that word; one that ends with white space goes on with a word; one that ends with another sign may go
on with a space and then a word as well.

These probabilities are exact, however few rows the beam has: what a beam may lose is a word. Whether it can have lost
one is known, for no word is likelier than its beginning (`Suggestions.complete`). Where symbols are words there is no
beam; what is told then is the share of a word, and within a word its share among those that begin so.

Shapes: B rows of the beam, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from charrnn.errors import DivergedError
from charrnn.sample.decode import Stepper
from charrnn.sample.offers import Found, Suggestion, Suggestions
from charrnn.sample.surprise import log_sum
from charrnn.scratch.cells import State
from charrnn.text.encode import Unknown
from charrnn.text.units import unfinished_word
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check

BEAM = 32
LONGEST = 32
"""A word of more symbols is not offered."""


@dataclass(frozen=True)
class Place:
    """Where in a text something is to be suggested.

    Attributes:
        logits_BV: the scores of the next symbol, one row.
        state: the model's, after what it has read.
        begun: the beginning of a word that the text ends with; "" where it ends with none.
        last: the last character of the text; "" in front of all text.
        unread: what of the text the model has not read: for unit `word` the same as `begun`, for it reads whole words.
    """

    logits_BV: np.ndarray
    state: State
    begun: str = ""
    last: str = ""
    unread: str = ""


@dataclass(frozen=True)
class Suggester:
    """Suggests what comes next.

    Attributes:
        model: the model.
        vocabulary: its symbols.
        unknown: `error`, `skip` or `replace`: what becomes of symbols of the text that the vocabulary lacks.
        beam: the most beginnings of words that are followed side by side.
        check: called before every step; it may raise to stop.
    """

    model: Stepper
    vocabulary: Vocabulary
    unknown: Unknown = "error"
    beam: int = BEAM
    check: Check = no_check

    @cached_property
    def start(self) -> Place:
        """The place in front of all text."""
        return Place(*self._step(np.array([Vocabulary.START]), self.model.initial_state(1)))

    def after(self, place: Place, text: str) -> Place:
        """The place after some more text, in the form of the model's corpus.

        Raises:
            UnknownSymbols: the vocabulary lacks a symbol of it, under `error`.
        """
        if not text:
            return place
        now = place.unread + text
        cut = len(now) - unfinished_word(now) if self.vocabulary.unit == "word" else len(now)
        logits_BV, state = place.logits_BV, place.state
        for id_ in self.vocabulary.encode(now[:cut], self.unknown).tolist() if cut else ():
            logits_BV, state = self._step(np.array([id_]), state)
        return Place(logits_BV, state, _begun(place.begun + text), text[-1], now[cut:])

    def suggest(self, place: Place, k: int) -> Suggestions:
        """What may come next at a place: the k likeliest symbols and words, or as many as there are.

        Raises:
            DivergedError: the model has no finite scores.
        """
        shares_V = self._shares(place.logits_BV)[0]
        if self.vocabulary.unit == "word":
            symbols = () if place.unread else self._symbols(shares_V, k)
            return Suggestions(symbols, self._whole_words(place, shares_V, k), True)
        words, complete = self._words(place, shares_V, k)
        return Suggestions(self._symbols(shares_V, k), words, complete)

    def _symbols(self, shares_V: np.ndarray, k: int) -> tuple[Suggestion, ...]:
        best = np.argsort(-shares_V, kind="stable")[:k]
        texts = [self.vocabulary.decode([int(id_)]) for id_ in best]
        return tuple(
            Suggestion(text, self.vocabulary.symbol(int(id_)), float(shares_V[id_]))
            for id_, text in zip(best, texts, strict=True)
            if id_ != Vocabulary.START and shares_V[id_] > 0.0
        )

    def _whole_words(self, place: Place, shares_V: np.ndarray, k: int) -> tuple[Suggestion, ...]:
        """Where symbols are words: those that begin as the text ends, with their shares among all such."""
        names = {int(id_): self.vocabulary.symbol(int(id_)) for id_ in self._inner if self._is_word(int(id_))}
        fits = [id_ for id_, name in names.items() if name.startswith(place.unread)]
        whole = float(shares_V[fits].sum()) if place.unread else 1.0
        offers = [
            Suggestion(names[id_].removeprefix(place.unread), names[id_], float(shares_V[id_]) / whole)
            for id_ in fits
            if shares_V[id_] > 0.0
        ]
        space = self._space_in_front(place)
        if space is not None:
            after_V = self._shares(self._step(np.array([space]), place.state)[0])[0] * shares_V[space]
            offers += [Suggestion(f" {name}", name, float(after_V[id_])) for id_, name in names.items()]
        return tuple(sorted(offers, key=lambda offer: -offer.probability)[:k])

    def _is_word(self, id_: int) -> bool:
        return id_ > len(self.vocabulary.byte_values)

    def _space_in_front(self, place: Place) -> int | None:
        """The symbol of a space, where one may stand in front of the next word: behind a sign."""
        return self._space if not place.begun and place.last.strip() else None

    def _words(self, place: Place, shares_V: np.ndarray, k: int) -> tuple[tuple[Suggestion, ...], bool]:
        """The words that a beam finds, and whether no other can be as likely."""
        found = Found(k)
        rows = [_Row((), 1.0, shares_V)]
        state = place.state
        if place.begun:  # it may end at once
            found.add((), float(shares_V[self._outer].sum()))
        lost = 0.0
        space = self._space_in_front(place)
        for length in range(LONGEST):
            paths, shares, parents, ids, more = self._longer(rows, found.least, space if length == 0 else None)
            lost = max(lost, more)
            if not paths:
                break
            logits_BV, state = self._step(ids, {name: array[parents] for name, array in state.items()})
            shares_BV = self._shares(logits_BV)
            rows = []
            for row, (path, share) in enumerate(zip(paths, shares, strict=True)):
                if path != (space,):  # a space alone is no word
                    found.add(path, share * float(shares_BV[row, self._outer].sum()))
                rows.append(_Row(path, share, shares_BV[row]))
        else:
            lost = max(lost, *(row.share for row in rows))
        return tuple(self._told(place, path, share) for path, share in found.best()), lost <= found.least

    def _longer(
        self, rows: list[_Row], least: float, space: int | None
    ) -> tuple[list[tuple[int, ...]], list[float], np.ndarray, np.ndarray, float]:
        """The likeliest beginnings that are longer by a symbol, at most `beam`, of those that may still become one of
        the best words; with the rows they come from, their last symbols, and the share of the likeliest left out."""
        allowed = self._inner if space is None else np.append(self._inner, space)
        shares_BA = np.stack([row.shares_V[allowed] * row.share for row in rows])
        order = np.argsort(-shares_BA, axis=None, kind="stable")
        flat = shares_BA.ravel()[order]
        taken = order[: self.beam][flat[: self.beam] > least]
        left_out = float(flat[self.beam]) if len(flat) > self.beam else 0.0
        parents, columns = np.unravel_index(taken, shares_BA.shape)
        ids = allowed[columns]
        paths = [(*rows[parent].path, int(id_)) for parent, id_ in zip(parents, ids, strict=True)]
        return paths, shares_BA.ravel()[taken].tolist(), parents, ids, left_out

    def _told(self, place: Place, path: tuple[int, ...], share: float) -> Suggestion:
        text = self.vocabulary.decode(path)
        return Suggestion(text, place.begun + text.lstrip(" "), share)

    def _step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        self.check()
        with np.errstate(over="ignore", invalid="ignore"):  # a diverged model has scores beyond all bounds
            return self.model.step(ids_B, state)

    def _shares(self, logits_BV: np.ndarray) -> np.ndarray:
        """Probabilities, without `<start>`, which is never drawn."""
        scores_BV = logits_BV.astype(np.float64)
        scores_BV[:, Vocabulary.START] = -np.inf
        with np.errstate(over="ignore", invalid="ignore"):
            shares_BV: np.ndarray = np.exp(scores_BV - log_sum(scores_BV)[:, None])
        if not np.isfinite(shares_BV).all():
            raise DivergedError("the model has no finite scores", hint="use an earlier checkpoint of the run")
        return shares_BV

    @cached_property
    def _is_inner(self) -> np.ndarray:
        """Which symbols go on with a word; a byte of a longer character is taken for a part of a letter."""
        return np.array([_inner(spelled) for spelled in self.vocabulary.utf8])

    @cached_property
    def _inner(self) -> np.ndarray:
        return np.flatnonzero(self._is_inner)

    @cached_property
    def _outer(self) -> np.ndarray:
        return np.flatnonzero(~self._is_inner)

    @cached_property
    def _space(self) -> int | None:
        """The symbol of a space, where there is one."""
        spaces = [id_ for id_, spelled in enumerate(self.vocabulary.utf8) if spelled == b" "]
        return spaces[-1] if spaces else None


@dataclass(frozen=True)
class _Row:
    """A beginning of a word in the beam: its symbols, its probability, and the shares of what may follow."""

    path: tuple[int, ...]
    share: float
    shares_V: np.ndarray


def word_character(character: str) -> bool:
    """Whether a character is a part of a word."""
    return character.isalnum() or character == "_"


def _inner(spelled: bytes) -> bool:
    if len(spelled) == 1 and spelled[0] >= 0x80:
        return True
    text = spelled.decode("utf-8", "replace")
    return bool(text) and all(map(word_character, text))


def _begun(text: str) -> str:
    """The run of letters, digits and underscores that a text ends with."""
    start = len(text)
    while start and word_character(text[start - 1]):
        start -= 1
    return text[start:]
