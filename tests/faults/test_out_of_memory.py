"""Memory that runs out in every phase of a run: exit code 6, advice that can be followed, and nothing lost."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lab import CONFIG, TEXT, Lab, same_run
from ledger import Ledger
from pseudolab import new_lab

from charrnn.config.load import load_config
from charrnn.errors import OutOfMemoryError
from charrnn.logs.console import Console
from charrnn.models.classifier import Classifier
from charrnn.runs import outset
from charrnn.runs.check import dry_run
from charrnn.runs.evaluate import Wanted, evaluate_run
from charrnn.runs.folder import find_checkpoint
from charrnn.tasks.language import LanguageTask
from charrnn.train import loop
from charrnn.train.interrupt import Interrupt

REFUSALS: dict[str, Callable[[], Exception]] = {
    "python": MemoryError,
    "torch": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    "allocator": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
    "cudnn": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
}
PLAIN = ("model.input.batchnorm=false", "train.epochs=2")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A place with a run that nothing happens to, `whole`; every test takes names of its own for others."""
    path = tmp_path_factory.mktemp("lab")
    (path / "text.txt").write_text(TEXT, encoding="utf-8")
    (path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    Lab(path).train("whole", "new", None, *PLAIN)
    return Lab(path)


class Full:
    """A memory that is full once, at the `nth` call of what it is put in front of."""

    def __init__(self, refusal: Callable[[], Exception], nth: int, folder: Path) -> None:
        self.refusal, self.left, self.folder = refusal, nth, folder
        self.found: dict[Path, bytes] = {}
        self.held: weakref.ref[torch.Tensor] | None = None

    def look(self) -> None:
        self.left -= 1
        if self.left == 0:
            large = torch.zeros(1000)
            self.held = weakref.ref(large)
            self.found = saved(self.folder)
            raise self.refusal()


def saved(folder: Path) -> dict[Path, bytes]:
    kept = [*folder.rglob("step-*/*"), *folder.glob("best"), *folder.glob("last")]
    return {path: path.read_bytes() for path in kept}


def in_the_loss(full: Full, monkeypatch: pytest.MonkeyPatch, training: bool, backward: bool) -> None:
    sound = LanguageTask.loss

    def loss(self: LanguageTask, model: Any, batch: Any, state: Any, draws: Any = None) -> Any:
        if (draws is not None) != training:
            return sound(self, model, batch, state, draws)
        if not backward:
            full.look()
        result = sound(self, model, batch, state, draws)
        if backward:
            result.each.register_hook(lambda gradient: full.look())
        return result

    monkeypatch.setattr(LanguageTask, "loss", loss)


def in_the_optimizer(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the weights have moved when it happens: what is in memory then is no state of the run."""
    sound = torch.optim.AdamW.step

    def stepping(self: torch.optim.AdamW, closure: Any = None) -> Any:
        if full.left == 1:
            with torch.no_grad():
                self.param_groups[0]["params"][0].add_(1.0)
        full.look()
        return sound(self, closure)

    monkeypatch.setattr(torch.optim.AdamW, "step", stepping)


def in_the_sampler(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = outset.several

    def several(*arguments: Any) -> Any:
        full.look()
        return sound(*arguments)

    monkeypatch.setattr(outset, "several", several)


PHASES: dict[str, tuple[int, Callable[[Full, pytest.MonkeyPatch], None]]] = {
    "forward": (25, lambda full, patch: in_the_loss(full, patch, training=True, backward=False)),
    "backward": (25, lambda full, patch: in_the_loss(full, patch, training=True, backward=True)),
    "optimizer": (25, in_the_optimizer),
    "evaluation": (9, lambda full, patch: in_the_loss(full, patch, training=False, backward=False)),
    "sampling": (2, in_the_sampler),
}


@pytest.mark.parametrize("phase", PHASES)
def test_memory_that_runs_out_loses_nothing(
    lab: Lab, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    """Nothing is saved after it; the error keeps nothing alive; and the run goes on as if it had not been."""
    count = ledger.fault("out of memory in a run, then --resume")
    nth, put = PHASES[phase]
    kinds = list(REFUSALS)[: ledger.times(1, len(REFUSALS))]
    for kind in kinds:
        with count.trial():
            name = f"{phase} {kind}"
            full = Full(REFUSALS[kind], nth, lab.path / name)
            with monkeypatch.context() as patch:
                put(full, patch)
                with pytest.raises(OutOfMemoryError) as error:
                    lab.train(name, "new", None, *PLAIN)
            assert error.value.exit_code == 6
            assert full.found
            assert saved(lab.path / name) == full.found
            gc.collect()
            assert full.held is not None
            assert full.held() is None, "the error keeps the frames in which memory ran out"
            lab.train(name, "resume", None, *PLAIN)
            same_run(lab, "whole", name)


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_way_of_saying_it_is_understood(lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    in_the_loss(Full(REFUSALS[kind], 2, lab.path / kind), monkeypatch, training=True, backward=False)
    with pytest.raises(OutOfMemoryError) as error:
        lab.train(kind, "new", None, *PLAIN)
    hint = str(error.value.hint)
    assert hint.startswith("raise train.micro_batches (1), which leaves the run what it is and may change on --resume")
    assert "lower stream.lanes (4) or stream.chunk (10) or model.core.hidden (8)" in hint


def test_another_error_of_torch_is_none_of_memory(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_loss(Full(lambda: RuntimeError("a bug"), 2, lab.path), monkeypatch, training=True, backward=False)
    with pytest.raises(RuntimeError, match="a bug"):
        lab.train("bug")


def test_with_batchnorm_parts_are_not_advised(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_loss(Full(MemoryError, 2, lab.path / "norm"), monkeypatch, training=True, backward=False)
    with pytest.raises(OutOfMemoryError) as error:
        lab.train("norm")
    assert str(error.value.hint).startswith("lower stream.lanes (4)")
    assert "not with model.input.batchnorm" in str(error.value.hint)


def test_what_is_advised_helps_and_loses_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that holds three lanes at once: the run stops, and goes on in parts."""
    sound = loop.advance

    def advance(task: Any, state: Any, stream: Any, lr: float, settings: Any, *rest: Any) -> Any:
        if state.step >= 30 and stream.rows / settings.micro_batches > 3:
            raise MemoryError
        return sound(task, state, stream, lr, settings, *rest)

    monkeypatch.setattr(loop, "advance", advance)
    with pytest.raises(OutOfMemoryError):
        lab.train("parts", "new", None, *PLAIN)
    assert lab.train("parts", "resume", None, *PLAIN, "train.micro_batches=2")["ended"] == "all steps are done"


def test_a_dry_run_and_an_evaluation_say_what_they_can_lower(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint, _ = find_checkpoint(lab.path / "whole", lab.path)
    loaded = load_config(lab.path / "config.yaml", PLAIN)
    in_the_loss(Full(MemoryError, 1, lab.path), monkeypatch, training=True, backward=False)
    in_the_loss(Full(MemoryError, 1, lab.path), monkeypatch, training=False, backward=False)
    with Console(quiet=True) as console:
        with pytest.raises(OutOfMemoryError, match="out of memory") as error:
            dry_run(loaded, lab.path / "corpora", console, Interrupt())
        assert "train.micro_batches" in str(error.value.hint)
        with pytest.raises(OutOfMemoryError) as error:
            evaluate_run(checkpoint, loaded, Wanted("valid", None, False), lab.path / "corpora", console, Interrupt())
    assert str(error.value.hint) == "lower evaluate.lanes (3) or evaluate.chunk (16); checkpoints are untouched"


def test_labelling_loses_nothing(tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Round 1 fails while the teacher labels; what was there is there, and the next session does the round."""
    with ledger.fault("out of memory while labelling, then again").trial():
        lab = new_lab(tmp_path)
        sound, teacher = Classifier.forward, tmp_path / "out" / "seed-1" / "round-0" / "manifest.json"

        def forward(self: Classifier, *arguments: Any) -> Any:
            if teacher.exists() and not torch.is_grad_enabled():
                raise MemoryError
            return sound(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Classifier, "forward", forward)
            with pytest.raises(OutOfMemoryError) as error:
                lab.rounds("out")
        assert "stream.batch" in str(error.value.hint)
        kept = saved(tmp_path / "out" / "seed-1" / "round-0")
        assert kept
        lab.rounds("out")
        assert saved(tmp_path / "out" / "seed-1" / "round-0") == kept
