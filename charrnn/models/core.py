"""The recurrent contract, and where the random numbers of a training step come from.

Shapes: B rows (lanes), T steps, D input features, H hidden units.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor]
"""A recurrent state: named tensors, lane dimension first."""


@dataclass(frozen=True)
class Draws:
    """Randomness as a function of (seed, step, layer): there is no generator state to save.

    Masks are drawn for all rows of the global batch and sliced, so that neither the number of processes nor
    micro-batches change them.

    Args:
        seed: the run's seed.
        step: the update that the numbers are for.
        rows: rows of the global batch.
        first: the first of them that this process works on.
    """

    seed: int
    step: int
    rows: int
    first: int = 0
    _weights: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def keep_rows(self, layer: str, p: float, like: Tensor) -> Tensor:
        """A dropout mask of the shape of `like` (B, …): 0 with probability p, else 1 / (1 − p)."""
        return self._own(self._keep(layer, p, (self.rows, *like.shape[1:]), like), like)

    def keep_weights(self, layer: str, p: float, like: Tensor) -> Tensor:
        """A mask for a weight matrix, one and the same for all rows and for all pieces of a batch."""
        if layer not in self._weights:
            self._weights[layer] = self._keep(layer, p, tuple(like.shape), like)
        return self._weights[layer]

    def uniform_rows(self, name: str, like: Tensor) -> Tensor:
        """Numbers from [0, 1) of the shape and type of `like` (B, …)."""
        generator = generator_for(self.seed, f"step {self.step}", name, device=like.device)
        whole = torch.rand((self.rows, *like.shape[1:]), generator=generator, dtype=like.dtype, device=like.device)
        return self._own(whole, like)

    def of(self, first: int) -> Draws:
        """The same numbers, for rows from the `first` of the global batch on."""
        return replace(self, first=first)

    def _own(self, whole: Tensor, like: Tensor) -> Tensor:
        own = whole[self.first : self.first + len(like)]
        # A copy: a view would hold on to the numbers of all rows until the gradient is there.
        return own if len(own) == len(whole) else own.clone()

    def _keep(self, layer: str, p: float, shape: tuple[int, ...], like: Tensor) -> Tensor:
        mask = torch.empty(shape, dtype=like.dtype, device=like.device)
        return draw_kept(mask, self.seed, self.step, layer, p).div_(1.0 - p)


def draw_kept(mask: Tensor, seed: int, step: int, layer: str, p: float) -> Tensor:
    """Fill a mask for a layer in a step: 0 with probability p, else 1."""
    return mask.bernoulli_(1.0 - p, generator=generator_for(seed, f"step {step}", layer, device=mask.device))


def generator_for(seed: int, *names: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator whose seed is derived from `seed` and `names`."""
    text = "/".join((str(seed), *names))
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "big") >> 1
    return torch.Generator(device=device).manual_seed(number)


class RecurrentCore(nn.Module, ABC):
    """One recurrent layer: `initial_state(batch)`, then `core(x_BTD, state) -> (y_BTH, state)`.

    The state that is returned has the names and shapes of the state that is taken, so calls chain: a sequence in
    chunks, or step by step, gives what the whole sequence gives.
    """

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first step, for `batch` rows."""

    @abstractmethod
    def forward(self, x_BTD: Tensor, state: State, draws: Draws | None = None) -> tuple[Tensor, State]:
        """Run over T steps. `draws` feeds the dropout; it is needed in training mode only."""


def reset_rows(state: State, initial: State, rows_B: Tensor) -> State:
    """The state with the rows of the mask `rows_B` begun anew."""
    return {
        name: torch.where(rows_B.view(-1, *[1] * (tensor.ndim - 1)), initial[name], tensor)
        for name, tensor in state.items()
    }


def unroll(
    core: RecurrentCore,
    x_BTD: Tensor,
    state: State,
    draws: Draws | None = None,
    resets: Mapping[int, Tensor] | None = None,
    keep: int | None = None,
) -> tuple[Tensor, State]:
    """Run a layer over T steps, in one piece unless its state begins anew, or is wanted, between two of them.

    Args:
        core: the layer.
        x_BTD: its input.
        state: the state in front of the first step.
        draws: the random numbers of a training step.
        resets: for each step in front of which rows begin anew: which rows, as a mask over B.
        keep: return the state after so many steps; None for all.

    Returns:
        y_BTH, and the state after `keep` steps.
    """
    resets, steps = resets or {}, x_BTD.shape[1]
    keep = steps if keep is None else keep
    initial = core.initial_state(len(x_BTD)) if resets else {}
    kept, pieces = state, []
    for begin, end in pairwise(sorted({0, keep, steps, *resets})):
        if begin in resets:
            state = reset_rows(state, initial, resets[begin])
        piece_BTH, state = core(x_BTD[:, begin:end], state, draws)
        pieces.append(piece_BTH)
        if end == keep:
            kept = state
    return (pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)), kept


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) whose mask comes from `Draws`.

    Args:
        p: the share of units dropped.
        name: tells this layer's masks from all others.
    """

    def __init__(self, p: float, name: str) -> None:
        super().__init__()
        self.p = p
        self.name = name

    def forward(self, x: Tensor, draws: Draws | None) -> Tensor:
        """Drop units of x (B, …) in training mode; return x itself in evaluation mode."""
        if not self.training or self.p == 0.0:
            return x
        assert draws is not None, "training with dropout needs draws"
        return x * draws.keep_rows(self.name, self.p, x)
