"""The language model: predict the next symbol.

Shapes: B rows (lanes), T columns, H hidden units, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.config.schema import Lanes, LanguageConfig, Windows
from charrnn.contracts import Loss
from charrnn.corpus.tokens import Split, TokenCorpus
from charrnn.models.build import build_model
from charrnn.models.core import Draws, State
from charrnn.models.feedback import mixed_inputs, share_of_draws
from charrnn.stream.gather import TokenBatch, TokenStream
from charrnn.stream.lanes import LanePlan, auto_lanes
from charrnn.stream.mixed import MixedStream
from charrnn.stream.resident import ResidentTokens, free_memory, resident
from charrnn.stream.windows import window_plan
from charrnn.tasks.beside import Beside, learned_beside
from charrnn.tasks.positions import Positions

_READ = ("train", "valid")
"""The splits that a run reads over and over."""


class LanguageTask:
    """A character, byte or word model over a prepared corpus.

    Args:
        config: the whole config.
        corpus: its corpus.
        beside: the texts that share every batch of training with the main one, by name.
    """

    figure = "nats"

    def __init__(self, config: LanguageConfig, corpus: TokenCorpus, beside: Mapping[str, Beside] | None = None) -> None:
        self.config = config
        self.corpus = corpus
        self.beside = beside or {}
        self.vocabulary = corpus.vocabulary
        self._resident: dict[str, ResidentTokens | None] = {}

    def keep_tokens_on(self, device: torch.device, free: Callable[[torch.device], int] = free_memory) -> bool:
        """Let the tokens of training and validation lie on a device from now on, each split where it fits; returns
        whether those of training do. Where several texts share a batch, they stay with the host."""
        splits = {} if self.beside else {name: self.corpus.split(name) for name in _READ}
        self._resident = {
            name: resident(part.tokens, part.documents, device, free)
            for name, part in splits.items()
            if len(part.tokens)
        }
        return self._resident.get("train") is not None

    def stream(self, split: str, cut: tuple[int, int] | None = None) -> TokenStream | None:
        """Training lanes for `train`, evaluation lanes for the other splits, or windows for all of them; None where the
        split is empty.

        Evaluation never fails for want of text: a short split is read by fewer lanes, or as one short window. `cut` is
        the lanes and the chunk to read any split by, in place of the config's.
        """
        part = self.corpus.split(split)
        tokens = part.tokens
        if len(tokens) == 0:
            return None
        settings = self.config.stream
        if cut is None and isinstance(settings, Windows):
            seed = self.config.train.seed
            windows = window_plan(settings, len(tokens), part.documents, seed, split == "train")
            return TokenStream(tokens, windows, self._resident.get(split))
        if cut is None and split != "train":
            cut = self.config.evaluate.lanes, self.config.evaluate.chunk
        if cut is not None:
            lanes = LanePlan(len(tokens), min(cut[0], len(tokens)), cut[1], documents=part.documents)
            return TokenStream(tokens, lanes, self._resident.get(split))
        return self._training_stream(part)

    def _training_stream(self, part: Split) -> TokenStream:
        settings, plan = self.config.stream, self._training_plan(part)
        assert isinstance(settings, Lanes), "windows have a plan of their own"
        rings = [text.ring(name, settings, self.config.train.seed) for name, text in self.beside.items()]
        return (
            MixedStream(part.tokens, plan, rings)
            if rings
            else TokenStream(part.tokens, plan, self._resident.get("train"))
        )

    def _training_plan(self, part: Split) -> LanePlan:
        settings, tokens = self.config.stream, len(part.tokens)
        assert isinstance(settings, Lanes), "windows have a plan of their own"
        return LanePlan(
            tokens,
            lanes=auto_lanes(tokens, settings.chunk) if settings.lanes == "auto" else settings.lanes,
            chunk=settings.chunk,
            reach=settings.reach,
            lengths=settings.lengths,
            shifted=settings.offset == "random",
            reset_chance=settings.reset_chance,
            documents=part.documents,
            seed=self.config.train.seed,
        )

    def model(self) -> nn.Module:
        """A model with fresh weights, on the CPU."""
        train = self.config.train
        dtype = torch.float64 if train.precision == "fp64" else torch.float32
        return build_model(self.config.model, self.vocabulary.size, train.seed, dtype, train.engine)

    def initial_state(self, model: nn.Module, rows: int) -> State:
        """The network's own."""
        return model.initial_state(rows)

    def loss(self, model: nn.Module, batch: TokenBatch, state: State, draws: Draws | None = None) -> Loss:
        """Cross-entropy of every target that counts, in nats; targets stay symbols, never one-hot. What other texts add
        is a part of its own, by name."""
        x_BT = batch.x_BT if draws is None else self._inputs(model, batch, state, draws)
        hidden_BTH, after = model.hidden(x_BT, state, batch.mask_BT, draws, batch.resets, batch.keep)
        fed_BTH = model.head.fed(hidden_BTH, draws)
        logits_BTV = model.head(fed_BTH, draws)
        own, sizes = batch.main, [batch.main.rows, *(share.count for share in batch.shares.values())]
        main_BTV, *others = logits_BTV.split(sizes) if batch.shares else [logits_BTV]
        nats_BT = model.head.nats(main_BTV, own.y_BT) * own.counts_BT
        count = own.counts_BT.sum()
        mixed = learned_beside(self.beside, model.head, others, batch, state)
        parts = (
            {} if draws is None else self._parts(own, hidden_BTH[: own.rows], fed_BTH[: own.rows], main_BTV, nats_BT)
        )
        return Loss(nats_BT, count, parts | mixed.parts, {**after, **mixed.state}, beside=mixed.told)

    def _inputs(self, model: nn.Module, batch: TokenBatch, state: State, draws: Draws) -> Tensor:
        """The inputs of a training step, some of them drawn where scheduled sampling has it so."""
        settings = self.config.train.scheduled_sampling
        share = 0.0 if settings is None else share_of_draws(settings, draws.step)
        if settings is None or share == 0.0:
            return batch.x_BT

        def scores(x_BT: Tensor) -> Tensor:
            model.eval()  # no dropout, and BatchNorm's running statistics stay as they are
            try:
                with torch.no_grad():
                    hidden_BTH, _ = model.hidden(x_BT, state, batch.mask_BT, None, batch.resets, batch.keep)
                    return model.head(hidden_BTH, None)
            finally:
                model.train()

        fixed_BT = ~batch.mask_BT
        fixed_BT[:, 0] = True
        for column, rows_B in batch.resets.items():
            fixed_BT[:, column] |= rows_B
        return mixed_inputs(scores, batch.x_BT, fixed_BT, share, settings.passes, draws)

    def _parts(
        self, batch: TokenBatch, hidden_BTH: Tensor, fed_BTH: Tensor, logits_BTV: Tensor, nats_BT: Tensor
    ) -> dict[str, Tensor]:
        """What the config adds to the training loss, summed over the targets that count."""
        settings, counts_BT = self.config.train.regularization, batch.counts_BT
        parts = {}
        if settings.label_smoothing:
            spread_BT = -logits_BTV.log_softmax(-1).mean(-1) * counts_BT
            parts["label_smoothing"] = settings.label_smoothing * (spread_BT - nats_BT).sum()
        if settings.activation:
            parts["activation"] = settings.activation * (fed_BTH.square().mean(-1) * counts_BT).sum()
        if settings.temporal:
            joined_BT = counts_BT[:, 1:].clone()
            for column, rows_B in batch.resets.items():
                if column:
                    joined_BT[:, column - 1] &= ~rows_B
            change_BT = (hidden_BTH[:, 1:] - hidden_BTH[:, :-1]).square().mean(-1)
            parts["temporal"] = settings.temporal * (change_BT * joined_BT).sum()
        return parts

    def meter(self, stream: TokenStream, cold: bool) -> Positions:
        """The loss of each position, where rows begin cold."""
        return Positions(cold or stream.positions)

    def metrics(self, mean: float, split: str) -> dict[str, float]:
        """Bits per character and per UTF-8 byte of the text, and perplexity per token."""
        part = self.corpus.split(split)
        bits = mean / math.log(2.0) * len(part.tokens)
        return {
            "nats": mean,
            "bits_per_char": bits / part.characters,
            "bits_per_byte": bits / part.bytes,
            "perplexity": math.exp(min(mean, 700.0)),
        }

    def remarks(self, split: str) -> tuple[str, ...]:
        """Nothing: every symbol of a corpus is in its vocabulary."""
        return ()

    def speed(self, targets_per_second: float, split: str) -> dict[str, float]:
        """Characters per second."""
        part = self.corpus.split(split)
        return {"chars_per_second": targets_per_second * part.characters / len(part.tokens)}

    def sizes(self) -> dict[str, int]:
        """The symbols."""
        return {"vocabulary": self.vocabulary.size}

    def documents(self) -> dict[str, Any]:
        """The vocabulary."""
        return {"vocabulary": self.vocabulary.to_json()}
