"""The likeliest text that a search finds: the best beginnings of each length go on, all as rows of one batch.

Shapes: B rows (beams), V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from charrnn.config.schema import Sample
from charrnn.errors import DivergedError, UsageError
from charrnn.sample.charset import Charset
from charrnn.sample.decode import Stepper
from charrnn.sample.odds import Odds, odds_of
from charrnn.sample.stream import Drawn, Ended
from charrnn.sample.text import Text
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check


@dataclass(frozen=True)
class Found:
    """A text that the search has found.

    Attributes:
        symbols: what it consists of; those of the stop string that has ended it are among them.
        log_probability: the sum of the logarithms of the model's own probabilities of the symbols.
        ended: what has ended it.
    """

    symbols: tuple[int, ...]
    log_probability: float
    ended: Ended

    @property
    def per_symbol(self) -> float:
        """The logarithm of the probability per symbol, by which texts of several lengths are compared."""
        return self.log_probability / len(self.symbols)


def search(
    model: Stepper, vocabulary: Vocabulary, prompt: Sequence[int], options: Sample, check: Check = no_check
) -> list[Found]:
    """The best texts, the best first, as many as `options.beam`, or fewer where there are fewer.

    A beginning is worth the sum of the logarithms of its symbols' probabilities, the model's own at temperature 1. Of
    all beginnings with one symbol more, the best `beam` go on; of equals those of the better beginning, and those
    earlier in the vocabulary. A text that a stop string ends goes no further and leaves one beam fewer to the others.
    The search is over when all have ended or have `length` symbols. Since a shorter text has the higher sum whatever it
    says, the texts found are put in order by the logarithm per symbol, the symbols of the stop string included (the
    length penalty of Wu et al. 2016, section 7, in its simplest form).

    Args:
        model: the model.
        vocabulary: its symbols.
        prompt: the symbols that warm the state; where there are none, `<start>` does.
        options: `beam`, `length`, `stop`, `ban` and `only`.
        check: called before every step; it may raise to stop.

    Raises:
        UsageError: no symbol is left to choose from.
        DivergedError: the model's scores are not finite.
    """
    assert options.beam is not None, "for a search"
    charset = Charset(vocabulary, options.ban, options.only)
    logits_BV, state = _warm(model, prompt, check)
    going, ended = [_Beginning(0.0, Text(vocabulary, options.stop), None)], list[Found]()
    for count in range(1, options.length + 1):
        banned_BV = np.stack([charset.banned(beginning.text.pending) for beginning in going])
        sums_BV = np.array([b.log_probability for b in going])[:, None] + _log_softmax(logits_BV)
        choices = _best(np.where(banned_BV, -np.inf, sums_BV), options.beam - len(ended))
        if not choices:
            raise DivergedError("the model's scores are not finite", why="there is no likeliest text")
        parents, going, former = [], [], going
        for row, symbol, log_probability in choices:
            longer = former[row].with_one_more(symbol, log_probability)
            if longer.text.ended:
                ended.append(longer.found("stop"))
            else:
                parents.append(row)
                going.append(longer)
        if not going or count == options.length:
            break
        check()
        ids_B = np.array([beginning.symbol for beginning in going])
        logits_BV, state = model.step(ids_B, {name: array[parents] for name, array in state.items()})
    texts = [*ended, *(beginning.found("length") for beginning in going)]
    return sorted(texts, key=lambda text: -text.per_symbol)


def found(
    model: Stepper,
    vocabulary: Vocabulary,
    prompt: Sequence[int],
    options: Sample,
    numbers: Sequence[int],
    check: Check = no_check,
    odds: int | None = None,
) -> Iterator[Drawn]:
    """What `search` finds as symbols, text after text; `numbers` are places in its order, from 0.

    Raises:
        UsageError: fewer texts were found.
    """
    texts = search(model, vocabulary, prompt, options, check)
    broken = Charset(vocabulary, options.ban, options.only).permits_broken
    check_beam(len(texts), numbers)
    for stream, number in enumerate(numbers):
        text, chosen = Text(vocabulary, options.stop), texts[number]
        told = iter(()) if odds is None else _odds(model, prompt, chosen.symbols, odds, check)
        for count, symbol in enumerate(chosen.symbols, 1):
            piece, last = text.feed(symbol), count == len(chosen.symbols)
            piece += text.finish(broken) if last else ""
            yield Drawn(stream, symbol, piece, next(told, None), chosen.ended if last else None)


def check_beam(beam: int, numbers: Sequence[int]) -> None:
    """Raise a UsageError where so many beams do not have a text for each of `numbers`."""
    if max(numbers, default=0) >= beam:
        raise UsageError(
            f"{beam} beams have no {max(numbers) + 1} texts", hint=f"raise --beam, or ask for {beam} with --count"
        )


@dataclass
class _Beginning:
    """A text as far as it goes, linked to what it goes on from."""

    log_probability: float
    text: Text
    before: _Beginning | None
    symbol: int = Vocabulary.START

    def with_one_more(self, symbol: int, log_probability: float) -> _Beginning:
        text = self.text.copy()
        text.feed(symbol)
        return _Beginning(log_probability, text, self, symbol)

    def found(self, ended: Ended) -> Found:
        symbols: list[int] = []
        place = self
        while place.before is not None:
            symbols.append(place.symbol)
            place = place.before
        return Found(tuple(reversed(symbols)), self.log_probability, ended)


def _warm(model: Stepper, prompt: Sequence[int], check: Check) -> tuple[np.ndarray, State]:
    """The scores (1, V) and the state after the prompt."""
    logits_BV, state = np.empty(0), model.initial_state(1)
    for symbol in list(prompt) or [Vocabulary.START]:
        check()
        logits_BV, state = model.step(np.array([symbol]), state)
    return logits_BV, state


def _log_softmax(logits_BV: np.ndarray) -> np.ndarray:
    scores_BV = logits_BV.astype(np.float64)
    with np.errstate(invalid="ignore"):  # a diverged model has scores without end
        scores_BV -= scores_BV.max(axis=1, keepdims=True)
        shares_BV: np.ndarray = scores_BV - np.log(np.exp(scores_BV).sum(axis=1, keepdims=True))
    return shares_BV


def _best(sums_BV: np.ndarray, most: int) -> list[tuple[int, int, float]]:
    """Row, symbol and sum of the highest sums, the highest first; equals in their order."""
    sums = np.nan_to_num(sums_BV.ravel(), nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
    least = np.partition(sums, -most)[-most] if most < len(sums) else -np.inf
    places = np.flatnonzero((sums >= least) & (sums > -np.inf))
    places = places[np.argsort(-sums[places], kind="stable")][:most]
    rows, symbols = np.divmod(places, sums_BV.shape[1])
    return list(zip(rows.tolist(), symbols.tolist(), sums[places].tolist(), strict=True))


def _odds(
    model: Stepper, prompt: Sequence[int], symbols: Sequence[int], alternatives: int, check: Check
) -> Iterator[Odds]:
    """How likely each symbol of a text was, from reading it once more."""
    logits_BV, state = _warm(model, prompt, check)
    for symbol in symbols:
        yield odds_of(logits_BV[0], symbol, alternatives, None)
        check()
        logits_BV, state = model.step(np.array([symbol]), state)
