"""Lanes of several texts in one batch: what each reads, and that the state which reaches every target is that of its
own lane and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from charrnn.config.schema.stream import FixedLengths, RandomLengths
from charrnn.models.core import Draws, RecurrentCore, State, unroll
from charrnn.stream.chance import uniforms
from charrnn.stream.gather import TokenBatch, TokenStream
from charrnn.stream.lanes import LanePlan
from charrnn.stream.mixed import MixedStream, Ring
from charrnn.text.vocabulary import Vocabulary

CPU = torch.device("cpu")
PRIME = 1_000_003


class Memory(RecurrentCore):
    """A core whose output is a number that all inputs since the beginning have gone into, in their order."""

    def initial_state(self, batch: int) -> State:
        return {"h": torch.zeros(batch, dtype=torch.int64)}

    def forward(self, x_BTD: Tensor, state: State, draws: Draws | None = None) -> tuple[Tensor, State]:
        h, seen = state["h"], []
        for x_B in x_BTD.unbind(1):
            h = (h * 31 + x_B + 1) % PRIME
            seen.append(h)
        return torch.stack(seen, 1), {"h": h}


def outputs(stream: Any, steps: int) -> list[tuple[TokenBatch, Tensor]]:
    """Each batch with what the memory says at every position; the state is carried as training carries it."""
    core = Memory()
    state = core.initial_state(stream.rows)
    found = []
    for step in range(steps):
        batch = stream.batch(step, CPU)
        y_BT, state = unroll(core, batch.x_BT, state, None, batch.resets, batch.keep)
        found.append((batch, y_BT))
    return found


@st.composite
def cuts(draw: st.DrawFn, shared: dict[str, Any]) -> LanePlan:
    lanes = draw(st.integers(1, 4))
    tokens = draw(st.integers(lanes, 60))
    more = draw(st.lists(st.integers(1, tokens - 1), unique=True, max_size=4)) if tokens > 1 else []
    return LanePlan(tokens, lanes, documents=np.array([0, *sorted(more)]), **shared)


@st.composite
def mixes(draw: st.DrawFn) -> tuple[LanePlan, list[LanePlan]]:
    chunk = draw(st.integers(1, 9))
    lengths = RandomLengths(kind="random", halve=0.3, spread=2.0, least=draw(st.integers(1, chunk)))
    shared = {
        "chunk": chunk,
        "lengths": draw(st.sampled_from([FixedLengths(), lengths])),
        "shifted": draw(st.booleans()),
        "reset_chance": draw(st.sampled_from([0.0, 0.4])),
        "seed": draw(st.integers(0, 3)),
    }
    main = replace(draw(cuts(shared)), reach=draw(st.none() | st.integers(chunk, 4 * chunk)))
    return main, draw(st.lists(cuts(shared), min_size=1, max_size=2))


def stream_of(main: LanePlan, others: list[LanePlan]) -> MixedStream:
    """Texts whose every token says whose it is, and where it stands: 1 and up, 1001 and up, 2001 and up."""
    rings = [Ring(f"other{i}", text(cut.tokens, 1000 * (i + 1)), cut) for i, cut in enumerate(others)]
    return MixedStream(text(main.tokens), main, rings)


def text(tokens: int, first: int = 0) -> np.ndarray:
    return np.arange(first + 1, first + tokens + 1, dtype=np.uint16)


def steps_of(main: LanePlan) -> int:
    return min(2 * main.steps_per_epoch + 3, 40)


@settings(max_examples=60)
@given(mixes())
def test_the_main_text_is_read_as_if_it_were_alone(mix: tuple[LanePlan, list[LanePlan]]) -> None:
    """Its targets, its inputs and the state that reaches each target are those of a stream without a mix."""
    main, others = mix
    alone = outputs(TokenStream(text(main.tokens), main), steps_of(main))
    mixed = outputs(stream_of(main, others), steps_of(main))
    for (plain, said), (batch, heard) in zip(alone, mixed, strict=True):
        own = batch.main
        assert own.rows == main.lanes
        assert own.rate == plain.rate
        assert own.y_BT[own.counts_BT].tolist() == plain.y_BT[plain.counts_BT].tolist()
        assert own.x_BT[own.counts_BT].tolist() == plain.x_BT[plain.counts_BT].tolist()
        assert heard[: own.rows][own.counts_BT].tolist() == said[plain.counts_BT].tolist()
        assert [row.sum() for row in own.counts_BT] == [row.sum() for row in plain.counts_BT]


@settings(max_examples=60)
@given(mixes())
def test_every_other_text_is_read_over_and_over_and_none_of_it_is_left_out(
    mix: tuple[LanePlan, list[LanePlan]],
) -> None:
    """Each lane's targets are its passage of the ring, pass after pass, however the chunks cut them."""
    main, others = mix
    stream = stream_of(main, others)
    batches = [stream.batch(step, CPU) for step in range(steps_of(main))]
    for i, cut in enumerate(others):
        share = batches[0].shares[f"other{i}"]
        assert share.count == cut.lanes
        for b in range(cut.lanes):
            row = share.rows.start + b
            found = [token for batch in batches for token in batch.y_BT[row][batch.counts_BT[row]].tolist()]
            assert found == [token for token, _ in lane(cut, b, f"other{i}", 1000 * (i + 1), len(found))]


@settings(max_examples=60)
@given(mixes())
def test_the_state_that_reaches_another_text_is_of_its_own_lane_since_its_last_beginning(
    mix: tuple[LanePlan, list[LanePlan]],
) -> None:
    main, others = mix
    stream = stream_of(main, others)
    places = [main.place(step) for step in range(steps_of(main))]
    found = outputs(stream, steps_of(main))
    for i, cut in enumerate(others):
        name = f"other{i}"
        rows = found[0][0].shares[name].rows
        for b in range(cut.lanes):
            row = rows.start + b
            said = [value for batch, y_BT in found for value in y_BT[row][batch.counts_BT[row]].tolist()]
            assert said == expected(cut, b, name, 1000 * (i + 1), places, len(said))


def lane(cut: LanePlan, b: int, name: str, first: int, count: int) -> list[tuple[int, int]]:
    """The first targets of a lane in the order of training, each with its place in columns."""
    found: list[tuple[int, int]] = []
    longest = -(-cut.tokens // cut.lanes)
    number = 0
    while len(found) < count:
        shift = int(uniforms(1, cut.seed, "offset", name, number)[0] * cut.tokens) if cut.shifted else 0
        for within in range(int(cut.lengths_B[b])):
            position = (shift + int(cut.starts_B[b]) + within) % cut.tokens
            found.append((first + 1 + position, number * longest + within))
        number += 1
    return found[:count]


def expected(cut: LanePlan, b: int, name: str, first: int, places: list[int], count: int) -> list[int]:
    longest, documents = -(-cut.tokens // cut.lanes), cut.documents.tolist()
    h, said = 0, []
    for token, place in lane(cut, b, name, first, count):
        begins = token - first - 1 in documents
        drawn = place in places and cut.reset_chance > 0.0
        if drawn:
            steps = [step for step, start in enumerate(places) if start == place]
            drawn = bool(uniforms(cut.lanes, cut.seed, "reset", name, steps[-1])[b] < cut.reset_chance)
        if begins or place % longest == 0 or drawn:
            h = 0
        before = first + (token - first - 2) % cut.tokens + 1
        h = (h * 31 + (Vocabulary.START if begins else before) + 1) % PRIME
        said.append(h)
    return said


@given(mixes(), st.integers(0, 100))
def test_a_batch_is_a_pure_function_of_the_step(mix: tuple[LanePlan, list[LanePlan]], step: int) -> None:
    used = stream_of(*mix)
    for other in (0, step + 1, 5):
        used.batch(other, CPU)
    a, b = used.batch(step, CPU), stream_of(*mix).batch(step, CPU)
    for name in ("x_BT", "y_BT", "mask_BT", "counts_BT"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert (list(a.resets), a.keep, a.rate, list(a.shares)) == (list(b.resets), b.keep, b.rate, list(b.shares))
    for column, rows_B in a.resets.items():
        assert torch.equal(rows_B, b.resets[column])


@given(mixes(), st.integers(0, 40))
def test_the_resets_of_a_share_are_those_of_its_rows(mix: tuple[LanePlan, list[LanePlan]], step: int) -> None:
    batch = stream_of(*mix).batch(step, CPU)
    for share in batch.shares.values():
        own = {column: rows_B[share.rows].tolist() for column, rows_B in batch.resets.items()}
        assert {column: rows_B.tolist() for column, rows_B in share.resets.items()} == {
            column: rows_B for column, rows_B in own.items() if any(rows_B)
        }


def test_a_stream_tells_how_it_reads() -> None:
    stream = stream_of(LanePlan(40, 4, 5, reach=8), [LanePlan(7, 3, 5), LanePlan(9, 2, 5)])
    assert dict(stream.reading) == {"lanes": 4, "lanes_of_other0": 3, "lanes_of_other1": 2}
    assert (stream.rows, stream.columns, stream.steps_per_epoch) == (9, 8, 2)
    assert stream.batch(3, CPU).x_BT.shape == (9, 8)


def test_lanes_of_two_other_texts_begin_in_orders_of_their_own() -> None:
    cut = LanePlan(500, 2, 5, shifted=True)
    stream = MixedStream(text(500), cut, [Ring(name, text(500), cut) for name in ("one", "two")])
    firsts = stream.batch(0, CPU).y_BT[:, 0].reshape(3, 2).tolist()
    assert len({tuple(first) for first in firsts}) == 3
