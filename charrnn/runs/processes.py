"""Several processes that train one run: how they were started, and what is asked of them.

`torchrun` starts them and says in the environment which each of them is. A run on one process needs none of this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from charrnn.config.schema import Train
from charrnn.contracts import Stream
from charrnn.errors import PeerError, UsageError
from charrnn.runs.plan import device_of
from charrnn.train.launch import restarts, started_by_torchrun
from charrnn.train.world import World

_PATIENCE = timedelta(days=1)
"""How long processes wait for one another, while the first one prepares a large text. One that dies is noticed at
once."""


@contextmanager
def processes(settings: Train) -> Iterator[World]:
    """This process among those of its run, as torchrun has it; alone where it was not started by torchrun.

    Args:
        settings: the `train:` section.

    Raises:
        DeviceError: the device does not exist here.
        PeerError: the other processes were not found.
    """
    if not started_by_torchrun():
        yield World()
        return
    device = device_of("cpu" if settings.by_hand else settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        store, rank, size = next(rendezvous("env://", timeout=_PATIENCE))
        # torchrun's restarts may share one store, in which the addresses of processes that have died still stand.
        own = dist.PrefixStore(f"charrnn/{restarts()}", store)
        dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=_PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise PeerError("the processes of this run have not found each other", why=str(error)) from error
    yield World(dist.get_rank(), dist.get_world_size(), device)
    dist.destroy_process_group()  # not after an error: it would wait for the others


def refuse_uneven(stream: Stream, world: World) -> None:
    """Refuse rows of a batch that so many processes cannot share equally.

    Raises:
        UsageError: they cannot.
    """
    if stream.rows % world.size:
        fits = [count for count in range(1, stream.rows + 1) if stream.rows % count == 0]
        raise UsageError(
            f"{stream.rows} rows of a batch cannot be shared equally by {world.size} processes",
            hint=f"start as many processes as divide {stream.rows}: {', '.join(map(str, fits))}",
        )


class Silence:
    """The log of a process that leaves it to the first one."""

    def log(self, record: dict[str, Any]) -> None:
        """Nothing."""

    def sample(self, step: int, text: str) -> None:
        """Nothing."""

    def sync(self) -> dict[str, int]:
        """Nothing was recorded here."""
        return {}

    def rewind(self, positions: Mapping[str, int], step: int) -> None:
        """Nothing was recorded here."""

    def close(self) -> None:
        """Nothing is open."""
