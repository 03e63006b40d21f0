"""The honest floor: n-gram models of a run's own corpus, scored as the neural model is scored. Torch-free."""

from __future__ import annotations

import math
from typing import Any

from charrnn.baselines.kneser_ney import KneserNey
from charrnn.config.schema import Config
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError
from charrnn.text.watch import Check


def ngram_table(
    corpus: TokenCorpus, config: Config, order: int, split: str, max_tokens: int, check: Check
) -> dict[str, Any]:
    """Interpolated Kneser–Ney of every order up to `order`, trained on the training split.

    Args:
        corpus: the corpus.
        config: its config; the split is read by the lanes of `evaluate.lanes`.
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
    lanes = min(config.evaluate.lanes, len(part.tokens))
    train = corpus.split("train").tokens
    model = KneserNey.fit(train, corpus.vocabulary.size, order, max_tokens=max_tokens, check=check)
    nats_per_order = model.total_nats(part.tokens, lanes, check=check)
    orders = [
        {
            "order": n,
            "nats": total / len(part.tokens),
            "bits_per_char": total / math.log(2.0) / part.characters,
            "bits_per_byte": total / math.log(2.0) / part.bytes,
        }
        for n, total in enumerate(map(float, nats_per_order), start=1)
    ]
    best = min(orders, key=lambda row: row["nats"])
    return {
        "split": split,
        "tokens": len(part.tokens),
        "lanes": lanes,
        "trained_on": model.trained_on,
        "orders": orders,
        "best": best,
    }
