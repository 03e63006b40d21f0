"""Pseudo-ratings for the task `rate`: pairs that nobody has rated get the rating that their teachers expect.

Arrays: S teachers, N candidates, M ratings of a split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import RatingRounds
from charrnn.config.schema.pseudo_ratings import CloseSelect
from charrnn.corpus.given_ratings import write_ratings
from charrnn.corpus.manifest import SPLITS
from charrnn.corpus.ratings import Rated
from charrnn.errors import ConfigError, DataError
from charrnn.logs.console import Console
from charrnn.pseudo.admit import OWN, first_difference, other_data, same_task
from charrnn.pseudo.compare import wilcoxon
from charrnn.pseudo.guards import too_few
from charrnn.pseudo.labeller import Record, Table
from charrnn.pseudo.opened import opened
from charrnn.pseudo.shares import shared_pass
from charrnn.pseudo.unrated import draw_unrated
from charrnn.runs.memory import out_of_memory
from charrnn.tasks.rate import RateTask
from charrnn.text.watch import Check
from charrnn.train.evaluate import evaluate
from charrnn.train.world import World

Floats = NDArray[np.float64]
_ALONE = World()


class RateLabeller:
    """Rates pairs, and measures models of ratings.

    Args:
        task: the task, whose config has a `pseudo:` section.
        new_console: makes what shows the progress.
        check: called between batches; it may raise to stop.
        world: the processes that share every pass over pairs.

    Raises:
        DataError: there is nothing to rate, or nothing to judge the rounds by.
        ConfigError: the config itself mixes in pairs that validation or test ask about.
    """

    extra, name, things = "pseudo-ratings", "ratings.csv", "pairs"
    since, transductive, finetune = 0, False, None

    def __init__(self, task: RateTask, new_console: Callable[[], Console], check: Check, world: World = _ALONE) -> None:
        assert task.config.pseudo is not None
        self._task, self._config, self._corpus = task, task.config, task.corpus
        self._settings: RatingRounds = task.config.pseudo
        self._new_console, self._check, self._world = new_console, check, world
        self._refuse_the_blind()
        self._refuse_what_is_asked()
        rated = [self._corpus.split(name) for name in SPLITS] + [mixed.source for mixed in task.mixed.values()]
        users, items = (np.flatnonzero(~unseen) for unseen in (task.unseen_users, task.unseen_items))
        pairs = [(part.users, part.items) for part in rated]
        self._pairs = draw_unrated(users, items, pairs, self._settings.pairs, self._config.train.seed)
        if not len(self._pairs):
            raise DataError(
                "there is nothing to rate: every user has rated every item, as far as they are in training",
                where=self._corpus.folder,
            )

    def _refuse_the_blind(self) -> None:
        use = {"valid": "the rounds are judged by it", self._settings.report: "it is what the report is of"}
        for split, why in use.items():
            if len(self._corpus.split(split).ratings) == 0:
                report = "; or set pseudo.report: valid" if split == "test" else ""
                hint = f"give it a share in corpus.split{report}"
                raise DataError(f"the {split} split is empty", where=self._corpus.folder, why=why, hint=hint)

    def _refuse_what_is_asked(self) -> None:
        asked = [pair for name in ("valid", "test") for pair in _pairs_of(self._corpus.split(name))]
        for name, mixed in self._task.mixed.items():
            count = len(set(asked) & set(_pairs_of(mixed.source)))
            if count:
                raise ConfigError(
                    f"stream.mix.{name}: it holds {count} pairs that validation or test ask about",
                    hint="remove them: the rounds are judged by what nobody has learned from",
                )

    @property
    def table(self) -> Table:
        """This one writes ratings down."""
        return self

    @property
    def digest(self) -> str:
        """That of the corpus."""
        return self._corpus.digest

    @property
    def marks(self) -> Record:
        """The corpus."""
        return {"corpus_digest": self.digest}

    @property
    def report(self) -> str:
        """As the config has it."""
        return self._settings.report

    @property
    def about(self) -> Record:
        """Counts of the corpus."""
        unseen = {"users": self._task.unseen_users, "items": self._task.unseen_items}
        return {
            "ratings": len(self._corpus.split("train").ratings),
            **{name: int((~each).sum()) for name, each in unseen.items()},
            "unrated": self._pairs.of,
            "candidates": len(self._pairs),
            "valid": len(self._corpus.split("valid").ratings),
            "test": len(self._corpus.split("test").ratings),
        }

    @property
    def remarks(self) -> Sequence[str]:
        """How many pairs there are to be rated."""
        return [f"pairs to be rated: {len(self._pairs):,}, drawn from {self._pairs.of:,} that nobody has rated"]

    @property
    def selection(self) -> Record:
        """Which pairs are drawn, and what is taken of them."""
        return self._settings.model_dump(mode="json", include={"pairs", "select", "cap"})

    def refusal(self, counts: Record) -> str | None:
        """See `charrnn.pseudo.guards`."""
        return too_few(self._settings.stop.kept_below, self._settings.rows, counts, self.things)

    def admit(self, teacher: Checkpoint) -> Record:
        """Refuse a teacher of another task, or of other users or items; their numbers must be the same ones."""
        same_task(teacher, self._config)
        ids: dict[str, list[str]] = teacher.document("ids")
        for kind, ours in (("user", self._corpus.users), ("item", self._corpus.items)):
            theirs = ids[f"{kind}s"]
            if theirs != list(ours):
                raise DataError(
                    f"the teacher knows other {kind}s",
                    where=teacher.folder,
                    why=first_difference(kind, theirs, ours),
                    hint=f"train the teacher on this table, or {OWN}",
                )
        return other_data(teacher, self.digest, "ratings")

    def label(self, teachers: Sequence[Checkpoint], path: Path) -> Record:
        """Let the teachers rate, select, write; see `Table.label`. The file holds what is kept, and nothing else."""
        pairs = self._pairs
        rating_SN = np.stack([self._ratings(teacher, pairs.users_N, pairs.items_N) for teacher in teachers])
        return self._world.first_does(lambda: self._selected(rating_SN, path))

    def _selected(self, rating_SN: Floats, path: Path) -> Record:
        """The pairs that are kept, as the table at `path`, and what it came to."""
        pairs, select = self._pairs, self._settings.select
        rating_N, passed_N, spread_N = rating_SN.mean(0), np.ones(len(pairs), bool), None
        kept = np.arange(len(pairs))
        if isinstance(select, CloseSelect):
            spread_N = rating_SN.std(0, ddof=1)
            passed_N = spread_N < select.below
            kept = closest(spread_N, passed_N, self._settings.cap)
        rated = Rated(pairs.users_N[kept], pairs.items_N[kept], rating_N[kept].astype(np.float32))
        beside: dict[str, Sequence[object]] = {}
        if spread_N is not None:
            beside["spread"] = [str(spread) for spread in spread_N[kept].astype(np.float32)]
        write_ratings(path, self._corpus, rated, beside)
        return {
            "candidates": len(pairs),
            "passed": int(passed_N.sum()),
            "kept": len(kept),
            "mean": float(rating_N[kept].mean()) if len(kept) else None,
            "lowest": float(rating_N[kept].min()) if len(kept) else None,
            "highest": float(rating_N[kept].max()) if len(kept) else None,
            "spread": float(spread_N[kept].mean()) if spread_N is not None and len(kept) else None,
            "spread_of_all": None if spread_N is None else float(spread_N.mean()),
        }

    def _ratings(self, teacher: Checkpoint, users_N: NDArray[np.int64], items_N: NDArray[np.int64]) -> Floats:
        """What a model expects of pairs that it was not trained on."""
        model, device = self._open(teacher)
        size = self._config.stream.batch

        def of_batch(step: int) -> Floats:
            rows = slice(step * size, (step + 1) * size)
            users_B, items_B = (torch.tensor(numbers_N[rows], device=device) for numbers_N in (users_N, items_N))
            found: Floats = model(users_B, items_B).double().cpu().numpy()
            return found

        with torch.no_grad(), out_of_memory(self._config, training=False), self._new_console() as console:
            steps = -(-len(users_N) // size)
            found = shared_pass(steps, self._world, self._check, of_batch, console.progress, "rating")
        ratings: Floats = np.concatenate(found)
        return ratings

    def _open(self, checkpoint: Checkpoint) -> tuple[nn.Module, torch.device]:
        return opened(checkpoint, self._config, lambda config: RateTask(config, self._corpus))

    def measure(self, model: Checkpoint, split: str) -> dict[str, float]:
        """`mse`, `rmse`, `mae`, and what there is of users and items that training has not seen."""
        network, device = self._open(model)
        with out_of_memory(self._config, training=False):
            result = evaluate(self._task, network, split, device, self._check, world=self._world)
        assert result is not None, "an empty split is refused before anything begins"
        return {**self._task.metrics(result.mean, split), **result.numbers}

    def error(self, figures: Mapping[str, float]) -> float:
        """The mean squared error."""
        return figures["mse"]

    def paired(self, control: Checkpoint, student: Checkpoint, split: str) -> Record:
        """Wilcoxon's test of the squared errors."""
        users_M, items_M, ratings_M = self._corpus.split(split)
        squared = [
            (self._ratings(model, users_M, items_M) - ratings_M.astype(np.float64)) ** 2 for model in (control, student)
        ]
        return {"wilcoxon": asdict(wilcoxon(*squared))}

    def mixed(self, labels: Path, teacher: Path) -> Mapping[str, Any]:
        """Rows of the pairs that were kept."""
        settings = self._settings
        return {"source": str(labels), "rows": settings.rows, "weight": settings.weight, "ramp": settings.ramp}


def closest(spread_N: Floats, passed_N: NDArray[np.bool_], cap: int | None) -> NDArray[np.int64]:
    """Of the pairs in `passed_N` the `cap` ones whose teachers are closest to each other, in their own order; of equals
    the first ones."""
    among = np.flatnonzero(passed_N)
    order = np.argsort(spread_N[among], kind="stable")
    return np.sort(among[order[:cap]])


def _pairs_of(rated: Rated) -> list[tuple[int, int]]:
    return list(zip(rated.users.tolist(), rated.items.tolist(), strict=True))
