"""`charrnn pseudolabel`: every seed's rounds, then the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from charrnn.config.load import Loaded
from charrnn.config.render import flow
from charrnn.config.schema import TASKS, ClassifyConfig, LanguageConfig, Pseudo, RateConfig, TextRounds
from charrnn.config.schema.schedule import PlateauSchedule
from charrnn.config.schema.train import NtAsgdAverage
from charrnn.errors import ConfigError, UsageError
from charrnn.files.atomic import make_folder, sweep, write_json, write_text
from charrnn.files.lock import folder_lock
from charrnn.logs.console import Console
from charrnn.pseudo.classify import ClassifyLabeller
from charrnn.pseudo.labeller import Labeller
from charrnn.pseudo.language import LanguageLabeller
from charrnn.pseudo.opening import REPORT, RESULT, clear, open_rounds, refuse_foreign
from charrnn.pseudo.outcome import outcome, seed_outcome
from charrnn.pseudo.rate import RateLabeller
from charrnn.pseudo.report import markdown
from charrnn.pseudo.rounds import Rounds
from charrnn.pseudo.training import CHECKED, PSEUDO, Trainer
from charrnn.runs.task import task_of
from charrnn.tasks.beside import Beside
from charrnn.tasks.classify import ClassifyTask
from charrnn.tasks.language import LanguageTask
from charrnn.tasks.rate import RateTask
from charrnn.train.interrupt import Interrupt


def pseudolabel(
    loaded: Loaded,
    folder: Path,
    corpora: Path,
    new_console: Callable[[], Console],
    interrupt: Interrupt,
    force: bool = False,
) -> dict[str, Any]:
    """Do the rounds of every seed, or what is left of them, and report.

    Args:
        loaded: the config, with its `pseudo:` section.
        folder: where all goes.
        corpora: where corpora are looked for and prepared.
        new_console: makes a console; each run has one of its own.
        interrupt: the signals so far.
        force: delete the rounds that are there, and begin anew.

    Returns:
        The result; see `charrnn.pseudo.outcome.outcome`.

    Raises:
        UsageError, ConfigError, DataError: there is nothing to do rounds with, or the folder holds something else.
        LockedError: another process is at it.
        Interrupted: a signal asked to stop; the same call goes on.
        CharRnnError: as `charrnn train` does.
    """
    _refuse(loaded)
    trainer = Trainer(folder, loaded, corpora, new_console, interrupt)
    labeller = _labeller(trainer)
    for remark in labeller.remarks:
        trainer.say(remark)
    refuse_foreign(folder)
    make_folder(folder)
    with folder_lock(folder):
        sweep(folder)
        if force:
            clear(folder)
        for line in open_rounds(folder, loaded, labeller.digest):
            trainer.say(line)
        if loaded.config.train.early_stop is not None:
            trainer.say("early stopping is off in all rounds: they are compared after equally many updates")
        found = []
        for number in range(trainer.settings.seeds):
            seed = loaded.config.train.seed + number
            place = folder / f"seed-{seed}"
            sweep(place)
            rounds = Rounds(place, seed, trainer, labeller).run()
            found.append(seed_outcome(place, rounds, trainer, labeller))
        result = outcome(loaded.name, trainer, labeller, found)
        write_json(folder / RESULT, result)
        write_text(folder / REPORT, markdown(result))
    return result


def _labeller(trainer: Trainer) -> Labeller:
    """The labeller of the config's task: the one place that knows all of them."""
    check = trainer.interrupt.check
    with trainer.new_console() as console:
        task = task_of(trainer.loaded, trainer.corpora, console, check)
        for remark in task.remarks("valid"):
            console.note(remark)
    match task:
        case ClassifyTask():
            return ClassifyLabeller(task, trainer.new_console, check)
        case RateTask():
            return RateLabeller(task, trainer.new_console, check)
        case LanguageTask():
            return LanguageLabeller(task, _text(trainer), check)
    raise AssertionError("other tasks have been refused")


def _text(trainer: Trainer) -> Beside | None:
    """The text that teachers predict, prepared; None where it is the main one.

    What cannot be prepared, or is too short, is told now, and not when a teacher has been trained.
    """
    settings = trainer.settings
    assert isinstance(settings, TextRounds)
    if settings.text is None:
        return None
    part = {"corpus": settings.text.model_dump(mode="json"), "lanes": settings.lanes, "weight": settings.weight}
    loaded = trainer.loaded.varied([f"{key}={flow(value)}" for key, value in trainer.mixed({PSEUDO: part}).items()])
    with trainer.new_console() as console:
        task = task_of(loaded, trainer.corpora, console, trainer.interrupt.check)
    assert isinstance(task, LanguageTask)
    return task.beside[PSEUDO]


def _refuse(loaded: Loaded) -> None:
    """Refuse what could only fail later, when much has been trained."""
    config = loaded.config
    if not isinstance(config, ClassifyConfig | RateConfig | LanguageConfig):
        known = ", ".join(f"`{name}`" for name, each in TASKS.items() if "pseudo" in each.model_fields)
        raise UsageError(
            "there are no rounds for this task", why=f"they are for {known}, and the task here is `{config.task}`"
        )
    if config.pseudo is None:
        raise UsageError(
            "this config does not say how to label",
            where="pseudo",
            hint="add `pseudo: {}`, and see docs/pseudolabel.md for its keys",
        )
    mix = config.model_dump(mode="json")["stream"].get("mix") or {}
    taken = [name for name in (PSEUDO, CHECKED) if name in mix]
    if taken:
        raise ConfigError(
            f"stream.mix.{taken[0]}: the rounds call a part of their own so", hint="give this part another name"
        )
    if any(part.get("kind") == "split" for part in mix.values()):
        raise ConfigError(
            "stream.mix: rounds are judged by the validation items, so none may be learned from",
            hint="remove the part {kind: split}; pseudo.finetune has a last stage for it",
        )
    blind = isinstance(config.train.schedule, PlateauSchedule) or isinstance(config.train.average, NtAsgdAverage)
    if isinstance(config.pseudo, Pseudo) and config.pseudo.finetune is not None and blind:
        raise ConfigError(
            "pseudo.finetune: there is no validation in that stage, and train.schedule `plateau` and train.average "
            "`nt-asgd` wait for one",
            hint="choose another kind, or leave the stage out",
        )
