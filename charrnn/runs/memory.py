"""What a user can do when memory runs out, and how much is in use."""

from __future__ import annotations

import resource
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from charrnn.config.load import flatten
from charrnn.config.schema import Config
from charrnn.errors import OutOfMemoryError

# What torch's allocator on a CPU, and cuBLAS and cuDNN, say in a plain RuntimeError.
_SIGNS = ("allocate memory", "ALLOC_FAILED")


_OF_TRAINING = ("stream.lanes", "stream.batch", "stream.chunk", "stream.length", "model.core.hidden", "evaluate.chunk")
_OF_READING = ("stream.batch", "stream.length", "evaluate.lanes", "evaluate.chunk")


@contextmanager
def out_of_memory(config: Config, training: bool = True, advice: str | None = None) -> Iterator[None]:
    """Turn a refusal of memory inside the block into an `OutOfMemoryError` (exit code 6) that names what to lower.

    The error keeps nothing of the block alive: the frames in which memory ran out hold what filled it.

    Args:
        config: whose sizes are named.
        training: False where a model is only asked: nothing of it can be changed any more.
        advice: what to do, where no size of the config is to blame.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error) for word in _SIGNS)
        if not told:
            raise
        reason = str(error).strip().splitlines()
        _let_go(error)
        advice = advice or (_advice(config) if training else _lower(config, _OF_READING))
        raise OutOfMemoryError(
            f"out of memory; the peak so far was {peak_mebibytes()} MiB",
            why=reason[0] if reason else None,
            hint=f"{advice}; checkpoints are untouched",
        ) from None


def _let_go(error: BaseException) -> None:
    """Empty the frames that an error has passed, and those of the errors behind it."""
    found: BaseException | None = error
    while found is not None:
        traceback.clear_frames(found.__traceback__)
        found.__traceback__, found = None, found.__context__
    error.__context__ = None


def _advice(config: Config) -> str:
    """What a user of a training run can do: parts change nothing but the time, and may be asked for on resume."""
    lower, parts = _lower(config, _OF_TRAINING), config.train.micro_batches
    if getattr(getattr(config.model, "input", None), "batchnorm", False):
        return f"{lower} (train.micro_batches would take less memory, but not with model.input.batchnorm)"
    return (
        f"raise train.micro_batches ({parts}), which leaves the run what it is and may change on --resume; or {lower}"
    )


def _lower(config: Config, keys: Iterable[str]) -> str:
    """The keys that say how much is computed at once, with their values."""
    values = flatten(config)
    return f"lower {' or '.join(f'{key} ({values[key]})' for key in keys if key in values)}"


def peak_mebibytes(device: torch.device | None = None) -> int:
    """The most memory that was in use: of the CUDA `device` where that is one, else of this process."""
    if device is not None and device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
