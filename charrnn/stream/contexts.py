"""Words and the words around them, as pure functions of (seed, step).

Passages of a row of words (`corpus/words.py`) are read in another order in every epoch; in each, frequent words are
passed over by chance, and what is left moves together before contexts are formed (the "dirty" kind of Levy, Goldberg,
Dagan 2015). Evaluation reads every passage once, in order, with draws that are the same in every run.

Shapes: B rows (passages), T columns, K noise words, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from charrnn.config.schema.vectors import Contexts
from charrnn.corpus.words import Words
from charrnn.models.core import State
from charrnn.stream.chance import shuffled, uniforms


@dataclass(frozen=True)
class ContextBatch:
    """Passages with what is left of them.

    Attributes:
        ids_BT: words, moved together to the left; where `document_BT` is -1 they mean nothing.
        reach_BT: how many words to each side belong to the context of a word; 0 behind the last word.
        document_BT: in which document a word stands.
        noise_K: noise words.
        rate: what the learning rate of this step is multiplied by.
        whole: the batch that this one is a part of; None where it is whole.
    """

    ids_BT: Tensor
    reach_BT: Tensor
    document_BT: Tensor
    noise_K: Tensor
    rate: float = 1.0
    whole: ContextBatch | None = None

    @property
    def rows(self) -> int:
        """B."""
        return len(self.ids_BT)

    def part(self, rows: slice, state: State) -> tuple[ContextBatch, State]:
        """See `Batch.part`; all parts see the same noise."""
        own = self.ids_BT[rows], self.reach_BT[rows], self.document_BT[rows]
        return ContextBatch(*own, self.noise_K, self.rate, self.whole or self), state


@dataclass(frozen=True, eq=False)
class ContextStream:
    """The batches of a split.

    Args:
        words: the words of the split, all with a count.
        counts_V: how often the training split has each word.
        settings: the `stream:` section.
        noise: K.
        power: noise is drawn by counts to this power.
        seed: what everything is drawn from.
        training: whether to read on and on, in another order in every epoch.
    """

    words: Words
    counts_V: np.ndarray
    settings: Contexts
    noise: int
    power: float
    seed: int
    training: bool

    @property
    def rows(self) -> int:
        """B."""
        return self.settings.batch

    @property
    def columns(self) -> int:
        """T, at most."""
        return self.settings.length

    @property
    def passages(self) -> int:
        """How many passages there are; the last may be shorter."""
        return -(-len(self.words.ids_N) // self.settings.length)

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold all passages."""
        return -(-self.passages // self.rows)

    @property
    def reading(self) -> Mapping[str, int]:
        """The number of passages."""
        return {"passages": self.passages}

    @cached_property
    def keep_V(self) -> np.ndarray:
        """How likely each word is to stay."""
        if self.settings.subsample is None:
            return np.ones(len(self.counts_V))
        share_V = np.maximum(self.counts_V, 1) / self.counts_V.sum()
        ratio_V = self.settings.subsample / share_V
        kept_V: np.ndarray = np.minimum(np.sqrt(ratio_V) + ratio_V, 1.0)
        return kept_V

    @cached_property
    def _noise_below_V(self) -> np.ndarray:
        """The chance of a noise word to have an id up to each."""
        weight_V = np.where(self.counts_V > 0, np.maximum(self.counts_V, 1.0) ** self.power, 0.0)
        below_V: np.ndarray = np.cumsum(weight_V) / weight_V.sum()
        return below_V

    def batch(self, step: int, device: torch.device, share: Callable[[int], slice] | None = None) -> ContextBatch:
        """The batch of one step, counted from the beginning of training; the last of an epoch may have empty rows. With
        `share`, those of its rows alone; the others are read too, for their words tell how wide it is."""
        whole = self._whole(step, device)
        return whole if share is None else whole.part(share(whole.rows), {})[0]

    def carried(self, state: State, rows: slice) -> State:
        """Nothing is carried on."""
        return state

    def _whole(self, step: int, device: torch.device) -> ContextBatch:
        place_BT, there_BT = self._places(step)
        ids_BT = np.where(there_BT, self.words.ids_N[place_BT], 0).astype(np.int64)
        document_BT = np.searchsorted(self.words.documents, place_BT, side="right")
        keep, reach, noise = self._draws(step, place_BT.shape)
        kept_BT = there_BT & (keep < self.keep_V[ids_BT])
        window = self.settings.window
        reach_BT = 1 + (reach * window).astype(np.int64) if self.settings.dynamic else np.full_like(ids_BT, window)
        order_BT = np.argsort(~kept_BT, axis=1, kind="stable")[:, : max(int(kept_BT.sum(1).max()), 1)]
        ids_BT, reach_BT, document_BT = (
            np.take_along_axis(np.where(kept_BT, of_BT, nothing), order_BT, 1)
            for of_BT, nothing in ((ids_BT, 0), (reach_BT, 0), (document_BT, -1))
        )
        noise_K = np.searchsorted(self._noise_below_V, noise, side="right")
        ids, reaches, documents, drawn = (
            torch.from_numpy(array).to(device) for array in (ids_BT, reach_BT, document_BT, noise_K)
        )
        return ContextBatch(ids, reaches, documents, drawn)

    def _places(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Which words the rows read, before subsampling, and where there are any."""
        epoch, k = divmod(step, self.steps_per_epoch)
        passage_B = k * self.rows + np.arange(self.rows)
        there_B = passage_B < self.passages
        passage_B = np.where(there_B, passage_B, 0)
        if self.training:
            passage_B = shuffled(passage_B, self.passages, self.seed, "order of passages", epoch)
        place_BT = passage_B[:, None] * self.settings.length + np.arange(self.settings.length)
        there_BT = there_B[:, None] & (place_BT < len(self.words.ids_N))
        return np.where(there_BT, place_BT, 0), there_BT

    def _draws(self, step: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers from [0, 1): for what stays and for the reach of each word, and for the noise."""
        count = shape[0] * shape[1]
        numbers = uniforms(2 * count + self.noise, self.seed, "contexts", step)
        return numbers[:count].reshape(shape), numbers[count : 2 * count].reshape(shape), numbers[2 * count :]
