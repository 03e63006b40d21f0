"""A study: the trials of one search, in a folder that several processes share.

studies/<name>/
    study.journal           Optuna's journal: every trial, its values, its validations, how it ended
    trials/0007/            each trial is a run like any other; beside it `0007.claim` while a process is at it
    best.yaml               the config with the values of the best trial
    report.json, report.md  what came of it
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.config.schema import Config, Tune
from charrnn.config.schema.tune import TpeSampler
from charrnn.errors import CharRnnError
from charrnn.files import digest
from charrnn.files.atomic import make_folder
from charrnn.files.claims import Claim, held
from charrnn.tune import space
from charrnn.tune.extra import optuna
from charrnn.tune.journal import JOURNAL, journal_errors
from charrnn.tune.space import Values

PRUNED = "given up: worse than the median of the finished trials"
CLAIM, TRIALS = "study.claim", "trials"
NAME = "charrnn"
"""What Optuna's journal calls the only study in it."""


@dataclass(frozen=True)
class Trial:
    """One trial as the journal has it.

    Attributes:
        number: counted from 0, in the order in which they were begun.
        values: what it gives to the keys of the space.
        state: `running`, `complete`, `pruned` or `failed`.
        error: why it failed: `exit_code`, and what `CharRnnError` says.
    """

    number: int
    values: Values
    state: str
    error: dict[str, Any] | None


class Study:
    """The journal of a search, and what may be asked of it; `charrnn/tune/opening.py` opens one.

    Args:
        folder: the study's folder.
        config: the config, with its `tune:` section.
        storage: Optuna's storage.
    """

    def __init__(self, folder: Path, config: Config, storage: Any) -> None:
        assert config.tune is not None
        self.folder = folder
        self.tune: Tune = config.tune
        self.figures = config.FIGURES
        self.distributions = space.distributions(self.tune.space)
        self.own_values, self.own_outside = space.own_values(config, self.tune.space)
        self._storage = storage
        self._claims: dict[int, Claim] = {}
        self._study_id = storage.get_study_id_from_name(NAME)

    def folder_of(self, number: int) -> Path:
        """The run of a trial."""
        return self.folder / TRIALS / f"{number:04}"

    def claim_of(self, number: int) -> Claim:
        """What a process holds, of all machines, that trains a trial; always the same object."""
        folder = self.folder_of(number)
        return self._claims.setdefault(number, Claim(folder.with_name(folder.name + ".claim")))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else begins or ends a trial while the block runs; `StorageError` where the system refuses."""
        with held(self.folder / CLAIM), journal_errors(self.folder / JOURNAL):
            yield

    def trials(self) -> list[Trial]:
        """All trials, in order; `DataError` where the journal is damaged."""
        with journal_errors(self.folder / JOURNAL):
            return [self._trial(frozen) for frozen in self._frozen()]

    def ask(self, limit: int) -> Trial | None:
        """Begin another trial; None when `limit` have begun.

        The first has the values of the config itself, where the space holds them. A proposal is a function of
        `tune.seed`, of the trial's number and of the trials so far, whichever process asks.
        """
        with self.alone():
            frozen = self._frozen()
            number = len(frozen)
            if number >= limit:
                return None
            params = self._propose(number, frozen)
            # Before the journal names the trial, so that its folder is there for whoever reads of it.
            make_folder(self.folder_of(number))
            new = optuna().trial.create_trial(
                state=optuna().trial.TrialState.RUNNING, params=params, distributions=self.distributions
            )
            self._storage.create_new_trial(self._study_id, template_trial=new)
            return self._trial(self._frozen()[number])

    def report(self, number: int, history: Sequence[Mapping[str, float]]) -> None:
        """Put the validations of a running trial into the journal, each under its own number, from 1."""
        with journal_errors(self.folder / JOURNAL):
            told = self._frozen()[number].intermediate_values
            for step, record in enumerate(history, start=1):
                if told.get(step) != record["loss"]:
                    self._storage.set_trial_intermediate_value(self._id(number), step, record["loss"])

    def verdict(self, number: int, history: Sequence[Mapping[str, float]]) -> str | None:
        """Report a running trial's validations; why it should be given up, or None."""
        self.report(number, history)
        prune = self.tune.prune
        if prune is None:
            return None
        judge = optuna().pruners.MedianPruner(
            n_startup_trials=prune.after_trials, n_warmup_steps=prune.after_evaluations + 1
        )
        with journal_errors(self.folder / JOURNAL):
            copy = self._in_memory(self._frozen())
            return PRUNED if judge.prune(copy, copy.trials[number]) else None

    def end(self, number: int, loss: float, pruned: bool) -> None:
        """Note that a trial has ended with `loss` as its best validation, unless that is known already."""
        states = optuna().trial.TrialState
        self._tell(number, states.PRUNED if pruned else states.COMPLETE, [loss], {})

    def fail(self, number: int, error: CharRnnError) -> None:
        """Note that a trial cannot be trained, and why, unless that is known already."""
        about: dict[str, Any] = error.as_dict()
        self._tell(number, optuna().trial.TrialState.FAIL, None, about)

    def importances(self, judged: Sequence[tuple[float, Values]], quantile: float) -> dict[str, float]:
        """How much each key has to do with being among the best share `quantile` of trials, given by loss and values;
        the largest first, together 1."""
        known, importance = self.tune.space, optuna().importance
        trials = [
            optuna().trial.create_trial(
                value=loss, params=space.to_params(known, values), distributions=self.distributions
            )
            for loss, values in judged
        ]
        evaluator = importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
        found = importance.get_param_importances(self._in_memory(trials), evaluator=evaluator)
        return {key: float(share) for key, share in found.items()}

    def _in_memory(self, frozen: Sequence[Any], sampler: Any = None) -> Any:
        """An Optuna study of its own with the same trials: what is tried on it leaves no trace in the journal."""
        copy = optuna().create_study(direction="minimize", sampler=sampler)
        copy.add_trials(frozen)
        return copy

    def _propose(self, number: int, frozen: Sequence[Any]) -> dict[str, Any]:
        if number == 0 and not self.own_outside:
            return space.to_params(self.tune.space, self.own_values)
        settings, samplers = self.tune.sampler, optuna().samplers
        seed = int(digest.of_json([self.tune.seed, number])[:8], 16)
        if isinstance(settings, TpeSampler):
            # Trials that others are busy with count as bad ones, so that nobody proposes their neighbours.
            sampler = samplers.TPESampler(
                n_startup_trials=settings.startup, multivariate=True, constant_liar=True, seed=seed
            )
        else:
            sampler = samplers.RandomSampler(seed=seed)
        # All values come into the journal with the trial, in one line: a kill cannot leave it with some of them.
        params: dict[str, Any] = self._in_memory(frozen, sampler).ask(self.distributions).params
        return params

    def _tell(self, number: int, state: Any, values: list[float] | None, attributes: Mapping[str, Any]) -> None:
        with self.alone():
            if self._frozen()[number].state.is_finished():
                return
            for name, value in attributes.items():
                self._storage.set_trial_user_attr(self._id(number), name, value)
            self._storage.set_trial_state_values(self._id(number), state, values)

    def _frozen(self) -> list[Any]:
        trials: list[Any] = self._storage.get_all_trials(self._study_id)
        return trials

    def _id(self, number: int) -> int:
        found: int = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return found

    def _trial(self, frozen: Any) -> Trial:
        state = {"FAIL": "failed"}.get(frozen.state.name, frozen.state.name.lower())
        values = space.from_params(self.tune.space, frozen.params)
        return Trial(frozen.number, values, state, frozen.user_attrs.get("error"))
