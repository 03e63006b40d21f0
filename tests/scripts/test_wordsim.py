"""The score of word vectors against human judgement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wordsim
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_spearman_is_that_of_scipy_with_ties(pairs: list[tuple[int, int]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    one, other = np.array(pairs, float).T
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert wordsim.spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-12)
    else:
        assert wordsim.spearman(one, other) == 0.0


def test_pairs_without_vectors_are_not_covered() -> None:
    angles = {"a": 0.0, "b": 0.1, "c": 0.5, "d": 1.2}
    vectors = {word: np.array([np.cos(angle), np.sin(angle)]) for word, angle in angles.items()}
    pairs = [("a", "b", 9.0), ("a", "c", 5.0), ("a", "d", 1.0), ("a", "none", 10.0)]
    result = wordsim.scored(vectors, pairs)
    assert result["spearman"] == 1.0
    assert (result["covered"], result["pairs"]) == (3, 4)


def test_texts_are_joined_without_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, _ in wordsim.TEXTS:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(f"{place}\tone, two\n\n{place}\tthree\n", encoding="utf-8")
    monkeypatch.setattr(wordsim, "DATA", tmp_path)
    wordsim.join(tmp_path / "out" / "texts.txt")
    lines = (tmp_path / "out/texts.txt").read_text().split("\n")
    assert lines.pop() == ""
    expected = []
    for place, separator in wordsim.TEXTS:
        expected += [f"{place}\tone, two", f"{place}\tthree"] if separator is None else []
    expected += ["one, two", "three", " two"]  # behind the tab of messages, behind the comma of films
    assert sorted(lines) == sorted(expected)
    assert lines != expected
    wordsim.join(tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text().split("\n")[:-1] == lines
