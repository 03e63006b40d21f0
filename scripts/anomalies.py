"""How well a model of a service's normal log finds the foreign lines of a later one; measured for `scripts/results.py`.

The logs are those of `scripts/service_log.py`. The threshold is the one that `charrnn score --anomalies auto` chooses
by the validation lines of the normal log. What an excess is, and that it is looked for in passages of eight symbols,
was decided on logs of the seeds 2 and 3; measured is that of seed 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import measure
import numpy as np
import service_log
from measure import Measured, Place, typed

LOGS = "build/service-log"
SEED = 1


def found(place: Place, config: str) -> Measured:
    """Write the logs, train on the normal one, score the other, and hold what is flagged against the truth."""
    logs = f"{place.runs}/service-log" if place.quick else LOGS
    sizes = ("--lines", "400", "--watched", "400") if place.quick else ()
    making = [logs, "--seed", str(SEED), *sizes]
    service_log.main([str(measure.ROOT / logs), *making[1:]])
    training = place.training(config)
    outcome = measure.charrnn(*training)
    scoring = ["score", outcome["run"], f"{logs}/watched.log", "--anomalies", "auto"]
    *lines, whole = json_lines(*scoring)
    check = measure.charrnn("train", config, *place.set(), "--check")
    truth = [json.loads(line) for line in (measure.ROOT / logs / "truth.jsonl").read_text("utf-8").splitlines()]
    kinds = {line["line"]: line["kind"] for line in truth}
    figures = held_against(lines, kinds)
    reference = average_precision([line["nats"] for line in lines], [line["line"] in kinds for line in lines])
    return {
        "command": f"python scripts/service_log.py {' '.join(making)}\n{typed(training)}\n{typed(scoring)}",
        **measure.conditions(measure.ROOT / outcome["run"]),
        "reference": {"value": round(reference, 4), "source": "mean nats per symbol"},
        "figures": {
            **figures,
            "threshold": whole["threshold"],
            "calibration_lines": whole["calibration"]["lines"],
            "calibration_lines_above": whole["calibration"]["above_threshold"],
            "watched_bits_per_char": whole["bits_per_char"],
            "parameters": check["parameters"],
        },
    }


def held_against(lines: Sequence[dict[str, Any]], kinds: dict[int, str]) -> Measured:
    """Precision, recall and F1 of what is flagged, the average precision of the scores, and the recall of each kind."""
    foreign = [line["line"] in kinds for line in lines]
    flagged = [line["anomaly"] for line in lines]
    hits = sum(a and b for a, b in zip(foreign, flagged, strict=True))
    precision, recall = hits / max(1, sum(flagged)), hits / max(1, sum(foreign))
    figures = {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if hits else 0.0,
        "average_precision": average_precision([line["z"] for line in lines], foreign),
        "lines": len(lines),
        "foreign_lines": sum(foreign),
        "false_alarms": sum(flagged) - hits,
    }
    for kind in sorted(set(kinds.values())):
        of_kind = [line["anomaly"] for line in lines if kinds.get(line["line"]) == kind]
        figures[f"recall_{kind}"] = sum(of_kind) / max(1, len(of_kind))
    return figures


def average_precision(scores: Sequence[float], foreign: Sequence[bool]) -> float:
    """The mean, over the foreign lines, of the precision among all lines that score at least as high."""
    values, true = np.array(scores), np.array(foreign)
    each = [true[values >= value].mean() for value in values[true]]
    return float(np.mean(each)) if each else 0.0


def json_lines(*arguments: str) -> list[dict[str, Any]]:
    """What a command of charrnn prints as lines of JSON; where it fails, so does the measuring, with its code."""
    done = subprocess.run(measure.command(*arguments), cwd=measure.ROOT, check=False, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
