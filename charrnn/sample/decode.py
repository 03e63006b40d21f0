"""Text from a model, one symbol at a time: warm the state, draw, feed back, stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from charrnn.config.schema import Sample
from charrnn.sample.filters import distribution, draw
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Decoder, Vocabulary
from charrnn.text.watch import Check, no_check


class Stepper(Protocol):
    """A model that reads one symbol per row and scores the next."""

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol."""

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """logits_BV and the state after the symbols."""


def generate(
    model: Stepper,
    prompt: Sequence[int],
    options: Sample,
    sample: int = 0,
    check: Check = no_check,
) -> Iterator[int]:
    """Draw `options.length` symbols.

    Args:
        model: the model.
        prompt: the symbols that warm the state; where there are none, `<start>` does.
        options: temperature, filters, length, random seed.
        sample: the number of this sample; each has draws of its own, whatever the others are.
        check: called before every symbol that is read; it may raise to stop.
    """
    random = np.random.Generator(np.random.PCG64([options.random_seed, sample]))
    state = model.initial_state(1)
    banned = np.array([Vocabulary.START])
    unread = list(prompt) or [Vocabulary.START]
    for _ in range(options.length):
        for symbol in unread:
            check()
            with np.errstate(over="ignore", invalid="ignore"):  # a diverged model has scores beyond all bounds
                logits_BV, state = model.step(np.array([symbol]), state)
        probs_V = distribution(logits_BV[0], options, banned)
        drawn = int(probs_V.argmax()) if options.greedy else draw(probs_V, random)
        yield drawn
        unread = [drawn]


def text_of(symbols: Iterator[int], vocabulary: Vocabulary, stop: Sequence[str] = ()) -> Iterator[str]:
    """The text of drawn symbols as it comes, up to the first stop string.

    The first is the one that begins first in the whole text, however the text comes in pieces. What may be the
    beginning of a stop string is held back until it is known not to be.
    """
    decoder = Decoder(vocabulary)
    held = ""
    for symbol in symbols:
        held += decoder.feed(symbol)
        end = _end(held, stop)
        certain = len(held) - max((_overlap(held, text) for text in stop), default=0)
        # A stop string that begins before `end` may still become complete, and then the text ends there.
        if end < len(held) and end <= certain:
            break
        if certain:
            yield held[:certain]
            held = held[certain:]
    else:
        held += decoder.finish()
    rest = held[: _end(held, stop)]
    if rest:
        yield rest


def _end(text: str, stop: Sequence[str]) -> int:
    """Where the earliest stop string in `text` begins; the end of `text` where there is none."""
    return min((place for place in (text.find(s) for s in stop) if place >= 0), default=len(text))


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that is a beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
