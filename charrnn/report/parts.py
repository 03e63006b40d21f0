"""What stands on the page of a run beside its curves: each part, or the sentence that says why it is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.corpus.ratings import RatingsCorpus
from charrnn.corpus.ready import named_by
from charrnn.errors import DataError
from charrnn.report.drawn import drawn
from charrnn.report.labels import Confused, confused
from charrnn.report.maps import Map, draw_map
from charrnn.report.passages import Reading, corpus_of, read_passage
from charrnn.report.projection import Projection, project
from charrnn.report.settings import again, given
from charrnn.report.told import Budget, Told
from charrnn.runs.embedding import open_embedding
from charrnn.text.watch import Check

_SIDE = 5.2
_LEAST = 4
_SEED = 1
_UNITS = {"bits_per_char": "bits per character", "accuracy": "accuracy", "rmse": "RMSE", "nats": "nats"}
_TASKS = {
    "language": "language model",
    "classify": "classifier",
    "rate": "model of ratings",
    "vectors": "vectors of words",
}


@dataclass(frozen=True)
class Mapped:
    """A map of vectors.

    Attributes:
        thing: what a point stands for.
        shown: how many points there are, of how many, and in which order they were chosen.
        faith: how far the map can be believed.
        map: for the drawer.
    """

    thing: str
    shown: str
    faith: str
    map: Map

    def svg(self, name: str) -> str:
        """For a page; errors as those of `drawn`."""
        return drawn(name, lambda figure: draw_map(figure, self.map, _SIDE), (_SIDE, _SIDE))


@dataclass(frozen=True)
class Parts:
    """A run, part by part; None or empty where there is nothing, and `told.missing` says why.

    Attributes:
        told: the run.
        kind: what it is, in a word or two.
        unit: what its best figure is called.
        against: simpler models on the same data: name and figure, in the same unit.
        unmeasured: why there is none of them.
        reading: of a language model, its validation text.
        confused: of a classifier.
        maps: of its vectors.
        figures: all figures of the best validation.
        environment: what it was computed with.
        given: the keys that were set.
        again: commands.
        size: how many numbers the model has; None without a checkpoint.
    """

    told: Told
    kind: str
    unit: str
    against: Sequence[tuple[str, float]]
    unmeasured: str
    reading: Reading | None
    confused: Confused | None
    maps: Sequence[Mapped]
    figures: Sequence[tuple[str, float]]
    environment: Sequence[tuple[str, str]]
    given: Sequence[tuple[str, str, str]]
    again: Sequence[tuple[str, str]]
    size: int | None


def parts_of(told: Told, budget: Budget, corpora: Path, check: Check) -> Parts:
    """Measure and gather what a page tells of a run.

    Args:
        told: the run; what cannot be had is noted there.
        budget: how much there is room for.
        corpora: where prepared data lie.
        check: called now and then; it may raise to stop.
    """
    reading = None
    if told.checkpoint is not None and told.task == "language":
        reading = told.attempt("passage", lambda: read_passage(told, corpus_of(told, corpora), budget.passage, check))
    labels = confused(told, budget.classes)
    against, unmeasured = _against(told, reading, labels, corpora)
    best = told.overview.best
    return Parts(
        told,
        _TASKS.get(told.task, "run"),
        _UNITS.get(best.figure, best.figure) if best is not None else "",
        against,
        unmeasured,
        reading,
        labels,
        _maps(told, budget, corpora),
        [(name.replace("_", " "), value) for name, value in told.history.best.items() if name not in _NO_FIGURES],
        _environment(told),
        given(told.config_text),
        again(told),
        told.attempt("size", lambda: _size(told)),
    )


_NO_FIGURES = ("time", "step", "epoch")


def _size(told: Told) -> int | None:
    if told.checkpoint is None:
        return None
    return sum(array.size for array in told.checkpoint.tensors("model").values())


def _against(
    told: Told, reading: Reading | None, labels: Confused | None, corpora: Path
) -> tuple[Sequence[tuple[str, float]], str]:
    """What simpler models come to, and why none is named."""
    if reading is not None:
        return reading.baselines, reading.unmeasured
    if labels is not None:
        return [("always the most frequent label", labels.commonest)], ""
    if told.task == "rate" and told.checkpoint is not None:
        mean = told.attempt("baseline", lambda: _mean_rating(told, corpora))
        return ([] if mean is None else [("always the mean rating", mean)]), told.missing.get("baseline", "")
    if told.task == "vectors":
        return [], "no simpler model of vectors is measured here"
    return [], told.missing.get("passage", "")


def _mean_rating(told: Told, corpora: Path) -> float:
    folder = named_by(corpora, told.about["corpus_digest"])
    if folder is None:
        raise DataError("the ratings are not prepared here", where=corpora, hint=f"charrnn prepare {told.run.config}")
    corpus = RatingsCorpus.open(folder)
    train, valid = (corpus.split(name).ratings.astype(np.float64) for name in ("train", "valid"))
    if not len(valid):
        raise DataError("the validation split is empty", where=folder)
    return float(np.sqrt(((valid - train.mean()) ** 2).mean()))


def _maps(told: Told, budget: Budget, corpora: Path) -> list[Mapped]:
    if told.checkpoint is None:
        return []
    found = []
    for of in ("items", "users") if told.task == "rate" else (None,):
        mapped = told.attempt("map", partial(_mapped, told, budget, corpora, of))
        found += [] if mapped is None else [mapped]
    return found


def _mapped(told: Told, budget: Budget, corpora: Path, of: Any) -> Mapped:
    assert told.checkpoint is not None
    vectors = open_embedding(told.checkpoint.folder, told.run.path, corpora, of)
    chosen = vectors.most_frequent(budget.names)
    if len(chosen.rows) < _LEAST:
        raise DataError(f"a map needs {_LEAST} points, and there are {len(chosen.rows)}")
    projection = project(vectors.unit_VD[chosen.rows], "pca", _SEED)
    names = [(vectors.titles or vectors.names)[row] for row in chosen.rows]
    shown = f"{len(chosen.rows):,} of {len(vectors.used):,} {vectors.thing}s, {chosen.order}"
    return Mapped(vectors.thing, shown, _faith(projection), Map("", (), names, projection.points_N2))


def _faith(shown: Projection) -> str:
    return (
        f"PCA of vectors of length 1, {shown.figures['variance']:.0%} of their variance; trustworthiness "
        f"{shown.trustworthiness:.3f}, "
        f"continuity {shown.continuity:.3f} over {shown.neighbours} neighbours, where 1 is perfect"
    )


_PLAN = {
    "device_name": "machine",
    "device": "device",
    "threads": "threads",
    "precision": "precision",
    "tf32": "TF32 products",
    "padded": "sizes padded for cuDNN",
    "deterministic": "deterministic algorithms",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "micro_batches": "micro-batches",
    "scan": "scans",
}


def _environment(told: Told) -> list[tuple[str, str]]:
    """The execution plan that the checkpoint holds, and what else it says of the run's life."""
    plan = told.about.get("plan")
    known = plan if isinstance(plan, Mapping) else {}
    rows = [(name, _value(known[key])) for key, name in _PLAN.items() if known.get(key) is not None]
    rows += [(str(key), _value(value)) for key, value in known.items() if key not in _PLAN and value is not None]
    if told.checkpoint is not None:
        rows.append(("checkpoint", f"{told.checkpoint.folder} ({told.which}, step {told.checkpoint.step:,})"))
        rows.append(("data", f"digest {str(told.about.get('corpus_digest'))[:16]}…"))
    for key, name in (("from", "began with the weights of"), ("changes", "changed on the way"), ("mix", "mixed in")):
        if told.about.get(key):
            rows.append((name, _value(told.about[key])))
    return rows


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
    return text if len(text) <= 400 else text[:399] + "…"
