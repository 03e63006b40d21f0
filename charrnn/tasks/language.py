"""The language model: predict the next symbol.

Shapes: B rows (lanes), T steps, V vocabulary.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from charrnn.config.schema import Config
from charrnn.contracts import Batch, Loss
from charrnn.corpus.tokens import TokenCorpus
from charrnn.models.build import build_model
from charrnn.models.core import Draws, State
from charrnn.stream.gather import LaneStream
from charrnn.stream.lanes import LanePlan, auto_lanes


class LanguageTask:
    """A character, byte or word model over a prepared corpus.

    Args:
        config: the whole config.
        corpus: its corpus.
    """

    def __init__(self, config: Config, corpus: TokenCorpus) -> None:
        self.config = config
        self.corpus = corpus
        self.vocabulary = corpus.vocabulary

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> LaneStream | None:
        """Training lanes for `train`, evaluation lanes for the other splits; None where the split is empty.

        Evaluation never fails for want of text: a short split is read by fewer lanes. `cut` is the lanes and the
        chunk to read any split by, in place of the config's.
        """
        tokens = self.corpus.split(split).tokens
        if len(tokens) == 0:
            return None
        if cut is not None:
            lanes, chunk = min(cut[0], len(tokens)), cut[1]
        elif split == "train":
            wanted, chunk = self.config.stream.lanes, self.config.stream.chunk
            lanes = auto_lanes(len(tokens), chunk) if wanted == "auto" else wanted
        else:
            lanes, chunk = min(self.config.evaluate.lanes, len(tokens)), self.config.evaluate.chunk
        return LaneStream(tokens, LanePlan(len(tokens), lanes, chunk))

    def model(self) -> nn.Module:
        """A model with fresh weights, on the CPU."""
        train = self.config.train
        dtype = torch.float64 if train.precision == "fp64" else torch.float32
        return build_model(self.config.model, self.vocabulary.size, train.seed, dtype)

    def initial_state(self, model: nn.Module, rows: int) -> State:
        """The network's own."""
        return model.initial_state(rows)

    def loss(self, model: nn.Module, batch: Batch, state: State, draws: Draws | None = None) -> Loss:
        """Cross-entropy of every target that counts, in nats; targets stay symbols, never one-hot."""
        logits_BTV, after = model(batch.x_BT, state, batch.mask_BT, draws)
        nats_N = F.cross_entropy(logits_BTV.flatten(0, 1), batch.y_BT.flatten(), reduction="none")
        nats_BT = nats_N.view(batch.y_BT.shape) * batch.mask_BT
        return Loss(nats_BT, batch.mask_BT.sum(), {}, after)

    def metrics(self, nats: float, split: str) -> dict[str, float]:
        """Bits per character and per UTF-8 byte of the text, and perplexity per token."""
        part = self.corpus.split(split)
        bits = nats / math.log(2.0) * len(part.tokens)
        return {
            "nats": nats,
            "bits_per_char": bits / part.characters,
            "bits_per_byte": bits / part.bytes,
            "perplexity": math.exp(min(nats, 700.0)),
        }

    def speed(self, tokens_per_second: float, split: str) -> dict[str, float]:
        """Characters per second."""
        part = self.corpus.split(split)
        return {"chars_per_second": tokens_per_second * part.characters / len(part.tokens)}
