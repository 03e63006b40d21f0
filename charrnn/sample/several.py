"""Several samples at once, drawn or searched for, as their symbols come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from charrnn.config.schema import Sample
from charrnn.sample.beam import check_beam, found
from charrnn.sample.bursts import Bursts, BurstStreams
from charrnn.sample.charset import Charset
from charrnn.sample.decode import Stepper, Streams
from charrnn.sample.required import Required
from charrnn.sample.stream import Drawn
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check

ROWS = 256
"""Samples that are drawn side by side; more are drawn in turns, so that memory is bounded."""


def several(
    model: Stepper,
    vocabulary: Vocabulary,
    prompt: Sequence[int],
    options: Sample,
    numbers: Sequence[int],
    check: Check = no_check,
    odds: int | None = None,
    bursts: Bursts | None = None,
) -> Iterator[Drawn]:
    """The symbols of samples as they come; `Drawn.stream` counts from 0 in the order of `numbers`.

    Sample i is a function of (`random_seed`, i) and of no other sample, as `Streams` has it. With `beam` sample i is
    the i-th best text that was found.

    Args:
        model: the model.
        vocabulary: its symbols.
        prompt: the symbols that warm the state; where there are none, `<start>` does.
        options: what to make and how.
        numbers: the numbers of the samples.
        check: called before every step; it may raise to stop.
        odds: tell how likely each symbol was, beside so many of the likeliest; None: do not.
        bursts: the same model on a device, which draws many symbols at a time.

    Raises:
        UsageError: the vocabulary cannot do what is asked for; or fewer texts were found than asked for.
    """
    if options.beam is not None:
        yield from found(model, vocabulary, prompt, options, numbers, check, odds)
        return
    rest, begun = iter(numbers), 0
    streams = streams_of(model, vocabulary, bursts)
    while turn := tuple(islice(rest, ROWS)):
        names = streams.add(prompt, options, turn, odds)
        while len(streams):
            for drawn in streams.step(check):
                yield drawn if begun == names[0] else replace(drawn, stream=begun + drawn.stream - names[0])
        begun += len(turn)


def streams_of(model: Stepper, vocabulary: Vocabulary, bursts: Bursts | None = None) -> Streams | BurstStreams:
    """Where texts of a model join and leave: in NumPy, or on the device that `bursts` draw on."""
    return Streams(model, vocabulary) if bursts is None else BurstStreams(bursts, model, vocabulary)


def check_options(options: Sample, vocabulary: Vocabulary, numbers: Sequence[int] = (0,)) -> None:
    """Raise what making texts of these numbers would raise of options that do not fit the vocabulary or each other."""
    if options.beam is not None:
        check_beam(options.beam, numbers)
    Required(vocabulary, options, Charset(vocabulary, options.ban, options.only))
