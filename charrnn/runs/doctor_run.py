"""What `charrnn doctor` looks at in the folder of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from charrnn.checkpoint.layout import step_of
from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import load_config
from charrnn.corpus.ready import named_by
from charrnn.errors import CheckpointError, ConfigError, DataError
from charrnn.files import digest
from charrnn.files.lock import LOCK, owner
from charrnn.runs.findings import (
    Finding,
    State,
    checkpoint_finding,
    command,
    corpus_finding,
    leftover_findings,
    records_finding,
)
from charrnn.runs.folder import RunFolder


def is_run(run: RunFolder) -> bool:
    """Whether a folder holds a run, or what is left of one."""
    begun = (run.path / LOCK).is_file() and run.config.is_file()
    return run.used or begun or (run.path / "last").is_file() or bool(_steps(run))


def run_findings(run: RunFolder, corpora: Path, seen: set[str]) -> Iterator[Finding]:
    """All of a run: config, checkpoints, pointers, records, data, and what dead processes left.

    Args:
        run: the run.
        corpora: where prepared corpora lie.
        seen: the digests of data that need not be looked at again; those of this run are added.
    """
    yield from in_use(run.path)
    theirs = _Advice(run, "CONFIG")
    config = config_finding(run.config, f"with the config that it was trained with, {theirs.train('--resume')}")
    yield config
    advice = _Advice(run, run.config) if config.state == "ok" else theirs
    steps = _steps(run)
    found = [checkpoint_finding(folder, "") for folder in steps]
    whole = [finding.place for finding in found if finding.state == "ok"]
    for finding in found:
        if finding.state == "ok":
            yield finding
        elif finding.place.is_dir():  # else a living process has removed it meanwhile
            yield replace(finding, mend=advice.without(finding.place, whole))
    if not steps:
        yield Finding("note", "checkpoint", run.checkpoints, "none was written yet")
    for name in ("last", "best"):
        yield from _pointer(advice, name, steps)
    newest = Checkpoint.open(whole[-1]) if whole else None
    yield from _records(run, newest)
    if newest is not None:
        yield from _data(advice, newest, corpora, seen)
    for folder in (run.path, run.checkpoints):
        yield from leftover_findings(folder, run.path)


@dataclass(frozen=True)
class _Advice:
    """Commands for a run.

    Attributes:
        run: the run.
        config: how to name its config: the copy in its folder, if that is whole.
    """

    run: RunFolder
    config: object

    def train(self, mode: str) -> str:
        """Train it, on or anew."""
        return command("charrnn", "train", self.config, "--out", self.run.path, mode)

    def without(self, damaged: Path, whole: list[Path]) -> str:
        """How to do without one of its checkpoints."""
        if not whole:
            return f"bring a copy of it back; else nothing is left to go on from: {self.train('--force')} begins anew"
        pointers = [self.run.path / name for name in ("last", "best") if _names(self.run, name, damaged)]
        remove = command("rm", "-r", damaged, *pointers)
        if damaged < whole[-1]:
            return f"{remove}; the run goes on from {whole[-1].name} in any case"
        sample = command("charrnn", "sample", whole[-1])
        return f"{remove}; then {self.train('--resume')} goes on from {whole[-1].name}\nto use that as it is: {sample}"


def in_use(folder: Path) -> Iterator[Finding]:
    """Says so where a living process works in a folder."""
    who = owner(folder)
    if who is not None:
        yield Finding(
            "note", "in use", folder, f"by {who}; what it writes and removes meanwhile may be told as missing"
        )


def config_finding(path: Path, mend: str) -> Finding:
    """A resolved config."""
    if path.exists() and not path.is_file():
        return Finding("damaged", "config", path, "it is no file", mend, CheckpointError.exit_code)
    try:
        load_config(path)
    except ConfigError as error:
        state: State = "damaged" if path.is_file() else "missing"
        why = f"{error.what}\n{error.why or ''}".strip()
        return Finding(state, "config", path, why, mend, CheckpointError.exit_code)
    return Finding("ok", "config", path)


def data_findings(documents: Sequence[tuple[dict[str, Any], str]], corpora: Path, seen: set[str]) -> Iterator[Finding]:
    """Prepared corpora, by their digests.

    Args:
        documents: each holds a `corpus_digest`; and how it is made again.
        corpora: where prepared corpora lie.
        seen: digests that need not be looked at again; those of these are added.
    """
    for document, again in documents:
        wanted = document.get("corpus_digest")
        if not isinstance(wanted, str) or wanted in seen:
            continue
        seen.add(wanted)
        folder = named_by(corpora, wanted)
        if folder is not None:
            mend = f"{command('rm', '-r', folder)}; {again} makes it again, from the same source"
            yield corpus_finding(folder, mend, wanted)
            continue
        why = "these data are not prepared here: training on and evaluating need them, sampling does not"
        yield Finding(
            "missing", "corpus", corpora / f"*-{wanted[:8]}", why, f"{again} makes it again", DataError.exit_code
        )


def _file(path: Path, sha256: str) -> Finding:
    mend = "bring the former file back: the run cannot go on with another one"
    try:
        if digest.of_file(path) == sha256:
            return Finding("ok", "file", path)
    except OSError as error:
        return Finding("missing", "file", path, error.strerror, mend, DataError.exit_code)
    return Finding("damaged", "file", path, "its SHA-256 is not the one in the checkpoint", mend, DataError.exit_code)


def _records(run: RunFolder, newest: Checkpoint | None) -> Iterator[Finding]:
    """The files of records, which may not be shorter than when the newest checkpoint was written."""
    train = None if newest is None else newest.document("train")
    positions = train.get("records") if isinstance(train, dict) else None
    for path in (run.metrics, run.samples):
        least = positions.get(path.name, 0) if isinstance(positions, dict) else 0
        if path.exists() or least:
            yield records_finding(path, "records", least)


def _data(advice: _Advice, newest: Checkpoint, corpora: Path, seen: set[str]) -> Iterator[Finding]:
    """What the run reads, as its newest checkpoint knows it."""
    document = newest.document("config")
    if not isinstance(document, dict) or "corpus_digest" not in document:
        yield Finding("note", "corpus", newest.folder, "this checkpoint does not say which data it was trained on")
        return
    main = ({"corpus_digest": document["corpus_digest"]}, command("charrnn", "prepare", advice.config))
    mixed, again = document.get("mix", {}), advice.train("--resume")
    texts = [(part, again) for part in mixed.values() if "corpus_digest" in part]
    yield from data_findings([main, *texts], corpora, seen)
    if advice.config == advice.run.config:
        # Files may have moved since: the config knows where they are, and the checkpoint what they hold.
        parts = getattr(load_config(advice.run.config).config.stream, "mix", None) or {}
        for name, part in parts.items():
            source, sha256 = getattr(part, "source", None), mixed.get(name, {}).get("sha256")
            if source is not None and sha256 is not None and sha256 not in seen:
                seen.add(sha256)
                yield _file(Path(source), sha256)


def _steps(run: RunFolder) -> list[Path]:
    """All folders that have the name of a checkpoint, by step, with a manifest or without."""
    if not run.checkpoints.is_dir():
        return []
    found = [(step_of(folder), folder) for folder in run.checkpoints.iterdir()]
    return [folder for step, folder in sorted((step, folder) for step, folder in found if step is not None)]


def _pointer(advice: _Advice, name: str, steps: list[Path]) -> Iterator[Finding]:
    run, path, code = advice.run, advice.run.path / name, CheckpointError.exit_code
    anew = f"{command('rm', path)}; {advice.train('--resume')} writes it anew"
    try:
        folder = run.pointed(name)
    except CheckpointError as error:
        yield Finding("damaged", "pointer", path, error.why or error.what, anew, code)
        return
    if folder is None:
        if name == "last" and steps:
            yield Finding("note", "pointer", path, "there is none: --resume writes it, and goes on from the newest")
    elif folder not in steps:
        offer = f"bring it back, or {anew}" + (f", and goes on from {steps[-1].name}" if steps else "")
        yield Finding("damaged", "pointer", path, f"it names {folder.name}, which is not there", offer, code)
    elif name == "last" and folder != steps[-1]:
        yield Finding("note", "pointer", path, f"it names {folder.name}: --resume goes on from {steps[-1].name}")
    else:
        yield Finding("ok", "pointer", path)


def _names(run: RunFolder, pointer: str, folder: Path) -> bool:
    try:
        return run.pointed(pointer) == folder
    except CheckpointError:
        return False
