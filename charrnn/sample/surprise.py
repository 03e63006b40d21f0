"""How much every symbol of a text surprises a model: minus the logarithm of the probability that it was given.

Shapes: B rows, N symbols of a block, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from charrnn.sample.decode import Stepper
from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check, no_check


def surprises(model: Stepper, blocks: Iterable[np.ndarray], check: Check = no_check) -> Iterator[np.ndarray]:
    """The surprise of each symbol in nats, block by block; the state is carried from one block to the next.

    Args:
        model: the model; it begins with `<start>`, as training did.
        blocks: the symbols of one text, or of several of equal length side by side: (N,) or (B, N).
        check: called before every step; it may raise to stop.

    Yields:
        For each block the nats of its symbols, in float64, of its shape.
    """
    logits_BV: np.ndarray = np.empty(0)
    state: State | None = None
    for block in blocks:
        ids_BN = block[None] if block.ndim == 1 else block
        nats_BN = np.empty(ids_BN.shape)
        if state is None:
            start_B = np.full(len(ids_BN), Vocabulary.START)
            logits_BV, state = model.step(start_B, model.initial_state(len(ids_BN)))
        for n, ids_B in enumerate(ids_BN.T):
            check()
            nats_BN[:, n] = nats(logits_BV, ids_B)
            logits_BV, state = model.step(ids_B, state)
        yield nats_BN[0] if block.ndim == 1 else nats_BN


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
