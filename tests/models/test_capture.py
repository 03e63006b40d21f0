"""The order of calls around a graph, told by things that stand for CUDA's; tests/runs/test_gpu.py has the real ones."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from charrnn.models.capture import CudaCapture, capture_on, uncaptured

CUDA = torch.device("cuda", 0)


class Stream:
    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def wait_stream(self, other: Stream) -> None:
        self.calls.append(f"{self.name} waits for {other.name}")


class Graph:
    def replay(self) -> None:
        pass


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of CUDA, in its order."""
    calls: list[str] = []
    pools = iter(range(9))

    @contextmanager
    def named(what: str) -> Iterator[None]:
        calls.append(what)
        yield
        calls.append(f"end of {what}")

    def graph(graph: Graph, pool: int, stream: Stream, capture_error_mode: str) -> Any:
        return named(f"recording on {stream.name} from pool {pool}, {capture_error_mode}")

    def stream(one: Stream) -> Any:
        return named(f"on {one.name}")

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("side", calls))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream("own", calls))
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "device", lambda device: named(str(device)))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: next(pools))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    return calls


def test_work_is_done_on_the_stream_that_records_before_it_is_recorded(calls: list[str]) -> None:
    capture = CudaCapture(CUDA)
    repeat = capture(lambda: calls.append("work"))
    assert isinstance(repeat.__self__, Graph)  # type: ignore[attr-defined]
    assert calls == [
        "cuda:0",
        "on own",
        "side waits for own",
        "on side",
        *["work"] * 3,
        "end of on side",
        "own waits for side",
        "recording on side from pool 1, thread_local",
        "work",
        "end of recording on side from pool 1, thread_local",
        "end of on own",
        "end of cuda:0",
    ]


def test_graphs_that_live_together_share_a_pool_and_later_ones_have_another(calls: list[str]) -> None:
    """A pool ends with the last graph that had a part of it."""
    capture = CudaCapture(CUDA)
    first, second = (capture(lambda: None) for _ in range(2))
    del first, second
    gc.collect()
    capture(lambda: None)
    pools = [call.partition("pool ")[2][0] for call in calls if call.startswith("recording")]
    assert pools == ["1", "1", "2"]


def test_what_fails_before_it_is_recorded_leaves_the_own_stream_waiting_for_it(calls: list[str]) -> None:
    def work() -> None:
        raise RuntimeError("it cannot be captured")

    with pytest.raises(RuntimeError, match="it cannot be captured"):
        CudaCapture(CUDA)(work)
    assert calls[-1] == "own waits for side"


def test_elsewhere_the_work_is_what_repeats_it() -> None:
    done: list[int] = []
    capture = capture_on(torch.device("cpu"))
    repeat = capture(lambda: done.append(1))
    repeat()
    assert (capture, done) == (uncaptured, [1, 1])
