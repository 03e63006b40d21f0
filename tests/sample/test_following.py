"""Features of a text, and the units that follow them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charrnn.sample.features import features, features_of
from charrnn.sample.following import _auc, _correlation, followers
from charrnn.text.vocabulary import Vocabulary


def marks(text: str, name: str) -> str:
    """A digit for each character."""
    return "".join(str(int(value)) for value in features(text)[name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "bc" d', "00111000"),
        ("“ab” c", "111000"),
        ('"a\nb"c', "111100"),
        ('"a\n\nb"c', "1110011"),
        ('"a\n  \nb', "1111100"),
    ],
)
def test_quotes(text: str, expected: str) -> None:
    assert marks(text, "inside quotes") == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("a(b[c]d)e", "011111100"), ("(a\n\nb", "11100"), (")a(b", "0011"), ("{a)b", "1100")]
)
def test_brackets(text: str, expected: str) -> None:
    assert marks(text, "inside brackets") == expected


def test_places_in_the_line() -> None:
    assert marks("ab\n\nc d\n", "position in the line") == "12001230"
    assert features("  a b\n\tc\n \td")["indentation"].tolist() == [1, 2, 2, 2, 2, 0, 8, 8, 0, 1, 8, 8]
    assert all(len(values) == 0 for values in features("").values())


def test_features_of_symbols_are_those_of_their_last_characters() -> None:
    words = Vocabulary("word", tuple(range(256)), tuple(sorted(["\n", " ", '"', "ab"])))
    ids = words.encode('ab "ab☃\nab').tolist()
    found = features_of(ids, words)
    # ab, space, quote, ab, three bytes of one character, line break, ab
    assert found["inside quotes"].tolist() == [False, False, *[True] * 7]
    assert found["position in the line"].tolist() == [2, 3, 4, 6, 7, 7, 7, 0, 2]
    assert features_of([], words)["indentation"].tolist() == []


@settings(max_examples=200)
@given(rows=st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=20))
def test_the_area_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    states = np.array([[state] for state, _ in rows], np.float32)
    has = np.array([has for _, has in rows])
    if has.all() or not has.any():
        return
    pairs = [(a, b) for a, x in rows if x for b, y in rows if not y]
    expected = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)
    assert _auc(states, has)[0] == pytest.approx(expected, abs=1e-12)


def test_the_correlation_is_pearsons() -> None:
    random = np.random.default_rng(1)
    states = random.normal(size=(50, 4)).astype(np.float32)
    states[:, 2] = 7.0
    values = random.normal(size=50)
    found = _correlation(states, values)
    for unit in (0, 1, 3):
        assert found[unit] == pytest.approx(np.corrcoef(states[:, unit], values)[0, 1], abs=1e-6)
    assert found[2] == 0.0


def test_the_best_unit_is_chosen_by_the_first_half_and_measured_on_the_second() -> None:
    random = np.random.default_rng(2)
    has = random.random(400) < 0.3
    position = np.arange(400) % 37.0
    traced = {"0.h": random.normal(size=(400, 5)), "0.c": random.normal(size=(400, 5))}
    traced["0.c"][:, 3] = -4.0 * has + random.normal(size=400)
    traced["0.h"][:200, 1] = np.where(has[:200], 1.0, -1.0)  # best where it is chosen, and chance afterwards
    traced["0.h"][:, 4] = -position
    found = followers(traced, {"has": has, "never": np.zeros(400, bool), "position": position})
    assert [(one.feature, one.measure, one.tensor, one.unit) for one in found] == [
        ("has", "auc", "0.h", 1),
        ("position", "correlation", "0.h", 4),
    ]
    assert found[0].chosen == 1.0
    assert 0.3 < found[0].value < 0.7
    assert found[1].value == pytest.approx(-1.0)
    traced["0.h"][:, 1] = 0.0
    falling = followers(traced, {"has": has})[0]
    assert (falling.tensor, falling.unit) == ("0.c", 3)
    assert falling.value < 0.05


def test_a_feature_that_changes_in_one_half_only_is_left_out() -> None:
    values = np.array([True, False, True, False, False, False])
    assert followers({"0.h": np.arange(6.0)[:, None]}, {"x": values}) == []
    assert followers({"0.h": np.zeros((1, 2))}, {"x": values[:1]}) == []
