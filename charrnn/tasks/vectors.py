"""Word vectors: a word predicts its context, or the context the word, among noise.

Shapes: B rows (passages), T columns, V vocabulary.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from charrnn.config.schema import VectorsConfig
from charrnn.contracts import Loss
from charrnn.corpus.tokens import TokenCorpus
from charrnn.corpus.words import words_of
from charrnn.errors import DataError
from charrnn.models.core import Draws, State, generator_for
from charrnn.models.vectors import WordVectors
from charrnn.stream.contexts import ContextBatch, ContextStream

_EVALUATION_SEED = 0


class VectorsTask:
    """Vectors for the words of a prepared corpus.

    Args:
        config: the whole config.
        corpus: its corpus.

    Raises:
        DataError: the training split has less than two words.
    """

    figure = "nats"

    def __init__(self, config: VectorsConfig, corpus: TokenCorpus) -> None:
        self.config = config
        self.corpus = corpus
        self.vocabulary = corpus.vocabulary
        if self.counts_V.sum() < 2:
            raise DataError(
                "the training split has no two words",
                where=corpus.folder,
                why="of unit `word`, spaces and punctuation are passed over",
            )

    @cached_property
    def counts_V(self) -> np.ndarray:
        """How often the training split has each word."""
        words = words_of(self.corpus.split("train"), self.vocabulary)
        return np.bincount(words.ids_N, minlength=self.vocabulary.size)

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> ContextStream | None:
        """Contexts of `train` in another order in every epoch; of the other splits in order, with draws and noise that
        are the same for every run, so that its figures can be compared. None where a split has less than two words that
        are known. There is nothing to `cut`."""
        words = words_of(self.corpus.split(split), self.vocabulary).known(self.counts_V)
        if len(words.ids_N) < 2:
            return None
        training = split == "train"
        model, seed = self.config.model, self.config.train.seed if training else _EVALUATION_SEED
        return ContextStream(words, self.counts_V, self.config.stream, model.noise, model.power, seed, training)

    def model(self) -> nn.Module:
        """A model with fresh vectors, on the CPU; drawn in fp32 and then converted."""
        train = self.config.train
        generator = generator_for(train.seed, "initial weights")
        model = WordVectors(
            self.config.model, torch.from_numpy(self.counts_V > 0), self.config.stream.window, generator
        )
        return model.to(torch.float64 if train.precision == "fp64" else torch.float32)

    def initial_state(self, model: nn.Module, rows: int) -> State:
        """Nothing is carried on."""
        return {}

    def loss(self, model: nn.Module, batch: ContextBatch, state: State, draws: Draws | None = None) -> Loss:
        """The loss of every word over its pairs; the targets that are counted are the pairs. Subsampling may leave none
        at all."""
        nats_BT, pairs_BT = model(batch.ids_BT, batch.reach_BT, batch.document_BT, batch.noise_K)
        return Loss(nats_BT, pairs_BT.sum(), {}, {})

    def meter(self, stream: ContextStream, cold: bool) -> _Nothing:
        """The loss is all there is to tell."""
        return _Nothing()

    def metrics(self, mean: float, split: str) -> dict[str, float]:
        """Nats per pair, noise included."""
        return {"nats": mean}

    def speed(self, targets_per_second: float, split: str) -> dict[str, float]:
        """Pairs per second."""
        return {"pairs_per_second": targets_per_second}

    def sizes(self) -> dict[str, int]:
        """The symbols, and the words among them that are learned."""
        return {"vocabulary": self.vocabulary.size, "words": int((self.counts_V > 0).sum())}

    def remarks(self, split: str) -> tuple[str, ...]:
        """Nothing needs to be known of a text."""
        return ()

    def documents(self) -> dict[str, Any]:
        """The vocabulary."""
        return {"vocabulary": self.vocabulary.to_json()}


class _Nothing:
    def add(self, batch: ContextBatch, loss: Loss) -> None:
        """Nothing to take into account."""

    def figures(self) -> dict[str, Any]:
        """Nothing to tell."""
        return {}
