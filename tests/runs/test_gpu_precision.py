"""Precision on a GPU; skipped aloud without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lab import Lab, Stopper

from charrnn.config.schema.model import Network as NetworkConfig
from charrnn.contracts import Loss
from charrnn.models.core import Draws, generator_for
from charrnn.models.network import Network
from charrnn.models.padding import use_padding
from charrnn.runs.folder import find_checkpoint
from charrnn.train.interrupt import Interrupt
from charrnn.train.precision import Precision

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CUDA = torch.device("cuda")
KINDS: list[Any] = ["fp16", "bf16"]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is measured is kept in a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def plan_of(lab: Lab, name: str) -> dict[str, Any]:
    plan: dict[str, Any] = find_checkpoint(lab.path / name, lab.path)[0].document("config")["plan"]
    return plan


def test_what_is_measured_is_in_the_plan_and_a_resumed_run_keeps_it(lab: Lab) -> None:
    more = ("train.device=cuda", "stream.lanes=8")
    with pytest.raises(Stopper.Killed):
        lab.train("run", "new", Stopper(30, hard=True), *more)
    before = plan_of(lab, "run")
    for kept in (lab.path / "cache" / "charrnn").iterdir():
        kept.unlink()
    lab.train("run", "resume", Interrupt(), *more)
    assert plan_of(lab, "run") == before
    assert list((lab.path / "cache" / "charrnn").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_training_in_fewer_bits_follows_fp32(lab: Lab, kind: str) -> None:
    more = ("train.device=cuda", "train.max_steps=30", "train.log_every=1", "model.head.hidden=[]")
    for name in ("fp32", kind):
        lab.train(name, "new", Interrupt(), *more, f"train.precision={name}")
    exact, close = ([r["nats"] for r in lab.records(name) if r["split"] == "train"] for name in ("fp32", kind))
    assert close != exact
    assert close == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "elman", "gru"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_is_given_the_type_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, kind: Any, cell: str, padded: bool
) -> None:
    """Autocast alone would hand cuDNN fp16 in either case."""
    config = NetworkConfig.model_validate({"input": {"size": 30}, "core": {"kind": cell, "hidden": 100, "layers": 2}})
    model = Network(config, 50, generator_for(1, "weights")).to(CUDA).train()
    name = {"elman": "rnn_tanh"}.get(cell, cell)
    real, seen = getattr(torch, name), []

    def spy(x: torch.Tensor, *rest: Any) -> Any:
        out = real(x, *rest)
        seen.append((x.dtype, out[0].dtype, rest[1][0].dtype))
        return out

    monkeypatch.setattr(torch, name, spy)
    ids_BT = torch.randint(1, 50, (8, 12), device=CUDA)
    exact, _ = model(ids_BT, model.initial_state(8), draws=Draws(1, 0, 8))
    seen.clear()
    if padded:
        use_padding(model)
    precision = Precision.of(kind, False, CUDA)
    with precision.forward(CUDA):
        close, state = model(ids_BT, model.initial_state(8), draws=Draws(1, 0, 8))
    assert seen == [(precision.reduced,) * 3] * 2
    assert {close.dtype, *(tensor.dtype for tensor in state.values())} == {torch.float32}
    assert (close - exact).norm() <= 0.04 * exact.norm()


def test_an_update_s_share_of_the_loss_scale_is_captured_in_a_graph() -> None:
    """Scaled gradient, its division and the look at it, replayed: good updates, an overflow, and good ones again."""
    precision = Precision.of("fp16", False, CUDA)
    assert precision.scale is not None
    model = torch.nn.Linear(4, 1, bias=False).to(CUDA)
    x, count = torch.ones(2, 4, device=CUDA), torch.tensor(2, device=CUDA)
    norm, over = torch.zeros((), device=CUDA), torch.zeros((), dtype=torch.bool, device=CUDA)

    def work() -> None:
        model.zero_grad(set_to_none=True)
        loss = Loss(model(x)[:, 0], count, {}, {})
        precision.backward(loss, 2, whole=True)
        precision.unscale(model, loss, 2, whole=True)
        assert model.weight.grad is not None
        norm.copy_(model.weight.grad.norm())
        over.copy_(precision.look({"sum": torch.zeros((), device=CUDA)}, norm)["overflow"])

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    precision.restore(None)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    found = []
    for filled in (1.0, torch.inf, 3.0):
        x.fill_(filled)
        graph.replay()
        found.append((norm.item(), bool(over), precision.scale.value.item(), precision.scale.good.item()))
    assert found[0] == (2.0, False, 2.0**16, 1)
    assert found[1][1:] == (True, 2.0**15, 0)
    assert found[2] == (6.0, False, 2.0**15, 1)
