"""What a user can do when memory runs out, and how much is in use."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from charrnn.config.load import flatten
from charrnn.config.schema import Config
from charrnn.errors import OutOfMemoryError

# What torch's allocator on a CPU, and cuBLAS and cuDNN, say in a plain RuntimeError.
_SIGNS = ("allocate memory", "ALLOC_FAILED")


@contextmanager
def out_of_memory(config: Config) -> Iterator[None]:
    """Turn a refusal of memory inside the block into an `OutOfMemoryError` (exit code 6) that names what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        told = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(word in str(error) for word in _SIGNS)
        if not told:
            raise
        reason = str(error).strip().splitlines()
        raise OutOfMemoryError(
            f"out of memory; the peak so far was {peak_mebibytes()} MiB",
            why=reason[0] if reason else None,
            hint=f"lower {' or '.join(_sizes(config))}; checkpoints are untouched",
        ) from None


def _sizes(config: Config) -> list[str]:
    """The keys that say how much is computed at once, with their values."""
    keys = ("stream.lanes", "stream.batch", "stream.chunk", "stream.length", "model.core.hidden")
    values = flatten(config)
    return [f"{key} ({values[key]})" for key in keys if key in values]


def peak_mebibytes(device: torch.device | None = None) -> int:
    """The most memory that was in use: of the CUDA `device` where that is one, else of this process."""
    if device is not None and device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
