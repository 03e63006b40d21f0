"""The search: trials are begun, gone on with, and judged, until the study has as many as it should."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from charrnn.config.load import Loaded
from charrnn.errors import (
    CharRnnError,
    CheckpointError,
    DataError,
    DivergedError,
    LockedError,
    OutOfMemoryError,
    UsageError,
)
from charrnn.files.claims import Claim
from charrnn.logs.console import Console
from charrnn.runs.folder import RunFolder
from charrnn.runs.start import train_run
from charrnn.runs.task import task_of
from charrnn.train.interrupt import Interrupt
from charrnn.tune import space
from charrnn.tune.extra import optuna
from charrnn.tune.opening import open_study
from charrnn.tune.report import write_report
from charrnn.tune.study import PRUNED, Study, Trial

_PAUSE = 0.5
_OF_THE_TRIAL = (DivergedError, OutOfMemoryError, UsageError, DataError, CheckpointError)
"""What a trial's own values can bring about; anything else would meet the next trial too, and ends the search."""


class Holder(Interrupt):
    """The signals so far, of a process that trains a trial as long as it holds the claim of it."""

    def __init__(self, own: Interrupt, claim: Claim) -> None:
        super().__init__()
        self._own, self._claim = own, claim

    def check(self) -> None:
        """Raise `LockedError` where another process has taken over, and what `Interrupt.check` does."""
        self._claim.check()
        try:
            self._own.check()
        finally:
            self.stop = self._own.stop

    def saved(self, seconds: float) -> None:
        """See `Interrupt.saved`."""
        self._own.saved(seconds)

    def take_save(self) -> bool:
        """See `Interrupt.take_save`."""
        asked, self.save = self._own.take_save() or self.save, False
        return asked


@dataclass
class Search:
    """One process at work on a study.

    Attributes:
        study: the study.
        loaded: the config.
        corpora: where corpora lie.
        new_console: makes what shows one trial to the user.
        interrupt: the signals so far.
    """

    study: Study
    loaded: Loaded
    corpora: Path
    new_console: Callable[[], Console]
    interrupt: Interrupt
    _refused: set[int] = field(default_factory=set)

    def run(self, limit: int) -> None:
        """Work until `limit` trials have begun, and none is left behind by a process that is gone."""
        told = False
        while True:
            self.interrupt.check()
            if any(self._train(trial) for trial in self.study.trials() if trial.state == "running"):
                continue
            trial = self.study.ask(limit)
            if trial is not None:
                with self.new_console() as console:
                    console.note(f"trial {trial.number}: {', '.join(space.overrides(trial.values))}")
                self._train(trial)
            elif self._others_live():
                return
            else:
                if not told:
                    with self.new_console() as console:
                        console.note("waiting for a sign of life from the machine that has the last trials")
                told = True
                time.sleep(_PAUSE)

    def _others_live(self) -> bool:
        """Whether every trial under way is in the hands of a process that has been seen to live."""
        left = [trial.number for trial in self.study.trials() if trial.state == "running"]
        return all(number in self._refused or self.study.claim_of(number).alive for number in left)

    def _train(self, trial: Trial) -> bool:
        """Train a trial to its end, or on to its end; False where another process is at it, or was quicker."""
        claim = self.study.claim_of(trial.number)
        if not claim.take():
            return False
        try:
            if self.study.trials()[trial.number].state != "running":
                return False
            return self._trained(trial, Holder(self.interrupt, claim))
        finally:
            claim.release()

    def _trained(self, trial: Trial, interrupt: Interrupt) -> bool:
        study, folder = self.study, self.study.folder_of(trial.number)
        with self.new_console() as console:
            try:
                outcome = self._outcome(trial, folder, console, interrupt)
            except LockedError:
                # A run's lock is the kernel's: an older charrnn holds it, or the process that has taken over.
                self._refused.add(trial.number)
                return False
            except _OF_THE_TRIAL as error:
                study.fail(trial.number, error)
                console.note(f"trial {trial.number} failed: {error.what}")
            else:
                pruned = outcome["ended"] == PRUNED
                study.end(trial.number, outcome["best"]["loss"], pruned)
                told = f"{outcome['best']['loss']:.4f} {study.figures[0]} after {outcome['step']} steps"
                console.note(f"trial {trial.number}: {told}{', given up' if pruned else ''}")
        write_report(study, self.loaded)
        return True

    def _outcome(self, trial: Trial, folder: Path, console: Console, interrupt: Interrupt) -> dict[str, Any]:
        mode = "resume" if RunFolder(folder).used else "new"
        loaded = self.loaded.varied(space.trial_settings(self.study.tune, trial.values))
        verdict = partial(self.study.verdict, trial.number)
        return train_run(loaded, folder, mode, self.corpora, console, interrupt, verdict)


def search(
    loaded: Loaded,
    folder: Path,
    corpora: Path,
    new_console: Callable[[], Console],
    interrupt: Interrupt,
) -> dict[str, Any]:
    """Search, together with all other processes that work on the same study, and report.

    Args:
        loaded: the config, with its `tune:` section.
        folder: the study's folder.
        corpora: where corpora are looked for and prepared.
        new_console: makes a console; each trial has one of its own.
        interrupt: the signals so far.

    Returns:
        The report; see `charrnn.tune.report.summary`.

    Raises:
        MissingExtraError: Optuna is not installed.
        UsageError, ConfigError, DataError: there is nothing to search, or the folder holds another study.
        Interrupted: a signal asked to stop; the trial has been saved, and the same command goes on with it.
        CharRnnError: every trial failed; it has the first one's exit code.
    """
    if loaded.config.tune is None:
        raise UsageError(
            "this config does not say what to search",
            where="tune.space",
            hint="add `tune: {space: {train.optimizer.lr: {kind: log, low: 5e-4, high: 2e-2}}}`",
        )
    optuna()
    with new_console() as console:
        task = task_of(loaded, corpora, console, interrupt.check)
        if task.stream("valid") is None:
            where = task.corpus.folder
            raise DataError("the valid split is empty", where=where, hint="trials are compared by it: see corpus.split")
        study, changes = open_study(folder, loaded.config, task.corpus.digest)
        for line in changes:
            console.note(line)
        if study.own_outside:
            console.note("no trial is the config itself: outside the space are " + ", ".join(study.own_outside))
    Search(study, loaded, corpora, new_console, interrupt).run(loaded.config.tune.trials)
    _refuse_failure(study)
    return write_report(study, loaded)


def _refuse_failure(study: Study) -> None:
    trials = study.trials()
    errors = [trial.error for trial in trials if trial.error is not None]
    if len(errors) < len(trials) or not errors:
        return
    first = errors[0]
    error = CharRnnError(
        f"every trial failed; the first: {first['what']}",
        where=first.get("where", study.folder),
        why=first.get("why"),
        hint="mend the config or its tune.space, and begin another study with --out DIR",
    )
    error.exit_code = first["exit_code"]
    raise error
