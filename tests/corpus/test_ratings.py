"""Tables of ratings: what is read is what was written, every mistake has its place, and masks are NumPy's."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn.config.schema import Ratings
from charrnn.config.schema.rate import Columns, MaskSplit, Names, SharesSplit
from charrnn.corpus.manifest import SPLITS
from charrnn.corpus.rating_tables import chances, prepare_ratings
from charrnn.corpus.ratings import RatingsCorpus
from charrnn.corpus.ready import Prepared
from charrnn.corpus.table import rows
from charrnn.errors import DataError, UsageError

HEADER = "userId,movieId,rating\n"
ids = st.text(st.characters(exclude_characters="\r\n\x00", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text == text.strip()
)
tables = st.lists(st.tuples(ids, ids, st.floats(-100, 100, width=32)), min_size=1, max_size=20)


def prepared(folder: Path, text: str | bytes, **keys: object) -> Prepared[RatingsCorpus]:
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    (folder / "r.csv").write_bytes(data)
    made = Ratings.model_validate({"source": "r.csv", "split": {"shares": [1.0, 0.0, 0.0]}, **keys})
    return prepare_ratings(made, base=folder, corpora=folder / "corpora")


def content(corpus: RatingsCorpus) -> list[tuple[str, str, float]]:
    """All ratings, split by split, under their own ids."""
    return [
        (corpus.users[user], corpus.items[item], rating)
        for name in SPLITS
        for user, item, rating in zip(*map(np.ndarray.tolist, corpus.split(name)), strict=True)
    ]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables)
def test_what_is_read_is_what_was_written(tmp_path: Path, table: list[tuple[str, str, float]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["userId", "movieId", "rating"])
    writer.writerows(table)
    corpus = prepared(tmp_path, text.getvalue()).corpus
    assert content(corpus) == table
    assert corpus.users == tuple(dict.fromkeys(user for user, _, _ in table))
    assert corpus.manifest.repeated == len(table) - len({row[:2] for row in table})


@settings(max_examples=50)
@given(text=st.text(st.sampled_from('ab,"\n\ré')), size=st.integers(1, 5))
def test_the_size_of_blocks_plays_no_part(text: str, size: int) -> None:
    data = text.encode("utf-8")

    def read(blocks: list[bytes]) -> object:
        try:
            return [(row.fields, row.number) for row in rows(blocks, "r.csv", "utf-8", ",")]
        except DataError as error:
            return str(error.where)

    assert read([data[i : i + size] for i in range(0, len(data), size)]) == read([data])


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_is_the_one_that_numpy_draws(seed: int) -> None:
    chosen = chances(Ratings(source="x", split=MaskSplit(kind="mask", seed=seed)), 1000)
    mask = np.random.default_rng(seed).random(1000) < 0.8
    np.testing.assert_array_equal(chosen != 2, mask)
    assert 40 < (chosen == 1).sum() < 125


def test_nothing_of_a_mask_is_held_out_unless_asked_for() -> None:
    chosen = chances(Ratings(source="x", split=MaskSplit(kind="mask", held_out=0.0)), 1000)
    np.testing.assert_array_equal(chosen == 0, np.random.default_rng(0).random(1000) < 0.8)
    assert not (chosen == 1).any()


@given(seed=st.integers(0, 2**63 - 1), train=st.floats(0.0, 1.0), count=st.integers(0, 200))
def test_shares_hold_the_first_ratings_where_they_are(seed: int, train: float, count: int) -> None:
    settings = Ratings(source="x", split=SharesSplit(shares=(train, 1.0 - train, 0.0), seed=seed))
    longer = chances(settings, count + 10)
    np.testing.assert_array_equal(chances(settings, count), longer[:count])
    assert set(longer.tolist()) <= {0, 1}


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("u,m,4\n", "no column named 'userId'", ":1:1"),
        ("userId,userId,movieId,rating\n", "two columns are named 'userId'", ":1:1"),
        (HEADER + "u,m,good\n", "a rating that is not a number", ":2:5"),
        (HEADER + 'u,"m,m",nan\n', "a rating that is not a number", ":2:9"),
        (HEADER + "u,m,inf\n", "a rating that is not a number", ":2:5"),
        (HEADER + "u,m,4\n\nu,m\n", "a row with too few fields", ":4:4"),
        (HEADER + ",m,4\n", "a rating without its user", ":2:1"),
        (HEADER + "u,,4\n", "a rating without its item", ":2:3"),
        (HEADER + 'u,"m,4\n', "this line is not one of a table", ":2:1"),
        (HEADER, "there are no ratings", ""),
        ("", "there are no ratings", ""),
        (HEADER.encode() + b"u,m\xff,4\n", "the byte 0xff is not utf-8", ":2"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str | bytes, what: str, where: str) -> None:
    with pytest.raises(DataError, match=what) as caught:
        prepared(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'r.csv'}{where}"
    assert not list((tmp_path / "corpora").glob("*"))


def test_what_is_wrong_with_a_header_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, "userId,movieId,rating,rating\nu,m,4,5\n")
    assert caught.value.why == "the columns are userId, movieId, rating, rating"
    assert "give one of them another name in this line" in str(caught.value.hint)
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, "user,movieId,rating\nu,m,4\n")
    assert "set corpus.columns.user (and corpus.delimiter" in str(caught.value.hint)


def test_a_tab_separates_and_a_byte_order_mark_is_none_of_the_header(tmp_path: Path) -> None:
    text = "\ufeffwho\twhat\tstars\r\nanna\tA, B\t3.5\r\n"
    columns = {"user": "who", "item": "what", "rating": "stars"}
    assert content(prepared(tmp_path, text, delimiter="\t", columns=columns).corpus) == [("anna", "A, B", 3.5)]


def test_without_a_header_columns_are_numbers(tmp_path: Path) -> None:
    columns = Columns(user=2, item=1, rating=4).model_dump()
    corpus = prepared(tmp_path, "m,u,x,4\nn,u,x,5\n", columns=columns).corpus
    assert content(corpus) == [("u", "m", 4.0), ("u", "n", 5.0)]


def test_items_have_names_and_those_without_one_their_ids(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text('movieId,title\n9,None of them\nm,"M, the film"\nk,\n')
    named = Names(source="films.csv").model_dump()
    corpus = prepared(tmp_path, HEADER + "u,m,4\nu,k,3\nu,l,2\n", names=named).corpus
    assert corpus.names == ("M, the film", "k", "l")


def test_it_is_not_made_twice_and_made_anew_for_another_split(tmp_path: Path) -> None:
    text = HEADER + "u,m,4\nv,n,3\n" * 9
    first, second = prepared(tmp_path, text), prepared(tmp_path, text)
    other = prepared(tmp_path, text, split={"kind": "mask"})
    assert (first.fresh, second.fresh, other.fresh) == (True, False, True)
    assert first.corpus.digest == second.corpus.digest != other.corpus.digest


def test_a_damaged_corpus_is_noticed_and_made_again(tmp_path: Path) -> None:
    text = HEADER + "u,m,4\n"
    folder = prepared(tmp_path, text).corpus.folder
    (folder / "ratings.bin").write_bytes(np.float32(2.0).tobytes())
    with pytest.raises(DataError, match="damaged"):
        RatingsCorpus.open(folder, verify=True)
    again = prepared(tmp_path, text)
    assert again.fresh
    assert content(again.corpus) == [("u", "m", 4.0)]


def test_other_things_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary.txt").write_text("dear")
    (tmp_path / "r.csv").write_text(HEADER + "u,m,4\n")
    made = Ratings(source="r.csv", split=SharesSplit(shares=(1.0, 0.0, 0.0)))
    with pytest.raises(UsageError, match="holds other things"):
        prepare_ratings(made, base=tmp_path, corpora=tmp_path / "corpora", out=tmp_path / "out")


def test_an_edition_that_nobody_offers_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARRNN_DATA", raising=False)
    made = Ratings(source="named:movielens-latest-small-2016")
    with pytest.raises(DataError, match="cannot be downloaded") as caught:
        prepare_ratings(made, base=tmp_path, corpora=tmp_path / "corpora")
    assert "ratings.csv" in str(caught.value.hint)
