"""Copies of a short row in a long one: against looking for every passage everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from charrnn.sample import copies
from charrnn.sample.copies import NOWHERE, longest_copies
from charrnn.text.watch import Watch


def by_hand(query: list[int], tokens: list[int], least: int) -> list[int]:
    """For each place the length of the longest passage ending there, from the definition."""
    everywhere = {tuple(tokens[i:j]) for i in range(len(tokens)) for j in range(i + 1, len(tokens) + 1)}
    longest = []
    for j in range(1, len(query) + 1):
        longest.append(max((n for n in range(1, j + 1) if tuple(query[j - n : j]) in everywhere), default=0))
    return [n if n >= least else 0 for n in longest]


ROW = st.lists(st.integers(0, 2), max_size=30)


@settings(max_examples=400, deadline=None)
@given(
    query=st.lists(st.sampled_from([0, 0, 1, 1, 2, 3, NOWHERE]), max_size=18) | ROW,
    tokens=ROW | st.lists(st.sampled_from([0, 0, 0, 1]), max_size=30),
    least=st.integers(1, 6),
    block=st.sampled_from([1, 2, 5, 100]),
)
@example(query=[0] * 12, tokens=[0] * 30, least=3, block=4)
@example(query=[0, 1, 2, 0, 1], tokens=[0, 1, 2, 0, 1, 2, 0, 1], least=5, block=2)
def test_they_are_those_of_looking_everywhere(query: list[int], tokens: list[int], least: int, block: int) -> None:
    lengths_N, starts_N = longest_copies(np.array(query, np.int64), np.array(tokens, np.uint8), least, block=block)
    assert lengths_N.tolist() == by_hand(query, tokens, least)
    for end, (length, start) in enumerate(zip(lengths_N.tolist(), starts_N.tolist(), strict=True), 1):
        assert tokens[start : start + length] == query[end - length : end]


@settings(max_examples=60, deadline=None)
@given(query=ROW, tokens=ROW, least=st.integers(1, 4))
def test_hashes_that_collide_change_nothing(query: list[int], tokens: list[int], least: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies._Grams, "_hashes", lambda grams, ids: np.zeros(max(len(ids) - least + 1, 0), np.uint64))
        lengths_N, _ = longest_copies(np.array(query, np.int64), np.array(tokens, np.uint8), least)
    assert lengths_N.tolist() == by_hand(query, tokens, least)


@pytest.mark.parametrize("least", [1, 2, 3, 7, 20, 64])
def test_grams_are_hashed_alike_wherever_they_stand_and_otherwise_hardly_ever(least: int) -> None:
    ids = np.random.default_rng(2).integers(0, 2, 3000)
    grams = copies._Grams(ids, least)
    hashes = grams._hashes(ids).tolist()
    words = [tuple(ids[i : i + least].tolist()) for i in range(len(ids) - least + 1)]
    assert len(hashes) == len(words)
    assert len(set(zip(words, hashes, strict=True))) == len(set(words)) == len(set(hashes))


def test_a_mapped_text_is_read_in_blocks_and_a_check_stops_it(tmp_path: Path) -> None:
    tokens = np.random.default_rng(3).integers(0, 200, 50_000).astype(np.uint16)
    tokens.tofile(tmp_path / "tokens")
    mapped = np.memmap(tmp_path / "tokens", np.uint16, "r")
    query_N = np.concatenate([tokens[40_000:40_050], tokens[9_990:10_020]]).astype(np.int64)
    told: list[tuple[int, int | None]] = []
    watch = Watch(lambda label, done, total: told.append((done, total)))
    lengths_N, starts_N = longest_copies(query_N, mapped, 10, watch, block=10_000)
    assert (lengths_N[49], starts_N[49]) == (50, 40_000)
    assert (lengths_N[79], starts_N[79]) == (30, 9_990), "across two blocks"
    assert told == [(n, 49_991) for n in range(0, 49_991, 10_000)]

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        longest_copies(query_N, mapped, 10, Watch(check=stop))


def test_what_is_repeated_all_the_time_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    sound = copies._Automaton.read

    def reading(self: copies._Automaton, tokens: np.ndarray, begin: int, end: int, block: int, watch: Watch) -> None:
        read.append(end - begin)
        sound(self, tokens, begin, end, block, watch)

    monkeypatch.setattr(copies._Automaton, "read", reading)
    line = np.array([5, 6, 7, 8, 9, 10])
    tokens = np.concatenate([np.append(line, 90 + n % 5) for n in range(1000)])
    lengths_N, starts_N = longest_copies(line, tokens, 4)
    assert (lengths_N[-1], starts_N[-1]) == (6, 0)
    assert read == [6]
