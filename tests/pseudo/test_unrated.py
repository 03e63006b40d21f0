from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charrnn.pseudo.rate import closest
from charrnn.pseudo.unrated import draw_unrated

USERS, ITEMS = np.array([0, 2, 3, 7]), np.array([1, 2, 5])
Codes = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 6)), max_size=60)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


@given(Codes, Codes, st.integers(1, 20), st.integers(0, 5))
def test_pairs_are_distinct_unrated_and_of_the_given_users_and_items(
    one: list[tuple[int, int]], other: list[tuple[int, int]], count: int, seed: int
) -> None:
    found = draw_unrated(USERS, ITEMS, [arrays(one), arrays(other)], count, seed)
    drawn = list(zip(found.users_N.tolist(), found.items_N.tolist(), strict=True))
    free = sorted({(u, i) for u in USERS.tolist() for i in ITEMS.tolist()} - {*one, *other})
    assert found.of == len(free)
    assert len(drawn) == len(found) == min(count, len(free))
    assert sorted(set(drawn)) == sorted(drawn)
    assert all(pair in free for pair in drawn)


def test_every_pair_is_as_likely_as_any_other() -> None:
    """3 of the 11 free pairs, 2,000 times: each is expected 545 times, with a deviation of 20."""
    counts = np.zeros((8, 6), np.int64)
    for seed in range(2000):
        found = draw_unrated(USERS, ITEMS, [arrays([(2, 5)])], 3, seed)
        counts[found.users_N, found.items_N] += 1
    drawn = counts[counts > 0]
    assert len(drawn) == 11
    assert counts[2, 5] == 0
    assert np.abs(drawn - 2000 * 3 / 11).max() < 5 * 20


def test_the_draw_is_a_function_of_the_seed_and_goes_on_beyond_a_block() -> None:
    users, items = np.arange(300), np.arange(400)
    rated = [arrays([(u, i) for u in range(300) for i in range(0, 400, 2)])]
    found = [draw_unrated(users, items, rated, 59_000, seed) for seed in (1, 1, 2)]
    assert found[0].of == 300 * 200
    assert len(found[0]) == 59_000
    assert len(np.unique(found[0].users_N * 400 + found[0].items_N)) == 59_000
    np.testing.assert_array_equal(found[0].users_N, found[1].users_N)
    np.testing.assert_array_equal(found[0].items_N, found[1].items_N)
    assert (found[0].items_N % 2 == 1).all()
    assert (found[0].items_N != found[2].items_N).mean() > 0.9
    fewer = draw_unrated(users, items, rated, 10, 1)
    np.testing.assert_array_equal(fewer.users_N, found[0].users_N[:10])


def test_the_closest_pairs_stay_in_their_own_order() -> None:
    spread_N = np.array([0.3, 0.1, 0.2, 0.1, 0.0])
    passed_N = np.array([True, True, True, True, False])
    assert closest(spread_N, passed_N, None).tolist() == [0, 1, 2, 3]
    assert closest(spread_N, passed_N, 3).tolist() == [1, 2, 3]
    assert closest(spread_N, passed_N, 1).tolist() == [1]
