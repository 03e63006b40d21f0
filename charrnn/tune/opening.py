"""Begin a study or join the one that is there; what makes its trials comparable may not have changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from charrnn.config.load import flatten
from charrnn.config.schema import Config, is_manner
from charrnn.errors import DataError, UsageError
from charrnn.files.atomic import make_folder, sweep
from charrnn.files.claims import held
from charrnn.runs.folder import RunFolder
from charrnn.runs.resume import accepted_changes, fixed_unless, former_config
from charrnn.tune.extra import optuna
from charrnn.tune.journal import JOURNAL, journal_errors, open_journal
from charrnn.tune.study import CLAIM, NAME, TRIALS, Study

_RESULTS = ("trials", "best.yaml", "report.json", "report.md")
_CONTINUABLE = ("tune.trials", "tune.sampler", "tune.prune", "tune.seed")


def open_study(folder: Path, config: Config, corpus_digest: str) -> tuple[Study, list[str]]:
    """Begin a study, or join the one that is there.

    Args:
        folder: the study's folder.
        config: the config, with its `tune:` section.
        corpus_digest: that of the text.

    Returns:
        The study, and a line for each key that has changed since it was begun, and may.

    Raises:
        MissingExtraError: Optuna is not installed.
        UsageError: the folder holds something else.
        ConfigError, DataError: the study was begun with another config, or on another text.
    """
    optuna()
    journal = folder / JOURNAL
    foreign = next((folder / name for name in _RESULTS if (folder / name).exists()), None)
    if foreign is not None and not journal.exists():
        raise UsageError(
            f"this folder holds a `{foreign.name}` that is not a study's",
            where=foreign,
            hint="choose another folder with --out",
        )
    if RunFolder(folder).used:
        raise UsageError("this folder holds a run", where=folder, hint="choose another folder with --out")
    make_folder(folder)
    with held(folder / CLAIM):
        sweep(folder)
        storage = open_journal(journal)
        with journal_errors(journal):
            begun = _begun(storage, {"config": config.model_dump(mode="json"), "corpus": corpus_digest})
        make_folder(folder / TRIALS)  # after the journal, by which whoever comes next knows the folder for a study's
        sweep(folder / TRIALS)
    before, now = flatten(former_config(begun, "the study", journal)), flatten(config)
    changes = accepted_changes(
        before, now, fixed_unless(_is_free), "the study", folder, "begin another study with --out DIR"
    )
    if begun.get("corpus") != corpus_digest:
        raise DataError(
            "the text is not the one that the study was begun on",
            where=folder,
            hint="bring the former text back, or begin another study with --out DIR",
        )
    return Study(folder, config, storage), changes


def _begun(storage: Any, now: dict[str, Any]) -> dict[str, Any]:
    """What the study was begun with: `now` for one that begins here."""
    if not storage.get_all_studies():
        storage.create_new_study([optuna().study.StudyDirection.MINIMIZE], NAME)
    study_id = storage.get_study_id_from_name(NAME)
    if "begun" not in storage.get_study_user_attrs(study_id):  # new, or killed between these lines
        storage.set_study_user_attr(study_id, "begun", now)
    begun: dict[str, Any] = storage.get_study_user_attrs(study_id)["begun"]
    return begun


def _is_free(key: str) -> bool:
    """Whether trials stay comparable when this key has changed."""
    if key.split(".")[0] == "tune":
        return any(key == name or key.startswith(name + ".") for name in _CONTINUABLE)
    return is_manner(key)
