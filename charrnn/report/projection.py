"""Vectors brought to two dimensions, and how far the neighbourhoods survive that.

Shapes: N points, D factors, M points that are looked at.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from charrnn.errors import MissingExtraError

NEIGHBOURS = 12
"""How many neighbours of a point are looked at, where there are enough points."""

_MOST_POINTS = 2000
_PERPLEXITY = 30.0


@dataclass(frozen=True)
class Projection:
    """Points in the plane.

    Attributes:
        method: `pca` or `tsne`.
        points_N2: where they lie.
        figures: what the method says of itself: the share of the variance, or perplexity and divergence.
        trustworthiness: 1 where every neighbour in the plane is one in space; about 0.5 where the plane is chance.
        continuity: 1 where every neighbour in space is one in the plane.
        neighbours: how many of each point were looked at.
        looked_at: how many points these two are measured over.
    """

    method: str
    points_N2: np.ndarray
    figures: dict[str, float]
    trustworthiness: float
    continuity: float
    neighbours: int
    looked_at: int


def check_method(method: str) -> None:
    """Refuse a method whose package is not there, before the work.

    Raises:
        MissingExtraError: it is t-SNE, and scikit-learn is not installed.
    """
    if method == "tsne" and importlib.util.find_spec("sklearn") is None:
        raise MissingExtraError(
            "scikit-learn is not installed, and it computes t-SNE",
            hint="pip install 'charrnn[labels]', or take --method pca",
        )


def project(vectors_ND: np.ndarray, method: str, seed: int) -> Projection:
    """Bring vectors into the plane.

    Args:
        vectors_ND: at least three.
        method: `pca`, or `tsne` (van der Maaten and Hinton 2008), which begins with the PCA.
        seed: for t-SNE, and for the choice of points that are looked at where there are more than 2,000.

    Raises:
        MissingExtraError: scikit-learn is needed and not installed.
    """
    check_method(method)
    points_N2, figures = pca(vectors_ND) if method == "pca" else _tsne(vectors_ND, seed)
    chosen_M = np.arange(len(vectors_ND))
    if len(chosen_M) > _MOST_POINTS:
        chosen_M = np.sort(np.random.default_rng(seed).choice(len(vectors_ND), _MOST_POINTS, replace=False))
    neighbours = min(NEIGHBOURS, (len(chosen_M) - 1) // 2)
    trust, continuity = faithfulness(vectors_ND[chosen_M], points_N2[chosen_M], neighbours)
    return Projection(method, points_N2, figures, trust, continuity, neighbours, len(chosen_M))


def pca(vectors_ND: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """The scores on the two directions of most variance, the greatest loading of each positive; and their share."""
    centred_ND = vectors_ND.astype(np.float64) - vectors_ND.mean(axis=0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(centred_ND, full_matrices=False)
    axes_2D = np.zeros((2, vectors_ND.shape[1]))  # a single factor leaves the second axis at zero
    axes_2D[: min(2, len(directions))] = directions[:2]
    largest = axes_2D[np.arange(2), np.abs(axes_2D).argmax(axis=1)]
    axes_2D *= np.where(largest < 0.0, -1.0, 1.0)[:, None]
    total = float((sizes**2).sum())
    return centred_ND @ axes_2D.T, {"variance": float((sizes[:2] ** 2).sum()) / total if total else 0.0}


def _tsne(vectors_ND: np.ndarray, seed: int) -> tuple[np.ndarray, dict[str, float]]:
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, (len(vectors_ND) - 1) / 3.0)
    begin_N2, _ = pca(vectors_ND)
    begin_N2 = begin_N2 / max(float(begin_N2[:, 0].std()), 1e-12) * 1e-4
    method = TSNE(perplexity=perplexity, init=begin_N2.astype(np.float32), random_state=seed % 2**32)
    points_N2 = np.asarray(method.fit_transform(vectors_ND.astype(np.float32)))
    return points_N2, {"perplexity": perplexity, "divergence": float(method.kl_divergence_)}


def faithfulness(space_ND: np.ndarray, plane_N2: np.ndarray, neighbours: int) -> tuple[float, float]:
    """Trustworthiness and continuity (Venna and Kaski 2001).

    For trustworthiness, every point that is among the k nearest in the plane and not in space costs how far beyond k
    its rank in space lies; for continuity the other way about. Distances are Euclidean.

    Args:
        space_ND: the points as they are.
        plane_N2: as they are drawn.
        neighbours: k; less than N / 2.

    Raises:
        ValueError: k is too large for the formula, or less than 1.
    """
    count = len(space_ND)
    if not 1 <= neighbours < count / 2:
        raise ValueError(f"{neighbours} neighbours of {count} points: there must be 1 or more, and less than half")
    space_NN, plane_NN = _ranks(space_ND), _ranks(plane_N2)
    scale = 2.0 / (count * neighbours * (2.0 * count - 3.0 * neighbours - 1.0))

    def kept(in_one: np.ndarray, in_other: np.ndarray) -> float:
        intruders = (in_one <= neighbours) & (in_other > neighbours)
        return 1.0 - scale * float((in_other - neighbours)[intruders].sum())

    return kept(plane_NN, space_NN), kept(space_NN, plane_NN)


def _ranks(points_ND: np.ndarray) -> np.ndarray:
    """For each point, the rank of every other by distance, from 1; its own is 0."""
    points = points_ND.astype(np.float64)
    squares = (points**2).sum(axis=1)
    distance_NN = squares[:, None] + squares - 2.0 * points @ points.T
    np.fill_diagonal(distance_NN, -np.inf)
    order_NN = distance_NN.argsort(axis=1, kind="stable")
    ranks_NN = np.empty_like(order_NN)
    np.put_along_axis(ranks_NN, order_NN, np.arange(len(points))[None, :], 1)
    return ranks_NN
