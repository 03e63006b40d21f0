"""`charrnn doctor`: whether what charrnn has written is whole, and how to mend what is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from charrnn.cli import common

if TYPE_CHECKING:
    from charrnn.runs.findings import Finding


def doctor(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A run, a checkpoint, a corpus, a study, or rounds of pseudo-labels.")
    ],
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Remove what killed processes have left half-written.")
    ] = False,
    as_json: common.Json = False,
) -> None:
    """Check every file against its digest, and say how to mend what is damaged or missing. Changes nothing by itself.

    Exits with 0 if all is whole, with 4 if a checkpoint or something else of a run is damaged, with 3 if it is data.
    """
    from charrnn.runs.doctor import examine, kind_of, sweep_below

    kind = kind_of(path)
    if sweep:
        sweep_below(path)
    found = []
    for finding in examine(path, common.CORPORA):
        found.append(finding)
        if not as_json:
            common.write(_lines(finding))
    code = max(finding.exit_code for finding in found)
    if as_json:
        things = [finding.as_dict() for finding in found]
        common.write_json({"path": str(path), "kind": kind, "whole": code == 0, "findings": things})
    raise typer.Exit(code)


def _lines(finding: Finding) -> str:
    """A thing on a line, and what is to be said of it below."""
    from charrnn.logs.console import printable

    lines = [f"{finding.state:<8}  {finding.thing:<12}  {finding.place}"]
    for label, text in (("why", finding.why), ("try", finding.mend)):
        lines += [f"{'':10}{label}: {line}" for line in (text or "").splitlines()]
    return printable("\n".join(lines)) + "\n"
