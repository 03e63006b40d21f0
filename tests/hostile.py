"""What tests of hostile input share: how such input may end, and makers of it."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from ledger import SOAK, Count

from charrnn.checkpoint.layout import MANIFEST
from charrnn.errors import CharRnnError
from charrnn.files import digest
from charrnn.logs.console import printable

PATIENCE_SECONDS = 120
"""Work on a small input that takes longer hangs, however busy the machine is."""

STEERING = (
    "\x1b]0;title\x07", "\x1b[31mred", "\x9b31mred", "\x9d0;title\x9c", "\x1b]8;;http://x\x1b\\link",
    "\x00", "\r", "\x08", "\x7f", "\u202egnp.exe", "\u2066x", "\x85", "\x1bc", "\x1b", "\x9b",
    "[red]red[/red]", "[link=http://x]x[/link]",
)  # fmt: skip
"""Texts that could steer a terminal, or a library that draws on it."""


def fuzz(usually: int) -> settings:
    """So many cases every day; as many as the profile says in a soak."""
    return settings(max_examples=settings.default.max_examples if os.environ.get(SOAK) else usually)


@contextmanager
def patience() -> Iterator[None]:
    """The block must end before long."""

    def hangs(number: int, frame: FrameType | None) -> None:
        raise AssertionError("this hangs")

    former = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(PATIENCE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


@contextmanager
def no_more_than(megabytes: int) -> Iterator[None]:
    """The peak of the memory of this process rises by no more than this within the block."""
    before = peak()
    yield
    assert peak() - before <= megabytes, f"memory rose by {peak() - before} MB"


def peak() -> int:
    """The most memory that this process has had, in MB of 2^20 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def ends_well(count: Count, action: Callable[[], Any]) -> CharRnnError | None:
    """The action succeeds, or ends in an error of ours that a terminal can show and JSON can hold; the error, if so."""
    with count.trial(), patience():
        found: CharRnnError | None = None
        try:
            action()
        except CharRnnError as error:
            found = error
        if found is not None:
            assert found.what
            assert 1 <= found.exit_code <= 7
            json.dumps(found.as_dict(), allow_nan=False).encode("ascii")
            printable(found.block()).encode("utf-8")
        return found


def put(folder: Path, name: str, data: bytes) -> None:
    """A hostile author writes what they like into a checkpoint or a corpus, with a manifest to fit."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][name] = {"bytes": len(data), "sha256": digest.of_bytes(data)}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@st.composite
def mutated(draw: st.DrawFn, data: bytes, tokens: tuple[bytes, ...] = ()) -> bytes:
    """`data` with some spans cut out, doubled, moved, or replaced by others: any bytes, or one of the `tokens`."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 1, 2, 5, 20, 200])))
        span = data[start:end]
        new = draw(
            st.one_of(
                st.sampled_from([b"", span + span, span[::-1], b"\xff", b"\x00", *tokens]),
                st.binary(max_size=6),
                st.integers(0, max(0, len(data) - 8)).map(lambda at, data=data: data[at : at + 8]),
            )
        )
        data = data[:start] + new + data[end:]
    return data


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in a JSON value, the whole first."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield from leaves(child, (*path, key))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2, 7, 10**9, 2**63, 10**30, -(2**64), 1e308, -1.5, 0.5, float("inf"), float("nan")]),
    st.sampled_from(["", "x", "0", "nan", "cpu", "cuda", "a" * 64, "\ud800", "../x", *STEERING]),
    st.sampled_from([[], [1], [[]], {}, {"kind": "x"}, {"step": 1}, [None] * 3]),
)


@st.composite
def altered(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with some of its parts deleted, or replaced by junk or by another of its parts."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 3))):
        paths = list(leaves(value))
        path = draw(st.sampled_from(paths))
        new = draw(JUNK | st.sampled_from(paths).map(lambda other, value=value: at(value, other)))
        if not path:
            return new
        parent = at(value, path[:-1])
        if draw(st.integers(0, 3)) == 0:
            del parent[path[-1]]
        else:
            parent[path[-1]] = json.loads(json.dumps(new))
    return value


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """The part of a JSON value at `path`."""
    for key in path:
        value = value[key]
    return value
