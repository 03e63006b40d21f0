"""The state that reaches each chunk, for random texts, lanes, chunks and worlds.

A transparent model stands in for the network: its state is the symbol that it read last and how many it has read since
it began. So the state itself says whether lanes are contiguous, where they were reset, and whether a position was seen
twice or never.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from charrnn.contracts import Loss
from charrnn.models.core import Draws, State, reset_rows
from charrnn.stream.gather import TokenBatch, gather
from charrnn.stream.lanes import LanePlan
from charrnn.tasks.positions import Positions
from charrnn.train.evaluate import evaluate
from charrnn.train.state import TrainState
from charrnn.train.step import update
from charrnn.train.world import World

CPU = torch.device("cpu")


@dataclass
class LaneSlice:
    """The lanes of one process out of `world`."""

    tokens: np.ndarray
    plan: LanePlan
    rank: int = 0
    world: int = 1

    @property
    def rows(self) -> int:
        own = World(self.rank, self.world).rows(self.plan.lanes)
        return own.stop - own.start

    @property
    def steps_per_epoch(self) -> int:
        return self.plan.steps_per_epoch

    @property
    def reading(self) -> Mapping[str, int]:
        return {"lanes": self.rows}

    def batch(self, step: int, device: torch.device, share: object = None) -> TokenBatch:
        whole = gather(self.tokens, self.plan.rows(step), device)
        if self.world == 1:
            return whole
        own, _ = whole.part(World(self.rank, self.world).rows(whole.rows), {})
        return replace(own, whole=None)


class Transparent:
    """A task whose state is open to the eye; `seen` lists the state that each call began with."""

    def __init__(self, stream: LaneSlice) -> None:
        self.stream_of = stream
        self.seen: list[Mapping[str, list[int]]] = []
        self.read: list[list[int]] = [[] for _ in range(stream.rows)]

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> LaneSlice:
        return self.stream_of

    def model(self) -> nn.Module:
        return nn.Linear(1, 1)

    def initial_state(self, model: nn.Module, rows: int) -> State:
        return {"last": torch.zeros(rows, dtype=torch.int64), "count": torch.zeros(rows, dtype=torch.int64)}

    def loss(self, model: nn.Module, batch: TokenBatch, state: State, draws: Draws | None = None) -> Loss:
        if 0 in batch.resets:
            state = reset_rows(state, self.initial_state(model, batch.rows), batch.resets[0])
        self.seen.append({name: tensor.tolist() for name, tensor in state.items()})
        lengths = batch.mask_BT.sum(1)
        for lane, row, length in zip(self.read, batch.y_BT.tolist(), lengths.tolist(), strict=True):
            lane += row[:length]
        final = batch.y_BT.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0]
        after: dict[str, Tensor] = {
            "last": torch.where(lengths > 0, final, state["last"]),
            "count": state["count"] + lengths,
        }
        nats = model(torch.ones(1, 1)).sum() * 0.0 + lengths.sum()
        return Loss(nats, lengths.sum(), {}, after)

    def meter(self, stream: LaneSlice, cold: bool) -> Positions:
        return Positions(told=False)

    def metrics(self, nats: float, split: str) -> dict[str, float]:
        return {"nats": nats}

    def speed(self, tokens_per_second: float, split: str) -> dict[str, float]:
        return {}


def train(task: Transparent, steps: int) -> TrainState:
    model = task.model()
    rows = task.stream("train").rows
    state = TrainState(model, torch.optim.SGD(model.parameters(), 0.1), task.initial_state(model, rows), 1)
    for step in range(steps):
        update(task, state, task.stream("train").batch(step, CPU), 1.0)
    return state


@st.composite
def plans(draw: st.DrawFn) -> LanePlan:
    lanes = draw(st.integers(1, 9))
    return LanePlan(draw(st.integers(lanes, 120)), lanes, draw(st.integers(1, 20)))


def text(plan: LanePlan) -> np.ndarray:
    return np.arange(1, plan.tokens + 1, dtype=np.uint16)


@settings(max_examples=60)
@given(plans(), st.integers(1, 3))
def test_every_chunk_begins_where_its_lane_stopped_and_every_epoch_anew(plan: LanePlan, epochs: int) -> None:
    task = Transparent(LaneSlice(text(plan), plan))
    train(task, epochs * plan.steps_per_epoch)
    starts, lengths = plan.starts_B.tolist(), plan.lengths_B.tolist()
    for step, seen in enumerate(task.seen):
        done = [min((step % plan.steps_per_epoch) * plan.chunk, length) for length in lengths]
        assert seen["count"] == done
        assert seen["last"] == [start + n if n else 0 for start, n in zip(starts, done, strict=True)]
    lanes = [list(range(start + 1, start + length + 1)) for start, length in zip(starts, lengths, strict=True)]
    assert task.read == [lane * epochs for lane in lanes]


@settings(max_examples=60)
@given(plans(), st.integers(1, 4), st.integers(1, 40))
def test_the_states_of_all_ranks_joined_are_those_of_one_process(plan: LanePlan, world: int, steps: int) -> None:
    tokens = text(plan)
    whole = Transparent(LaneSlice(tokens, plan))
    train(whole, steps)
    world = min(world, plan.lanes)
    ranks = [Transparent(LaneSlice(tokens, plan, rank, world)) for rank in range(world)]
    for task in ranks:
        # A rank whose lanes have all ended has nothing to count; the others' sums go on.
        model = task.model()
        state: State = task.initial_state(model, task.stream("train").rows)
        for step in range(steps):
            state = task.loss(model, task.stream("train").batch(step, CPU), state).state
    for step in range(steps):
        for name in ("last", "count"):
            assert [value for task in ranks for value in task.seen[step][name]] == whole.seen[step][name]
    assert [lane for task in ranks for lane in task.read] == whole.read


@settings(max_examples=60)
@given(plans())
def test_evaluation_reads_every_token_once_from_a_fresh_state(plan: LanePlan) -> None:
    task = Transparent(LaneSlice(text(plan), plan))
    result = evaluate(task, task.model(), "valid", CPU, lambda: None)
    assert result is not None
    assert (result.count, result.reading) == (plan.tokens, {"lanes": plan.lanes})
    assert [token for lane in task.read for token in lane] == text(plan).tolist()
    assert task.seen[0] == {"last": [0] * plan.lanes, "count": [0] * plan.lanes}
