"""`charrnn doctor`: looks at everything in a folder that charrnn has written, and says what is wrong with it.

Torch-free. Nothing is changed, unless what killed processes left is to be swept away.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from charrnn.checkpoint.layout import MANIFEST, checkpoints, step_of
from charrnn.checkpoint.read import is_whole
from charrnn.errors import UsageError
from charrnn.files.atomic import sweep
from charrnn.runs.doctor_rounds import rounds_findings
from charrnn.runs.doctor_run import config_finding, in_use, is_run, run_findings
from charrnn.runs.findings import (
    Finding,
    checkpoint_finding,
    command,
    corpus_finding,
    is_corpus,
    leftover_findings,
    records_finding,
)
from charrnn.runs.folder import RunFolder


def kind_of(place: Path) -> str:
    """What lies at `place`: `rounds`, `study`, `run`, `checkpoint` or `corpus`.

    Raises:
        UsageError: nothing that charrnn has written.
    """
    run = RunFolder(place)
    if run.rounds.exists():
        return "rounds"
    if run.study.exists():
        return "study"
    if is_run(run):
        return "run"
    if is_corpus(place):
        return "corpus"
    if place.is_dir() and (step_of(place) is not None or (place / MANIFEST).is_file()):
        return "checkpoint"
    raise UsageError(
        "there is nothing here that charrnn has written" if place.is_dir() else "there is no such folder",
        where=place,
        hint="name a run, a checkpoint, a prepared corpus, rounds of pseudo-labels, or a study",
    )


def examine(place: Path, corpora: Path) -> Iterator[Finding]:
    """All that is found at `place`, a finding for each thing, as soon as it is known.

    Args:
        place: a folder of one of the kinds that `kind_of` tells apart.
        corpora: where prepared corpora lie.

    Raises:
        UsageError: there is nothing here that charrnn has written.
    """
    match kind_of(place):
        case "rounds":
            yield from rounds_findings(place, corpora)
        case "study":
            yield from _study(place, corpora)
        case "run":
            yield from run_findings(RunFolder(place), corpora, set())
        case "corpus":
            again = command("charrnn", "prepare", "CONFIG", "--out", place)
            yield corpus_finding(place, f"make it again, with the config that it was made with: {again}")
            yield from leftover_findings(place.absolute().parent, place)
        case _:
            yield _checkpoint(place)


def sweep_below(place: Path) -> None:
    """Remove what killed processes of this machine left half-written at `place` and beside it."""
    sweep(place.absolute().parent)
    for folder in [place, *sorted(path for path in place.rglob("*") if path.is_dir() and not path.is_symlink())]:
        sweep(folder)


def _checkpoint(folder: Path) -> Finding:
    """A checkpoint that was named itself."""
    others = [other for other in checkpoints(folder.parent) if other.name != folder.name]
    whole = [other for other in others if is_whole(other)]
    use = f"use another one: {command('charrnn', 'sample', whole[-1])}" if whole else "there is no other one beside it"
    return checkpoint_finding(folder, f"bring a copy of it back, or {use}")


def _study(folder: Path, corpora: Path) -> Iterator[Finding]:
    """The journal of a study, and its trials, each a run."""
    run, seen = RunFolder(folder), set[str]()
    yield from in_use(folder)
    yield records_finding(
        run.study, "journal", mend="begin anew with --out DIR; the trials are runs of their own, and stay"
    )
    best = folder / "best.yaml"
    if best.exists():
        yield config_finding(best, "the same `charrnn tune` command writes it anew")
    for trial in sorted((folder / "trials").glob("*")):
        if is_run(RunFolder(trial)):
            yield from run_findings(RunFolder(trial), corpora, seen)
    for parent in (folder, folder / "trials"):
        yield from leftover_findings(parent, folder)
