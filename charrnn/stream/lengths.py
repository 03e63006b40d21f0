"""Where the chunks of an epoch begin: the same number in every epoch, whatever their lengths."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from charrnn.config.schema.stream import Lengths, RandomLengths
from charrnn.stream.chance import uniforms


def chunk_count(lengths: Lengths, chunk: int, lane: int, seed: int) -> int:
    """How many chunks the longest lane of an epoch has, `lane` tokens long."""
    return len(_drawn(lengths, chunk, lane, seed)) if isinstance(lengths, RandomLengths) else -(-lane // chunk)


@lru_cache(maxsize=4)
def chunk_edges(lengths: Lengths, chunk: int, lane: int, seed: int, epoch: int) -> np.ndarray:
    """Where each chunk of one epoch begins within its lane, and where the last one ends.

    Random lengths are drawn once and shuffled for every epoch, so that all epochs have equally many updates.
    """
    if not isinstance(lengths, RandomLengths):
        return np.arange(chunk_count(lengths, chunk, lane, seed) + 1) * chunk
    drawn = _drawn(lengths, chunk, lane, seed)
    shuffled: np.ndarray = drawn[np.argsort(uniforms(len(drawn), seed, "order of chunks", epoch), kind="stable")]
    return np.concatenate([[0], np.cumsum(shuffled)])


@lru_cache(maxsize=4)
def _drawn(lengths: RandomLengths, chunk: int, lane: int, seed: int) -> np.ndarray:
    """Chunk lengths that sum to the length of the lane; the last one drawn is cut to fit."""
    most = -(-lane // min(lengths.least, lane))
    halved, radius, angle = uniforms(3 * most, seed, "lengths of chunks").reshape(3, most)
    normal = np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2.0 * np.pi * angle)  # Box and Muller 1958
    mean = np.where(halved < lengths.halve, chunk / 2, chunk)
    drawn: np.ndarray = np.maximum(np.rint(mean + lengths.spread * normal).astype(np.int64), lengths.least)
    ends: np.ndarray = np.cumsum(drawn)
    count = int(np.searchsorted(ends, lane)) + 1
    drawn = drawn[:count]
    drawn[-1] -= int(ends[count - 1]) - lane
    return drawn
