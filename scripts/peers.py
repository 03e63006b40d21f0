"""The programs that charrnn is timed against, written as their users write them, on the same weights as ours.

Shapes: V vocabulary; one row, one step at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

START = 0
TENSORS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class PlainTorch:
    """`torch.nn.LSTM` or `torch.nn.GRU`, called with one character at a time, its state carried.

    Args:
        kind: `lstm` or `gru`.
        arrays: the tensors of a checkpoint's group `model`: an embedding, the layers, an output layer.
        onednn: whether PyTorch may leave an LSTM to oneDNN, as it does by itself; that lays the matrices out anew at
            every call, which pays over many characters only.
    """

    def __init__(self, kind: str, arrays: dict[str, np.ndarray], onednn: bool = True) -> None:
        weights = {name: torch.tensor(array) for name, array in arrays.items()}
        (vocabulary, embedding), hidden = weights["input.table"].shape, weights["head.output.weight"].shape[1]
        layers = sum(name.endswith(".weight_hh") for name in weights)
        self.embedding = torch.nn.Embedding(vocabulary, embedding)
        self.core = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](embedding, hidden, layers, batch_first=True)
        self.output = torch.nn.Linear(hidden, vocabulary)
        self.embedding.load_state_dict({"weight": weights["input.table"]})
        self.core.load_state_dict({f"{t}_l{i}": weights[f"layers.{i}.{t}"] for i in range(layers) for t in TENSORS})
        self.output.load_state_dict({t: weights[f"head.output.{t}"] for t in ("weight", "bias")})
        self.onednn = onednn

    def step(self, symbol_11: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The scores of the next symbol, logits_V, and the state after."""
        y_11H, state = self.core(self.embedding(symbol_11), state)
        return self.output(y_11H)[0, 0], state

    @torch.no_grad()
    def write(self, length: int, temperature: float) -> list[int]:
        """`length` symbols, drawn one after the other."""
        symbol_11, state, drawn = torch.tensor([[START]]), None, []
        with self.kernels():
            for _ in range(length):
                logits_V, state = self.step(symbol_11, state)
                symbol_11 = torch.multinomial(torch.softmax(logits_V / temperature, 0), 1)[None]
                drawn.append(symbol_11.item())
        return drawn

    @torch.no_grad()
    def logits(self, symbols: list[int]) -> np.ndarray:
        """The scores after each of the given symbols, one step at a time: (T, V)."""
        state, rows = None, []
        with self.kernels():
            for symbol in symbols:
                logits_V, state = self.step(torch.tensor([[symbol]]), state)
                rows.append(logits_V.numpy())
        return np.stack(rows)

    @contextmanager
    def kernels(self) -> Iterator[None]:
        """Inside the block PyTorch uses oneDNN, or does not."""
        torch.backends.mkldnn.enabled = self.onednn
        try:
            yield
        finally:
            torch.backends.mkldnn.enabled = True
