"""What a user can do when memory runs out, and how much is in use."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from charrnn.config.schema import Config
from charrnn.errors import OutOfMemoryError


@contextmanager
def out_of_memory(config: Config) -> Iterator[None]:
    """Turn a refusal of memory inside the block into an `OutOfMemoryError` (exit code 6) that names what to lower."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # On a CPU torch says so in a plain RuntimeError.
        told = isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
        if not told:
            raise
        stream, core = config.stream, config.model.core
        reason = str(error).strip().splitlines()
        raise OutOfMemoryError(
            f"out of memory; the peak so far was {peak_mebibytes(config.train.device)} MiB",
            why=reason[0] if reason else None,
            hint=f"lower stream.lanes ({stream.lanes}), stream.chunk ({stream.chunk}) or model.core.hidden "
            f"({core.hidden}); checkpoints are untouched",
        ) from None


def peak_mebibytes(device: str) -> int:
    """The most memory that was in use: of the CUDA device where one is used, else of this process."""
    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
