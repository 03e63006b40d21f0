"""The programs that charrnn is timed against, written as their users write them, on the same weights as ours.

Shapes: B texts, H hidden units, V vocabulary; one step at a time.
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
    """`torch.nn.LSTM` or `torch.nn.GRU`, called with one character of each text at a time, its state carried.

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

    def step(self, symbol_B1: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The scores of the next symbols, logits_BV, and the state after."""
        y_B1H, state = self.core(self.embedding(symbol_B1), state)
        return self.output(y_B1H)[:, 0], state

    def to(self, device: str) -> None:
        """Compute on another device from now on."""
        for part in (self.embedding, self.core, self.output):
            part.to(device)

    @torch.no_grad()
    def write(self, texts: int, length: int, temperature: float) -> list[list[int]]:
        """Texts of `length` symbols, drawn one after the other; whoever shows a text needs each as soon as it is
        drawn."""
        symbol_B1, state = torch.full((texts, 1), START, device=self.output.weight.device), None
        drawn: list[list[int]] = [[] for _ in range(texts)]
        with self.kernels():
            for _ in range(length):
                logits_BV, state = self.step(symbol_B1, state)
                symbol_B1 = torch.multinomial(torch.softmax(logits_BV / temperature, 1), 1)
                for text, symbol in zip(drawn, symbol_B1[:, 0].tolist(), strict=True):
                    text.append(symbol)
        return drawn

    @torch.no_grad()
    def logits(self, symbols: list[int]) -> np.ndarray:
        """The scores after each of the given symbols, one step at a time: (T, V)."""
        state, rows = None, []
        with self.kernels():
            for symbol in symbols:
                logits_BV, state = self.step(torch.tensor([[symbol]]), state)
                rows.append(logits_BV[0].numpy())
        return np.stack(rows)

    @contextmanager
    def kernels(self) -> Iterator[None]:
        """Inside the block PyTorch uses oneDNN, or does not."""
        torch.backends.mkldnn.enabled = self.onednn
        try:
            yield
        finally:
            torch.backends.mkldnn.enabled = True
