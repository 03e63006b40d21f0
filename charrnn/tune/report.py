"""What came of a study: its trials best first, what the search won over the config itself, which keys mattered."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from charrnn.config.load import Loaded
from charrnn.config.render import render
from charrnn.config.tree import one_line
from charrnn.files.atomic import write_json, write_text
from charrnn.logs.record import read_records
from charrnn.runs.folder import RunFolder
from charrnn.tune import space
from charrnn.tune.study import Study, Trial

STATES = ("complete", "pruned", "running", "failed")
_QUANTILE = 0.25
_ENOUGH = 8
_METHOD = (
    "PED-ANOVA (Watanabe, Bansal, Hutter 2023): how far the values of the best quarter of the trials are from those of "
    "all, key by key; trials that were given up count, and are not among the best; the shares sum to 1"
)


def write_report(study: Study, loaded: Loaded) -> dict[str, Any]:
    """Write `report.json`, `report.md` and `best.yaml` into the study's folder, as things stand.

    Args:
        study: the study.
        loaded: the config that it searches from.

    Returns:
        The report; see `summary`.

    Raises:
        StorageError: a file cannot be written.
        DataError: the journal, or the records of a trial, cannot be read.
    """
    with study.alone():
        report = summary(study)
        write_json(study.folder / "report.json", report)
        write_text(study.folder / "report.md", markdown(report))
        if report["best"] is not None:
            write_text(study.folder / "best.yaml", best_config(study, loaded, report["best"]))
    return report


def summary(study: Study) -> dict[str, Any]:
    """The report as JSON values.

    Returns:
        `wanted` and `counts` (trials by state), `table` (every trial, best first; its figures come from the records of
        its run), `best`, `default` (the trial that is the config itself, or None), `gain_nats`, or of
        another task's loss (how much the best is below the default; None without both), `figures` (what the loss is
        called, and what users compare), and `importances`.
    """
    trials = study.trials()
    table = sorted((_row(study, trial) for trial in trials), key=lambda row: _rank(row, study.figures[0]))
    loss = study.figures[0]
    complete = [row for row in table if row["state"] == "complete" and row[loss] is not None]
    best = complete[0] if complete else None
    default = next((row for row in complete if row["trial"] == 0 and not study.own_outside), None)
    return {
        "wanted": study.tune.trials,
        "counts": {state: sum(trial.state == state for trial in trials) for state in STATES},
        "budget": {"epochs": study.tune.epochs, "max_steps": study.tune.max_steps},
        "best": best,
        "default": default,
        "figures": study.figures,
        f"gain_{loss}": default[loss] - best[loss] if default is not None and best is not None else None,
        "importances": _importances(study, table),
        "table": table,
    }


def _row(study: Study, trial: Trial) -> dict[str, Any]:
    folder = study.folder_of(trial.number)
    records = read_records(RunFolder(folder).metrics)
    validations = [record for record in records if record["split"] == "valid"]
    best = min(validations, key=lambda record: record[study.figures[0]], default={})
    return {
        "trial": trial.number,
        "state": trial.state,
        **{name: best.get(name) for name in study.figures},
        "best_step": best.get("step"),
        "steps": max((record["step"] for record in records), default=0),
        "run": str(folder.relative_to(study.folder)),
        "values": trial.values,
        "error": None if trial.error is None else trial.error["what"],
    }


def _rank(row: dict[str, Any], loss: str) -> tuple[int, float, int]:
    return STATES.index(row["state"]), math.inf if row[loss] is None else row[loss], row["trial"]


def _importances(study: Study, table: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Each key's share in what told the best trials from the others; None where there are too few to tell."""
    loss = study.figures[0]
    complete = [row for row in table if row["state"] == "complete" and row[loss] is not None]
    others = [row for row in table if row["state"] == "pruned"]
    beyond = max((row[loss] for row in complete), default=0.0) + 1.0  # only the order counts
    judged = [(row[loss], row["values"]) for row in complete] + [(beyond, row["values"]) for row in others]
    cut = math.ceil(_QUANTILE * len(judged))
    if len(judged) < _ENOUGH or len(complete) < cut or judged[cut - 1][0] == judged[-1][0]:
        return None
    shares = study.importances(judged, _QUANTILE)
    return {"method": _METHOD, "trials": len(judged), "shares": shares}


def best_config(study: Study, loaded: Loaded, best: dict[str, Any]) -> str:
    """The config with the values of the best trial and the length of training that the config itself asks for."""
    tuned = loaded.varied(space.overrides({**best["values"], "tune": None})).anchored()
    origins = dict(tuned.origins)
    for key in origins:
        if any(key == own or key.startswith(own + ".") for own in best["values"]):
            origins[key] = f"trial {best['trial']}"
    again = " ".join(shlex.join(["--set", setting]) for setting in space.overrides(space.length(study.tune)))
    head = [
        f"# {loaded.name} with the values of trial {best['trial']}, the best of {len(study.trials())}:",
        f"# {best[study.figures[0]]:.4f} {study.figures[0]} in validation after {best['best_step']} steps.",
        f"# That very trial once more: charrnn train {study.folder / 'best.yaml'} {again}".rstrip(),
    ]
    return "".join(one_line(line) + "\n" for line in head) + render(replace(tuned, origins=origins))


def markdown(report: dict[str, Any]) -> str:
    """The report as a page."""
    counts = ", ".join(f"{count} {state}" for state, count in report["counts"].items() if count)
    loss = report["figures"][0]
    lines = ["# What the search found", "", f"Trials: {counts}, of {report['wanted']}.", ""]
    if report["best"] is not None:
        lines += [f"Best: {_told(report['best'], loss)}.", ""]
    if report["default"] is not None:
        lines += [f"The config itself: {_told(report['default'], loss)}.", ""]
        lines += [f"The search won {report[f'gain_{loss}']:.4f} {loss}, under the same limits in each.", ""]
    else:
        lines += ["No complete trial is the config itself: there is nothing to hold the best against.", ""]
    return "\n".join([*lines, *_mattered(report["importances"]), *_table(report["table"], loss)]) + "\n"


def _told(row: dict[str, Any], loss: str) -> str:
    return f"trial {row['trial']} with {row[loss]:.4f} {loss} in validation at step {row['best_step']}"


def _mattered(importances: dict[str, Any] | None) -> list[str]:
    lines = ["## What mattered", ""]
    if importances is None:
        return [*lines, f"Too early to tell: it takes {_ENOUGH} finished trials that differ.", ""]
    lines += [
        f"{importances['method']}. From {importances['trials']} trials.",
        "",
        "| key | share |",
        "|---|---|",
    ]
    return [*lines, *(f"| {key} | {share:.2f} |" for key, share in importances["shares"].items()), ""]


def _table(table: Sequence[dict[str, Any]], loss: str) -> list[str]:
    keys = list(table[0]["values"]) if table else []
    lines = [
        "## All trials",
        "",
        f"| trial | state | {loss} | steps | {' | '.join(keys)} |",
        "|---" * (4 + len(keys)) + "|",
    ]
    for row in table:
        figure = "" if row[loss] is None else f"{row[loss]:.4f}"
        values = [_cell(row["values"][key]) for key in keys]
        lines.append(f"| {row['trial']} | {row['state']} | {figure} | {row['steps']} | {' | '.join(values)} |")
    failures = [f"- trial {row['trial']}: {one_line(row['error'])}" for row in table if row["error"]]
    return [*lines, "", "## What failed", "", *failures] if failures else lines


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return text.replace("|", "\\|")
