"""`train.micro_batches`: the rows of a batch in parts come to what the whole batch comes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from cases import CASES, close, furnish, prepared
from lab import Lab, resumes

from charrnn.config.load import load_config
from charrnn.errors import ConfigError
from charrnn.logs.console import Console
from charrnn.models.core import Draws
from charrnn.runs.throwaway import Throwaway, throwaway
from charrnn.train.interrupt import Interrupt
from charrnn.train.parts import cut, descend
from charrnn.train.step import StepResult
from charrnn.train.world import World


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # what a path in an override is relative to
    furnish(tmp_path)
    return tmp_path


def trial(place: Path, name: str, parts: int, *more: str) -> Throwaway:
    loaded = load_config(place / "config.yaml", [*CASES[name][1], f"train.micro_batches={parts}", *more])
    with Console(quiet=True) as console:
        return throwaway(loaded, place / "corpora", console, Interrupt())


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_the_parts_is_that_of_the_whole(place: Path, name: str) -> None:
    """In fp64 but for the order of summation, with the dropout of the whole; parts may have rows of a share alone."""
    prepared(place, name)
    one = trial(place, name, 1)
    batch = one.stream.batch(2, torch.device("cpu"))
    state, model = one.state.lanes, one.state.model
    found = {}
    for parts in (1, 2, 3, 99):
        model.zero_grad(set_to_none=True)
        loss = descend(one.task, model, batch, state, Draws(1, 2, batch.rows), parts, World())
        gradient = {key: p.grad.numpy().copy() for key, p in model.named_parameters() if p.grad is not None}
        found[parts] = loss, gradient
    whole, gradient = found[1]
    for parts in (2, 3, 99):
        loss, other = found[parts]
        assert list(other) == list(gradient)
        for key, array in gradient.items():
            close(array, other[key], key)
        assert loss.count.item() == whole.count.item()
        close(whole.each.detach(), loss.each)
        close(whole.objective.item(), loss.objective.item())
        assert set(loss.parts) == set(whole.parts)
        assert set(loss.beside) == set(whole.beside)
        assert set(loss.state) == set(whole.state)
        for key, pair in whole.beside.items():
            close([figure.item() for figure in pair], [figure.item() for figure in loss.beside[key]], key)
        for key, tensor in whole.state.items():
            close(tensor.detach(), loss.state[key], key)


@pytest.mark.parametrize("name", CASES)
def test_a_run_in_parts_is_the_run(place: Path, name: str) -> None:
    """Six updates; what differs in the last digit grows on the way."""
    prepared(place, name)
    runs = [trial(place, name, parts) for parts in (1, 2, 3)]
    results: list[list[StepResult]] = [[run.advance(0.1) for _ in range(6)] for run in runs]
    for run, told in zip(runs[1:], results[1:], strict=True):
        assert [result.count for result in told] == [result.count for result in results[0]]
        for result, whole in zip(told, results[0], strict=True):
            assert not result.skipped
            for figure in ("sum", "grad_norm", "state_norm"):
                close(getattr(whole, figure), getattr(result, figure), figure, 1e-10)
            assert set(result.parts) == set(whole.parts)
            for key, value in whole.parts.items():
                close(value, result.parts[key], key, 1e-10)
        theirs = run.state.groups()
        for group, arrays in runs[0].state.groups().items():
            for key, array in arrays.items():
                close(array, theirs[group][key], f"{group} {key}", 1e-10)


@pytest.mark.parametrize(("rows", "parts"), [(7, 1), (7, 2), (7, 3), (7, 7), (7, 9), (1, 4), (64, 5)])
def test_rows_are_cut_into_parts_of_about_the_same_length(rows: int, parts: int) -> None:
    cuts = cut(rows, parts)
    assert [row for part in cuts for row in range(rows)[part]] == list(range(rows))
    lengths = [part.stop - part.start for part in cuts]
    assert len(lengths) == min(rows, parts)
    assert max(lengths) - min(lengths) <= 1


def test_batchnorm_and_parts_exclude_one_another(lab: Lab) -> None:
    with pytest.raises(ConfigError) as error:
        lab.train("run", "new", None, "train.micro_batches=2")
    assert "train.micro_batches (2)" in error.value.what
    assert "model.input.batchnorm" in error.value.what


def test_a_run_in_parts_resumes_bit_for_bit_and_another_number_of_parts_is_told(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says only how to compute, so that it may change; the digits may then differ."""
    parts = ("model.input.batchnorm=false", "train.micro_batches=3", "train.epochs=2")
    resumes(lab, [17, 17], True, *parts)
    lab.stopped("other", 30, False, "new", *parts)
    loaded = load_config(lab.path / "config.yaml", [*parts, "train.micro_batches=2"])
    from charrnn.runs.start import train_run

    with Console() as console:
        train_run(loaded, lab.path / "other", "resume", lab.path / "corpora", console, Interrupt())
    told = capsys.readouterr().err
    assert "micro_batches: 3 → 2" in told


class Held:
    """How many bytes autograd holds for the backward pass, at most."""

    def __init__(self) -> None:
        self.now, self.peak = 0, 0
        self._held: dict[int, tuple[int, int]] = {}

    def pack(self, tensor: torch.Tensor) -> Any:
        storage = tensor.untyped_storage()
        key, count = storage.data_ptr(), self._held.get(storage.data_ptr(), (0, 0))[1]
        if count == 0:
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
        self._held[key] = storage.nbytes(), count + 1
        return _Kept(self, key, tensor)

    def release(self, key: int) -> None:
        size, count = self._held[key]
        self._held[key] = size, count - 1
        if count == 1:
            self.now -= size


class _Kept:
    def __init__(self, held: Held, key: int, tensor: torch.Tensor) -> None:
        self.held, self.key, self.tensor = held, key, tensor

    def __del__(self) -> None:
        self.held.release(self.key)


def test_the_peak_of_what_is_kept_for_the_gradient_falls(place: Path) -> None:
    """What autograd keeps, storage by storage: a view of a mask of all rows would count as a whole."""
    prepared(place, "lstm")
    peaks = {}
    for parts in (1, 4):
        run = trial(place, "lstm", parts, "stream={lanes: 16, chunk: 50}", "model.core.hidden=32")
        run.advance(0.1)
        held = Held()
        with torch.autograd.graph.saved_tensors_hooks(held.pack, lambda kept: kept.tensor):
            run.advance(0.1)
        peaks[parts] = held.peak
    assert peaks[4] < 0.3 * peaks[1]
