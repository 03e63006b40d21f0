"""A small recurrent model with random weights, and vocabularies to go with it."""

from __future__ import annotations

import numpy as np

from charrnn.scratch.cells import State
from charrnn.text.vocabulary import Vocabulary


class Small:
    """Steps as a trained network does; `steps` counts them, rows and all."""

    def __init__(self, vocabulary: Vocabulary, hidden: int = 5, seed: int = 3, scale: float = 1.0) -> None:
        size = vocabulary.size
        random = np.random.default_rng(seed)
        self.in_VH, self.hidden_HH, self.out_HV = (
            random.normal(size=shape) for shape in ((size, hidden), (hidden, hidden), (hidden, size))
        )
        self.out_HV *= scale
        self.hidden = hidden
        self.rows: list[int] = []

    def initial_state(self, batch: int) -> State:
        return {"h": np.zeros((batch, self.hidden))}

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        self.rows.append(len(ids_B))
        h_BH = np.tanh(self.in_VH[ids_B] + state["h"] @ self.hidden_HH)
        return h_BH @ self.out_HV, {"h": h_BH}


def shares_after(model: Small, ids: list[int]) -> np.ndarray:
    """The probabilities of the next symbol after `<start>` and these."""
    state = model.initial_state(1)
    for id_ in [Vocabulary.START, *ids]:
        logits_BV, state = model.step(np.array([id_]), state)
    shares_V: np.ndarray = np.exp(logits_BV[0]) / np.exp(logits_BV[0]).sum()
    return shares_V


def letters(symbols: str) -> Vocabulary:
    """Characters and nothing else."""
    return Vocabulary("char", (), tuple(sorted(symbols)))
