"""Maps of vectors: the projections, and what is told of them, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import MissingExtraError
from charrnn.report import projection
from charrnn.report.projection import check_method, faithfulness, pca, project


def cloud(count: int, factors: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, factors)) * np.arange(1, factors + 1)


@given(st.integers(5, 40), st.integers(2, 6), st.integers(0, 9), st.data())
def test_trustworthiness_is_that_of_scikit_learn_and_continuity_the_other_way_about(
    count: int, factors: int, seed: int, data: st.DataObject
) -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    space, plane = cloud(count, factors, seed), cloud(count, 2, seed + 1)
    k = data.draw(st.integers(1, (count - 1) // 2))
    expected = [manifold.trustworthiness(*pair, n_neighbors=k) for pair in ((space, plane), (plane, space))]
    assert faithfulness(space, plane, k) == pytest.approx(expected, abs=1e-12)


def test_a_map_of_what_is_flat_is_faithful() -> None:
    flat = cloud(30, 2)
    turned = flat @ np.linalg.qr(cloud(2, 2))[0] @ np.eye(2, 7)
    assert faithfulness(turned, flat, 5) == (1.0, 1.0)


@pytest.mark.parametrize("k", [0, 5, 6])
def test_the_formula_ends_at_half_of_the_points(k: int) -> None:
    with pytest.raises(ValueError, match="less than half"):
        faithfulness(cloud(10, 3), cloud(10, 2), k)


def test_pca_finds_the_directions_of_most_variance() -> None:
    points = cloud(200, 5)
    scores, figures = pca(points)
    covariance = np.cov(points.T)
    values, vectors = np.linalg.eigh(covariance)
    np.testing.assert_allclose(scores.var(axis=0, ddof=1), values[::-1][:2])
    assert figures["variance"] == pytest.approx(values[::-1][:2].sum() / values.sum())
    expected = (points - points.mean(0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(pca(points[:, ::-1])[0], scores, atol=1e-9, err_msg="the signs are no matter of chance")


def test_a_single_factor_makes_a_line() -> None:
    scores, figures = pca(np.array([[1.0], [2.0], [6.0]]))
    np.testing.assert_allclose(scores, [[-2, 0], [-1, 0], [3, 0]])
    assert figures == {"variance": 1.0}


def test_tsne_keeps_groups_together_and_is_a_function_of_the_seed() -> None:
    pytest.importorskip("sklearn")
    groups = np.repeat(np.eye(3) * 50, 10, axis=0) + cloud(30, 3)
    one, again = project(groups, "tsne", 1), project(groups, "tsne", 1)
    np.testing.assert_array_equal(one.points_N2, again.points_N2)
    assert one.trustworthiness > 0.9
    assert one.continuity > 0.9
    assert (one.neighbours, one.looked_at) == (12, 30)
    assert set(one.figures) == {"perplexity", "divergence"}


def test_of_many_points_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "_MOST_POINTS", 40)
    points = cloud(90, 4)
    one, other = project(points, "pca", 1), project(points, "pca", 2)
    assert (one.looked_at, one.neighbours, len(one.points_N2)) == (40, 12, 90)
    assert one.trustworthiness != other.trustworthiness
    assert one.trustworthiness == project(points, "pca", 1).trustworthiness


def test_without_scikit_learn_there_is_pca(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    check_method("pca")
    with pytest.raises(MissingExtraError, match="scikit-learn is not installed"):
        check_method("tsne")
