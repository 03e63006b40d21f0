"""`stream.mix` of labelled items: where the sequences and their labels come from.

Arrays: N items, C labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema import ClassifyConfig
from charrnn.config.schema.mix import ItemPart, LabelsPart
from charrnn.corpus.given_labels import GivenLabels, read_labels
from charrnn.corpus.given_rows import repeats
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import DataError
from charrnn.files import digest
from charrnn.stream.items import Part
from charrnn.stream.sequences import Sequences
from charrnn.tasks.mixed import Mixed
from charrnn.text.blocks import read_errors


def mixed_items(config: ClassifyConfig, corpus: LabelledCorpus) -> Mapping[str, Mixed[Sequences]]:
    """The parts that share every batch of training with the labelled items, by name.

    Raises:
        DataError: a labels file cannot be read, is none of this corpus, keeps no item, or has no probabilities where
            they are wanted; or the split that is asked for is empty.
    """
    return {name: _mixed(name, settings, corpus) for name, settings in (config.stream.mix or {}).items()}


def sequences_of(corpus: LabelledCorpus, split: str) -> Sequences:
    """The items of `train`, `unlabelled`, `valid` or `test`."""
    part = corpus.split(split)
    return _sequences(corpus, part.items, part.offsets, part.labels)


def _sequences(
    corpus: LabelledCorpus, items: NDArray[np.unsignedinteger], offsets: NDArray[np.int64], labels: NDArray[np.int32]
) -> Sequences:
    if corpus.features is None:
        return Sequences(items, offsets, labels)
    assert corpus.highest is not None, "pictures have a highest value"
    return Sequences(items.reshape(-1, corpus.features), offsets // corpus.features, labels, corpus.highest)


def _mixed(name: str, settings: ItemPart, corpus: LabelledCorpus) -> Mixed[Sequences]:
    share = settings.rows, settings.weight, settings.ramp
    if isinstance(settings, LabelsPart):
        path = Path(settings.source)
        with read_errors(path):
            sha256 = digest.of_file(path)
        given = read_labels(path, corpus)
        source = _given(settings, given, corpus)
        return Mixed(Part(name, len(source), *share), source, path, sha256, _test_inputs(given, corpus))
    source = sequences_of(corpus, settings.split)
    if len(source) == 0:
        raise DataError(
            f"the {settings.split} split is empty, and stream.mix.{name} asks for its items",
            where=corpus.folder,
            hint="give it a share in corpus.split, or leave the part out",
        )
    return Mixed(Part(name, len(source), *share), source, validation=settings.split == "valid")


def _given(settings: LabelsPart, given: GivenLabels, corpus: LabelledCorpus) -> Sequences:
    """The kept items of a labels file, with the labels that it gives them; their truths play no part."""
    kept = np.flatnonzero(given.kept_N)
    if len(kept) == 0:
        raise DataError(
            "the labels file keeps no item",
            where=settings.source,
            why=f"{len(given)} rows, and `kept` is 1 in none of them",
            hint="keep some, or leave this part out of stream.mix",
        )
    starts = np.array([corpus.manifest.splits[part].start for part in given.parts], np.int64)
    items, offsets = corpus.whole()
    whole = _sequences(corpus, items, offsets, np.full(len(offsets) - 1, -1, np.int32))
    numbers = starts[given.part_N[kept]] + given.number_N[kept]
    if settings.targets == "hard":
        return whole.chosen(numbers, given.label_N[kept])
    if given.p_NC is None:
        raise DataError(
            "the labels file has no probabilities",
            where=settings.source,
            why="soft targets are the probabilities of all labels: one column p:<label> for each",
            hint="set targets: hard, or take a file that has them",
        )
    soft_NC = at_temperature(given.p_NC[kept], settings.temperature)
    return whole.chosen(numbers, given.label_N[kept], soft_NC, settings.temperature)


def at_temperature(p_NC: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities as they would be had the scores behind them been divided by `temperature`."""
    with np.errstate(divide="ignore"):
        scores_NC = np.log(p_NC.astype(np.float64)) / temperature
    shares_NC = np.exp(scores_NC - scores_NC.max(1, keepdims=True))
    soft_NC: NDArray[np.float32] = (shares_NC / shares_NC.sum(1, keepdims=True)).astype(np.float32)
    return soft_NC


def _test_inputs(given: GivenLabels, corpus: LabelledCorpus) -> int:
    """How many of the kept items are test items, or are the same as one."""
    count = 0
    for number, part in enumerate(given.parts):
        chosen = given.number_N[given.kept_N & (given.part_N == number)]
        count += len(chosen) if part == "test" else int(repeats(corpus, part, "test")[chosen].sum())
    return count
