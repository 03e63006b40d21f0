"""Bursts on a CPU against the sampler in NumPy: the same text, symbol by symbol, for the same seed."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from bursting import CORES, LETTERS, H, config_for, engines, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.config.schema import Sample
from charrnn.models.burst import Burst
from charrnn.models.capture import Work
from charrnn.models.drawing import Choices, Used, draw, used_by
from charrnn.models.stepping import Stepping
from charrnn.sample.decode import Stepper
from charrnn.sample.filters import distribution
from charrnn.sample.filters import draw as draw_in_numpy
from charrnn.text.vocabulary import Vocabulary

SECTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batchnorm": {"model": {"input": {"size": H, "batchnorm": True}, "head": {"hidden": [5]}}},
    "one-hot": {"model": {"input": {"kind": "one-hot"}}},
    "tied": {"model": {"head": {"tie": True}}},
    "windows": {"stream": {"kind": "windows", "length": 5}},
}
MIXED = Sample(temperature=1.5, top_k=15, top_p=0.98, min_p=0.001)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
@pytest.mark.parametrize(
    ("core", "sections"),
    [*product(CORES, ("plain", "windows")), *product(("lstm", "gru"), ("batchnorm", "one-hot", "tied"))],
)
def test_a_text_is_that_of_the_sampler_in_numpy(core: str, sections: str, dtype: torch.dtype) -> None:
    config = config_for(CORES[core], **{key: dict(value) for key, value in SECTIONS[sections].items()})
    in_numpy, in_torch = engines(config, dtype=dtype)
    # Some symbols more than whole bursts have, and a prompt that is longer than a burst.
    prompt = np.random.default_rng(3).integers(1, LETTERS.size, 70).tolist()
    if sections == "windows":  # at first there is less to see than a window holds
        prompt = prompt[:2]
    length = 200 if sections == "windows" else 1100
    options = MIXED.model_copy(update={"length": length})
    (expected,), (got,) = (texts(engine, options, prompt, (4,)) for engine in (in_numpy, in_torch))
    assert len({one.symbol for one in expected}) > 3, "a text that says little agrees too easily"
    assert [one.ended for one in got] == [None] * (length - 1) + ["length"]
    if got != expected:
        # In fp32 a score may be rounded otherwise, once in some hundred thousand symbols across a border.
        assert dtype == torch.float32
        symbols = [[one.symbol for one in text] for text in (expected, got)]
        assert gap_where_they_part(in_numpy.network, prompt, *symbols, options, 4) < 1e-5


def test_several_texts_are_those_of_the_sampler_in_numpy() -> None:
    in_numpy, in_torch = engines(config_for(CORES["lstm"]))
    options = MIXED.model_copy(update={"length": 200})
    assert texts(in_torch, options, [3, 1, 4], range(5)) == texts(in_numpy, options, [3, 1, 4], range(5))


def gap_where_they_part(
    network: Stepper, prompt: list[int], one: list[int], other: list[int], options: Sample, number: int
) -> float:
    """How far the uniform number was from drawing the other symbol, where two texts differ first."""
    place = next(n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    state = network.initial_state(1)
    for symbol in [*prompt, *one[:place]]:
        logits_BV, state = network.step(np.array([symbol]), state)
    probs_V = distribution(logits_BV[0], options, np.arange(LETTERS.size) == Vocabulary.START)
    uniform = np.random.Generator(np.random.PCG64([options.random_seed, number])).random(place + 1)[-1]
    border = probs_V.cumsum()[min(one[place], other[place])]
    return abs(float(border) - float(uniform))


FILTERS = st.fixed_dictionaries(
    {"temperature": st.one_of(st.floats(1e-3, 20.0), st.lists(st.floats(0.05, 5.0), min_size=1, max_size=4))},
    optional={
        "top_k": st.integers(1, 30),
        "top_p": st.floats(1e-6, 1.0),
        "min_p": st.floats(0.0, 1.0),
        "greedy": st.booleans(),
        "ban": st.text("abcdef", max_size=4),
        "only": st.text("abcdefghij", min_size=8, max_size=12).filter(lambda text: not set(text) <= set("abcdef")),
        "random_seed": st.integers(0, 2**63 - 1),
        "stop": st.lists(st.text("ghij", min_size=1, max_size=3), max_size=2),
    },
)
LSTM = engines(config_for({"kind": "lstm"}))


@settings(max_examples=60)
@given(
    filters=FILTERS,
    length=st.integers(1, 200),
    prompt=st.lists(st.integers(1, LETTERS.size - 1), max_size=140),
    count=st.integers(1, 5),
)
def test_every_filter_acts_as_in_numpy(filters: dict[str, Any], length: int, prompt: list[int], count: int) -> None:
    options = Sample.model_validate({"length": length, **filters})
    in_numpy, in_torch = LSTM
    assert texts(in_torch, options, prompt, range(count)) == texts(in_numpy, options, prompt, range(count))


SCORES = st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, -3.0, 40.0, -1e9]), min_size=2, max_size=40)


@settings(max_examples=200)
@given(scores=SCORES, filters=FILTERS, uniform=st.floats(0.0, 1.0, exclude_max=True))
def test_equal_scores_are_put_in_order_as_in_numpy(
    scores: list[float], filters: dict[str, Any], uniform: float
) -> None:
    """Many are equal here, so where the border between those that stay and those that go is a matter of the order."""
    options = Sample.model_validate(filters | {"ban": "", "only": None, "stop": ()})
    banned_V = np.arange(len(scores)) == 0
    logits_V = np.array(scores)
    probs_V = distribution(logits_V, options, banned_V)
    expected = int(probs_V.argmax()) if options.greedy else draw_in_numpy(probs_V, _Fixed(uniform))
    got = int(drawn(logits_V, options, banned_V, uniform))
    # Where shares add up to the very border, rounding decides, and a sum of shares depends on the order of its terms.
    if got != expected:
        assert on_the_border(logits_V, options, banned_V, uniform)


class _Fixed(np.random.Generator):
    """A generator that knows one number."""

    def __init__(self, number: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self, *_: Any, **__: Any) -> Any:
        return self.number


def drawn(logits_V: np.ndarray, options: Sample, banned_V: np.ndarray, uniform: float) -> int:
    device = torch.device("cpu")
    choices = Choices(2, len(logits_V), device)
    choices.put(1, options, banned_V)
    ids_B = draw(
        torch.from_numpy(np.stack([logits_V[::-1], logits_V])),
        torch.tensor([0.5, uniform], dtype=torch.float64),
        torch.tensor([1.0, temperature_of(options)], dtype=torch.float64),
        choices,
        used_by(options),
    )
    return int(ids_B[1])


def temperature_of(options: Sample) -> float:
    return options.temperature if isinstance(options.temperature, float) else options.temperature[0]


def on_the_border(logits_V: np.ndarray, options: Sample, banned_V: np.ndarray, uniform: float) -> bool:
    """Whether a change of the last digits of the uniform number, of top_p or of min_p draws another symbol."""
    found = set()
    for by in (1 - 1e-12, 1.0, 1 + 1e-12):
        moved = {
            name: min(1.0, value * by) for name in ("top_p", "min_p") if (value := getattr(options, name)) is not None
        }
        probs_V = distribution(logits_V, options.model_copy(update=moved), banned_V)
        found |= {
            draw_in_numpy(probs_V, _Fixed(min(uniform * other, 1 - 2**-53))) for other in (1 - 1e-12, 1.0, 1 + 1e-12)
        }
    return len(found) > 1


def test_nothing_that_is_banned_is_drawn_at_either_end() -> None:
    """The largest and the least of all uniform numbers, and shares of which the last ones are zero."""
    logits_V = np.array([9.0, 1.0, 0.0, -1e9, 5.0, 7.0])
    banned_V = np.array([True, False, False, False, True, True])
    options = Sample(temperature=1.0)
    assert drawn(logits_V, options, banned_V, 1.0 - 2.0**-53) == 2
    assert drawn(logits_V, options, banned_V, 0.0) == 1


def test_the_smallest_share_there_is_leaves_the_likeliest() -> None:
    """Its product with what top-k has left is zero."""
    options = Sample(temperature=1.0, top_k=1, top_p=5e-324)
    assert drawn(np.zeros(4), options, np.arange(4) == 0, 0.9) == 1


def test_scores_that_are_no_numbers_end_in_a_symbol_all_the_same() -> None:
    for options in (Sample(), Sample(top_k=2), Sample(top_p=0.5), Sample(min_p=0.1), Sample(greedy=True)):
        symbol = drawn(np.full(5, np.nan), options, np.arange(5) == 0, 0.3)
        assert 0 <= symbol < 5


def test_what_no_row_uses_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    sorts = []
    sort = torch.sort
    monkeypatch.setattr(torch, "sort", lambda *args, **named: sorts.append(1) or sort(*args, **named))
    _, in_torch = LSTM
    texts(in_torch, Sample(length=5, min_p=0.1))
    assert sorts == []
    texts(in_torch, Sample(length=5, top_p=0.5))
    assert sorts
    assert used_by(Sample(top_k=3, min_p=0.0)) == Used(top_k=True, min_p=True)


class Counting:
    """After the symbol s the symbol s + 1 comes; the state counts the steps of each row, and keeps their shapes."""

    def initial_state(self, batch: int) -> dict[str, torch.Tensor]:
        return {"steps": torch.zeros(1, 1).expand(batch, 1)}

    def step(self, ids_B: torch.Tensor, state: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        logits_BV = torch.full((len(ids_B), 7), -50.0)
        logits_BV[torch.arange(len(ids_B)), ids_B % 6 + 1] = 0.0
        return logits_BV, {"steps": state["steps"] + 1.0}


def test_rows_stay_what_they_are_where_room_is_made_for_others() -> None:
    model: Stepping = Counting()
    burst = Burst(model, 7, torch.device("cpu"), steps=3)
    banned_V = np.arange(7) == 0

    def go(rows: int) -> list[list[int]]:
        drawn_KB = burst.go(np.full((3, rows), -1), np.full((3, rows), 0.5), np.ones((3, rows)))
        symbols: list[list[int]] = drawn_KB.T.tolist()
        return symbols

    burst.widen(1)
    burst.begin(0, 1, Sample(), banned_V)
    assert go(1) == [[2, 3, 4]]
    burst.widen(3)
    assert (burst.rows, burst._plays) == (4, {}), "a graph knows the former places"
    burst.begin(2, 4, Sample(greedy=True), banned_V)
    symbols = go(3)
    assert (symbols[0], symbols[2]) == ([5, 6, 1], [5, 6, 1])
    burst.end(0)
    burst.begin(0, 3, Sample(top_k=1), banned_V)
    burst.widen(2)
    symbols = go(3)
    assert (symbols[0], symbols[2]) == ([4, 5, 6], [2, 3, 4])
    assert burst._places.state["steps"][:3, 0].tolist() == [3.0, 6.0, 6.0]


def test_the_steps_before_a_recording_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    burst, recorded = Burst(Counting(), 7, torch.device("cpu"), steps=3), []

    def capture(work: Work) -> Work:
        for _ in range(3):
            work()
        recorded.append((burst._places.ids_B.tolist(), burst._places.state["steps"].tolist()))
        return work

    monkeypatch.setattr(burst, "_capture", capture)
    burst.widen(1)
    burst.begin(0, 4, Sample(), np.arange(7) == 0)
    drawn_KB = burst.go(np.full((3, 1), -1), np.full((3, 1), 0.5), np.ones((3, 1)))
    assert recorded == [([1], [[9.0]])], "they were done"
    assert drawn_KB[:, 0].tolist() == [5, 6, 1]
    assert burst._places.state["steps"].tolist() == [[3.0]]


def test_a_vocabulary_of_bytes_is_drawn_in_bursts_too() -> None:
    vocabulary = Vocabulary("byte", tuple(range(97, 117)), ())
    in_numpy, in_torch = engines(config_for({"kind": "gru"}), vocabulary)
    options = Sample(length=300)
    assert texts(in_torch, options, vocabulary=vocabulary) == texts(in_numpy, options, vocabulary=vocabulary)
