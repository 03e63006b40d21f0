"""How much every symbol of a text surprises a model: minus the logarithm of the probability that it was given.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

import numpy as np


def nats(logits_BV: np.ndarray, ids_B: np.ndarray) -> np.ndarray:
    """The cross-entropy of one symbol per row, (B,) in float64; infinite where the scores leave it no chance."""
    nats_B: np.ndarray = log_sum(logits_BV) - logits_BV[np.arange(len(ids_B)), ids_B].astype(np.float64)
    return nats_B


def log_sum(logits_BV: np.ndarray) -> np.ndarray:
    """The logarithm of the sum of exponentials over V, (B,) in float64."""
    scores_BV = logits_BV.astype(np.float64)
    highest_B: np.ndarray = scores_BV.max(axis=1)
    log_B: np.ndarray = highest_B + np.log(np.exp(scores_BV - highest_B[:, None]).sum(axis=1))
    return log_B
