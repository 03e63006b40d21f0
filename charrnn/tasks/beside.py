"""Texts that are learned beside the main one, and teachers whose predictions are learned in place of a text's symbols.

Shapes: B rows (lanes of one text), T columns, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.config.schema import Lanes
from charrnn.corpus.tokens import Split
from charrnn.models.core import State
from charrnn.stream.gather import Share, TokenBatch, carried_by
from charrnn.stream.lanes import LanePlan
from charrnn.stream.mixed import Ring


@dataclass(frozen=True)
class Teacher:
    """A trained model whose predictions are targets (Hinton, Vinyals, Dean 2015).

    Attributes:
        model: the model; it is never trained here.
        temperature: what scores are divided by before they are compared.
        document: which checkpoint it is, for those of the run that it teaches.
    """

    model: nn.Module
    temperature: float
    document: Mapping[str, Any]

    def nats(
        self, name: str, logits_BTV: Tensor, batch: TokenBatch, share: Share, state: State
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """How far a student's predictions are from the teacher's at every position, and the teacher's state after it.

        That is the divergence of Kullback and Leibler at the temperature, times its square: 0 where they agree. Its
        gradient is that of the cross-entropy.

        Args:
            name: what the rows are called; the teacher's state stands under it in that of all lanes.
            logits_BTV: the student's scores of these rows.
            batch: the batch; the teacher reads the true text, whatever the student reads.
            share: the rows.
            state: what is carried from batch to batch.
        """
        prefix = carried_by(name)
        self.model.to(logits_BTV.device).eval()
        with torch.no_grad():
            begun = self.model.initial_state(len(logits_BTV))
            own = {key: state.get(prefix + key, fresh) for key, fresh in begun.items()}
            x_BT, mask_BT = batch.x_BT[share.rows], batch.mask_BT[share.rows]
            hidden_BTH, after = self.model.hidden(x_BT, own, mask_BT, None, share.resets, batch.keep)
            taught_BTV = self.model.head(self.model.head.fed(hidden_BTH, None), None)
            taught_BTV = (taught_BTV / self.temperature).log_softmax(-1)
        learned_BTV = (logits_BTV / self.temperature).log_softmax(-1)
        nats_BT = (taught_BTV.exp() * (taught_BTV - learned_BTV)).sum(-1) * self.temperature**2
        return nats_BT, {prefix + key: tensor for key, tensor in after.items()}


@dataclass(frozen=True)
class Beside:
    """A text that is learned in lanes of its own, in every batch.

    Attributes:
        split: the text.
        digest: of the corpus that it is from.
        lanes: how many lanes are its.
        weight: how much each of its targets counts.
        teacher: whose predictions are its targets; None where they are its symbols.
    """

    split: Split
    digest: str
    lanes: int
    weight: float
    teacher: Teacher | None = None

    def ring(self, name: str, settings: Lanes, seed: int) -> Ring:
        """Its lanes, as the `stream:` section has them.

        Raises:
            DataError: there are fewer tokens than lanes.
        """
        cut = LanePlan(
            len(self.split.tokens),
            self.lanes,
            settings.chunk,
            shifted=settings.offset == "random",
            reset_chance=settings.reset_chance,
            documents=self.split.documents,
            seed=seed,
        )
        return Ring(name, self.split.tokens, cut)


@dataclass(frozen=True)
class Learned:
    """What the rows of other texts add to an update.

    Attributes:
        parts: what is added to the loss, by name; sums with a gradient, as if over the main text's targets.
        told: the sum and the count of the losses of their own targets.
        state: of the teachers, after the batch.
    """

    parts: dict[str, Tensor] = field(default_factory=dict)
    told: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    state: dict[str, Tensor] = field(default_factory=dict)


def teacher_states(texts: Mapping[str, Beside]) -> State:
    """What the teachers of these texts begin with, under the names that `Teacher.nats` gives to what they carry on."""
    return {
        carried_by(name) + key: tensor
        for name, text in texts.items()
        if text.teacher is not None
        for key, tensor in text.teacher.model.initial_state(text.lanes).items()
    }


def learned_beside(
    texts: Mapping[str, Beside],
    head: nn.Module,
    logits: Sequence[Tensor],
    batch: TokenBatch,
    state: State,
) -> Learned:
    """What the rows of other texts add to an update.

    A text's mean loss counts by its weight and by its lanes per lane of the main text: each of its targets counts
    `weight` times as much as one of the main text, however few of those the last chunk of an epoch has.

    Args:
        texts: the texts, by name.
        head: of the model, for its cross-entropy.
        logits: the scores of the rows of each share, logits_BTV.
        batch: the batch.
        state: what is carried from batch to batch.
    """
    learned, whole = Learned(), batch.whole or batch
    main = whole.main
    count = main.counts_BT.sum()
    for (name, share), logits_BTV in zip(batch.shares.items(), logits, strict=True):
        text, counts_BT = texts[name], batch.counts_BT[share.rows]
        if text.teacher is None:
            nats_BT = head.nats(logits_BTV, batch.y_BT[share.rows])
        else:
            nats_BT, after = text.teacher.nats(name, logits_BTV, batch, share, state)
            learned.state.update(after)
        total, of_all = (nats_BT * counts_BT).sum(), whole.shares[name]
        own = whole.counts_BT[of_all.rows].sum()
        learned.parts[name] = text.weight * of_all.count / main.rows * (total / own) * count
        learned.told[name] = (total.detach(), counts_BT.sum())
    return learned
