"""The few lines that only a CUDA device can run: work is captured as a graph.

The rules of a capture (docs.nvidia.com, CUDA graphs; PyTorch, "CUDA semantics"): nothing in it may wait for the device
or read from it, all memory comes out of the graph's own pool, and libraries must have made what they make once before:
so the work is done a few times on the stream that is captured, beside the one of all other work.
"""

from __future__ import annotations

from weakref import WeakSet

import torch

from charrnn.train.standing import Work

_WARM_UP = 3


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
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                work()
        self._living.add(graph)
        return graph.replay
