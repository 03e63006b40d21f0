"""Ratings from vectors: their product, with and without biases, and a dense network over the two (Koren, Bell, Volinsky
2009; the network is that of the course of 2016).

Shapes: B ratings, the first K of them known ones, U users, I items, D the length of a vector, H units.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from charrnn.config.schema import rate as schema
from charrnn.models.core import Draws, generator_for
from charrnn.models.ratings import Known, RatingModel, dropped, table


class Biases(nn.Module):
    """A number for each user and each item, zero at first."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self.users_U = nn.Parameter(torch.zeros(known.users))
        self.items_I = nn.Parameter(torch.zeros(known.items))

    def forward(self, users_B: Tensor, items_B: Tensor, seen_B2: Tensor) -> Tensor:
        """The sum of the two; nothing for who was not seen in training."""
        both_B2 = torch.stack([self.users_U[users_B], self.items_I[items_B]], 1)
        return (both_B2 * seen_B2).sum(1)

    def squares(self) -> Tensor:
        """The sum of all squares."""
        return self.users_U.square().sum() + self.items_I.square().sum()


class Factors(RatingModel):
    """The product of two vectors, with or without biases.

    A rating whose user or item was not seen in training is predicted without the product: from the biases that there
    are, or as the mean rating where the config asks for none.

    Args:
        config: the `model:` section.
        known: what it is trained on.
        seed: the run's seed.
    """

    def __init__(self, config: schema.Factors, known: Known, seed: int) -> None:
        super().__init__(known)
        self.config = config
        self.users_UD = table(known.users, config.size, config.scale, seed, "users")
        self.items_ID = table(known.items, config.size, config.scale, seed, "items")
        self.biases = Biases(known) if config.biases else None
        self.register_buffer("begin", _begin(config, self.mean), persistent=False)

    def score(
        self, users_B: Tensor, items_B: Tensor, seen_B2: Tensor, own_K: Tensor | None, draws: Draws | None
    ) -> Tensor:
        """See `RatingModel.score`."""
        products_BD = self.users_UD[users_B] * self.items_ID[items_B]
        products_BD = dropped(products_BD, self.config.dropout, "products", draws, self.training)
        told_B = seen_B2.all(1)
        score_B = products_BD.sum(1) * told_B
        if self.biases is not None:
            score_B = score_B + self.biases(users_B, items_B, seen_B2)
        between = self.config.range
        if between is not None:
            return between.low + (between.high - between.low) * torch.sigmoid(score_B + self.begin)
        if self.biases is None and not self.config.mean:
            return torch.where(told_B, score_B, self.mean)
        return score_B + self.begin

    def penalties(self) -> Mapping[str, Tensor]:
        """L2 of the vectors, and of the biases."""
        found = {"l2": self.config.l2 * (self.users_UD.square().sum() + self.items_ID.square().sum())}
        if self.biases is not None:
            found["bias_l2"] = self.config.bias_l2 * self.biases.squares()
        return {name: value for name, value in found.items() if getattr(self.config, name)}


def _begin(config: schema.Factors, mean: Tensor) -> Tensor:
    """The score of a pair of which nothing is known."""
    if not config.mean:
        return torch.zeros_like(mean)
    if config.range is None:
        return mean.clone()
    share = (mean - config.range.low) / (config.range.high - config.range.low)
    return torch.logit(share, eps=0.01)  # a mean outside the range begins at its edge


class RatingsNetwork(RatingModel):
    """A dense network over the user's vector and the item's, side by side.

    Who was not seen in training is taken for the average of those who were.

    Args:
        config: the `model:` section.
        known: what it is trained on.
        seed: the run's seed.
    """

    def __init__(self, config: schema.RatingsNetwork, known: Known, seed: int) -> None:
        super().__init__(known)
        self.config = config
        self.users_UD = table(known.users, config.users, config.scale, seed, "users")
        self.items_ID = table(known.items, config.items, config.scale, seed, "items")
        sizes = [config.users + config.items, *config.hidden, 1]
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))
        generator = generator_for(seed, "initial", "layers")
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)

    def score(
        self, users_B: Tensor, items_B: Tensor, seen_B2: Tensor, own_K: Tensor | None, draws: Draws | None
    ) -> Tensor:
        """See `RatingModel.score`."""
        user_BD = _or_average(self.users_UD, users_B, seen_B2[:, :1], self.seen_users_U, self.training)
        item_BD = _or_average(self.items_ID, items_B, seen_B2[:, 1:], self.seen_items_I, self.training)
        x_BH = torch.cat([user_BD, item_BD], 1)
        x_BH = dropped(x_BH, self.config.input_dropout, "input", draws, self.training)
        for number, layer in enumerate(self.layers[:-1]):
            x_BH = dropped(layer(x_BH).relu(), self.config.dropout, f"hidden {number}", draws, self.training)
        score_B: Tensor = self.layers[-1](x_BH).squeeze(1)
        return score_B

    def penalties(self) -> Mapping[str, Tensor]:
        """L2 of the vectors."""
        if not self.config.l2:
            return {}
        return {"l2": self.config.l2 * (self.users_UD.square().sum() + self.items_ID.square().sum())}


def _or_average(vectors_XD: Tensor, numbers_B: Tensor, seen_B1: Tensor, seen_X: Tensor, training: bool) -> Tensor:
    """Vectors by number, the average in place of those that were not seen in training."""
    own_BD = vectors_XD[numbers_B]
    if training:  # all have been seen
        return own_BD
    return torch.where(seen_B1, own_BD, vectors_XD[seen_X].mean(0))
