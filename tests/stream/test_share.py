"""A batch of some rows is that part of the whole batch, and what its rows do not read is not read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from charrnn.corpus.parts import PartedTokens, spans
from charrnn.errors import DataError
from charrnn.stream.gather import TokenStream
from charrnn.stream.items import ItemStream, MixPlan, Part
from charrnn.stream.lanes import LanePlan
from charrnn.stream.mixed import MixedStream, Ring
from charrnn.stream.sequences import Sequences, filling
from charrnn.stream.windows import WindowPlan
from charrnn.train.world import World

CPU = torch.device("cpu")


def plain(value: Any, leave: tuple[str, ...] = ()) -> Any:
    """A batch as lists and numbers."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, Mapping):
        return [(name, plain(found)) for name, found in value.items()]
    if is_dataclass(value):
        return [(f.name, plain(getattr(value, f.name), leave)) for f in fields(value) if f.name not in leave]
    return value


def same_as_part(stream: Any, step: int, size: int, unread: tuple[str, ...]) -> None:
    """For every process the batch of its rows is the part of the whole; of the whole it knows all but `unread`."""
    whole = stream.batch(step, CPU)
    assert whole.whole is None
    for rank in range(size):
        world = World(rank, size)
        own, part = stream.batch(step, CPU, world.rows), whole.part(world.rows(whole.rows), {})[0]
        assert plain(own, ("whole",)) == plain(part, ("whole",))
        assert plain(own.whole, unread) == plain(whole, unread)
        assert own.whole.rows == whole.rows
        assert world.own(own) is own


def text(tokens: int) -> np.ndarray:
    return np.arange(1, tokens + 1, dtype=np.uint16)


@st.composite
def cuts(draw: st.DrawFn, shared: dict[str, Any]) -> LanePlan:
    lanes = draw(st.integers(1, 5))
    tokens = draw(st.integers(lanes, 60))
    more = draw(st.lists(st.integers(1, tokens - 1), unique=True, max_size=4)) if tokens > 1 else []
    return LanePlan(tokens, lanes, documents=np.array([0, *sorted(more)]), **shared)


@st.composite
def streams(draw: st.DrawFn) -> TokenStream:
    chunk = draw(st.integers(1, 9))
    chances = {"shifted": draw(st.booleans()), "reset_chance": draw(st.sampled_from([0.0, 0.4]))}
    shared = {"chunk": chunk, "seed": draw(st.integers(0, 3)), **chances}
    main = replace(draw(cuts(shared)), reach=draw(st.none() | st.integers(chunk, 3 * chunk)))
    kind = draw(st.sampled_from(["lanes", "windows", "mixed"]))
    if kind == "windows":
        length = draw(st.integers(1, main.tokens))
        settings = {"last": draw(st.booleans()), "shuffle": draw(st.booleans()), "documents": main.documents}
        return TokenStream(
            text(main.tokens), WindowPlan(main.tokens, length, draw(st.integers(1, length)), main.lanes, **settings)
        )
    if kind == "lanes":
        return TokenStream(text(main.tokens), main)
    rings = [Ring(f"r{i}", text(cut.tokens), cut) for i, cut in enumerate(draw(st.lists(cuts(shared), max_size=2)))]
    return MixedStream(text(main.tokens), main, rings)


@given(streams(), st.integers(0, 30), st.integers(2, 6))
def test_texts(stream: TokenStream, step: int, size: int) -> None:
    same_as_part(stream, step, size, ("x_BT", "y_BT"))


@given(streams(), st.integers(2, 6))
def test_states_are_shared_like_rows(stream: TokenStream, size: int) -> None:
    names = [ring.name for ring in stream.rings] if isinstance(stream, MixedStream) else []
    state = {"h": torch.arange(stream.rows)}
    for i, name in enumerate(names):
        assert isinstance(stream, MixedStream)
        state[f"teacher.{name}.h"] = torch.arange(stream.rings[i].cut.lanes) + 100 * (i + 1)
    whole = stream.batch(0, CPU)
    for rank in range(size):
        rows = World(rank, size).rows(stream.rows)
        assert plain(stream.carried(state, rows)) == plain(whole.part(rows, state)[1])


@st.composite
def items(draw: st.DrawFn) -> ItemStream:
    """Two sources of sequences in every batch, the second with soft labels and a temperature in half of the cases."""
    sources, parts = {}, []
    for name in ("own", "given"):
        lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
        steps = np.arange(1, sum(lengths) + 1, dtype=np.uint8)
        soft = name == "given" and draw(st.booleans())
        shares = np.full((len(lengths), 3), 1 / 3, np.float32) if soft else None
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        labels = np.arange(len(lengths), dtype=np.int32) % 3
        sources[name] = Sequences(steps, offsets, labels, soft=shares, temperature=2.0 if soft else 1.0)
        parts.append(Part(name, len(lengths), draw(st.integers(1, 4))))
    return ItemStream(MixPlan(tuple(parts), 1), filling(sources))


@given(items(), st.integers(0, 9), st.integers(2, 5))
def test_labelled_items(stream: ItemStream, step: int, size: int) -> None:
    same_as_part(stream, step, size, ("x",))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 6), st.integers(2, 4))
def test_a_process_maps_the_parts_that_its_lanes_lie_in(tmp_path: Path, chunk: int, size: int) -> None:
    """Of 120 tokens in 12 parts of 10, in 12 lanes of 10: whoever has lanes 3 to 5 needs parts 3 to 5, and the token in
    front of lane 3."""
    content = text(120).tobytes()
    names = [name for name, _, _ in spans(20, 0, 240)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(content[20 * number :][:20])

    def stream() -> tuple[PartedTokens, TokenStream]:
        tokens = PartedTokens([tmp_path / name for name in names], 10, 120, np.dtype("<u2"))
        return tokens, TokenStream(tokens, LanePlan(120, 12, chunk))  # type: ignore[arg-type]

    plainly = TokenStream(text(120), LanePlan(120, 12, chunk))
    for rank in range(size):
        world, (tokens, parted) = World(rank, size), stream()
        for step in range(parted.steps_per_epoch):
            own, known = parted.batch(step, CPU, world.rows), plainly.batch(step, CPU, world.rows)
            assert plain(own) == plain(known)
        rows = world.rows(12)
        assert tokens.mapped == tuple(range(max(rows.start - 1, 0), rows.stop))


def only(row: int) -> Callable[[int], slice]:
    return lambda rows: slice(row, row + 1)


def test_windows_beyond_the_last_open_no_part(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(text(4).tobytes())
    tokens = PartedTokens([tmp_path / "a", tmp_path / "gone"], 4, 8, np.dtype("<u2"))
    stream = TokenStream(tokens, WindowPlan(8, 4, 4, 3))  # type: ignore[arg-type]
    assert stream.batch(0, CPU, only(0)).y_BT.tolist() == [[1, 2, 3, 4]]
    assert stream.batch(0, CPU, only(2)).mask_BT.tolist() == [[False] * 4]
    with pytest.raises(DataError, match="cannot read"):
        stream.batch(0, CPU)
