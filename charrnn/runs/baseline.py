"""The honest floor: n-gram models of a run's own corpus, scored as the neural model is scored. Torch-free."""

from __future__ import annotations

import math
from typing import Any

from charrnn.baselines.discounting import Floats
from charrnn.baselines.kneser_ney import KneserNey
from charrnn.baselines.windows import window_nats
from charrnn.config.schema import LanguageConfig, Windows
from charrnn.corpus.tokens import Split, TokenCorpus
from charrnn.errors import DataError
from charrnn.stream.windows import window_plan
from charrnn.text.watch import Check


def ngram_table(
    corpus: TokenCorpus, config: LanguageConfig, order: int, split: str, max_tokens: int, check: Check
) -> dict[str, Any]:
    """Interpolated Kneser–Ney of every order up to `order`, trained on the training split.

    Args:
        corpus: the corpus.
        config: its config; the split is read by the lanes of `evaluate.lanes`, or by the windows of `stream`.
        order: the longest n-gram.
        split: `valid` or `test`.
        max_tokens: the last so many training tokens are counted, which bounds the memory.
        check: called now and then; it may raise to stop.

    Returns:
        `orders`: for each order its nats per token, bits per character and per byte; `best`: the best of them;
        and what they were measured on.

    Raises:
        DataError: the split is empty.
    """
    part = corpus.split(split)
    if len(part.tokens) == 0:
        raise DataError(f"the {split} split is empty", where=corpus.folder, hint="give it a share in corpus.split")
    train = corpus.split("train").tokens
    model = KneserNey.fit(train, corpus.vocabulary.size, order, max_tokens=max_tokens, check=check)
    nats_per_order, targets, reading = _scored(model, part, config, check)
    orders = [
        {
            "order": n,
            "nats": nats,
            "bits_per_char": nats / math.log(2.0) * len(part.tokens) / part.characters,
            "bits_per_byte": nats / math.log(2.0) * len(part.tokens) / part.bytes,
        }
        for n, nats in enumerate(map(float, nats_per_order / targets), start=1)
    ]
    best = min(orders, key=lambda row: row["nats"])
    return {
        "split": split,
        "tokens": len(part.tokens),
        **reading,
        "trained_on": model.trained_on,
        "orders": orders,
        "best": best,
    }


def _scored(model: KneserNey, part: Split, config: LanguageConfig, check: Check) -> tuple[Floats, int, dict[str, int]]:
    """Nats by order, summed over the targets of validation; how many targets; and how they were read."""
    tokens, settings = part.tokens, config.stream
    if isinstance(settings, Windows):
        plan = window_plan(settings, len(tokens), part.documents, config.train.seed, training=False)
        nats, targets = window_nats(model, tokens, plan.length, plan.stride, plan.windows, plan.last, check)
        return nats, targets, {"windows": plan.windows}
    lanes = min(config.evaluate.lanes, len(tokens))
    return model.total_nats(tokens, lanes, check=check), len(tokens), {"lanes": lanes}
