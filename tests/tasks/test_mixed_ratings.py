"""What `rate` makes of several sources in a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ratinglab import MODELS, rating_lab

from charrnn.config.load import load_config
from charrnn.logs.console import Console
from charrnn.models.core import Draws
from charrnn.runs.task import task_of
from charrnn.tasks.rate import RateTask, RatingBatch

CPU = torch.device("cpu")
ROWS = ["u000,00,4.5", "u000,05,1.5", "u005,00,2.5"]  # pairs that nobody has rated: see `ratinglab.table`


def task(path: Path, model: str, *overrides: str) -> RateTask:
    lab = rating_lab(path)
    (path / "more.csv").write_text("\n".join(["userId,movieId,rating", *ROWS]) + "\n", encoding="utf-8")
    mix = f"stream.mix={{pseudo: {{source: {path / 'more.csv'}, rows: 3, weight: 0.5}}}}"
    loaded = load_config(lab.path / "config.yaml", [mix, f"model={model}", "train.precision=fp64", *overrides])
    with Console(quiet=True) as console:
        found = task_of(loaded, path / "corpora", console, lambda: None)
    assert isinstance(found, RateTask)
    return found


def batch(found: RateTask) -> RatingBatch:
    stream = found.stream("train")
    assert stream is not None
    read: RatingBatch = stream.batch(0, CPU)
    return read


def stirred(found: RateTask) -> torch.nn.Module:
    model, generator = found.model(), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.4, generator=generator)
    return model


def test_rows_come_on_top_and_only_the_first_ones_are_known(tmp_path: Path) -> None:
    found = task(tmp_path, MODELS["dot"])
    read = batch(found)
    assert (read.rows, read.known, read.shares) == (19, 16, {"pseudo": slice(16, 19)})
    users, items = found.corpus.users, found.corpus.items
    rows = zip(read.users_B[16:].tolist(), read.items_B[16:].tolist(), read.ratings_B[16:].tolist(), strict=True)
    assert sorted(f"{users[u]},{items[i]},{r}" for u, i, r in rows) == sorted(ROWS)
    assert read.weight_B.tolist() == [1.0] * 16 + [0.5] * 3


@pytest.mark.parametrize("name", MODELS)
def test_each_row_is_predicted_as_it_would_be_alone(tmp_path: Path, name: str) -> None:
    """A mixed rating is in no history, so there is none to leave it out of; one of training is left out of its own."""
    model = MODELS[name].replace("dropout: 0.2", "dropout: 0.0").replace("dropout: 0.1", "dropout: 0.0")
    found = task(tmp_path, model)
    read, network = batch(found), stirred(found)
    loss = found.loss(network, read, {}, Draws(1, 0, read.rows))
    with torch.no_grad():
        own_B = network(read.users_B[:16], read.items_B[:16], read.ratings_B[:16], Draws(1, 0, 16))
        mixed_B = network(read.users_B[16:], read.items_B[16:], None, Draws(1, 0, 3))
    own = (own_B - read.ratings_B[:16]).square().numpy()
    mixed = (mixed_B - read.ratings_B[16:]).square().numpy()
    np.testing.assert_allclose(loss.each.detach().numpy(), own, rtol=1e-12)
    assert loss.parts["pseudo"].item() == pytest.approx(0.5 * mixed.sum(), rel=1e-12)
    assert loss.beside["pseudo"][0].item() == pytest.approx(mixed.sum(), rel=1e-12)
    assert loss.count.item() == 16
    if "histories" in name:
        with torch.no_grad():
            left_out = network(read.users_B, read.items_B, read.ratings_B, Draws(1, 0, 19))[16:]
        assert not np.allclose(left_out.numpy(), mixed_B.numpy())


def test_the_histories_are_those_of_the_training_ratings_alone(tmp_path: Path) -> None:
    found = task(tmp_path, MODELS["histories"])
    train = found.corpus.split("train")
    np.testing.assert_array_equal(found.known.users_N.numpy(), train.users)
    np.testing.assert_array_equal(found.known.ratings_N.numpy(), train.ratings)


def test_read_in_order_a_split_is_read_by_itself(tmp_path: Path) -> None:
    found = task(tmp_path, MODELS["histories"])
    count = len(found.corpus.split("train").ratings)
    stream = found.stream("train", (1, 1))
    assert stream is not None
    read = [stream.batch(step, CPU) for step in range(stream.steps_per_epoch)]
    assert sum(one.rows for one in read) == sum(one.known for one in read) == count
    valid = found.stream("valid")
    assert valid is not None
    assert valid.batch(0, CPU).known == 0
