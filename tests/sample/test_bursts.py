"""Streams on a device: who joins, leaves, stops, or has to be seen by the host; on a CPU, so without a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import pytest
import torch
from bursting import LETTERS, config_for, engines, texts

from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.models.burst import STEPS
from charrnn.runs.use import Engine
from charrnn.sample.bursts import Bursts, BurstStreams, by_symbol
from charrnn.sample.several import several
from charrnn.sample.stream import Drawn
from charrnn.text.vocabulary import Vocabulary

IN_NUMPY, IN_TORCH = engines(config_for({"kind": "gru"}))
BYTES = Vocabulary("char", tuple(range(256)), ("a", "b", "é"))


def streams() -> BurstStreams:
    assert IN_TORCH.bursts is not None
    return BurstStreams(IN_TORCH.bursts, IN_TORCH.network, LETTERS)


def symbols(told: list[Drawn], stream: int) -> list[int]:
    return [one.symbol for one in told if one.stream == stream]


def alone(prompt: list[int], options: Sample, number: int) -> list[int]:
    return [one.symbol for one in texts(IN_NUMPY, options, prompt, (number,))[0]]


def test_streams_with_options_of_their_own_join_and_leave() -> None:
    asked: list[tuple[list[int], Sample, int]] = [
        ([1, 2, 3, 4, 5, 6], Sample(length=3 * STEPS), 0),
        ([4], Sample(length=3, greedy=True), 0),
        ([], Sample(length=2 * STEPS, temperature=(2.0, 0.5), ban="c"), 5),
        ([7] * (STEPS + 9), Sample(length=200, stop=("b", "ee"), top_k=3), 1),
        ([2, 2], Sample(length=90, require=("hello",)), 1),
        ([6], Sample(length=10 * STEPS, random_seed=9), 2),
    ]
    made, told, names = streams(), list[Drawn](), list[int]()
    for prompt, options, number in asked:
        names += made.add(prompt, options, (number,))
        told += made.step()
    left = len(made)
    made.drop(names[-1])
    assert len(made) == left - 1
    while len(made):
        told += made.step()
    assert names == list(range(6))
    for name, (prompt, options, number) in list(zip(names, asked, strict=True))[:-1]:
        assert symbols(told, name) == alone(prompt, options, number)
        assert [one.ended for one in told if one.stream == name].count(None) == len(symbols(told, name)) - 1
    assert symbols(told, names[-1]) == alone(*asked[-1])[:STEPS], "it was dropped after one burst"
    assert made.step() == []


def test_nothing_comes_after_the_end_of_a_text() -> None:
    options = Sample(length=500, stop=("a",), temperature=2.0)
    found = texts(IN_TORCH, options, [2], range(6))
    assert [text[-1].ended for text in found] == ["stop"] * 6
    assert len({len(text) % STEPS for text in found}) > 2, "they stop in the middle of bursts"
    for number, text in enumerate(found):
        assert [one.symbol for one in text] == alone([2], options, number)


class Stop(Exception):
    pass


def test_a_check_comes_before_every_burst_and_leaves_the_streams_as_they_were() -> None:
    made, told = streams(), list[Drawn]()
    made.add([3, 1], Sample(length=3 * STEPS))
    bursts = 0
    while len(made):
        with pytest.raises(Stop):
            made.step(stop)
        told += made.step()
        bursts += 1
    assert symbols(told, 0) == alone([3, 1], Sample(length=3 * STEPS), 0)
    assert bursts == 4, "the prompt takes a step of the first burst"


def stop() -> None:
    raise Stop


def test_texts_that_are_read_in_turn_do_not_meet() -> None:
    options = Sample(length=100)
    pairs = list(zip_longest(*(drawn(IN_TORCH, options, number) for number in (0, 1)), fillvalue=0))
    assert [pair[0] for pair in pairs] == alone([], options, 0)
    assert [pair[1] for pair in pairs] == alone([], options, 1)


def drawn(engine: Engine, options: Sample, number: int) -> Any:
    told = several(engine.network, LETTERS, [], options, (number,), bursts=engine.bursts)
    return (one.symbol for one in told)


class Rows:
    """A burst that keeps room."""

    def __init__(self) -> None:
        self.rows = 0

    def widen(self, rows: int) -> None:
        self.rows = max(self.rows, rows)


def test_a_burst_that_nobody_uses_is_used_again_where_it_fits() -> None:
    made: list[Rows] = []
    make: Callable[[], Any] = lambda: made.append(Rows()) or made[-1]  # noqa: E731
    bursts = Bursts(make, 8)
    one, two = bursts.take(1), bursts.take(1)
    assert len(made) == 2
    bursts.give(two)
    assert bursts.take(1) is two
    wide = bursts.take(64)
    assert (wide.rows, len(made)) == (64, 3)
    bursts.give(wide)
    assert bursts.take(1).rows == 1, "64 rows for one text would be a waste"
    assert bursts.take(40) is wide
    bursts.give(one)
    assert bursts.take(1) is one


def test_a_sample_gives_its_rows_back() -> None:
    engine = engines(config_for({"kind": "elman"}))[1]
    assert engine.bursts is not None
    made: list[Any] = []
    make = engine.bursts._make
    bursts = Bursts(lambda: made.append(make()) or made[-1], engine.bursts.steps)
    for number in range(3):
        texts(replace(engine, bursts=bursts), Sample(length=70), numbers=range(number, number + 2))
    assert len(made) == 1
    assert made[0].burst._used == [None, None]


@pytest.mark.parametrize(
    ("options", "vocabulary", "odds", "expected"),
    [
        (Sample(), BYTES, None, []),
        (Sample(ban="a", only="abc", top_k=3, stop=("b",)), LETTERS, None, []),
        (Sample(ban="a"), BYTES, None, ["--ban"]),
        (Sample(only="ab", require=("b",)), BYTES, 0, ["--require", "--probabilities", "--only"]),
        (Sample(beam=3), LETTERS, None, ["--beam"]),
    ],
)
def test_what_the_host_has_to_see_is_named(
    options: Sample, vocabulary: Vocabulary, odds: int | None, expected: list[str]
) -> None:
    assert by_symbol(options, vocabulary, odds) == expected


def test_what_the_host_has_to_see_goes_by_symbols_and_is_the_same() -> None:
    in_numpy, in_torch = engines(config_for({"kind": "lstm"}), BYTES)
    for options in (
        Sample(length=60, ban="é\N{REPLACEMENT CHARACTER}"),
        Sample(length=60, only="ab"),
        Sample(length=60, require=("abba",)),
        Sample(length=20, beam=3),
    ):
        assert by_symbol(options, BYTES)
        expected = texts(in_numpy, options, vocabulary=BYTES)
        assert texts(in_torch, options, vocabulary=BYTES) == expected


def test_probabilities_are_those_of_the_model() -> None:
    options = Sample(length=9, top_p=0.9)
    pairs = zip(
        *(
            several(engine.network, LETTERS, [], options, (0,), odds=2, bursts=engine.bursts)
            for engine in (IN_NUMPY, IN_TORCH)
        ),
        strict=True,
    )
    for one, other in pairs:
        assert one.odds is not None
        assert other.odds is not None
        assert other.symbol == one.symbol
        assert other.odds.drawn == pytest.approx(one.odds.drawn, rel=1e-12)
        assert [id_ for id_, _ in other.odds.alternatives] == [id_ for id_, _ in one.odds.alternatives]


def test_a_search_does_not_join_streams() -> None:
    made = streams()
    with pytest.raises(UsageError, match="search"):
        made.add([1], Sample(beam=2))
    assert len(made) == 0


def test_a_network_of_windows_reads_what_it_has_learned_from_and_no_more() -> None:
    config = config_for({"kind": "lstm"}, stream={"kind": "windows", "length": 3})
    _, in_torch = engines(config, dtype=torch.float64)
    options = Sample(length=30)
    ends = [
        [one.symbol for one in texts(in_torch, options, prompt)[0]] for prompt in ([9, 1, 2, 3], [1, 2, 3], [4, 2, 3])
    ]
    assert ends[0] == ends[1] != ends[2]
