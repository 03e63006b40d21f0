"""A trained model, opened for use on a CUDA device: built in torch from a checkpoint alone.

`use.py` opens the same in NumPy. Nothing here is imported until a device is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from charrnn.config.schema import LanguageConfig, Sample, Windows
from charrnn.errors import UsageError
from charrnn.models.build import build_model
from charrnn.models.burst import STEPS, Burst
from charrnn.models.stepping import Carried, HostStepper, Stepping, Windowed
from charrnn.runs.memory import out_of_memory
from charrnn.runs.plan import device_of
from charrnn.runs.use import Engine, OpenModel, open_model
from charrnn.sample.bursts import Bursts
from charrnn.sample.decode import Stepper
from charrnn.sample.window import WindowStepper
from charrnn.scratch.cells import Arrays, State
from charrnn.text.vocabulary import Vocabulary
from charrnn.train.state import load_arrays

MOST_STEPS = 256
"""Steps of the model in one burst where each prediction takes many: a graph of more is long in the making."""

_ADVICE = "ask for fewer texts at a time, or for --device cpu"


def open_on(place: Path | None, runs: Path, wanted: str) -> OpenModel:
    """Open the model of a run or of a checkpoint where `wanted` says; see `use.open_model`.

    Args:
        place: the run or the checkpoint.
        runs: where runs lie.
        wanted: `cuda` or `cuda:N`; `auto`: a CUDA device where there is one; `cpu`, or `auto` without one: in NumPy.

    Raises:
        UsageError: there is no such run, or this is no device.
        DeviceError: the device does not exist here.
        CheckpointError: the checkpoint is missing, damaged, or does not fit its own config.
        OutOfMemoryError: the device has no room for it.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted):
        raise UsageError(f"--device {wanted}: this is no device", hint="auto, cpu, cuda, or one of several: cuda:1")
    device = device_of(wanted)
    if device.type == "cpu":
        return open_model(place, runs)
    return replace(open_model(place, runs, partial(in_torch, device=device)), device=str(device))


def in_torch(config: LanguageConfig, vocabulary: Vocabulary, arrays: Arrays, device: torch.device) -> Engine:
    """The run's torch model on a device, drawn from many symbols at a time.

    Args:
        config: its whole config.
        vocabulary: its symbols.
        arrays: the tensors of the checkpoint's group `model`.
        device: any; on a CPU no graph is made, and all else is the same.
    """
    dtype = torch.from_numpy(np.zeros(1, arrays["head.output.bias"].dtype)).dtype
    with out_of_memory(config, advice=_ADVICE):
        network = build_model(config.model, vocabulary.size, config.train.seed, dtype)
        load_arrays(network, arrays, "the checkpoint")
        network.to(device).eval()
        model: Stepping = Carried(network)
        stepper: Stepper = _Stepper(HostStepper(model, device), config)
        steps = STEPS
        if isinstance(config.stream, Windows):
            model = Windowed(network, config.stream.length)
            stepper = WindowStepper(stepper, config.stream.length)
            steps = max(1, min(STEPS, MOST_STEPS // config.stream.length))

        def make() -> _Burst:
            return _Burst(Burst(model, vocabulary.size, device, steps), config)

        return Engine(stepper, Bursts(make, steps))


@dataclass(frozen=True)
class _Burst:
    """A `Burst` whose want of memory is an error that says what to do."""

    burst: Burst
    config: LanguageConfig

    @property
    def rows(self) -> int:
        return self.burst.rows

    def widen(self, rows: int) -> None:
        with out_of_memory(self.config, advice=_ADVICE):
            self.burst.widen(rows)

    def begin(self, row: int, symbol: int, options: Sample, banned_V: np.ndarray) -> None:
        with out_of_memory(self.config, advice=_ADVICE):
            self.burst.begin(row, symbol, options, banned_V)

    def end(self, row: int) -> None:
        self.burst.end(row)

    def go(self, given_KB: np.ndarray, uniform_KB: np.ndarray, temperature_KB: np.ndarray) -> np.ndarray:
        with out_of_memory(self.config, advice=_ADVICE):
            return self.burst.go(given_KB, uniform_KB, temperature_KB)


@dataclass(frozen=True)
class _Stepper:
    """A `HostStepper` whose want of memory is an error that says what to do."""

    stepper: HostStepper
    config: LanguageConfig

    def initial_state(self, batch: int) -> State:
        with out_of_memory(self.config, advice=_ADVICE):
            return self.stepper.initial_state(batch)

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        with out_of_memory(self.config, advice=_ADVICE):
            return self.stepper.step(ids_B, state)
