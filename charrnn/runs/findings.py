"""What `charrnn doctor` finds of single things: a checkpoint, a corpus, a file of records, what a dead process left."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from charrnn.checkpoint.read import Checkpoint
from charrnn.corpus.labelled_corpus import LabelledCorpus
from charrnn.corpus.labelled_manifest import ITEMS, LabelledManifest
from charrnn.corpus.labelled_manifest import KIND as LABELLED
from charrnn.corpus.manifest import KIND as TOKENS
from charrnn.corpus.manifest import MANIFEST, Manifest, part_name, read_json, read_manifest
from charrnn.corpus.manifest import TOKENS as TOKENS_FILE
from charrnn.corpus.ratings import ARRAYS, RatingsCorpus, RatingsManifest
from charrnn.corpus.ratings import KIND as RATINGS
from charrnn.corpus.tokens import TokenCorpus, check_file
from charrnn.errors import CheckpointError, DataError
from charrnn.files.atomic import leftovers

_CORPORA: dict[str, tuple[type[Any], type[Any]]] = {
    TOKENS: (Manifest, TokenCorpus),
    LABELLED: (LabelledManifest, LabelledCorpus),
    RATINGS: (RatingsManifest, RatingsCorpus),
}
_TOLD = 20
"""So many wrong lines are told by number."""
_ARRAYS = (TOKENS_FILE, part_name(0), ITEMS, next(iter(ARRAYS)))

State = Literal["ok", "note", "leftover", "missing", "damaged"]


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        state: `ok`; `note`: whole, and something should be known of it; `leftover`: what a dead process left, and
            nobody reads; `missing`; `damaged`.
        thing: what it is, in a word or two.
        place: where it lies.
        why: what is wrong with it, or should be known, a line each.
        mend: what to do about it.
        exit_code: that of the error which whoever needs the thing would end with; 0 where nothing is wrong.
    """

    state: State
    thing: str
    place: Path
    why: str | None = None
    mend: str | None = None
    exit_code: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        fields = {"state": self.state, "thing": self.thing, "place": str(self.place), "why": self.why, "try": self.mend}
        return {name: value for name, value in fields.items() if value is not None}


def command(*words: object) -> str:
    """A command as it is to be typed."""
    return shlex.join(map(str, words))


def checkpoint_finding(folder: Path, mend: str) -> Finding:
    """A checkpoint: its manifest, and every file by its digest."""
    try:
        errors = Checkpoint.open(folder).damage()
    except CheckpointError as error:
        errors = [error]
    if not errors:
        return Finding("ok", "checkpoint", folder)
    return Finding("damaged", "checkpoint", folder, "\n".join(map(_told, errors)), mend, CheckpointError.exit_code)


def corpus_finding(folder: Path, mend: str, digest: str | None = None) -> Finding:
    """A corpus of any kind: its manifest, every file by its digest, and whether the numbers in them can be.

    Args:
        folder: where it lies.
        mend: how it is made again.
        digest: the identity that it must have.
    """
    errors: list[DataError] = []
    try:
        manifest, opened = _kind(folder)
        for name, record in manifest.files.items():
            try:
                check_file(folder / name, record, verify=True)
            except DataError as error:
                errors.append(error)
        if not errors:
            opened.open(folder)
        if digest not in (None, manifest.digest):
            errors.append(DataError("it is of other data", where=folder, why=f"digest {manifest.digest[:16]}…"))
    except DataError as error:
        errors.append(error)
    if not errors:
        return Finding("ok", "corpus", folder)
    return Finding("damaged", "corpus", folder, "\n".join(map(_told, errors)), mend, DataError.exit_code)


def _kind(folder: Path) -> tuple[Any, type[Any]]:
    """The manifest of a corpus, and the class that opens it."""
    value = read_json(folder / MANIFEST)
    kind = value.get("kind") if isinstance(value, dict) else None
    form, opened = _CORPORA.get(kind if isinstance(kind, str) else "", _CORPORA[TOKENS])
    return read_manifest(form, kind if kind in _CORPORA else TOKENS, folder), opened


def is_corpus(folder: Path) -> bool:
    """Whether a folder holds a corpus, or what is left of one."""
    if any((folder / name).is_file() for name in _ARRAYS):
        return True
    try:
        return (folder / MANIFEST).is_file() and read_json(folder / MANIFEST)["kind"] in _CORPORA
    except (DataError, LookupError, TypeError):
        return False


def records_finding(path: Path, thing: str, least: int = 0, mend: str | None = None) -> Finding:
    """A file of JSON lines; half a line at its end is what a kill leaves, and no damage.

    Args:
        path: the file.
        thing: what to call it.
        least: how many records it must have.
        mend: what to do about damage, where that is not to do without the records.
    """
    code = DataError.exit_code
    if path.exists() and not path.is_file():
        return Finding("damaged", thing, path, "it is no file", mend or f"{command('rm', '-r', path)}", code)
    try:
        count, half, wrong = _read_lines(path)
    except FileNotFoundError:
        return Finding("missing", thing, path, f"there were {least} records", mend, code if least else 0)
    except OSError as error:
        return Finding("damaged", thing, path, error.strerror, mend, code)
    if wrong:
        # The lines are replaced and not deleted: checkpoints count them.
        blank = [part for number in wrong[:_TOLD] for part in ("-e", f'{number}s/.*/{{"split": "lost"}}/')]
        lines = ", ".join(map(str, wrong[:_TOLD])) + (f" and {len(wrong) - _TOLD} more" if wrong[_TOLD:] else "")
        mend = mend or f"what they said is lost; {command('sed', '-i', *blank, path)}"
        return Finding("damaged", thing, path, f"these lines are no records: {lines}", mend, code)
    if count < least:
        why = f"it has {count} records, and had {least} when the newest checkpoint was written"
        return Finding("damaged", thing, path, why, mend or "what they said is lost; nothing else needs them", code)
    if half:
        return Finding("note", thing, path, "half a line at its end, as a kill leaves it; who writes next removes it")
    return Finding("ok", thing, path)


def _read_lines(path: Path) -> tuple[int, bool, list[int]]:
    """How many whole lines a file has, whether half a one follows, and the numbers of those that are no records."""
    count, wrong = 0, list[int]()
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return count, True, wrong
            count += 1
            try:
                whole = isinstance(json.loads(line), dict)
            except (ValueError, RecursionError):
                whole = False
            if not whole:
                wrong.append(count)
    return count, False, wrong


def json_finding(path: Path, thing: str, mend: str) -> Finding:
    """A file that holds a JSON object."""
    try:
        if not isinstance(read_json(path), dict):
            raise DataError("it is JSON, but not an object", where=path)
    except DataError as error:
        return Finding("damaged", thing, path, error.why or error.what, mend, DataError.exit_code)
    return Finding("ok", thing, path)


def leftover_findings(folder: Path, top: Path) -> Iterator[Finding]:
    """What killed processes of this machine left half-written in a folder; `top` is what the doctor was asked about."""
    for path in leftovers(folder) if folder.is_dir() else []:
        why = "a process that was killed left it; nothing reads it"
        yield Finding("leftover", "half-written", path, why, command("charrnn", "doctor", top, "--sweep"))


def _told(error: CheckpointError | DataError) -> str:
    name = "" if error.where is None else f"{Path(error.where).name}: "
    return name + (error.why or error.what)
