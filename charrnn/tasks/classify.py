"""The task `classify`: one label for each sequence.

Shapes: B rows (items), C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from charrnn.config.schema import ClassifyConfig
from charrnn.contracts import Loss
from charrnn.corpus.allot import PARTS
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.models.classifier import Classifier
from charrnn.models.core import Draws, State, generator_for
from charrnn.stream.items import ItemStream, MixPlan, OncePlan, Part
from charrnn.stream.sequences import SequenceBatch, Sequences, filling
from charrnn.tasks.confusion import Confusion


class ClassifyTask:
    """A classifier of sequences over a prepared, labelled corpus.

    Args:
        config: the whole config.
        corpus: its corpus.
        mixed: sources that share every batch of training with the labelled items: for each name its sequences, how
            many rows are its, and how much a row counts.
    """

    figure = "nats"

    def __init__(
        self,
        config: ClassifyConfig,
        corpus: LabelledCorpus,
        mixed: Mapping[str, tuple[Sequences, int, float]] | None = None,
    ) -> None:
        self.config = config
        self.corpus = corpus
        self.mixed = mixed or {}

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> ItemStream | None:
        """The labelled items of a split, those of `train` mixed with the other sources; None where there are none."""
        own = self.sequences(split)
        if len(own) == 0:
            return None
        batch = self.config.stream.batch
        if split != "train":
            return ItemStream(OncePlan(len(own), batch), filling({split: own}), self._longest)
        sources = {"train": own} | {name: source for name, (source, _, _) in self.mixed.items()}
        parts = [Part("train", len(own), batch - sum(rows for _, rows, _ in self.mixed.values()))]
        parts += [Part(name, len(source), rows, weight) for name, (source, rows, weight) in self.mixed.items()]
        return ItemStream(MixPlan(tuple(parts), self.config.train.seed), filling(sources), self._longest)

    def sequences(self, split: str) -> Sequences:
        """The items of `train`, `unlabelled`, `valid` or `test`."""
        part = self.corpus.split(split)
        if part.features is None:
            return Sequences(part.items, part.offsets, part.labels)
        assert self.corpus.highest is not None, "pictures have a highest value"
        steps, offsets = part.items.reshape(-1, part.features), part.offsets // part.features
        return Sequences(steps, offsets, part.labels, self.corpus.highest)

    @cached_property
    def _longest(self) -> int:
        return max(self.corpus.split(name).steps for name in PARTS)

    def model(self) -> nn.Module:
        """A model with fresh weights, on the CPU."""
        train, generator = self.config.train, generator_for(self.config.train.seed, "initial weights")
        model = Classifier(self.config.model, self.corpus.inputs, len(self.corpus.labels), generator)
        return model.double() if train.precision == "fp64" else model

    def initial_state(self, model: nn.Module, rows: int) -> State:
        """Nothing is carried from batch to batch."""
        return {}

    def loss(self, model: nn.Module, batch: SequenceBatch, state: State, draws: Draws | None = None) -> Loss:
        """Cross-entropy in nats; what sources other than the labelled items add is a part of its own, by name."""
        logits_BC = model(batch.x, batch.length_B, draws)
        targets = batch.y_B if batch.soft_BC is None else batch.soft_BC.to(logits_BC.dtype)
        nats_B = F.cross_entropy(logits_BC, targets, reduction="none") * batch.weight_B
        own = slice(0, min((share.start for share in batch.shares.values()), default=batch.rows))
        parts = {name: nats_B[share].sum() for name, share in batch.shares.items()}
        count = torch.tensor(own.stop, device=nats_B.device)
        if draws is not None and self.config.train.label_smoothing:
            spread_B = -logits_BC[own].log_softmax(-1).mean(-1)
            parts["label_smoothing"] = self.config.train.label_smoothing * (spread_B - nats_B[own]).sum()
        return Loss(nats_B[own], count, parts, {}, logits_BC.detach())

    def meter(self, stream: ItemStream, cold: bool) -> Confusion:
        """Accuracy, F1, confusion, calibration."""
        return Confusion(len(self.corpus.labels))

    def metrics(self, mean: float, split: str) -> dict[str, float]:
        """Nats per item."""
        return {"nats": mean}

    def speed(self, targets_per_second: float, split: str) -> dict[str, float]:
        """Items per second, the labelled ones."""
        return {"items_per_second": targets_per_second}

    def sizes(self) -> dict[str, int]:
        """Symbols, or values per step; labels."""
        return {"inputs": self.corpus.inputs, "labels": len(self.corpus.labels)}

    def remarks(self, split: str) -> tuple[str, ...]:
        """Nothing but what was told when the corpus was made."""
        return ()

    def documents(self) -> dict[str, Any]:
        """The labels, and the vocabulary of texts."""
        vocabulary = self.corpus.vocabulary
        own = {} if vocabulary is None else {"vocabulary": vocabulary.to_json()}
        return {"labels": list(self.corpus.labels), **own}
