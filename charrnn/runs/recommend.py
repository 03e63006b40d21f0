"""What a model of ratings recommends to a user: the items that it has not rated, best first, under their own ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.corpus.manifest import SPLITS
from charrnn.logs.console import Console
from charrnn.models.ratings import RatingModel
from charrnn.runs.corpus import ratings
from charrnn.runs.score import open_trained
from charrnn.tasks.rate import RateTask
from charrnn.train.interrupt import Interrupt


def recommend_run(
    checkpoint: Checkpoint, loaded: Loaded, user: str, count: int, corpora: Path, console: Console, interrupt: Interrupt
) -> dict[str, Any]:
    """The items with the highest predicted ratings among those that a user has not rated in any split.

    Args:
        checkpoint: the model.
        loaded: the config of its run.
        user: the user's own id; one without ratings in training is predicted from the items' biases alone, and that
            is said.
        count: how many items, at most.
        corpora: where data are looked for and prepared.
        console: shows the progress, and says what must be said.
        interrupt: the signals so far.

    Returns:
        `user`, `known` (whether it has ratings in training), `rated` (how many in all), and `items`: each with `item`
        (its id), `name` (None where nothing names items), `rating`, and `seen` (its ratings in training).

    Raises:
        UsageError: the run is of another task.
        ConfigError, DataError, CheckpointError: see `charrnn.runs.score.open_trained`.
    """
    ratings(loaded.config)
    task, model, device = open_trained(checkpoint, loaded, corpora, console, interrupt)
    assert isinstance(task, RateTask)
    assert isinstance(model, RatingModel)
    corpus = task.corpus
    number = corpus.users.index(user) if user in corpus.users else None
    rated = np.zeros(0, np.int64)
    if number is not None:
        parts = [corpus.split(name) for name in SPLITS]
        rated = np.unique(np.concatenate([part.items[part.users == number] for part in parts]))
    known = number is not None and not task.unseen_users[number]
    if not known:
        _say_unknown(console, user, number is not None, corpus.users)
    seen_I = np.bincount(corpus.split("train").items, minlength=len(corpus.items))
    # What was never seen in training has no prediction of its own to be recommended by.
    candidates = np.setdiff1d(np.flatnonzero(seen_I), rated)
    if not len(candidates):
        console.note(f"user {user} has rated every item that has ratings in training: there is none to recommend")
    with torch.no_grad():
        items_B = torch.from_numpy(candidates).to(device)
        users_B = torch.full_like(items_B, -1 if number is None else number)
        predicted = model(users_B, items_B).double().cpu().numpy()
    # Equal predictions come in the order of the table.
    best = np.argsort(-predicted, kind="stable")[:count]
    return {
        "checkpoint": str(checkpoint.folder),
        "user": user,
        "known": bool(known),
        "rated": len(rated),
        "items": [
            {
                "item": corpus.items[item],
                "name": None if corpus.names is None else corpus.names[item],
                "rating": round(float(predicted[place]), 4),
                "seen": int(seen_I[item]),
            }
            for place, item in zip(best.tolist(), candidates[best].tolist(), strict=True)
        ],
    }


def _say_unknown(console: Console, user: str, in_table: bool, users: tuple[str, ...]) -> None:
    where = "has no ratings in the training split" if in_table else "is not in the table"
    console.note(
        f"user {user} {where}: predicted from the items alone, the same for every such user"
        + ("" if in_table else f" (users are {', '.join(users[:3])}, …)")
    )
