"""Work that a device repeats as a graph: the few lines that only CUDA can run, and what stands for them elsewhere.

The rules of a capture (docs.nvidia.com, CUDA graphs; PyTorch, "CUDA semantics"): nothing in it may wait for the device
or read from it, all memory comes out of the graph's own pool, and libraries must have made what they make once before:
so the work is done a few times on the stream that is captured, beside the one of all other work.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakSet

import torch

Work = Callable[[], None]
Capture = Callable[[Work], Work]
"""Does some work a few times, and returns what repeats it: on CUDA a graph, else the work itself."""

_WARM_UP = 3


def uncaptured(work: Work) -> Work:
    """A capture where there is nothing to capture with: the work is what repeats it."""
    work()
    return work


def capture_on(device: torch.device) -> Capture:
    """What captures on a device."""
    return CudaCapture(device) if device.type == "cuda" else uncaptured


class CudaCapture:
    """Makes graphs for one device, out of one pool of memory.

    The graphs may share it: what one leaves for another lies outside.

    Args:
        device: the CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._living: WeakSet[torch.cuda.CUDAGraph] = WeakSet()

    def __call__(self, work: Work) -> Work:
        """Do the work a few times, and capture it.

        Raises:
            RuntimeError: it cannot be captured.
        """
        # The device's own stream comes back here even where the capture fails: `torch.cuda.graph` would not see to it.
        here = torch.cuda.current_stream(self.device)
        with torch.cuda.device(self.device), torch.cuda.stream(here):
            self._stream.wait_stream(here)
            try:
                with torch.cuda.stream(self._stream):
                    for _ in range(_WARM_UP):
                        work()
            finally:
                here.wait_stream(self._stream)
            if not self._living:  # a pool ends with the last graph that had a part of it
                self._pool = torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            # What other threads do on the device meanwhile is not refused: a server has several.
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                work()
        self._living.add(graph)
        return graph.replay
