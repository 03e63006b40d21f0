"""Random numbers of the streams: functions of (seed, names), the same on every machine and in every process."""

from __future__ import annotations

import hashlib

import numpy as np


def uniforms(count: int, seed: int, *names: object) -> np.ndarray:
    """`count` numbers from [0, 1) that depend on the seed and the names alone."""
    text = "/".join(map(str, ("stream", seed, *names)))
    key = int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:16], "big")
    return np.random.Generator(np.random.PCG64(key)).random(count)
