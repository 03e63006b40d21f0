"""Dropout masks that lie in the same memory at every step, for a training step that is a graph.

A graph repeats what it once did with the memory that it knows, so nothing may be drawn in it that is another draw at
every step. The masks are drawn in front of it, into memory that stays, and are the numbers that `Draws` has.

Shapes: B rows (lanes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.models.core import Draws, draw_kept


class _Asked(NamedTuple):
    """For which mask a layer has asked."""

    layer: str
    p: float
    shape: tuple[int, ...]
    dtype: torch.dtype


class HeldMasks:
    """The masks of one training step, which may be filled anew for another.

    What layers ask for is noted when they first do; `close` ends that.

    Args:
        seed: the run's seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed, self._step, self._closed = seed, 0, False
        self._masks: dict[_Asked, Tensor] = {}

    def draw(self, step: int) -> None:
        """Fill all masks for the update after `step`."""
        self._step = step
        for asked, mask in self._masks.items():
            draw_kept(mask, self._seed, step, asked.layer, asked.p)

    def close(self) -> None:
        """From now on no layer asks for a mask that is not there."""
        self._closed = True

    def draws(self, rows: int) -> Draws:
        """The random numbers of a step, as its layers see them; `rows` is that of the global batch."""
        return _HeldDraws(self._seed, _NO_STEP, rows, masks=self)

    def mask(self, layer: str, p: float, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The mask of a layer, 0 or 1.

        Raises:
            RuntimeError: it is asked for when no other may be.
        """
        asked = _Asked(layer, p, shape, like.dtype)
        if asked not in self._masks:
            if self._closed:
                raise RuntimeError(f"`{layer}` asks for a mask that it did not ask for before")
            mask = torch.empty(shape, dtype=like.dtype, device=like.device)
            self._masks[asked] = draw_kept(mask, self._seed, self._step, layer, p)
        return self._masks[asked]


_NO_STEP = -1


@dataclass(frozen=True)
class _HeldDraws(Draws):
    masks: HeldMasks = field(default_factory=lambda: HeldMasks(0), repr=False, compare=False)

    def uniform_rows(self, name: str, like: Tensor) -> Tensor:
        raise RuntimeError(f"`{name}` is drawn within the step, and differently at every step")

    def _keep(self, layer: str, p: float, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return self.masks.mask(layer, p, shape, like) / (1.0 - p)
