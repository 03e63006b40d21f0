"""Ratings: predict how a user rates an item.

Shapes: B ratings, the first K of them known ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from charrnn.config.schema import RateConfig
from charrnn.contracts import Loss
from charrnn.corpus.given_ratings import read_ratings
from charrnn.corpus.ratings import Rated, RatingsCorpus
from charrnn.models.build import build_rating_model
from charrnn.models.core import Draws, State
from charrnn.models.ratings import Known, RatingModel
from charrnn.stream.items import Fill, ItemStream, MixPlan, OncePlan, Part
from charrnn.stream.rows import shares_of
from charrnn.tasks.mixed import Mixed


@dataclass(frozen=True)
class RatingBatch:
    """Ratings.

    Attributes:
        users_B: the users' numbers.
        items_B: the items' numbers.
        ratings_B: what they gave.
        known: so many of them, the first ones, are ratings that the model is trained on, so that it must leave each
            out of its own prediction. What is mixed in is none of those: no history holds it.
        weight_B: how much each row counts.
        shares: the rows of each source but the first, by its name.
        rate: what the learning rate is multiplied by.
        whole: the batch that this one is a part of; None where it is whole.
    """

    users_B: Tensor
    items_B: Tensor
    ratings_B: Tensor
    known: int
    weight_B: Tensor
    shares: Mapping[str, slice]
    rate: float = 1.0
    whole: RatingBatch | None = None

    @property
    def rows(self) -> int:
        """B."""
        return len(self.ratings_B)

    def part(self, rows: slice, state: State) -> tuple[RatingBatch, State]:
        """See `Batch.part`."""
        known = min(max(self.known - rows.start, 0), rows.stop - rows.start)
        own = self.users_B[rows], self.items_B[rows], self.ratings_B[rows], known, self.weight_B[rows]
        return RatingBatch(*own, shares_of(self.shares, rows), self.rate, self.whole or self), state


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
        """Shuffled batches for `train`, mixed with the other sources; the ratings in order for the other splits; None
        where the split is empty.

        With `cut` any split is read by itself, in order, by batches of the config.
        """
        rated, settings = self.corpus.split(split), self.config.stream
        count = len(rated.ratings)
        if count == 0:
            return None
        rows = min(settings.batch, count)
        if split != "train" or cut is not None:
            return ItemStream(OncePlan(count, rows), self._filling({split: rated}, split == "train"), unit="ratings")
        sources = {split: rated} | {name: mixed.source for name, mixed in self.mixed.items()}
        parts = Part("ratings", count, rows), *(mixed.part for mixed in self.mixed.values())
        return ItemStream(MixPlan(parts, self.config.train.seed), self._filling(sources, True), unit="ratings")

    @cached_property
    def mixed(self) -> Mapping[str, Mixed[Rated]]:
        """What shares every batch of training with the ratings of the training split, by name.

        Raises:
            DataError: a file cannot be read, or holds what must not be mixed in.
        """
        found = {}
        for name, part in (self.config.stream.mix or {}).items():
            path = Path(part.source)
            rated, sha256 = read_ratings(path, self.corpus)
            share = Part(name, len(rated.ratings), part.rows, part.weight, part.ramp)
            found[name] = Mixed(share, rated, path, sha256)
        return found

    def _filling(self, sources: Mapping[str, Rated], known: bool) -> Fill:
        """How batches of these sources are made; `known`: the first one is what the model is trained on."""
        names = list(sources)

        def fill(
            numbers: Sequence[np.ndarray], weight_B: np.ndarray, device: torch.device, own: slice | None = None
        ) -> RatingBatch:
            ends = np.cumsum([len(chosen) for chosen in numbers]).tolist()
            rows = [slice(end - len(chosen), end) for end, chosen in zip(ends, numbers, strict=True)]
            columns = np.empty(ends[-1], np.int64), np.empty(ends[-1], np.int64), np.empty(ends[-1], np.float32)
            for source, chosen, place in zip(sources.values(), numbers, rows, strict=True):
                for column, part in zip(columns, source, strict=True):
                    np.take(part, chosen, out=column[place], mode="clip")  # without `clip` it would go by a copy
            users_B, items_B, ratings_B, weights_B = (torch.from_numpy(a).to(device) for a in (*columns, weight_B))
            shares = dict(zip(names[1:], rows[1:], strict=True))
            first = ends[0] if known else 0
            whole = RatingBatch(users_B, items_B, ratings_B.to(self._dtype), first, weights_B, shares)
            return whole if own is None else whole.part(own, {})[0]

        return fill

    def model(self) -> RatingModel:
        """A model with fresh weights, on the CPU."""
        return build_rating_model(self.config.model, self.known, self.config.train.seed, self._dtype)

    def initial_state(self, model: torch.nn.Module, rows: int) -> State:
        """Nothing is carried on."""
        return {}

    def loss(self, model: torch.nn.Module, batch: RatingBatch, state: State, draws: Draws | None = None) -> Loss:
        """The squared error of every rating there is; what other sources add is a part of its own, by name."""
        own_K = batch.ratings_B[: batch.known] if batch.known else None
        predicted_B = model(batch.users_B, batch.items_B, own_K, draws)
        each_B = (predicted_B - batch.ratings_B).square()
        own = slice(0, min((share.start for share in batch.shares.values()), default=batch.rows))
        count = torch.tensor(own.stop, device=each_B.device)
        parts = {} if draws is None else {name: value * count for name, value in model.penalties().items()}
        parts |= {name: (each_B[share] * batch.weight_B[share]).sum() for name, share in batch.shares.items()}
        beside = {
            name: (each_B[share].detach().sum(), count.new_tensor(share.stop - share.start))
            for name, share in batch.shares.items()
        }
        return Loss(each_B[own], count, parts, {}, predicted_B[own], beside)

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
