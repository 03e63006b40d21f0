"""Ratings from what else a user has rated, and from who else has rated an item.

Biases first. Then the residuals of a user's ratings, each times a vector of its item, sum up to a vector of the user;
its product with another vector of the item in question is what that item and those have in common. That is the
asymmetric factor model of Koren 2008 (section 5), a learned item-to-item neighbourhood of low rank. The same once more
with users and items changing places. With `implicit` each history has a vector also for what was rated, however it was
rated (SVD++ in the same paper). In training a rating is left out of its own histories, exactly.

Shapes: B ratings, the first K of them known ones, N known ratings in all, U users, I items, D the length of a vector; X
and Y stand for users and items, or for items and users.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from charrnn.config.schema import rate as schema
from charrnn.models.core import Draws
from charrnn.models.factors import Biases
from charrnn.models.ratings import Known, RatingModel, dropped, table


class History(nn.Module):
    """The vector that each X has from the Y of its known ratings.

    Args:
        config: the `model:` section.
        known_N: the X and the Y of each known rating.
        sizes: how many X and Y there are.
        seed: the run's seed.
        name: tells its weights from the other side's.
    """

    def __init__(
        self,
        config: schema.Histories,
        known_N: tuple[Tensor, Tensor],
        sizes: tuple[int, int],
        seed: int,
        name: str,
    ) -> None:
        super().__init__()
        self.config = config
        self.name = name
        x_N, y_N = known_N
        fresh = config.size, config.scale, seed
        self.target_YD = table(sizes[1], *fresh, f"{name}, target")
        self.residual_YD = table(sizes[1], *fresh, f"{name}, residual")
        self.implicit_YD = table(sizes[1], *fresh, f"{name}, implicit") if config.implicit else None
        counts_X = torch.bincount(x_N, minlength=sizes[0])
        self._keep("share_X", counts_X.clamp(min=1).double().pow(-config.exponent))
        for side, (rows_N, columns_N), count in (("x", (x_N, y_N), sizes[0]), ("y", (y_N, x_N), sizes[1])):
            order_N = rows_N.argsort(stable=True)
            starts = torch.bincount(rows_N, minlength=count).cumsum(0)
            self._keep(f"order_{side}_N", order_N)
            self._keep(f"columns_{side}_N", columns_N[order_N])
            self._keep(f"starts_{side}", torch.cat([starts.new_zeros(1), starts[:-1]]))
        self._keep("x_N", x_N)

    def _keep(self, name: str, tensor: Tensor) -> None:
        # Not saved with the weights: the corpus holds the ratings, and a checkpoint would hold them over and over.
        self.register_buffer(name, tensor, persistent=False)

    def forward(
        self, x_B: Tensor, y_B: Tensor, residuals_N: Tensor, own_K: Tensor | None, draws: Draws | None
    ) -> Tensor:
        """The product of each X's vector and of the Y in question.

        Args:
            x_B: the X of each rating.
            y_B: the Y.
            residuals_N: what the biases leave of each known rating.
            own_K: the residuals of the first K ratings, which are known ones and must be left out.
            draws: the random numbers of a training step.
        """
        share_N = self.share_X[self.x_N]
        sum_BD = self._sums(self.residual_YD, residuals_N * share_N)[x_B]
        if own_K is not None:
            x_K, y_K = x_B[: len(own_K)], y_B[: len(own_K)]
            sum_BD = _less(sum_BD, (own_K * self.share_X[x_K])[:, None] * self.residual_YD[y_K])
        if self.implicit_YD is not None:
            sum_BD = sum_BD + self._sums(self.implicit_YD, share_N)[x_B]
            if own_K is not None:
                sum_BD = _less(sum_BD, self.share_X[x_K][:, None] * self.implicit_YD[y_K])
        products_BD = sum_BD * self.target_YD[y_B]
        return dropped(products_BD, self.config.dropout, f"products, {self.name}", draws, self.training).sum(1)

    def _sums(self, vectors_YD: Tensor, weights_N: Tensor) -> Tensor:
        """For each X the sum of the vectors of its Y, times the weights."""
        there = self.columns_x_N, self.starts_x, weights_N[self.order_x_N].to(vectors_YD.dtype)
        back = self.columns_y_N, self.starts_y, weights_N[self.order_y_N].to(vectors_YD.dtype)
        sums_XD: Tensor = _WeightedSums.apply(vectors_YD, there, back)
        return sums_XD

    def squares(self) -> Tensor:
        """The sum of the squares of all vectors."""
        return sum((vectors.square().sum() for vectors in self.parameters()), torch.zeros(()).to(self.share_X.device))


class _WeightedSums(torch.autograd.Function):
    """Sums of rows of a table, times constant weights; the derivative is the same with rows and sums changing places,
    which is far faster than scattering, and adds in the same order every time."""

    @staticmethod
    def forward(ctx: Any, vectors_YD: Tensor, there: tuple[Tensor, ...], back: tuple[Tensor, ...]) -> Tensor:
        ctx.back = back
        return _bags(vectors_YD, *there)

    @staticmethod
    def backward(ctx: Any, grad_XD: Tensor) -> tuple[Tensor, None, None]:
        return _bags(grad_XD.contiguous(), *ctx.back), None, None


def _less(sum_BD: Tensor, own_KD: Tensor) -> Tensor:
    """The sums without what the first K of them must not hold."""
    return sum_BD - torch.nn.functional.pad(own_KD, (0, 0, 0, len(sum_BD) - len(own_KD)))


def _bags(vectors: Tensor, columns_N: Tensor, starts: Tensor, weights_N: Tensor) -> Tensor:
    sums: Tensor = embedding_bag(columns_N, vectors, starts, mode="sum", per_sample_weights=weights_N)
    return sums


class Histories(RatingModel):
    """Biases and histories. Who was not seen in training has a bias of zero and no history.

    Args:
        config: the `model:` section.
        known: what it is trained on.
        seed: the run's seed.
    """

    def __init__(self, config: schema.Histories, known: Known, seed: int) -> None:
        super().__init__(known)
        self.config = config
        self.biases = Biases(known)
        pair, sizes = (known.users_N, known.items_N), (known.users, known.items)
        self.of_users = History(config, pair, sizes, seed, "users") if config.sides != "items" else None
        self.of_items = History(config, pair[::-1], sizes[::-1], seed, "items") if config.sides != "users" else None
        for name, tensor in (("users_N", pair[0]), ("items_N", pair[1]), ("ratings_N", known.ratings_N)):
            self.register_buffer(name, tensor, persistent=False)

    def score(
        self, users_B: Tensor, items_B: Tensor, seen_B2: Tensor, own_K: Tensor | None, draws: Draws | None
    ) -> Tensor:
        """See `RatingModel.score`."""
        expected_B = self.mean + self.biases(users_B, items_B, seen_B2)
        with torch.no_grad():  # the biases are there to be right by themselves
            residuals_N = self.ratings_N - self.mean
            residuals_N -= self.biases.users_U[self.users_N] + self.biases.items_I[self.items_N]
            rest_K = None if own_K is None else own_K - expected_B[: len(own_K)]
        score_B, told_B = expected_B, seen_B2.all(1)
        if self.of_users is not None:
            score_B = score_B + self.of_users(users_B, items_B, residuals_N, rest_K, draws) * told_B
        if self.of_items is not None:
            score_B = score_B + self.of_items(items_B, users_B, residuals_N, rest_K, draws) * told_B
        return score_B

    def penalties(self) -> Mapping[str, Tensor]:
        """L2 of the vectors, and of the biases."""
        sides = [side for side in (self.of_users, self.of_items) if side is not None]
        found = {
            "l2": self.config.l2 * sum((side.squares() for side in sides), torch.zeros_like(self.mean)),
            "bias_l2": self.config.bias_l2 * self.biases.squares(),
        }
        return {name: value for name, value in found.items() if getattr(self.config, name)}
