"""Many symbols at a time on a device: step, draw, feed back, again and again, and one copy to the host at the end.

On CUDA the K steps are recorded once as a CUDA graph, which is then played back: the host says one word per burst in
place of some twenty per symbol, and the device never waits for it. Elsewhere the same function is called.

Shapes: K steps of a burst, B rows, V vocabulary.
"""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import torch
from torch import Tensor

from charrnn.config.schema import Sample
from charrnn.models.capture import Work, capture_on
from charrnn.models.core import State
from charrnn.models.drawing import Choices, Used, draw, used_by
from charrnn.models.stepping import Stepping

STEPS = 64
"""Symbols per burst: some milliseconds of work, so that a text comes smoothly and Ctrl-C is obeyed at once."""


class Burst:
    """Rows that go K symbols at a time, each under options of its own.

    Args:
        model: the model, on the device.
        vocabulary: V.
        device: where it is.
        steps: K.

    Attributes:
        rows: how many there is room for.
        steps: K.
    """

    def __init__(self, model: Stepping, vocabulary: int, device: torch.device, steps: int = STEPS) -> None:
        self.rows, self.steps = 0, steps
        self._model, self._vocabulary, self._device = model, vocabulary, device
        self._places: _Places
        self._used: list[Used | None] = []
        self._plays: dict[Used, Work] = {}
        self._capture = capture_on(device)

    def widen(self, rows: int) -> None:
        """Make room for at least so many rows; those that are there stay what they are."""
        if rows <= self.rows:
            return
        with torch.no_grad():
            places = _Places(self._model, self._vocabulary, self.steps, fitting(rows), self._device)
            if self.rows:
                places.take_over(self._places)
        self._used += [None] * (fitting(rows) - self.rows)
        self.rows, self._places = fitting(rows), places
        self._plays.clear()  # they know the former places

    def begin(self, row: int, symbol: int, options: Sample, banned_V: np.ndarray) -> None:
        """Begin a text in a row.

        Args:
            row: one of those that there is room for.
            symbol: what is read first.
            options: how it is drawn: `greedy` and the filters; temperatures are handed to `go`.
            banned_V: a mask of what is never drawn; not all of the vocabulary.
        """
        with torch.no_grad():
            self._places.ids_B[row] = symbol
            for name, tensor in self._model.initial_state(1).items():
                self._places.state[name][row] = tensor[0]
            self._places.choices.put(row, options, banned_V)
        self._used[row] = used_by(options)

    def end(self, row: int) -> None:
        """A row whose text has ended: what is drawn for it has no meaning any more."""
        self._used[row] = None

    def go(self, given_KB: np.ndarray, uniform_KB: np.ndarray, temperature_KB: np.ndarray) -> np.ndarray:
        """K steps of all rows; what is handed in is for the first B of them, and nothing is begun in the others.

        Args:
            given_KB: the symbol that comes after each step; −1 where one is drawn.
            uniform_KB: the numbers that symbols are drawn with, from [0, 1), in float64.
            temperature_KB: in float64.

        Returns:
            drawn_KB: the symbol after each step, given or drawn. The last is read by the next burst.
        """
        places, rows = self._places, given_KB.shape[1]
        places.given_KB[:, :rows] = torch.from_numpy(given_KB)
        places.uniform_KB[:, :rows] = torch.from_numpy(uniform_KB)
        places.temperature_KB[:, :rows] = torch.from_numpy(temperature_KB)
        used = Used(*map(any, zip(*(astuple(one) for one in self._used if one is not None), strict=True)))
        with torch.no_grad():
            if used not in self._plays:
                self._plays[used] = self._play(used)
            self._plays[used]()
        drawn_KB: np.ndarray = places.drawn_KB[:, :rows].cpu().numpy().copy()
        return drawn_KB

    def _steps(self, used: Used) -> None:
        """The steps themselves: all that a graph holds."""
        places = self._places
        ids_B: Tensor = places.ids_B
        state: State = places.state
        for k in range(self.steps):
            logits_BV, state = self._model.step(ids_B, state)
            drawn_B = draw(logits_BV, places.uniform_KB[k], places.temperature_KB[k], places.choices, used)
            ids_B = torch.where(places.given_KB[k] < 0, drawn_B, places.given_KB[k], out=places.drawn_KB[k])
        places.ids_B.copy_(ids_B)
        for name, tensor in places.state.items():
            tensor.copy_(state[name])

    def _play(self, used: Used) -> Work:
        """What goes K steps: on CUDA a graph, which is recorded now. That steps are done in front of it leaves no
        trace."""
        kept = [self._places.ids_B, *self._places.state.values()]
        before = [tensor.clone() for tensor in kept]
        play = self._capture(lambda: self._steps(used))
        for tensor, former in zip(kept, before, strict=True):
            tensor.copy_(former)
        return play


def fitting(rows: int) -> int:
    """For how many rows room is made where so many are wanted: few sizes, so that few graphs are recorded."""
    return 1 << (rows - 1).bit_length()


class _Places:
    """All tensors that outlive a burst. They keep their places in memory, for a graph knows places alone."""

    def __init__(self, model: Stepping, vocabulary: int, steps: int, rows: int, device: torch.device) -> None:
        self.ids_B = torch.zeros(rows, dtype=torch.int64, device=device)
        # Copies: what a model begins with may be one row of its weights, shown many times.
        self.state = {name: tensor.clone() for name, tensor in model.initial_state(rows).items()}
        self.choices = Choices(rows, vocabulary, device)
        self.given_KB, self.drawn_KB = (torch.zeros(steps, rows, dtype=torch.int64, device=device) for _ in range(2))
        self.uniform_KB, self.temperature_KB = (
            torch.ones(steps, rows, dtype=torch.float64, device=device) for _ in range(2)
        )

    def take_over(self, former: _Places) -> None:
        """Begin as the first rows of others."""
        pairs = [(self.ids_B, former.ids_B)]
        pairs += [(self.state[name], tensor) for name, tensor in former.state.items()]
        pairs += [(getattr(self.choices, name), tensor) for name, tensor in vars(former.choices).items()]
        for own, other in pairs:
            own[: len(other)] = other
