"""Ratings: predict how a user rates an item.

Shapes: B ratings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn.config.schema import RateConfig
from charrnn.contracts import Loss
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.models.build import build_rating_model
from charrnn.models.core import Draws, State
from charrnn.models.ratings import Known, RatingModel
from charrnn.stream.items import ItemStream, MixPlan, OncePlan, Part


@dataclass(frozen=True)
class RatingBatch:
    """Ratings.

    Attributes:
        users_B: the users' numbers.
        items_B: the items' numbers.
        ratings_B: what they gave.
        known: whether these are ratings that the model is trained on, so that it must leave each out of its own
            prediction.
        rate: what the learning rate is multiplied by.
    """

    users_B: Tensor
    items_B: Tensor
    ratings_B: Tensor
    known: bool
    rate: float = 1.0

    @property
    def rows(self) -> int:
        """B."""
        return len(self.ratings_B)


class RateTask:
    """A model of ratings over a prepared table.

    Args:
        config: the whole config.
        corpus: its corpus.
    """

    figure = "mse"

    def __init__(self, config: RateConfig, corpus: RatingsCorpus) -> None:
        self.config = config
        self.corpus = corpus
        self._dtype = torch.float64 if config.train.precision == "fp64" else torch.float32

    @cached_property
    def known(self) -> Known:
        """The ratings of the training split."""
        users, items, ratings = (torch.from_numpy(part.copy()) for part in self.corpus.split("train"))
        return Known(users, items, ratings, len(self.corpus.users), len(self.corpus.items))

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> ItemStream | None:
        """Shuffled batches for `train`, the ratings in order for the other splits; None where the split is empty.

        With `cut` any split is read in order, by batches of the config.
        """
        rated, settings = self.corpus.split(split), self.config.stream
        count = len(rated.ratings)
        if count == 0:
            return None
        rows = min(settings.batch, count)
        plan: MixPlan | OncePlan = OncePlan(count, rows)
        if split == "train" and cut is None:
            plan = MixPlan((Part("ratings", count, rows),), self.config.train.seed)

        def fill(numbers: Sequence[np.ndarray], weight_B: np.ndarray, device: torch.device) -> RatingBatch:
            users_B, items_B, ratings_B = (torch.from_numpy(part[numbers[0]]).to(device) for part in rated)
            return RatingBatch(users_B, items_B, ratings_B.to(self._dtype), split == "train")

        return ItemStream(plan, fill, unit="ratings")

    def model(self) -> RatingModel:
        """A model with fresh weights, on the CPU."""
        return build_rating_model(self.config.model, self.known, self.config.train.seed, self._dtype)

    def initial_state(self, model: torch.nn.Module, rows: int) -> State:
        """Nothing is carried on."""
        return {}

    def loss(self, model: torch.nn.Module, batch: RatingBatch, state: State, draws: Draws | None = None) -> Loss:
        """The squared error of every rating there is; nothing is said of pairs without one."""
        own_B = batch.ratings_B if batch.known else None
        predicted_B = model(batch.users_B, batch.items_B, own_B, draws)
        each_B = (predicted_B - batch.ratings_B).square()
        count = torch.tensor(batch.rows, device=each_B.device)
        parts = {} if draws is None else {name: value * count for name, value in model.penalties().items()}
        return Loss(each_B, count, parts, {}, predicted_B)

    def meter(self, stream: ItemStream, cold: bool) -> Errors:
        """MAE, and the error where the user or the item was not seen in training."""
        return Errors(self.unseen_users, self.unseen_items)

    @cached_property
    def unseen_users(self) -> np.ndarray:
        """For each user whether no rating of it is trained on."""
        return np.bincount(self.corpus.split("train").users, minlength=len(self.corpus.users)) == 0

    @cached_property
    def unseen_items(self) -> np.ndarray:
        """For each item likewise."""
        return np.bincount(self.corpus.split("train").items, minlength=len(self.corpus.items)) == 0

    def remarks(self, split: str) -> Iterator[str]:
        """What a user should know about a split: who in it was not seen in training, and what is said of those."""
        rated = self.corpus.split(split)
        of_users, of_items = self.unseen_users[rated.users], self.unseen_items[rated.items]
        count = int((of_users | of_items).sum())
        if count:
            users, items = len(np.unique(rated.users[of_users])), len(np.unique(rated.items[of_items]))
            yield (
                f"{split}: {users} users and {items} items have no ratings in the training split; "
                f"{count} of {len(rated.ratings)} ratings are theirs, predicted from {self._without()}"
            )

    def _without(self) -> str:
        """What a prediction is made from where the user or the item is unknown."""
        model = self.config.model
        if model.kind == "ratings-network":
            return "the average user's vector, or the average item's"
        return "the biases that there are" if model.kind == "histories" or model.biases else "the mean rating"

    def metrics(self, mean: float, split: str) -> dict[str, float]:
        """The mean squared error and its root, in units of the ratings."""
        return {"mse": mean, "rmse": math.sqrt(mean)}

    def speed(self, targets_per_second: float, split: str) -> dict[str, float]:
        """Ratings per second."""
        return {"ratings_per_second": targets_per_second}

    def sizes(self) -> dict[str, int]:
        """The users and the items."""
        return {"users": len(self.corpus.users), "items": len(self.corpus.items)}

    def documents(self) -> dict[str, Any]:
        """The ids, in the order of the vectors."""
        return {"ids": {"users": list(self.corpus.users), "items": list(self.corpus.items)}}


class Errors:
    """What an evaluation tells besides the mean squared error.

    Args:
        unseen_users: for each user whether it was not seen in training.
        unseen_items: for each item likewise.
    """

    def __init__(self, unseen_users: np.ndarray, unseen_items: np.ndarray) -> None:
        self._unseen = unseen_users, unseen_items
        self._met: tuple[set[int], set[int]] = set(), set()
        self._absolute, self._squared_unseen, self._ratings_unseen, self._ratings = 0.0, 0.0, 0, 0

    def add(self, batch: RatingBatch, loss: Loss) -> None:
        """Take a batch and its predictions into account."""
        assert loss.outputs is not None
        self._absolute += (loss.outputs - batch.ratings_B).abs().double().sum().item()
        self._ratings += batch.rows
        of_unseen = np.zeros(batch.rows, bool)
        for numbers_B, unseen, met in zip((batch.users_B, batch.items_B), self._unseen, self._met, strict=True):
            numbers = numbers_B.cpu().numpy()
            of_unseen |= unseen[numbers]
            met.update(numbers[unseen[numbers]].tolist())
        self._squared_unseen += float(loss.each.double().cpu().numpy()[of_unseen].sum())
        self._ratings_unseen += int(of_unseen.sum())

    def figures(self) -> dict[str, Any]:
        """MAE; how many users and items were not seen in training, how many ratings are theirs, and the error there."""
        error = {"unseen_rmse": math.sqrt(self._squared_unseen / self._ratings_unseen)} if self._ratings_unseen else {}
        return {
            "mae": self._absolute / self._ratings,
            "unseen_users": len(self._met[0]),
            "unseen_items": len(self._met[1]),
            "unseen_ratings": self._ratings_unseen,
            **error,
        }
