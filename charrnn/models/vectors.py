"""Word vectors by negative sampling: skip-gram and CBOW.

A pair of a word and a word of its context costs -log σ(u·v), and noise k · E[-log σ(-u'·v)], the mean over words drawn
from a noise distribution (Mikolov, Sutskever et al. 2013, equation 4). Every word has two vectors: `input` is what is
used afterwards, `output` is what predictions are read with.

Rows are cut into blocks of S words, each with the W words in front of it and behind it, so that the scores of all pairs
near one another are one batched product of matrices; a mask tells which of them are pairs.

Shapes: B rows, T columns, S words of a block, C = S + 2 W the words around a block, K noise words, V vocabulary, D
factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from charrnn.config.schema.vectors import SkipGram, WordModel

_BLOCK = 32


class Table(nn.Module):
    """A vector per symbol, as the parameter `table`."""

    def __init__(self, table_VD: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table_VD)


class WordVectors(nn.Module):
    """The two tables. What has no count in the training split has a vector of zeros for ever.

    Args:
        config: the `model:` section.
        trained_V: which symbols are learned.
        window: W.
        generator: draws the initial vectors.
    """

    def __init__(self, config: WordModel, trained_V: Tensor, window: int, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        self.window = window
        begin_VD = (torch.rand(len(trained_V), config.size, generator=generator) - 0.5) / config.size
        self.input = Table(begin_VD * trained_V[:, None])
        self.output = Table(torch.zeros_like(begin_VD))

    def forward(self, ids_BT: Tensor, reach_BT: Tensor, document_BT: Tensor, noise_K: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each word, and how many true pairs it has.

        Args:
            ids_BT: words.
            reach_BT: how far the context of each reaches; 0 where there is none.
            document_BT: a context ends with its document; -1 where there is no word.
            noise_K: noise words.

        Returns:
            nats_BT, pairs_BT. Of skip-gram, a pair is a word and one of its context; of CBOW, a word and all of it.
        """
        near = _Near.of(reach_BT, document_BT, self.window)
        words_NSD = near.blocks(F.embedding(ids_BT, self.input.table))
        outputs = F.embedding(ids_BT, self.output.table)
        if isinstance(self.config, SkipGram):
            read_NSD, pairs_NS = words_NSD, near.pairs_NSC.sum(-1)
            scores_NSC = read_NSD @ near.around(outputs).transpose(1, 2)
            true_NS = (F.softplus(-scores_NSC) * near.pairs_NSC).sum(-1)
        else:
            many_NS = near.pairs_NSC.sum(-1)
            share_NSC = near.pairs_NSC.to(words_NSD.dtype) / many_NS.clamp(min=1)[:, :, None]
            read_NSD = share_NSC @ near.around(F.embedding(ids_BT, self.input.table))
            pairs_NS = (many_NS > 0).long()
            true_NS = F.softplus(-(read_NSD * near.blocks(outputs)).sum(-1)) * pairs_NS
        nats_NS = true_NS + self._noise(read_NSD, pairs_NS, noise_K)
        return near.rows(nats_NS), near.rows(pairs_NS)

    def _noise(self, read_NSD: Tensor, pairs_NS: Tensor, noise_K: Tensor) -> Tensor:
        """What noise costs each word, as often as it has pairs."""
        there = pairs_NS > 0
        scores_PK = read_NSD[there] @ F.embedding(noise_K, self.output.table).T
        each_P = F.softplus(scores_PK).sum(-1) * (self.config.negatives / len(noise_K))
        return torch.zeros_like(read_NSD[:, :, 0]).masked_scatter(there, each_P * pairs_NS[there])


@dataclass(frozen=True)
class _Near:
    """How rows are cut into blocks.

    Attributes:
        pairs_NSC: for each word of each block, which of the words around the block are in its context.
        shape: B and T.
        window: W.
    """

    pairs_NSC: Tensor
    shape: tuple[int, int]
    window: int

    @classmethod
    def of(cls, reach_BT: Tensor, document_BT: Tensor, window: int) -> _Near:
        """The blocks of rows."""
        rows, columns = reach_BT.shape
        empty = cls(reach_BT, (rows, columns), window)
        from_C = torch.arange(-window, _BLOCK + window, device=reach_BT.device)
        apart_SC = (from_C - torch.arange(_BLOCK, device=reach_BT.device)[:, None]).abs()
        near_NSC = (apart_SC > 0) & (apart_SC <= empty.blocks(reach_BT[:, :, None]))
        same_NSC = empty.blocks(document_BT[:, :, None] + 1) == empty.around(document_BT[:, :, None] + 1).transpose(
            1, 2
        )
        return cls(near_NSC & same_NSC, (rows, columns), window)

    def blocks(self, of_BTD: Tensor) -> Tensor:
        """What belongs to the words of each block, zeros behind the last: of_NSD."""
        filled = F.pad(of_BTD, (0, 0, 0, -self.shape[1] % _BLOCK))
        return filled.reshape(-1, _BLOCK, of_BTD.shape[2])

    def around(self, of_BTD: Tensor) -> Tensor:
        """What belongs to the words of each block and around it, zeros beyond the ends: of_NCD."""
        filled = F.pad(of_BTD, (0, 0, self.window, self.window + -self.shape[1] % _BLOCK))
        return filled.unfold(1, _BLOCK + 2 * self.window, _BLOCK).transpose(2, 3).flatten(0, 1)

    def rows(self, of_NS: Tensor) -> Tensor:
        """Blocks joined to rows again: of_BT."""
        rows, columns = self.shape
        return of_NS.reshape(rows, -1)[:, :columns]
