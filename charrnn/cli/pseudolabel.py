"""`charrnn pseudolabel`: a teacher labels what has no label, and students learn from it, beside a control."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from charrnn.cli import common
from charrnn.errors import Interrupted


def pseudolabel(
    path: common.ConfigFile,
    out: Annotated[
        Path | None, typer.Option(help="The folder of all rounds; default: runs/<config name>-pseudo.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="The same as --set pseudo.rounds=…")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="The same as --set pseudo.seeds=…")] = None,
    force: Annotated[bool, typer.Option("--force", help="Delete the rounds that are there, and begin anew.")] = False,
    overrides: common.Overrides = None,
    device: common.Device = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Let a teacher label what has no label, train students on that, and hold the best against the same model without.

    What was stopped goes on with the same command. Prints the last figures of each seed and of its control, and where
    the report lies.
    """
    from charrnn.logs.console import Console
    from charrnn.pseudo.command import pseudolabel as run
    from charrnn.runs.processes import processes
    from charrnn.train.deadline import job_end
    from charrnn.train.interrupt import listening
    from charrnn.train.launch import ECHO, is_first_process, restarts, started_by_torchrun

    given = {"pseudo.rounds": rounds, "pseudo.seeds": seeds}
    settings = common.on_device(overrides, device)
    settings += [f"{key}={value}" for key, value in given.items() if value is not None]
    together, first = started_by_torchrun(), is_first_process()
    quiet |= not first
    force &= restarts() == 0  # after one of the processes had died, all go on
    folder = None
    try:
        with listening(ECHO if together else 0.0) as interrupt:
            with Console(quiet=quiet) as console:
                interrupt.deadline = job_end(console.note)
                loaded = common.load(path, settings, console)
            folder = out or common.RUNS / f"{loaded.name}-pseudo"
            with processes(loaded.config.train) as world:
                result = run(loaded, folder, common.CORPORA, lambda: Console(quiet=quiet), interrupt, force, world)
    except Interrupted as stop:
        if as_json and first:
            common.write_json({"folder": str(folder), "resumable": True, "signal": stop.signal_number})
        command = [word for word in sys.argv[1:] if word != "--force"]  # it would begin anew once more
        stop.hint = "go on with: " + shlex.join(["charrnn", *command])
        raise
    if not first:
        return
    if as_json:
        common.write_json({"folder": str(folder), **result})
    else:
        common.write("".join(f"{line}\n" for line in _lines(folder, result)))


def _lines(folder: Path, result: dict[str, Any]) -> list[str]:
    from charrnn.pseudo.report import caveats, table

    rows = table(result)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    lines = [*caveats(result), f"the {result['report']} split:", *("  ".join(row).rstrip() for row in cells)]
    for seed in result["seeds"]:
        lines.append(f"seed {seed['seed']}: {seed['ended']}; control: {seed['control']['why']}")
        if seed["finetune_figures"] is not None:
            accuracy = seed["finetune_figures"]["accuracy"]
            lines.append(f"seed {seed['seed']}: after learning from the validation items too: accuracy {accuracy:.4f}")
    return [*lines, f"report: {folder / 'report.md'}"]
