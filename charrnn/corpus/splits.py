"""Where the splits of a text begin and end."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import cast

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.manifest import SPLITS
from charrnn.errors import DataError


def cut(settings: Corpus, tokens: int) -> dict[str, tuple[int, int]]:
    """The start and the end of each split of a text of `tokens` tokens; together they are the whole text.

    Raises:
        DataError: the counts of the settings are larger than the text, or nothing is left to train on.
    """
    if "rest" in settings.split:
        ends = list(accumulate(_counts(settings, tokens)))
    else:
        sums = accumulate(cast(tuple[float, ...], settings.split))
        ends = [min(tokens, int(share * tokens + 0.5)) for share in sums]
        ends[-1] = tokens
    if ends[0] == 0:
        raise DataError("the training split is empty", where=settings.source, hint="give it a share in corpus.split")
    return dict(zip(SPLITS, pairwise([0, *ends]), strict=True))


def _counts(settings: Corpus, tokens: int) -> list[int]:
    """The sizes of the splits, `rest` filled in."""
    given = sum(part for part in settings.split if isinstance(part, int))
    if given > tokens:
        raise DataError(
            "corpus.split asks for more tokens than the text has",
            where=settings.source,
            why=f"the counts add up to {given:,}, the text has {tokens:,} tokens",
            hint="lower the counts, or give fractions",
        )
    return [part if isinstance(part, int) else tokens - given for part in settings.split]
