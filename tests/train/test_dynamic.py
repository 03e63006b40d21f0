from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from charrnn.config.schema.use import Dynamic, RmsDynamic, SgdDynamic
from charrnn.errors import DivergedError, Interrupted
from charrnn.stream.gather import TokenStream
from charrnn.stream.lanes import LanePlan
from charrnn.tasks.language import LanguageTask
from charrnn.text.watch import Watch
from charrnn.train.dynamic import _spread, dynamic_losses, evaluate_dynamically, rules_for, trained
from charrnn.train.evaluate import evaluate

CPU = torch.device("cpu")
MakeTask = Callable[..., LanguageTask]

RICH = {
    "input": {"size": 6, "batchnorm": True, "dropout": 0.1},
    "core": {"hidden": 8, "layers": 2, "dropout": 0.2, "recurrent_dropout": 0.3},
    "head": {"hidden": [6], "dropout": 0.2, "tie": True},
}
KINDS = {
    "rms": RmsDynamic(lr=0.3, decay=0.1, segment=7, statistics=9),
    "sgd": SgdDynamic(kind="sgd", lr=0.5, decay=0.1, segment=7),
}
kinds = pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)


def nothing() -> None: ...


def read_through(task: LanguageTask, model: nn.Module, lanes: int, segment: int) -> float:
    """The static loss, computed with gradients that nobody uses."""
    stream = task.stream("valid", (lanes, segment))
    assert stream is not None
    state, nats, count = task.initial_state(model, lanes), 0.0, 0
    for step in range(stream.steps_per_epoch):
        loss = task.loss(model, stream.batch(step, CPU), state)
        state = {name: tensor.detach() for name, tensor in loss.state.items()}
        nats += loss.sum.item()
        count += int(loss.count)
    return nats / count


@kinds
@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize("core", ["elman", "gru", "lstm"])
def test_without_a_rate_and_a_decay_it_is_the_static_loss_to_the_last_bit(
    make_task: MakeTask, settings: Dynamic, lanes: int, precision: str, core: str
) -> None:
    model: dict[str, Any] = RICH | {"core": RICH["core"] | {"kind": core}}
    task = make_task(model=model, train={"precision": precision})
    still = settings.model_copy(update={"lr": 0.0, "decay": 0.0, "lanes": lanes})
    model = task.model()
    result = evaluate_dynamically(task, model, "valid", CPU, still, Watch())
    assert result is not None
    assert result.mean == read_through(task, model.eval(), lanes, settings.segment)
    if (core, precision, lanes) != ("lstm", "fp32", 1):  # oneDNN rounds this one otherwise where no gradient is wanted
        assert result == evaluate(task, model, "valid", CPU, nothing, (lanes, settings.segment))
    moved = evaluate_dynamically(task, model, "valid", CPU, settings.model_copy(update={"lanes": lanes}), Watch())
    assert moved is not None
    assert moved.mean != result.mean


@kinds
@pytest.mark.parametrize("p", [1, 13, 14, 60, 150])
def test_what_comes_later_moves_no_loss_before_it(make_task: MakeTask, settings: Dynamic, p: int) -> None:
    """Every token is scored before it is learned from: with other tokens from p on, all losses up to p are the same."""
    task = make_task()
    model = task.model()
    rules = rules_for(task, model, CPU, settings, Watch())
    tokens = task.corpus.split("valid").tokens
    other = np.concatenate([tokens[:p], np.roll(tokens[p:], 1)])
    assert (other[p:] != tokens[p:]).any()

    def each(text: np.ndarray) -> Tensor:
        stream = TokenStream(text, LanePlan(len(text), 1, settings.segment))
        losses = dynamic_losses(task, model, stream, CPU, rules)
        return torch.cat([loss.each.detach()[0] for loss in losses])[: len(text)]

    one, two = each(tokens), each(other)
    assert torch.equal(one[:p], two[:p])
    assert not torch.equal(one[p:], two[p:])


def gradients(task: LanguageTask, model: nn.Module, stream: TokenStream, step: int, state: Any) -> tuple[Any, Any]:
    """The loss of a segment by plain back-propagation, and the gradients of its mean."""
    model.zero_grad()
    loss = task.loss(model, stream.batch(step, CPU), state)
    (loss.sum / loss.count).backward()
    return loss, [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


def usual_sizes(task: LanguageTask, model: nn.Module, settings: RmsDynamic) -> list[Tensor]:
    """Root mean square gradients over the whole training split, from the formula."""
    stream = task.stream("train", (1, settings.segment))
    assert stream is not None
    state, squares = task.initial_state(model, 1), []
    for step in range(stream.steps_per_epoch):
        loss, found = gradients(task, model, stream, step, state)
        state = {name: tensor.detach() for name, tensor in loss.state.items()}
        squares.append([gradient**2 for gradient in found])
    return [torch.stack(column).mean(0).sqrt() for column in zip(*squares, strict=True)]


@pytest.mark.parametrize("decay", [0.0, 0.05, 30.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_move_as_the_paper_says(make_task: MakeTask, kind: str, decay: float) -> None:
    settings: Any = KINDS[kind].model_copy(update={"decay": decay} | ({"statistics": 10_000} if kind == "rms" else {}))
    task = make_task()
    start = task.model().eval()
    reader = copy.deepcopy(start)
    prior = [weight.detach().clone() for weight in start.parameters()]
    if kind == "rms":
        sizes = usual_sizes(task, copy.deepcopy(start), settings)
        mean = torch.cat([size.flatten() for size in sizes]).mean()
        count = sum(weight.numel() for weight in prior)
        rates = [settings.lr / count**0.5 / (size + settings.eps * mean) for size in sizes]
        pulls = [torch.minimum(decay * size / mean, torch.ones(())) for size in sizes]
    else:
        rates = [torch.tensor(settings.lr, dtype=torch.float64)] * len(prior)
        pulls = [torch.tensor(min(decay, 1.0), dtype=torch.float64)] * len(prior)
    stream = task.stream("valid", (1, settings.segment))
    assert stream is not None
    state, expected = task.initial_state(reader, 1), []
    for step in range(8):
        loss, found = gradients(task, reader, stream, step, state)
        expected.append(loss.sum.item())
        state = {name: tensor.detach() for name, tensor in loss.state.items()}
        with torch.no_grad():
            for weight, origin, gradient, rate, pull in zip(
                reader.parameters(), prior, found, rates, pulls, strict=True
            ):
                weight.copy_(weight + pull * (origin - weight) - rate * gradient)
    rules = rules_for(task, start, CPU, settings, Watch())
    losses = itertools.islice(dynamic_losses(task, start, stream, CPU, rules), 8)
    assert [loss.sum.item() for loss in losses] == pytest.approx(expected, rel=1e-11)


def test_weights_with_large_gradients_are_drawn_back_the_most_and_never_past_their_start(make_task: MakeTask) -> None:
    task = make_task()
    model = task.model()
    sizes = torch.cat([s.flatten() for s in usual_sizes(task, task.model().eval(), RmsDynamic(segment=7))])
    rules = rules_for(task, model, CPU, RmsDynamic(segment=7, decay=0.5, statistics=10_000), Watch())
    pulls = torch.cat([rule.pull.flatten() for rule in rules])
    torch.testing.assert_close(pulls, (0.5 * sizes / sizes.mean()).clamp(max=1.0), rtol=1e-9, atol=0)
    assert pulls.max() == 1.0
    assert pulls.min() < 0.1
    for rule in rules_for(task, model, CPU, SgdDynamic(kind="sgd", decay=7.0), Watch()):
        assert rule.pull == 1.0


@kinds
def test_the_loaded_model_is_left_as_it_was(make_task: MakeTask, settings: Dynamic) -> None:
    task = make_task(model=RICH)
    model = task.model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first = evaluate_dynamically(task, model, "valid", CPU, settings, Watch())
    assert first == evaluate_dynamically(task, model, "valid", CPU, settings, Watch())
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [weight.grad for weight in trained(model)] == [None] * len(trained(model))


def test_a_weight_that_takes_no_part_stays(make_task: MakeTask) -> None:
    task = make_task()
    model = task.model()
    expected = evaluate_dynamically(task, model, "valid", CPU, KINDS["sgd"], Watch())
    model.spare = nn.Parameter(torch.ones(3, dtype=torch.float64))
    assert evaluate_dynamically(task, model, "valid", CPU, KINDS["sgd"], Watch()) == expected


@kinds
def test_it_learns_what_the_split_repeats(make_task: MakeTask, settings: Dynamic) -> None:
    task = make_task()
    task = make_task(
        "abcdefgh" * 60 + "aaaaaaab" * 60, corpus=task.config.corpus.model_dump() | {"split": [0.5, 0.5, 0]}
    )
    static = evaluate(task, task.model(), "valid", CPU, nothing, (1, 7))
    result = evaluate_dynamically(task, task.model(), "valid", CPU, settings.model_copy(update={"decay": 0.0}), Watch())
    assert static is not None
    assert result is not None
    assert (result.count, result.reading) == (480, {"lanes": 1})
    assert result.mean < 0.7 * static.mean


@kinds
def test_divergence_names_the_rate(make_task: MakeTask, settings: Dynamic) -> None:
    task = make_task()
    with pytest.raises(DivergedError, match="no finite loss") as error:
        evaluate_dynamically(task, task.model(), "valid", CPU, settings.model_copy(update={"lr": 1e300}), Watch())
    assert error.value.exit_code == 5
    assert "evaluate.dynamic.lr is 1e+300" in str(error.value.why)
    default = type(settings).model_fields["lr"].default
    assert f"its default is {default} for the kind `{settings.kind}`" in str(error.value.hint)


def test_it_tells_how_far_it_is_and_can_be_stopped_between_segments(make_task: MakeTask) -> None:
    task = make_task()
    told: list[tuple[str, int, int | None]] = []

    def check() -> None:
        if len(told) == 12:
            raise Interrupted(15)

    watch = Watch(lambda *what: told.append(what), check)
    with pytest.raises(Interrupted):
        evaluate_dynamically(task, task.model(), "valid", CPU, KINDS["rms"], watch)
    segments = -(-len(task.corpus.split("valid").tokens) // 7)
    statistics = [("gradient statistics", i, 9) for i in range(9)]
    assert told == [*statistics, *(("dynamic evaluation", i, segments) for i in range(3))]


def test_an_empty_split_has_no_figure(make_task: MakeTask) -> None:
    task = make_task()
    task = make_task(corpus={"source": task.config.corpus.source, "split": [800, "rest", 0]})
    assert evaluate_dynamically(task, task.model(), "test", CPU, KINDS["rms"], Watch()) is None


@given(total=st.integers(1, 3000), wanted=st.integers(1, 900))
def test_the_segments_for_the_statistics_are_spread_in_order_and_not_too_many(total: int, wanted: int) -> None:
    steps = _spread(total, wanted)
    numbers = [step for step, _ in steps]
    assert numbers == sorted(set(numbers))
    assert numbers[0] >= 0
    assert numbers[-1] < total
    assert min(wanted, total) // 2 < len(steps) <= wanted or len(steps) == total <= wanted
    # The state begins anew wherever it cannot be carried on, and seldom besides.
    assert all(begins for i, (step, begins) in enumerate(steps) if i == 0 or numbers[i - 1] + 1 != step)
    assert sum(begins for _, begins in steps) == (1 if len(steps) == total else min(wanted, 20))
    if total >= 2 * wanted and wanted >= 20:
        assert numbers[0] == 0
        assert numbers[-1] >= total * 0.9
