"""How rows of `charrnn pseudolabel` are measured: what its rounds hand back, held against their control, which is the
same model after as many updates without what a teacher says."""

from __future__ import annotations

import json
from collections.abc import Callable
from statistics import fmean, stdev
from typing import Any

from labels import figures, stem
from measure import Measured, Place, charrnn, computed_with, typed
from recording import ROOT

from charrnn.config.load import load_config

QUICK = (
    "train.epochs=null",
    "train.max_steps=2",
    "evaluate.every=1000",
    "pseudo.max_steps=2",
    "pseudo.rounds=1",
)
QUICK_LABELS = ("corpus.labelled=20", "pseudo.seeds=2")
TEACHER = "configs/demo.yaml"
CONTROL = "its control: as many updates, no {}"

Found = dict[str, Any]


def labelled(place: Place, config: str) -> Measured:
    """Rounds over items some of which have no label: accuracy on the test set."""
    own = place.items.get(load_config(ROOT / config).config.corpus.kind, ())
    settings = (*own, *((*QUICK, *QUICK_LABELS) if place.quick else ()))
    arguments, found = rounds(place, config, settings)
    by_seed = {f"seed_{seed['seed']}": seed for seed in found["seeds"]}
    controls = {name: seed["control_figures"] for name, seed in by_seed.items()}
    gains = [-seed["relative_error_change"] for seed in by_seed.values()]
    check = charrnn("train", config, *typed_settings(settings), "--check")
    test = json.loads((ROOT / check["corpus"] / "manifest.json").read_text(encoding="utf-8"))["splits"]["test"]
    return {
        **about([typed(arguments)], found),
        "reference": {
            "value": round(fmean(score["accuracy"] for score in controls.values()), 4),
            "source": CONTROL.format("pseudo-labels"),
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


def rated(place: Place, config: str) -> Measured:
    """Rounds over pairs without a rating: the mean squared error on the scored ratings."""
    settings = (
        *place.ratings,
        *((*QUICK, "pseudo.seeds=2", "pseudo.pairs=40", "pseudo.rows=4") if place.quick else ()),
    )
    arguments, found = rounds(place, config, settings)
    return {**about([typed(arguments)], found), **errors(found, "mse", "pseudo-ratings")}


def distilled(place: Place, config: str) -> Measured:
    """A run of the demo teaches a smaller model: nats of the test text."""
    teaching = place.training(TEACHER)
    run = ROOT / charrnn(*teaching)["run"]
    few = (*QUICK, "pseudo.seeds=2", f"pseudo.teacher={run}") if place.quick else ()
    arguments, found = rounds(place, config, (*place.settings, *few))
    return {**about([typed(teaching), typed(arguments)], found), **errors(found, "nats", "teacher")}


def rounds(place: Place, config: str, settings: tuple[str, ...]) -> tuple[list[str], Found]:
    """The arguments of `charrnn pseudolabel`, and what came of them."""
    arguments = ["pseudolabel", config, *typed_settings(settings), "--out", f"{place.runs}/{stem(config)}-pseudo"]
    return arguments, charrnn(*arguments)


def typed_settings(settings: tuple[str, ...]) -> list[str]:
    """`--set` for each of them."""
    return [part for key in settings for part in ("--set", key)]


def about(commands: list[str], found: Found) -> Measured:
    """What was typed, and on what it was computed."""
    student = ROOT / found["folder"] / found["seeds"][0]["control"]["student"]["checkpoint"]
    return {
        "command": "\n".join(commands),
        **computed_with(student),
        "seeds": [seed["seed"] for seed in found["seeds"]],
    }


def errors(found: Found, unit: str, without: str) -> Measured:
    """Errors of the test, in a unit of which less is better, beside those of the control."""
    own, control = ([seed[which][unit] for seed in found["seeds"]] for which in ("figures", "control_figures"))
    by_seed: dict[str, Callable[[Found], Any]] = {
        f"test_{unit}": lambda seed: seed["figures"][unit],
        f"control_{unit}": lambda seed: seed["control_figures"][unit],
        "wilcoxon_p": lambda seed: seed["wilcoxon"]["p"],
        "handed_back_round": lambda seed: seed["handed_back"],
    }
    return {
        "reference": {"value": round(fmean(control), 4), "source": CONTROL.format(without)},
        "figures": {
            "error": unit,
            "test_error": fmean(own),
            "test_error_spread": spread(own),
            "test_error_control": fmean(control),
            "test_error_control_spread": spread(control),
            "test_error_falls_by": fmean(-seed["relative_error_change"] for seed in found["seeds"]),
            **{f"{name}_seed_{s['seed']}": told(s) for name, told in by_seed.items() for s in found["seeds"]},
        },
    }


def spread(values: list[float]) -> float:
    """Their standard deviation; 0 of one."""
    return stdev(values) if len(values) > 1 else 0.0
