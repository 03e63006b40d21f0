"""Random numbers of the streams: functions of (seed, names), the same on every machine and in every process."""

from __future__ import annotations

import hashlib

import numpy as np

_ROUNDS = 8


def uniforms(count: int, seed: int, *names: object) -> np.ndarray:
    """`count` numbers from [0, 1) that depend on the seed and the names alone."""
    return _generator(seed, *names).random(count)


def shuffled(places: np.ndarray, count: int, seed: int, *names: object) -> np.ndarray:
    """What comes to lie at some `places` when 0 … `count` - 1 are shuffled; it depends on the seed and the names alone.

    A Feistel network permutes the numbers of an even count of bits, and is walked on until it is back below `count`
    (Black and Rogaway 2002): no array of the size of `count` is made, however long the text.

    Args:
        places: whole numbers from 0 to `count` - 1, of any number and in any order.
        count: how many are shuffled.
        seed: the seed.
        names: tell this order from all others.
    """
    bits = np.uint64(max(1, ((count - 1).bit_length() + 1) // 2))
    keys = _generator(seed, *names).integers(0, 2**64, _ROUNDS, np.uint64)
    found = _feistel(places.astype(np.uint64), bits, keys)
    while (outside := found >= count).any():
        found[outside] = _feistel(found[outside], bits, keys)
    return found.astype(np.int64)


def _feistel(numbers: np.ndarray, bits: np.uint64, keys: np.ndarray) -> np.ndarray:
    """A permutation of the numbers below 4^bits: each key mixes one half of the bits into the other."""
    low = (np.uint64(1) << bits) - np.uint64(1)
    left, right = numbers >> bits, numbers & low
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & low)
    return (left << bits) | right


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Every bit out depends on every bit in: the last step of SplitMix64 (Steele, Lea, Flood 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = numbers ^ (numbers >> np.uint64(31))
    return mixed


def _generator(seed: int, *names: object) -> np.random.Generator:
    text = "/".join(map(str, ("stream", seed, *names)))
    key = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(key))
