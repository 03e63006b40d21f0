"""Ratings from a file, for pairs that training has none of."""

from __future__ import annotations

from pathlib import Path

import pytest
from ratinglab import rating_lab

from charrnn.config.load import load_config
from charrnn.corpus.given_ratings import read_ratings
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared

HEADER = "userId,movieId,rating\n"


@pytest.fixture
def corpus(tmp_path: Path) -> RatingsCorpus:
    lab = rating_lab(tmp_path)
    with (tmp_path / "ratings.csv").open("a") as file:
        file.write("".join(f"lonely{i},00,3,0\n" for i in range(20)))
    with Console(quiet=True) as console:
        found: RatingsCorpus = prepared(
            load_config(lab.path / "config.yaml"), tmp_path / "corpora", console, _no
        ).corpus
    return found


def _no() -> None:
    pass


def pair(corpus: RatingsCorpus, split: str, number: int = 0) -> str:
    """The ids of a pair of a split whose user and item training knows."""
    rated, train = corpus.split(split), corpus.split("train")
    known = [
        (corpus.users[user], corpus.items[item])
        for user, item in zip(rated.users.tolist(), rated.items.tolist(), strict=True)
        if user in train.users and item in train.items
    ]
    return ",".join(known[number])


def test_ratings_come_in_the_order_of_the_file_with_the_numbers_of_the_table(
    corpus: RatingsCorpus, tmp_path: Path
) -> None:
    """A pair of validation or test is fine: what is given is no truth."""
    pairs = [pair(corpus, "valid"), pair(corpus, "test"), "u000,00"]
    path = tmp_path / "more.csv"
    path.write_text(HEADER + "".join(f"{p},{2 + i / 4}\n" for i, p in enumerate(pairs)), encoding="utf-8")
    rated, sha256 = read_ratings(path, corpus)
    found = [f"{corpus.users[u]},{corpus.items[i]}" for u, i in zip(rated.users, rated.items, strict=True)]
    assert found == pairs
    assert rated.ratings.tolist() == [2.0, 2.25, 2.5]
    assert sha256 == digest.of_file(path)


def test_bad_files_are_refused_with_the_place(corpus: RatingsCorpus, tmp_path: Path) -> None:
    good = pair(corpus, "valid")
    lonely = next(u for u in corpus.users if u.startswith("lonely") and _unseen(corpus, u))
    bad = {
        "": ("there are no ratings", ""),
        "userId,movieId,stars\n": ("there is no column named 'rating'", ":1:1"),
        HEADER + f"{good},3\nnobody,00,3\n": ("there is no user 'nobody'", ":3:1"),
        HEADER + "u000,0,3\n": ("there is no item '0'", ":2:6"),
        HEADER + f"{good},high\n": ("a rating that is not a number", f":2:{len(good) + 2}"),
        HEADER + f"{good},nan\n": ("a rating that is not a number", f":2:{len(good) + 2}"),
        HEADER + f"{good}\n": ("too few fields", f":2:{len(good) + 1}"),
        HEADER + f"{pair(corpus, 'train')},3\n": ("the training split has a rating", ":2:1"),
        HEADER + f"{good},3\nu000,00,3\n{good},4\n": ("a second rating", ":4:1"),
        HEADER + f"{lonely},00,3\n": ("has no ratings in the training split", ":2:1"),
    }
    path = tmp_path / "more.csv"
    for content, (what, where) in bad.items():
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=what) as caught:
            read_ratings(path, corpus)
        assert caught.value.where == f"{path}{where}"
    with pytest.raises(DataError, match="cannot read"):
        read_ratings(tmp_path / "none.csv", corpus)


def _unseen(corpus: RatingsCorpus, user: str) -> bool:
    return corpus.users.index(user) not in corpus.split("train").users
