from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from charrnn.errors import Interrupted
from charrnn.tasks.language import LanguageTask
from charrnn.train.evaluate import evaluate, position_losses
from charrnn.train.state import TrainState

CPU = torch.device("cpu")
MakeTask = Callable[..., LanguageTask]


def nothing() -> None: ...


@pytest.mark.parametrize("chunk", [1, 7, 60, 1000])
def test_every_token_counts_once_and_the_figure_does_not_depend_on_the_chunk(make_task: MakeTask, chunk: int) -> None:
    task = make_task(evaluate={"lanes": 3, "chunk": chunk})
    model = task.model()
    result = evaluate(task, model, "valid", CPU, nothing)
    assert result is not None
    tokens = torch.from_numpy(task.corpus.split("valid").tokens.astype("int64"))
    assert (result.count, result.reading) == (len(tokens), {"lanes": 3})
    nats, model = 0.0, model.eval()
    for lane in torch.tensor_split(torch.arange(len(tokens)), 3):
        x = torch.where(lane > 0, tokens[lane - 1], 0)
        logits, _ = model(x[None], model.initial_state(1))
        nats += F.cross_entropy(logits[0], tokens[lane], reduction="sum").item()
    assert result.mean == pytest.approx(nats / len(tokens), rel=1e-12)


def test_training_is_left_as_it_was(make_task: MakeTask, make_state: Callable[[LanguageTask], TrainState]) -> None:
    """torch-rnn's validation wiped the training state; here neither state, mode nor statistics move."""
    task = make_task(
        model={"input": {"size": 6, "batchnorm": True}, "core": {"hidden": 8, "dropout": 0.5, "layers": 2}}
    )
    state = make_state(task)
    state.model.train()
    before = {name: tensor.clone() for name, tensor in state.model.state_dict().items()}
    lanes = {name: tensor.clone() for name, tensor in state.lanes.items()}
    first = evaluate(task, state.model, "valid", CPU, nothing)
    assert first == evaluate(task, state.model, "valid", CPU, nothing)
    assert state.model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in state.model.state_dict().items())
    assert all(torch.equal(lanes[name], tensor) for name, tensor in state.lanes.items())


def test_an_empty_split_has_no_figure(make_task: MakeTask) -> None:
    task = make_task()
    task = make_task(corpus={"source": task.config.corpus.source, "split": [800, "rest", 0]})
    assert evaluate(task, task.model(), "test", CPU, nothing) is None


def test_a_short_split_takes_fewer_lanes(make_task: MakeTask) -> None:
    task = make_task()
    task = make_task(corpus={"source": task.config.corpus.source, "split": ["rest", 2, 0]})
    result = evaluate(task, task.model(), "valid", CPU, nothing)
    assert result is not None
    assert (result.count, result.reading) == (2, {"lanes": 2})


def test_it_can_be_stopped_between_batches(make_task: MakeTask) -> None:
    task = make_task()
    model = task.model()
    calls: list[int] = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        evaluate(task, model, "valid", CPU, stop)
    assert len(calls) == 3
    assert model.training


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_cut_goes_before_the_lanes_and_the_chunk_of_the_config(make_task: MakeTask, split: str) -> None:
    """The figure is the config's for that many lanes, whatever split is read."""
    task = make_task()
    cut = evaluate(task, task.model(), split, CPU, nothing, (5, 11))
    assert cut is not None
    tokens = torch.from_numpy(task.corpus.split(split).tokens.astype("int64"))
    nats, model = 0.0, task.model().eval()
    for lane in torch.tensor_split(torch.arange(len(tokens)), 5):
        x = torch.where(lane > 0, tokens[lane - 1], 0)
        logits, _ = model(x[None], model.initial_state(1))
        nats += F.cross_entropy(logits[0], tokens[lane], reduction="sum").item()
    assert (cut.count, cut.reading) == (len(tokens), {"lanes": 5})
    assert cut.mean == pytest.approx(nats / len(tokens), rel=1e-12)


@pytest.mark.parametrize(("lanes", "window"), [(1, 7), (3, 8), (2, 1), (1, 180), (3, 100)])
def test_position_losses_are_those_of_windows_that_begin_cold(make_task: MakeTask, lanes: int, window: int) -> None:
    task = make_task(
        model={"input": {"size": 6, "batchnorm": True}, "core": {"hidden": 8, "dropout": 0.5, "layers": 2}}
    )
    model = task.model().train()
    found = position_losses(task, model, "valid", CPU, nothing, (lanes, window))
    assert model.training
    model.eval()
    tokens = torch.from_numpy(task.corpus.split("valid").tokens.astype("int64"))
    at: dict[int, list[float]] = {}
    for lane in torch.tensor_split(torch.arange(len(tokens)), lanes):
        for piece in lane.split(window):
            x = torch.where(piece > 0, tokens[piece - 1], 0)
            logits, _ = model(x[None], model.initial_state(1))
            for k, nats in enumerate(F.cross_entropy(logits[0], tokens[piece], reduction="none").tolist()):
                at.setdefault(k, []).append(nats)
    assert found == pytest.approx([sum(at[k]) / len(at[k]) for k in range(len(at))], rel=1e-11)
    assert len(found or []) == min(window, -(-len(tokens) // lanes))


def test_an_empty_split_has_no_position_losses(make_task: MakeTask) -> None:
    task = make_task()
    task = make_task(corpus={"source": task.config.corpus.source, "split": [800, "rest", 0]})
    assert position_losses(task, task.model(), "test", CPU, nothing, (1, 4)) is None


@pytest.mark.parametrize("window", [7, 30])
def test_a_document_within_a_window_is_a_cold_start_too(make_task: MakeTask, window: int) -> None:
    task = make_task()
    source = task.config.corpus.source
    task = make_task(corpus={"source": source, "split": [0.7, 0.2, 0.1], "documents": {"text": "e"}})
    model = task.model().eval()
    part = task.corpus.split("valid")
    assert len(part.documents) > 10
    found = position_losses(task, model, "valid", CPU, nothing, (1, window))
    tokens, at, place, state = part.tokens.tolist(), {}, 0, model.initial_state(1)
    for i, token in enumerate(tokens):
        begins = i in part.documents.tolist()
        if begins or i % window == 0:
            place, state = 0, model.initial_state(1)
        logits, state = model(torch.tensor([[0 if begins else tokens[i - 1]]]), state)
        at.setdefault(place, []).append(F.cross_entropy(logits[0], torch.tensor([token])).item())
        place += 1
    assert found == pytest.approx([sum(at[k]) / len(at[k]) for k in range(len(at))], rel=1e-9)
