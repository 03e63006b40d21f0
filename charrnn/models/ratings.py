"""From the `model:` section of `task: rate` to a model, and what its models have in common.

Shapes: B ratings, the first K of them known ones, U users, I items, D the length of a vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from charrnn.models.core import Draws, generator_for


@dataclass(frozen=True)
class Known:
    """The ratings that a model is trained on, and how many users and items there are in all.

    Attributes:
        users_N: the user of each rating.
        items_N: its item.
        ratings_N: the ratings.
        users: U, those among them whose ratings are in other splits alone.
        items: I likewise.
    """

    users_N: Tensor
    items_N: Tensor
    ratings_N: Tensor
    users: int
    items: int


class RatingModel(nn.Module, ABC):
    """Predicts ratings.

    What it says of a user or an item without ratings in training is what it says without their own numbers: the fresh
    ones have learned nothing. In evaluation mode predictions keep to the lowest and the highest rating of training.

    Args:
        known: what it is trained on.
    """

    def __init__(self, known: Known) -> None:
        super().__init__()
        users_U = torch.bincount(known.users_N, minlength=known.users)
        items_I = torch.bincount(known.items_N, minlength=known.items)
        self.register_buffer("seen_users_U", users_U > 0, persistent=False)
        self.register_buffer("seen_items_I", items_I > 0, persistent=False)
        ratings_N = known.ratings_N.double()
        self.register_buffer("mean", ratings_N.mean(), persistent=False)
        self.lowest, self.highest = float(ratings_N.min()), float(ratings_N.max())

    def forward(
        self, users_B: Tensor, items_B: Tensor, own_K: Tensor | None = None, draws: Draws | None = None
    ) -> Tensor:
        """The predicted ratings.

        Args:
            users_B: the users' numbers; -1 is anybody who is not in the table.
            items_B: the items' numbers.
            own_K: the ratings of the first K rows, which are among those that the model is trained on: a model that
                looks at other ratings leaves them out. None where it knows none of the rows.
            draws: the random numbers of a training step.
        """
        some_B = users_B.clamp(min=0)
        seen_B2 = torch.stack([self.seen_users_U[some_B] & (users_B >= 0), self.seen_items_I[items_B]], 1)
        predicted_B = self.score(some_B, items_B, seen_B2, own_K, draws)
        return predicted_B if self.training else predicted_B.clamp(self.lowest, self.highest)

    @abstractmethod
    def score(
        self, users_B: Tensor, items_B: Tensor, seen_B2: Tensor, own_K: Tensor | None, draws: Draws | None
    ) -> Tensor:
        """The predicted ratings; `seen_B2` says of each user and item whether it has ratings in training."""

    @abstractmethod
    def penalties(self) -> Mapping[str, Tensor]:
        """What training adds to the mean squared error, by name."""


def table(rows: int, size: int, scale: float, seed: int, name: str) -> nn.Parameter:
    """Fresh vectors, a function of the seed and the name."""
    return nn.Parameter(torch.empty(rows, size).normal_(0.0, scale, generator=generator_for(seed, "initial", name)))


def dropped(x_BD: Tensor, p: float, name: str, draws: Draws | None, training: bool) -> Tensor:
    """Dropout in training mode; `x_BD` itself in evaluation mode."""
    if not training or p == 0.0:
        return x_BD
    assert draws is not None, "training with dropout needs draws"
    return x_BD * draws.keep_rows(name, p, x_BD)
