"""How each kind of row in `docs/results.json` is measured: by commands of charrnn, whose JSON output is what counts."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def charrnn(*arguments: str) -> dict[str, Any]:
    """Run a command of charrnn and return the JSON it prints."""
    done = subprocess.run(command(*arguments), cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "charrnn", *arguments, "--json"]


def trained(config: str, *settings: str) -> dict[str, Any]:
    """A run from its config."""
    arguments = ["train", config, *settings, "--resume"]
    outcome = charrnn(*arguments)
    check = charrnn("train", config, "--check")
    run = ROOT / outcome["run"]
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    last = [record for record in records if record["split"] == "valid"][-1]
    best = outcome["best"]
    return {
        "command": typed(arguments),
        **conditions(run),
        "figures": {
            "valid_nats": best["nats"],
            "valid_bits_per_char": best["bits_per_char"],
            "valid_step": best["step"],
            **{f"valid_{how}": last[how] for how in ("lanes", "windows") if how in last},
            **{f"valid_nats_position_{k}": nats for k, nats in enumerate(last.get("positions", []), start=1)},
            "train_nats_last_epoch": last["train_nats"],
            "steps": outcome["step"],
            "parameters": check["parameters"],
        },
    }


def ngrams(config: str) -> dict[str, Any]:
    """Kneser–Ney of every order on the config's text."""
    arguments = ["baseline", config]
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


def at_suggested_rate(config: str) -> dict[str, Any]:
    """The run of a config, its rate the one that the range test suggests."""
    test = ["find-lr", config]
    rate = f"{charrnn(*test)['suggestion']:g}"
    out = f"runs/{Path(config).stem}-find-lr"
    measured = trained(config, "--set", f"train.optimizer.lr={rate}", "--out", out)
    figures = measured["figures"] | {"suggested_rate": float(rate)}
    return measured | {"command": f"{typed(test)}\n{measured['command']}", "figures": figures}


def adapting(config: str) -> dict[str, Any]:
    """A run of a config, evaluated as it learns from what it reads; held against itself when it does not."""
    outcome = charrnn("train", config, "--resume")
    arguments = ["evaluate", outcome["run"], "--config", config, "--dynamic"]
    found = charrnn(*arguments)
    dynamic = found["dynamic"]
    return {
        "command": f"{typed(['train', config, '--resume'])}\n{typed(arguments)}",
        **conditions(ROOT / outcome["run"]),
        "reference": {"nats": round(dynamic["static"]["nats"], 4), "source": "the same model, not adapting"},
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


def searched(config: str) -> dict[str, Any]:
    """The best trial of a study that two processes share, held against the config itself at the same budget."""
    arguments = ["tune", config]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(command(*arguments), cwd=ROOT, env=one_thread, stdout=subprocess.PIPE) for _ in range(2)
    ]
    printed = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        sys.exit("scripts/results.py: a process of the search failed")
    report = max(map(json.loads, printed), key=lambda report: report["counts"]["complete"] + report["counts"]["pruned"])
    best, default = report["best"], report["default"]
    return {
        "command": f"{typed(arguments)} &\n{typed(arguments)}",
        **conditions(ROOT / report["study"] / best["run"]),
        "reference": {"nats": round(default["nats"], 4), "source": "the config itself, as long a training"},
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


def typed(arguments: list[str]) -> str:
    """A command as a user types it."""
    return shlex.join(["charrnn", *arguments])


def conditions(run: Path) -> dict[str, Any]:
    """What a run was computed with, from its best checkpoint."""
    checkpoint = (run / "best").read_text(encoding="utf-8").strip()
    config = json.loads((run / "checkpoints" / checkpoint / "config.json").read_text(encoding="utf-8"))
    plan = config["plan"]
    return {
        "seeds": [config["config"]["train"]["seed"]],
        "device": plan["device_name"],
        "threads": plan["threads"],
        "torch": plan["torch"],
    }
