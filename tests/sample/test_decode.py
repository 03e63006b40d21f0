from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.sample.decode import Stepper, Streams
from charrnn.sample.several import several
from charrnn.sample.stream import Drawn
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary

V, H = 7, 5
LETTERS = Vocabulary("char", (), tuple("abcdef"))
assert LETTERS.size == V


class SmallNetwork:
    """A recurrent network with random weights; it keeps what it was asked to read."""

    def __init__(self) -> None:
        random = np.random.default_rng(1)
        self.in_VH = random.normal(size=(V, H))
        self.hidden_HH = random.normal(size=(H, H))
        self.out_HV = random.normal(size=(H, V))
        self.read: list[int] = []

    def initial_state(self, batch: int) -> State:
        return {"h": np.zeros((batch, H))}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        self.read += ids_B.tolist()
        h_BH = np.tanh(self.in_VH[ids_B] + times(state["h"], self.hidden_HH))
        return times(h_BH, self.out_HV), {"h": h_BH}


def times(a_BH: np.ndarray, b_HN: np.ndarray) -> np.ndarray:
    """A matrix product that adds up every row in the same order, however many rows there are."""
    return np.stack([(row_H[:, None] * b_HN).sum(axis=0) for row_H in a_BH])


class Certain:
    """After the symbol s the symbol s + 1 comes, from START on; every other score is lower, START's is highest."""

    def initial_state(self, batch: int) -> State:
        return {}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        logits_BV = np.full((len(ids_B), V), -1e9)
        logits_BV[:, 0] = 1e9
        logits_BV[np.arange(len(ids_B)), ids_B % (V - 1) + 1] = 0.0
        return logits_BV, state


def generate(
    model: Stepper, prompt: Sequence[int], options: Sample, sample: int = 0, check: Callable[[], None] = lambda: None
) -> Iterator[int]:
    """The symbols of one sample."""
    return (one.symbol for one in several(model, LETTERS, prompt, options, (sample,), check))


def drawn(prompt: list[int], sample: int = 0, **options: Any) -> list[int]:
    return list(generate(SmallNetwork(), prompt, Sample(**({"length": 30} | options)), sample))


def test_the_prompt_warms_the_state_as_stepping_by_hand_does() -> None:
    prompt = [3, 1, 4, 1, 5]
    network = SmallNetwork()
    state = network.initial_state(1)
    for symbol in prompt:
        logits_BV, state = network.step(np.array([symbol]), state)
    expected = []
    for _ in range(30):
        logits_BV[0, Vocabulary.START] = -np.inf
        expected.append(int(logits_BV[0].argmax()))
        logits_BV, state = network.step(np.array([expected[-1]]), state)
    assert drawn(prompt, greedy=True) == expected
    assert len(set(expected)) > 1


def test_the_model_reads_the_prompt_and_then_what_was_drawn() -> None:
    network = SmallNetwork()
    symbols = list(generate(network, [3, 1], Sample(length=10)))
    assert network.read[:12] in ([3, 1, *symbols], [3, 1, *symbols[:-1]])


def test_all_of_the_prompt_plays_a_part() -> None:
    assert drawn([3, 1, 4]) != drawn([4])
    assert drawn([3, 1, 4]) != drawn([3, 2, 4])


@pytest.mark.parametrize("prompt", [[], (), np.array([], dtype=np.int64)], ids=["list", "tuple", "array"])
def test_an_empty_prompt_begins_from_start(prompt: Any) -> None:
    network = SmallNetwork()
    first = next(generate(network, prompt, Sample(length=3, greedy=True)))
    assert network.read == [Vocabulary.START]
    assert first == drawn([Vocabulary.START], greedy=True)[0]


def test_as_many_symbols_are_drawn_as_were_asked_for() -> None:
    for length in (1, 2, 17):
        assert len(drawn([1], length=length)) == length


def test_the_start_symbol_is_never_drawn() -> None:
    for greedy in (True, False):
        options = Sample(length=8, greedy=greedy)
        assert list(generate(Certain(), [], options)) == [1, 2, 3, 4, 5, 6, 1, 2]
    assert Vocabulary.START not in drawn([1], length=500, temperature=50.0)


def test_the_random_seed_decides_the_text() -> None:
    assert drawn([2], random_seed=5) == drawn([2], random_seed=5)
    assert drawn([2], random_seed=5) != drawn([2], random_seed=6)
    assert drawn([2], random_seed=0, sample=5) != drawn([2], random_seed=5, sample=0)


def test_a_sample_is_the_same_however_many_there_are_and_however_they_are_read() -> None:
    options = Sample(length=12)
    alone = list(generate(SmallNetwork(), [2], options, 3))
    many = [list(generate(SmallNetwork(), [2], options, number)) for number in range(5)]
    network = SmallNetwork()
    in_turn = list(zip(*(generate(network, [2], options, number) for number in range(4)), strict=True))
    assert many[3] == alone == [symbols[3] for symbols in in_turn]
    assert len({tuple(symbols) for symbols in many}) == 5


def test_a_shorter_sample_is_the_beginning_of_a_longer_one() -> None:
    assert drawn([2], length=40)[:15] == drawn([2], length=15)


def test_greedy_takes_the_likeliest_whatever_seed_and_temperature() -> None:
    texts = [
        drawn([2], greedy=True, **options)
        for options in ({}, {"random_seed": 9}, {"temperature": 3.0}, {"top_k": 2}, {"top_p": 0.1}, {"min_p": 0.5})
    ]
    assert all(text == texts[0] for text in texts)
    assert drawn([2], top_k=1) == texts[0]


def test_filters_take_part_in_the_draw() -> None:
    assert drawn([2], top_k=1, random_seed=1) == drawn([2], top_k=1, random_seed=2)
    assert drawn([2], temperature=1e-6) == drawn([2], greedy=True)


class Stop(Exception):
    pass


def stop_after(allowed: int) -> Callable[[], None]:
    left = iter(range(allowed))

    def check() -> None:
        if next(left, None) is None:
            raise Stop

    return check


def test_the_check_comes_before_every_symbol_and_stops_the_text() -> None:
    prompt, length = [3, 1, 4], 6
    whole = drawn(prompt, length=length)
    reads = [*prompt, *whole[:-1]]  # what is drawn last is not read
    for allowed in range(len(reads)):
        network = SmallNetwork()
        with pytest.raises(Stop):
            list(generate(network, prompt, Sample(length=length), 0, stop_after(allowed)))
        assert network.read == reads[:allowed]
    assert list(generate(SmallNetwork(), prompt, Sample(length=length), 0, stop_after(len(reads)))) == whole


def test_the_pieces_are_the_text_up_to_the_stop_string() -> None:
    options = Sample(length=100, stop=("ef", "cdX"))
    told = list(several(Certain(), LETTERS, [3], options, (0,)))
    assert "".join(one.piece for one in told) == "d"
    assert [one.ended for one in told] == [None, None, "stop"]
    told = list(several(Certain(), LETTERS, [], Sample(length=4), (0,)))
    assert [one.piece for one in told] == ["a", "b", "c", "d"]
    assert [one.ended for one in told] == [None, None, None, "length"]


def by_stream(told: Sequence[Drawn]) -> dict[int, list[int]]:
    texts: dict[int, list[int]] = {}
    for one in told:
        texts.setdefault(one.stream, []).append(one.symbol)
    return texts


def test_samples_side_by_side_are_what_they_are_alone() -> None:
    options = Sample(length=25, stop=("da", "fe"), temperature=1.5)
    network = SmallNetwork()
    together = by_stream(list(several(network, LETTERS, [2, 5], options, range(8))))
    assert [together[n] for n in range(8)] == [drawn([2, 5], n, **options.model_dump()) for n in range(8)]
    lengths = {len(symbols) for symbols in together.values()}
    assert len(lengths) > 2, "they end at different times"
    # The prompt is read once, a symbol that is drawn last never.
    assert len(network.read) == 2 + sum(len(symbols) - 1 for symbols in together.values())


def test_many_samples_are_drawn_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.sample.several.ROWS", 3)
    told = list(several(SmallNetwork(), LETTERS, [2], Sample(length=4), range(5, 13)))
    texts = by_stream(told)
    assert sorted(texts) == list(range(8))
    assert [texts[n] for n in range(8)] == [drawn([2], n, length=4) for n in range(5, 13)]
    assert {one.stream for one in told[:12]} == {0, 1, 2}


class Windowed:
    """A network whose state grows up to three symbols, as that of a model of windows does."""

    def initial_state(self, batch: int) -> State:
        return {"window": np.zeros((batch, 0), np.int64)}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        window_BT = np.concatenate([state["window"], ids_B[:, None]], axis=1)[:, -3:]
        inner = SmallNetwork()
        cold = inner.initial_state(len(ids_B))
        for ids in window_BT.T:
            logits_BV, cold = inner.step(ids, cold)
        return logits_BV, {"window": window_BT}


@pytest.mark.parametrize("network", [SmallNetwork, Windowed])
def test_streams_with_options_of_their_own_join_and_leave(network: Callable[[], Stepper]) -> None:
    asked: list[tuple[list[int], Sample, int]] = [
        ([1, 2, 3, 4, 5, 6], Sample(length=9), 0),
        ([4], Sample(length=3, greedy=True), 0),
        ([], Sample(length=12, temperature=2.0, ban="c"), 5),
        ([2, 2], Sample(length=30, stop=("b",), top_k=3), 1),
        ([6], Sample(length=10, random_seed=9), 2),
    ]
    streams, told = Streams(network(), LETTERS), []
    names: list[int] = []
    for prompt, options, number in asked:
        names += streams.add(prompt, options, (number,))
        told += streams.step() + streams.step()
    streams.drop(names[-1])
    while len(streams):
        told += streams.step()
    texts = by_stream(told)
    for name, (prompt, options, number) in list(zip(names, asked, strict=True))[:-1]:
        alone = [one.symbol for one in several(network(), LETTERS, prompt, options, (number,))]
        assert texts[name] == alone
    alone = [one.symbol for one in several(network(), LETTERS, *asked[-1][:2], (asked[-1][2],))]
    assert texts[names[-1]] == alone[:2], "it was dropped after two steps"
    assert streams.step() == []


def test_a_search_does_not_join_streams() -> None:
    streams = Streams(SmallNetwork(), LETTERS)
    with pytest.raises(UsageError, match="search"):
        streams.add([1], Sample(beam=2))
    assert len(streams) == 0


def test_a_check_that_stops_a_step_leaves_the_streams_as_they_were() -> None:
    streams, alone = Streams(SmallNetwork(), LETTERS), drawn([3, 1], length=6)
    streams.add([3, 1], Sample(length=6))
    symbols = []
    while len(streams):
        with pytest.raises(Stop):
            streams.step(stop_after(0))
        symbols += [one.symbol for one in streams.step()]
    assert symbols == alone


def test_the_temperature_runs_through_its_list() -> None:
    # The first symbols are drawn nearly greedily, the last ones nearly evenly.
    texts = [drawn([2], n, length=40, temperature=(1e-3, 1e-3, 1e3)) for n in range(30)]
    greedy = drawn([2], length=40, greedy=True)
    assert all(text[:20] == greedy[:20] for text in texts)
    assert len({text[-1] for text in texts}) == V - 1


def test_what_was_drawn_is_told_with_its_odds() -> None:
    options = Sample(length=12, temperature=0.7, top_k=3)
    told = list(several(SmallNetwork(), LETTERS, [2], options, (4,), odds=2))
    network = SmallNetwork()
    logits_BV, state = network.step(np.array([2]), network.initial_state(1))
    for one in told:
        model_V = np.exp(logits_BV[0]) / np.exp(logits_BV[0]).sum()
        best = np.argsort(-model_V)[:2].tolist()
        kept = np.argsort(-np.where(np.arange(V) == 0, -np.inf, logits_BV[0]))[:3]
        cooled = np.exp(logits_BV[0] / 0.7)
        assert one.odds is not None
        assert one.odds.model == pytest.approx(model_V[one.symbol], rel=1e-12)
        assert one.odds.drawn == pytest.approx(cooled[one.symbol] / cooled[kept].sum(), rel=1e-12)
        assert [id_ for id_, _ in one.odds.alternatives] == best
        assert [p for _, p in one.odds.alternatives] == pytest.approx(model_V[best].tolist(), rel=1e-12)
        logits_BV, state = network.step(np.array([one.symbol]), state)
    assert all(one.odds is None for one in several(SmallNetwork(), LETTERS, [2], options, (4,)))
    assert [one.symbol for one in told] == drawn([2], 4, length=12, temperature=0.7, top_k=3)


def test_what_is_drawn_and_what_is_forced_come_in_the_order_of_the_streams() -> None:
    options, words = Sample(length=30, require=("deb",), temperature=3.0), Vocabulary("char", (), tuple(" abcde"))
    streams, told = Streams(SmallNetwork(), words), list[Drawn]()
    streams.add([2], options, range(6))
    while len(streams):
        step = streams.step()
        assert [one.stream for one in step] == list(range(6))
        told += step
    places = {"".join(one.piece for one in told if one.stream == n).index("deb") for n in range(6)}
    assert len(places) > 1, "at the same place in all texts nothing could be out of order"
