"""How each kind of row in `docs/results.json` is measured: by commands of charrnn, whose JSON output is what counts."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from recording import ROOT

from charrnn.config.load import load_config

CHARRNN = ("-m", "charrnn")
BROKEN = ("scripts/broken_lanes.py",)
SEEDS = (1, 2, 3)
MASKS = (0, 1, 2, 3, 4)

Measured = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where runs go, and whether each does only a few steps, to see that all of it works.

    Attributes:
        runs: the folder of the runs, from the root of the repository.
        quick: a few steps of everything.
        settings: `key=value` for every config over a text.
        ratings: `key=value` for every config over ratings.
        items: `key=value` for every config over labelled items, by the kind of their corpus.
        vectors: `key=value` for every config of word vectors.
    """

    runs: str = "runs"
    quick: bool = False
    settings: tuple[str, ...] = ()
    ratings: tuple[str, ...] = ()
    items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: tuple[str, ...] = ()

    @property
    def stands_in(self) -> bool:
        """Whether it brings the data along that nobody offers."""
        return bool(self.ratings or self.items)

    def training(self, config: str, *settings: str, name: str | None = None) -> list[str]:
        """The arguments that train a config, or go on with its run; `name` is the run's, if it is not the config's."""
        own_place = name is None and self.runs == "runs"
        out = [] if own_place else ["--out", f"{self.runs}/{name or Path(config).stem}"]
        return ["train", config, *self.set(*settings), *out, "--resume"]

    def set(self, *settings: str) -> list[str]:
        """The options that set these keys, and the place's own."""
        few = ("train.epochs=null", "train.max_steps=2", "evaluate.every=1000", "sample.length=5")
        return [part for key in (*settings, *self.settings, *(few if self.quick else ())) for part in ("--set", key)]


def charrnn(*arguments: str, program: tuple[str, ...] = CHARRNN) -> dict[str, Any]:
    """Run a command of charrnn and return the JSON it prints; where it fails, so does the measuring, with its code."""
    done = subprocess.run(command(*arguments, program=program), cwd=ROOT, check=False, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def command(*arguments: str, program: tuple[str, ...] = CHARRNN) -> list[str]:
    return [sys.executable, *program, *arguments, "--json"]


def trained(place: Place, config: str, *settings: str, name: str | None = None) -> Measured:
    """A run from its config."""
    return _run(place, place.training(config, *settings, name=name), config, settings)


def broken(place: Place, config: str) -> Measured:
    """The same run on rows that jump over text at every carry, as those of the course of 2016 did."""
    arguments = place.training(config, name=f"{Path(config).stem}-broken-lanes")
    return _run(place, arguments, config, (), BROKEN)


def _run(
    place: Place, arguments: list[str], config: str, settings: tuple[str, ...], program: tuple[str, ...] = CHARRNN
) -> Measured:
    outcome = charrnn(*arguments, program=program)
    check = charrnn("train", config, *place.set(*settings), "--check")
    run = ROOT / outcome["run"]
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    valid = [record for record in records if record["split"] == "valid"]
    last, best = valid[-1], outcome["best"]
    return {
        "command": typed(arguments, program),
        **conditions(run),
        "figures": {
            "train_nats_last_epoch": last["train_nats"],
            "valid_nats": best["nats"],
            "valid_bits_per_char": best["bits_per_char"],
            "valid_step": best["step"],
            **{f"valid_{how}": last[how] for how in ("lanes", "windows") if how in last},
            **{f"valid_nats_position_{k}": nats for k, nats in enumerate(last.get("positions", []), start=1)},
            "steps": outcome["step"],
            "predictions_per_epoch": predictions(config, place.set(*settings)[1::2], check),
            "parameters": check["parameters"],
            "chars_per_second": round(median(r["chars_per_second"] for r in records if r["split"] == "train")),
        },
        "curve": {
            "epoch": [record["epoch"] for record in valid],
            "train_nats": [round(record["train_nats"], 4) for record in valid],
            "valid_nats": [round(record["nats"], 4) for record in valid],
        },
    }


def predictions(config: str, settings: list[str], check: dict[str, Any]) -> int:
    """How many symbols one pass over the training text predicts."""
    stream = load_config(ROOT / config, settings).config.stream
    if stream.kind == "windows" and stream.targets == "last":
        return int(check["windows"])
    manifest = json.loads((ROOT / check["corpus"] / "manifest.json").read_text(encoding="utf-8"))
    train = manifest["splits"]["train"]
    return int(train["end"] - train["start"])


def ngrams(place: Place, config: str) -> Measured:
    """Kneser–Ney of every order on the config's text."""
    arguments = ["baseline", config, *place.set()]
    table = charrnn(*arguments)
    return {
        "command": typed(arguments),
        "seeds": [],
        "device": platform.processor() or platform.machine(),
        "figures": {
            "valid_nats": table["best"]["nats"],
            "valid_bits_per_char": table["best"]["bits_per_char"],
            "order": table["best"]["order"],
            "unigram_bits_per_char": table["orders"][0]["bits_per_char"],
            **{f"valid_{how}": table[how] for how in ("lanes", "windows") if how in table},
        },
    }


def over_seeds(key: str, names: tuple[str, str]) -> Callable[[Place, str], Measured]:
    """What a switch of the config buys: the config's runs with it and without it, over some seeds; the names say which
    is which."""

    def measured(place: Place, config: str) -> Measured:
        stem = Path(config).stem
        runs = {
            name: [
                trained(place, config, f"{key}={value}", f"train.seed={seed}", name=f"{stem}-{value}-seed-{seed}")
                for seed in SEEDS
            ]
            for name, value in zip(names, ("true", "false"), strict=True)
        }
        ours, other = ([run["figures"]["valid_nats"] for run in runs[name]] for name in names)
        gains = [without - having for having, without in zip(ours, other, strict=True)]
        first = runs[names[0]][0]
        return first | {
            "command": "\n".join(run["command"] for name in names for run in runs[name]),
            "seeds": list(SEEDS),
            "reference": {"value": round(fmean(other), 4), "source": names[1]},
            "figures": {
                "train_nats_last_epoch": fmean(run["figures"]["train_nats_last_epoch"] for run in runs[names[0]]),
                "valid_nats": fmean(ours),
                "valid_bits_per_char": fmean(run["figures"]["valid_bits_per_char"] for run in runs[names[0]]),
                "gain_nats": fmean(gains),
                "least_gain_nats": min(gains),
                "largest_gain_nats": max(gains),
                "parameters": first["figures"]["parameters"],
                "chars_per_second": first["figures"]["chars_per_second"],
            },
            "curves": {name: [run["curve"] for run in runs[name]] for name in names},
        }

    return measured


def at_suggested_rate(place: Place, config: str) -> Measured:
    """The run of a config, its rate the one that the range test suggests."""
    name = f"{Path(config).stem}-find-lr"
    steps = ["--steps", "20"] if place.quick else []
    test = ["find-lr", config, *place.set(), *steps, "--picture", f"{place.runs}/{name}.svg"]
    rate = f"{charrnn(*test)['suggestion']:g}"
    measured = trained(place, config, f"train.optimizer.lr={rate}", name=name)
    figures = measured["figures"] | {"suggested_rate": float(rate)}
    return measured | {"command": f"{typed(test)}\n{measured['command']}", "figures": figures}


def adapting(place: Place, config: str) -> Measured:
    """A run of a config, evaluated as it learns from what it reads; held against itself when it does not."""
    training = place.training(config)
    outcome = charrnn(*training)
    evaluating = ["evaluate", outcome["run"], "--config", config, *place.set(), "--dynamic"]
    found = charrnn(*evaluating)
    dynamic = found["dynamic"]
    return {
        "command": f"{typed(training)}\n{typed(evaluating)}",
        **conditions(ROOT / outcome["run"]),
        "reference": {"value": round(dynamic["static"]["nats"], 4), "source": "the same model, not adapting"},
        "figures": {
            "valid_nats": dynamic["nats"],
            "valid_bits_per_char": dynamic["bits_per_char"],
            "valid_lanes": dynamic["lanes"],
            "static_bits_per_char_same_lanes": dynamic["static"]["bits_per_char"],
            "gain_bits_per_char": dynamic["static"]["bits_per_char"] - dynamic["bits_per_char"],
            "static_nats": found["nats"],
            "static_bits_per_char": found["bits_per_char"],
            "static_lanes": found["lanes"],
            "tokens": found["tokens"],
        },
    }


def masks(place: Place, config: str) -> Measured:
    """A model of ratings, trained and scored once for each of five masks; a model is chosen by what its mask holds out
    of training, and scored on the fifth that the mask leaves."""
    stem = Path(config).stem
    few = ("train.epochs=null", "train.max_steps=2", "evaluate.every=1000") if place.quick else ()
    commands, scores, run = [], [], ROOT
    for seed in MASKS:
        keys = (f"corpus.split.seed={seed}", *place.ratings, *few)
        settings = [part for key in keys for part in ("--set", key)]
        training = ["train", config, *settings, "--out", f"{place.runs}/{stem}-mask-{seed}", "--resume"]
        outcome = charrnn(*training)
        run = ROOT / outcome["run"]
        scoring = ["evaluate", outcome["run"], "--split", "test"]
        scores.append(charrnn(*scoring))
        commands += [typed(training), typed(scoring)]
    check = charrnn("train", config, *settings, "--check")
    figures = {f"test_{name}": fmean(score[name] for score in scores) for name in ("mse", "rmse", "mae")}
    return {
        "command": "\n".join(commands),
        **conditions(run),
        "figures": figures
        | {
            "test_rmse_spread": stdev(score["rmse"] for score in scores),
            **{f"test_rmse_mask_{seed}": score["rmse"] for seed, score in zip(MASKS, scores, strict=True)},
            "test_unseen_ratings": round(fmean(score["unseen_ratings"] for score in scores)),
            "parameters": check["parameters"],
        },
    }


def searched(place: Place, config: str) -> Measured:
    """The best trial of a study that two processes share, held against the config itself at the same budget."""
    few = ["--trials", "2", "--set", "tune.max_steps=2", "--out", f"{place.runs}/{Path(config).stem}"]
    arguments = ["tune", config, *place.set(), *(few if place.quick else [])]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(command(*arguments), cwd=ROOT, env=one_thread, stdout=subprocess.PIPE) for _ in range(2)
    ]
    printed = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        sys.exit(max(worker.returncode for worker in workers))
    report = max(map(json.loads, printed), key=lambda report: report["counts"]["complete"] + report["counts"]["pruned"])
    best, default = report["best"], report["default"]
    return {
        "command": f"{typed(arguments)} &\n{typed(arguments)}",
        **conditions(ROOT / report["study"] / best["run"]),
        "reference": {"value": round(default["nats"], 4), "source": "the config itself, as long a training"},
        "figures": {
            "valid_nats": best["nats"],
            "valid_bits_per_char": best["bits_per_char"],
            "gain_nats": report["gain_nats"],
            "trials_complete": report["counts"]["complete"],
            "trials_given_up": report["counts"]["pruned"],
            "steps_per_trial": best["steps"],
            **{f"best_{key}": value for key, value in best["values"].items()},
        },
    }


def typed(arguments: list[str], program: tuple[str, ...] = CHARRNN) -> str:
    """A command as a user types it."""
    return shlex.join([*(["charrnn"] if program == CHARRNN else ["python", *program]), *arguments])


def conditions(run: Path) -> dict[str, Any]:
    """What a run was computed with, from its best checkpoint."""
    return computed_with(run / "checkpoints" / (run / "best").read_text(encoding="utf-8").strip())


def computed_with(checkpoint: Path) -> dict[str, Any]:
    """What the run of a checkpoint was computed with."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    plan = config["plan"]
    return {
        "seeds": [config["config"]["train"]["seed"]],
        "device": plan["device_name"],
        "threads": plan["threads"],
        "torch": plan["torch"],
    }
