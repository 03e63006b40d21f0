"""How rows over labelled items are measured: what their models are right about on the test set, several times over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import fmean, stdev
from typing import Any

from measure import SEEDS, Measured, Place, charrnn, conditions, typed
from recording import ROOT

from charrnn.config.load import load_config

FOLDS = 10
SCORES = ("accuracy", "macro_f1", "calibration_error")


def seeds(place: Place, config: str) -> Measured:
    """The config trained with several seeds, and scored on its test set, which is always the same."""
    variants = {f"seed_{seed}": (f"train.seed={seed}",) for seed in SEEDS}
    return _scored(place, config, variants, max) | {"seeds": [*SEEDS]}


def folds(place: Place, config: str) -> Measured:
    """A cross-validation: every distinct item is in the test set once, and of the others a tenth is for validation."""
    variants = {f"fold_{k}": (f"corpus.fold=[{k},{FOLDS}]", "corpus.split=[0.9,0.1]") for k in range(1, FOLDS + 1)}
    return _scored(place, config, variants, sum)


def _scored(
    place: Place, config: str, variants: Mapping[str, tuple[str, ...]], items: Callable[[Iterable[int]], int]
) -> Measured:
    """Means over the variants of a config, each trained and then scored on its test set, and their spread; `items` says
    how many are tested in all."""
    few = ("train.epochs=null", "train.max_steps=2", "evaluate.every=1000") if place.quick else ()
    own = place.items.get(load_config(ROOT / config).config.corpus.kind, ())
    commands, scores, run = [], {}, ROOT
    for name, keys in [*variants.items()][: 2 if place.quick else None]:
        settings = [part for key in (*keys, *own, *few) for part in ("--set", key)]
        place_of_run = f"{place.runs}/{stem(config)}-{name.replace('_', '-')}"
        training = ["train", config, *settings, "--out", place_of_run, "--resume"]
        run = ROOT / charrnn(*training)["run"]
        scoring = ["evaluate", place_of_run, "--split", "test"]
        scores[name] = charrnn(*scoring)
        commands += [typed(training), typed(scoring)]
    check = charrnn("train", config, *settings, "--check")
    return {
        "command": "\n".join(commands),
        **conditions(run),
        "figures": {
            **figures(scores),
            "test_items": items(score["items"] for score in scores.values()),
            "parameters": check["parameters"],
        },
    }


def figures(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Means, the spread from one training to the next where there are several, and the accuracy of each."""
    means = {f"test_{name}": fmean(score[name] for score in scores.values()) for name in SCORES}
    spread = ("accuracy", "macro_f1") if len(scores) > 1 else ()
    spreads = {f"test_{name}_spread": stdev(score[name] for score in scores.values()) for name in spread}
    return {**means, **spreads, **{f"test_accuracy_{name}": score["accuracy"] for name, score in scores.items()}}


def stem(config: str) -> str:
    """What the runs of a config are called."""
    return config.rpartition("/")[2].removesuffix(".yaml")
