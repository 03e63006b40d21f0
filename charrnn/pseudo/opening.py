"""The folder of all rounds: begun, or gone on with; what makes rounds comparable may not have changed.

runs/<name>-pseudo/
    config.yaml             the resolved config, each key with where it came from
    pseudolabel.json        what the rounds were begun with
    seed-1/
        round-0/            manifest.json and run/: the teacher; only the manifest where one was given
        round-1/            manifest.json, labels.csv and run/: the student; teachers/ where several agree
        control/            manifest.json and run/; only the manifest where round 0 is the control
        finetune/           where it is asked for
        result.json         what came of this seed
    result.json, report.md  what came of all

Each of the inner folders appears when all is in it; until then it has the ending `.part`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from charrnn.config.load import Loaded, flatten
from charrnn.config.render import render
from charrnn.config.schema import is_manner
from charrnn.errors import DataError, UsageError
from charrnn.files.atomic import remove_folder, sweep, write_json, write_text
from charrnn.files.lock import LOCK
from charrnn.files.refusals import storage_errors
from charrnn.runs.folder import RunFolder
from charrnn.runs.resume import accepted_changes, fixed_unless, former_config

CONFIG, RESULT, REPORT = "config.yaml", "result.json", "report.md"
_FREE = ("pseudo.seeds", "pseudo.report")
_FORMAT = 1


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something else.

    Raises:
        UsageError: it does.
    """
    run = RunFolder(folder)
    if run.study.exists():
        raise UsageError("this folder holds a study", where=run.study, hint="choose another folder with --out")
    if run.used:
        raise UsageError("this folder holds a run", where=folder, hint="choose another folder with --out")
    foreign = next((folder / name for name in (CONFIG, RESULT, REPORT) if (folder / name).exists()), None)
    if foreign is not None and not run.rounds.exists() and not (folder / LOCK).exists():
        raise UsageError(
            f"this folder holds a `{foreign.name}` that is of no rounds",
            where=foreign,
            hint="choose another folder with --out",
        )


def open_rounds(folder: Path, loaded: Loaded, corpus_digest: str) -> list[str]:
    """Begin in `folder`, which is ours, or go on there.

    Args:
        folder: the folder of all rounds.
        loaded: the config.
        corpus_digest: that of the data.

    Returns:
        A line for each key that has changed since the rounds were begun, and may.

    Raises:
        ConfigError, DataError: they were begun with another config, or on other data.
        StorageError: a write was refused.
    """
    begun = RunFolder(folder).rounds
    changes: list[str] = []
    if begun.exists():
        former = _read(begun)
        before, now = flatten(former_config(former, "the rounds", begun)), flatten(loaded.config)
        effect, hint = fixed_unless(_is_free), "begin anew with --force or --out DIR"
        changes = accepted_changes(before, now, effect, "the rounds", folder, hint)
        if former.get("corpus_digest") != corpus_digest:
            raise DataError(
                "the data are not those that the rounds were begun on",
                where=folder,
                hint="bring the former data back, or begin anew with --force or --out DIR",
            )
    # The copy in the folder says what `pseudolabel` did, so unlike that of a run it keeps its section.
    kept = loaded.anchored(keep=("pseudo",))
    write_text(folder / CONFIG, render(kept))
    dump = loaded.config.model_dump(mode="json")
    write_json(begun, {"format": _FORMAT, "config": dump, "corpus_digest": corpus_digest})
    return changes


def clear(folder: Path) -> None:
    """Delete what rounds have left in `folder`, and nothing else.

    Raises:
        StorageError: the system refused.
    """
    sweep(folder)
    with storage_errors(folder):
        for seed in sorted(folder.glob("seed-*")):
            if seed.is_dir() and not seed.is_symlink():
                remove_folder(seed)
        for name in (RESULT, REPORT, CONFIG, RunFolder(folder).rounds.name):
            (folder / name).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        if begun["format"] != _FORMAT:
            raise ValueError(f"format {begun['format']}, not {_FORMAT}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError("cannot read what the rounds were begun with", where=path, why=str(error)) from error
    return dict(begun)


def _is_free(key: str) -> bool:
    """Whether rounds stay what they are when this key has changed."""
    return key in _FREE if key.split(".")[0] == "pseudo" else is_manner(key)
