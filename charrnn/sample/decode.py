"""Texts from a model, symbol by symbol, many side by side: warm the state, draw, feed back, stop.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np

from charrnn.config.schema import Sample
from charrnn.sample.stream import Drawn, Entrance, Stream, draw_all
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check


class Stepper(Protocol):
    """A model that reads one symbol per row and scores the next."""

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol."""

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """logits_BV and the state after the symbols."""


class Streams:
    """Texts that are drawn side by side, each with options of its own; they join and leave at any time.

    All of them are rows of one batch of the model, which each step reads one symbol of every row; a row that has ended
    leaves the batch. What is drawn for a stream is a function of its prompt, its options and its number, whoever else
    is in the batch, as far as the model's scores are. Those of a row may differ in the last bit with the number of
    rows, for a matrix library adds up in another order; where two symbols are within that of one another, or a draw is
    that near to the border between two, the texts may part.

    Args:
        model: the model.
        vocabulary: its symbols.
        entrance: names those that join; None for one of their own.
    """

    def __init__(self, model: Stepper, vocabulary: Vocabulary, entrance: Entrance | None = None) -> None:
        self._model = model
        self._entrance = Entrance(vocabulary) if entrance is None else entrance
        self._rows: list[_Row] = []

    def __len__(self) -> int:
        """How many streams have not ended."""
        return sum(len(row.streams) for row in self._rows)

    def add(
        self, prompt: Sequence[int], options: Sample, numbers: Sequence[int] = (0,), odds: int | None = None
    ) -> tuple[int, ...]:
        """Let streams join: one for each number, all from the same prompt, which is read once.

        Args:
            prompt: the symbols that warm the state; where there are none, `<start>` does.
            options: how to draw; its `seed` plays no part.
            numbers: the numbers of the samples; each has draws of its own, a function of (`random_seed`, number).
            odds: tell how likely each symbol was, beside so many of the likeliest; None: do not.

        Returns:
            What each stream is called in `Drawn`.

        Raises:
            UsageError: the vocabulary cannot do what `ban`, `only` and `require` ask for; or a `beam` is to search,
                which is a batch of its own (`beam.py`).
        """
        streams = self._entrance.admit(prompt, options, numbers, odds)
        if streams:
            self._rows.append(
                _Row(_Batch(self._model.initial_state(1), 1), 0, list(prompt) or [Vocabulary.START], streams)
            )
        return tuple(stream.name for stream in streams)

    def drop(self, stream: int) -> None:
        """Let a stream leave before its end; one that has ended has left already."""
        for row in self._rows:
            row.streams = [other for other in row.streams if other.name != stream]
        self._rows = [row for row in self._rows if row.streams]

    def step(self, check: Check = no_check) -> list[Drawn]:
        """Read one symbol of every row, and draw one for each stream whose prompt has been read.

        Args:
            check: called before; it may raise to stop, and nothing has happened then.

        Returns:
            What was drawn, in the order in which the streams were added; nothing while prompts are read.
        """
        if not self._rows:
            return []
        check()
        rows, wanted = list[_Row](), list[tuple[Stream, np.ndarray]]()
        for row, logits_V in zip(self._rows, self._read(), strict=True):
            row.read += 1
            if row.read < len(row.symbols):
                rows.append(row)
            else:
                rows += [_Row(row.batch, row.place, (), [stream]) for stream in row.streams]
                wanted += [(stream, logits_V) for stream in row.streams]
        drawn = draw_all(wanted)
        told = {one.stream: one for one in drawn}
        self._rows = []
        for row in rows:
            if not row.symbols:
                one = told[row.streams[0].name]
                if one.ended is not None:
                    continue
                row.symbols = (one.symbol,)
            self._rows.append(row)
        return drawn

    def _read(self) -> list[np.ndarray]:
        """The scores (V,) after the next symbol of every row, which is then where it stands."""
        scores_V: list[np.ndarray] = []
        # A model of windows has narrower states while there is less to see; such rows step by themselves.
        for _, group in groupby(self._rows, lambda row: row.batch.widths):
            rows = list(group)
            ids_B = np.array([row.symbols[row.read] for row in rows])
            with np.errstate(over="ignore", invalid="ignore"):  # a diverged model has scores beyond all bounds
                logits_BV, state = self._model.step(ids_B, _together(rows))
            batch = _Batch(state, len(rows))
            for place, row in enumerate(rows):
                row.batch, row.place = batch, place
            scores_V += list(logits_BV)
        return scores_V


class _Batch:
    """The state of rows that the model has read together; `widths` tells which batches it may read together."""

    def __init__(self, state: State, rows: int) -> None:
        self.state, self.rows = state, rows
        self.widths = [array.shape[1:] for array in state.values()]


@dataclass
class _Row:
    """One row of a batch: a stream that is being drawn, or several whose common prompt is being read."""

    batch: _Batch
    place: int
    symbols: Sequence[int]
    streams: list[Stream]
    read: int = 0


def _together(rows: Sequence[_Row]) -> State:
    """The states of rows as the state of one batch; where they are all of one already, nothing is copied."""
    batch, places = rows[0].batch, [row.place for row in rows]
    if any(row.batch is not batch for row in rows):
        parts = [(row.batch.state, slice(row.place, row.place + 1)) for row in rows]
        return {name: np.concatenate([state[name][place] for state, place in parts]) for name in batch.state}
    if places == list(range(batch.rows)):
        return batch.state
    return {name: array[places] for name, array in batch.state.items()}
