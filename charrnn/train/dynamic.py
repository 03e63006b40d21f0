"""Dynamic evaluation: a copy of a model goes on learning from the text that it has just predicted.

B. Krause, E. Kahembwe, I. Murray, S. Renals, "Dynamic Evaluation of Neural Sequence Models" (ICML 2018), sections 3
and 4. A split is read in segments. Each is predicted first, and that is what counts; then the gradient of its loss
moves the weights a little, and the next segment is predicted by what came of it. The state is carried on; the gradient
ends where the segment begins. With θ the weights, θ_g those that were loaded (the "global prior"), g the gradient of a
segment's mean loss per token, η the rate and λ the decay:

    sgd     θ ← θ + λ (θ_g − θ) − η g
    rms     θ ← θ + min(λ R, 1) ⊙ (θ_g − θ) − η / √N · g / (S + ε)

with S the root of the mean square of each gradient over segments of the training split, s̄ the mean of S over all N
weights, R = S / s̄, and ε = eps · s̄. The paper's rate is our η / √N and its ε is free; in these units neither depends on
the size of the gradients nor of the model, and η is how far all weights together go under a gradient of the usual size.

Shapes: B rows (lanes), T steps.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from charrnn.config.schema.use import Dynamic, RmsDynamic
from charrnn.contracts import Loss, Stream, Task
from charrnn.errors import DivergedError
from charrnn.models.core import State
from charrnn.text.watch import Watch
from charrnn.train.evaluate import Evaluation

_PASSAGES = 20


@dataclass(frozen=True)
class Rule:
    """How one weight tensor moves: θ ← θ + pull ⊙ (θ_g − θ) − rate ⊙ g.

    Attributes:
        rate: of the shape of the weights, or a scalar.
        pull: likewise, from 0 to 1.
    """

    rate: Tensor
    pull: Tensor


def evaluate_dynamically(
    task: Task, model: nn.Module, split: str, device: torch.device, settings: Dynamic, watch: Watch
) -> Evaluation | None:
    """The loss of a split under dynamic evaluation; None where the split is empty.

    Args:
        task: what is trained.
        model: its model, on `device`; it is copied, never changed.
        split: `train`, `valid` or `test`.
        device: where the batches go.
        settings: the `evaluate.dynamic:` section.
        watch: told about every segment; it may raise to stop.

    Raises:
        DivergedError: the loss is not finite: the rate is too high.
    """
    stream = task.stream(split, (settings.lanes, settings.segment))
    if stream is None:
        return None
    rules = rules_for(task, model, device, settings, watch)
    nats = torch.zeros((), dtype=torch.float64, device=device)
    count = torch.zeros((), dtype=torch.int64, device=device)
    for step, loss in enumerate(dynamic_losses(task, model, stream, device, rules)):
        watch.block("dynamic evaluation", step, stream.steps_per_epoch)
        nats += loss.sum.detach().double()
        count += loss.count
        if not math.isfinite(nats.item()):
            raise DivergedError(
                f"dynamic evaluation diverged: no finite loss after {step} segments of {settings.segment} tokens",
                why=f"evaluate.dynamic.lr is {settings.lr}, evaluate.dynamic.decay {settings.decay}",
                hint="lower evaluate.dynamic.lr; its default is "
                f"{type(settings).model_fields['lr'].default} for the kind `{settings.kind}`",
            )
    return Evaluation(nats.item() / count.item(), int(count.item()), stream.reading)


def dynamic_losses(
    task: Task, model: nn.Module, stream: Stream, device: torch.device, rules: Sequence[Rule]
) -> Iterator[Loss]:
    """The loss of each segment of a stream, by weights that have learned from those before it and from no other.

    A segment is learned from when the next one is asked for.

    Args:
        task: what is trained.
        model: its model; it is copied, never changed.
        stream: one segment per batch.
        device: where the batches go.
        rules: one for each of `trained(model)`.
    """
    adapted = copy.deepcopy(model).eval()
    prior = [weight.detach().clone() for weight in trained(model)]
    state = task.initial_state(adapted, stream.rows)
    for step in range(stream.steps_per_epoch):
        loss, gradients = _read(task, adapted, stream, step, state, device)
        state = _detached(loss.state)
        yield loss
        with torch.no_grad():
            for weight, start, gradient, rule in zip(trained(adapted), prior, gradients, rules, strict=True):
                weight.lerp_(start, rule.pull).addcmul_(gradient, rule.rate, value=-1.0)


def rules_for(task: Task, model: nn.Module, device: torch.device, settings: Dynamic, watch: Watch) -> list[Rule]:
    """How each of `trained(model)` moves; for `rms` this reads some of the training split.

    Args:
        task: what is trained.
        model: its model, on `device`; it is not changed.
        device: where the batches go.
        settings: the `evaluate.dynamic:` section.
        watch: told about every segment; it may raise to stop.
    """
    if not isinstance(settings, RmsDynamic):
        return [Rule(w.new_tensor(settings.lr), w.new_tensor(min(settings.decay, 1.0))) for w in trained(model)]
    stream = task.stream("train", (settings.lanes, settings.segment))
    assert stream is not None, "an empty training split is refused when the corpus is prepared"
    sizes = _gradient_sizes(task, model, stream, device, settings.statistics, watch)
    weights = sum(size.numel() for size in sizes)
    mean = sum((size.sum() for size in sizes), torch.zeros((), device=device)) / weights
    rate = settings.lr / math.sqrt(weights)
    return [Rule(rate / (size + settings.eps * mean), (settings.decay * size / mean).clamp(max=1.0)) for size in sizes]


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that training moves, a tied one once."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _gradient_sizes(
    task: Task, model: nn.Module, stream: Stream, device: torch.device, wanted: int, watch: Watch
) -> list[Tensor]:
    """The root of the mean square of each gradient over `wanted` segments, in passages spread over the stream."""
    reader = copy.deepcopy(model).eval()
    squares = [torch.zeros_like(weight) for weight in trained(reader)]
    steps = _spread(stream.steps_per_epoch, wanted)
    state: State = {}
    for done, (step, begins) in enumerate(steps):
        watch.block("gradient statistics", done, len(steps))
        if begins:
            state = task.initial_state(reader, stream.rows)
        loss, gradients = _read(task, reader, stream, step, state, device)
        state = _detached(loss.state)
        for square, gradient in zip(squares, gradients, strict=True):
            square.addcmul_(gradient, gradient)
    return [(square / len(steps)).sqrt_() for square in squares]


def _spread(total: int, wanted: int) -> list[tuple[int, bool]]:
    """At most `wanted` steps out of `total`, in passages evenly spread; and whether a passage begins there."""
    passages = min(_PASSAGES, wanted)
    length = wanted // passages
    if wanted >= total or passages * length >= total:
        return [(step, step == 0) for step in range(total)]
    starts = [passage * total // passages for passage in range(passages)]
    return [(start + i, i == 0) for start in starts for i in range(length)]


def _read(
    task: Task, model: nn.Module, stream: Stream, step: int, state: State, device: torch.device
) -> tuple[Loss, Sequence[Tensor]]:
    """The loss of one segment, and the gradient of its mean per token for each of `trained(model)`."""
    with torch.enable_grad(), _differentiable(device):
        loss = task.loss(model, stream.batch(step, device), state)
        weights = trained(model)
        # A weight may have no part in a segment: its gradient is then zero.
        gradients = torch.autograd.grad(loss.sum / loss.count, weights, materialize_grads=True, allow_unused=True)
    return loss, gradients


def _differentiable(device: torch.device) -> AbstractContextManager[None]:
    """cuDNN refuses gradients of recurrent layers in evaluation mode; PyTorch's own kernels do not."""
    return torch.backends.cudnn.flags(enabled=False) if device.type == "cuda" else nullcontext()


def _detached(state: State) -> State:
    return {name: tensor.detach() for name, tensor in state.items()}
