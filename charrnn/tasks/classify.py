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
from charrnn.config.schema.mix import SplitPart
from charrnn.contracts import Loss
from charrnn.corpus.allot import PARTS
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.models.classifier import Classifier
from charrnn.models.core import Draws, State, generator_for
from charrnn.stream.items import ItemStream, MixPlan, OncePlan, Part
from charrnn.stream.sequences import SequenceBatch, Sequences, filling
from charrnn.tasks.confusion import Confusion
from charrnn.tasks.mixed import Mixed
from charrnn.tasks.mixed_items import mixed_items, sequences_of


class ClassifyTask:
    """A classifier of sequences over a prepared, labelled corpus.

    Args:
        config: the whole config.
        corpus: its corpus.
    """

    figure = "nats"

    def __init__(self, config: ClassifyConfig, corpus: LabelledCorpus) -> None:
        self.config = config
        self.corpus = corpus

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> ItemStream | None:
        """The labelled items of a split, those of `train` mixed with the other sources; None where there are none.

        Where validation items are trained on, there is no validation. With `cut` any split is read by itself, in order.
        """
        own, batch = sequences_of(self.corpus, split), self.config.stream.batch
        if len(own) == 0 or (split == "valid" and cut is None and self._learns_validation):
            return None
        if split != "train" or cut is not None:
            return ItemStream(OncePlan(len(own), batch), filling({split: own}), self._longest)
        sources = {"train": own} | {name: mixed.source for name, mixed in self.mixed.items()}
        parts = Part("train", len(own), batch), *(mixed.part for mixed in self.mixed.values())
        return ItemStream(MixPlan(parts, self.config.train.seed), filling(sources), self._longest)

    @cached_property
    def mixed(self) -> Mapping[str, Mixed[Sequences]]:
        """What shares every batch of training with the labelled items, by name.

        Raises:
            DataError: see `mixed_items`.
        """
        return mixed_items(self.config, self.corpus)

    @property
    def _learns_validation(self) -> bool:
        return any(isinstance(part, SplitPart) for part in (self.config.stream.mix or {}).values())

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
        """Cross-entropy in nats; what sources other than the labelled items add is a part of its own, by name.

        Against soft labels at a temperature it is that of the scores divided by it, times its square, so that its
        gradient is as large as without (Hinton, Vinyals, Dean 2015, section 2).
        """
        logits_BC = model(batch.x, batch.length_B, draws)
        targets = batch.y_B if batch.soft_BC is None else batch.soft_BC.to(logits_BC.dtype)
        heat_B = batch.temperature_B
        scores_BC = logits_BC if heat_B is None else logits_BC / heat_B[:, None]
        nats_B = F.cross_entropy(scores_BC, targets, reduction="none")
        nats_B = nats_B if heat_B is None else nats_B * heat_B.square()
        own = slice(0, min((share.start for share in batch.shares.values()), default=batch.rows))
        parts = {name: (nats_B[share] * batch.weight_B[share]).sum() for name, share in batch.shares.items()}
        count = torch.full((), own.stop, dtype=torch.int64, device=nats_B.device)  # nothing waits for it
        beside = {
            name: (nats_B[share].detach().sum(), count.new_tensor(share.stop - share.start))
            for name, share in batch.shares.items()
        }
        if draws is not None and self.config.train.label_smoothing:
            spread_B = -logits_BC[own].log_softmax(-1).mean(-1)
            parts["label_smoothing"] = self.config.train.label_smoothing * (spread_B - nats_B[own]).sum()
        return Loss(nats_B[own], count, parts, {}, logits_BC.detach(), beside)

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
