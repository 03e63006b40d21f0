"""How rows over labelled items are measured: what their models are right about on the test set, several times over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean, stdev
from typing import Any

from measure import SEEDS, Measured, Place, charrnn, computed_with, conditions, typed
from recording import ROOT

from charrnn.config.load import load_config

FOLDS = 10
QUICK_ROUNDS = (
    "corpus.labelled=20",
    "train.epochs=null",
    "train.max_steps=2",
    "evaluate.every=1000",
    "pseudo.max_steps=2",
    "pseudo.rounds=1",
    "pseudo.seeds=2",
)
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


def pseudo(place: Place, config: str) -> Measured:
    """The rounds of `charrnn pseudolabel`, held against their control: the same model trained for as many updates on
    the labelled items alone."""
    own = (*place.items.get(load_config(ROOT / config).config.corpus.kind, ()), *(QUICK_ROUNDS if place.quick else ()))
    settings = [part for key in own for part in ("--set", key)]
    arguments = ["pseudolabel", config, *settings, "--out", f"{place.runs}/{stem(config)}-pseudo"]
    found = charrnn(*arguments)
    by_seed = {f"seed_{seed['seed']}": seed for seed in found["seeds"]}
    controls = {name: seed["control_figures"] for name, seed in by_seed.items()}
    gains = [-seed["relative_error_change"] for seed in by_seed.values()]
    check = charrnn("train", config, *settings, "--check")
    test = json.loads((ROOT / check["corpus"] / "manifest.json").read_text(encoding="utf-8"))["splits"]["test"]
    return {
        "command": typed(arguments),
        **computed_with(ROOT / found["folder"] / found["seeds"][0]["control"]["student"]["checkpoint"]),
        "seeds": [seed["seed"] for seed in found["seeds"]],
        "reference": {
            "value": round(fmean(score["accuracy"] for score in controls.values()), 4),
            "source": "its control: as many updates, no pseudo-labels",
        },
        "figures": {
            **figures({name: seed["figures"] for name, seed in by_seed.items()}),
            "test_accuracy_control": fmean(score["accuracy"] for score in controls.values()),
            **{f"control_accuracy_{name}": score["accuracy"] for name, score in controls.items()},
            "test_error_falls_by": fmean(gains),
            **{f"mcnemar_p_{name}": seed["mcnemar"]["p"] for name, seed in by_seed.items()},
            **{f"handed_back_round_{name}": seed["handed_back"] for name, seed in by_seed.items()},
            "test_items": test["end"] - test["start"],
            "parameters": check["parameters"],
        },
    }


def figures(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Means, the spread from one training to the next, and the accuracy of each."""
    means = {f"test_{name}": fmean(score[name] for score in scores.values()) for name in SCORES}
    return {
        **means,
        "test_accuracy_spread": stdev(score["accuracy"] for score in scores.values()),
        "test_macro_f1_spread": stdev(score["macro_f1"] for score in scores.values()),
        **{f"test_accuracy_{name}": score["accuracy"] for name, score in scores.items()},
    }


def stem(config: str) -> str:
    """What the runs of a config are called."""
    return config.rpartition("/")[2].removesuffix(".yaml")
