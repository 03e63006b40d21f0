"""`charrnn pseudolabel`: every seed's rounds, then the report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from charrnn.config.load import Loaded
from charrnn.config.render import flow
from charrnn.config.schema import TASKS, ClassifyConfig, LanguageConfig, Pseudo, RateConfig, TextRounds
from charrnn.config.schema.schedule import PlateauSchedule
from charrnn.config.schema.train import NtAsgdAverage
from charrnn.contracts import Task
from charrnn.errors import ConfigError, UsageError
from charrnn.files.atomic import make_folder, sweep, write_json, write_text
from charrnn.files.lock import folder_lock
from charrnn.logs.console import Console
from charrnn.pseudo.classify import ClassifyLabeller
from charrnn.pseudo.labeller import Labeller, Settings
from charrnn.pseudo.language import LanguageLabeller
from charrnn.pseudo.opening import REPORT, RESULT, clear, open_rounds, refuse_foreign
from charrnn.pseudo.outcome import outcome, seed_outcome
from charrnn.pseudo.rate import RateLabeller
from charrnn.pseudo.report import markdown
from charrnn.pseudo.rounds import Rounds
from charrnn.pseudo.shares import refuse_uneven_stages
from charrnn.pseudo.training import CHECKED, PSEUDO, Trainer
from charrnn.runs.task import task_of, training_stream
from charrnn.tasks.beside import Beside
from charrnn.tasks.classify import ClassifyTask
from charrnn.tasks.language import LanguageTask
from charrnn.tasks.rate import RateTask
from charrnn.train.interrupt import Interrupt
from charrnn.train.world import World

_ALONE = World()


def pseudolabel(
    loaded: Loaded,
    folder: Path,
    corpora: Path,
    new_console: Callable[[], Console],
    interrupt: Interrupt,
    force: bool = False,
    world: World = _ALONE,
) -> dict[str, Any]:
    """Do the rounds of every seed, or what is left of them, and report.

    Args:
        loaded: the config, with its `pseudo:` section.
        folder: where all goes.
        corpora: where corpora are looked for and prepared.
        new_console: makes a console; each run has one of its own.
        interrupt: the signals so far.
        force: delete the rounds that are there, and begin anew.
        world: the processes that do the rounds together; each of them calls this with the same.

    Returns:
        The result; see `charrnn.pseudo.outcome.outcome`.

    Raises:
        UsageError, ConfigError, DataError: there is nothing to do rounds with, or the folder holds something else.
        LockedError: another process is at it.
        Interrupted: a signal asked to stop; the same call goes on.
        CharRnnError: as `charrnn train` does.
    """
    with world.agreeing():
        _refuse(loaded)
    trainer = Trainer(folder, loaded, corpora, new_console, interrupt, world)
    labeller = _labeller(trainer)
    for remark in labeller.remarks:
        trainer.say(remark)
    with ExitStack() as held:
        for line in world.first_does(lambda: _opened(held, trainer, labeller, force)):
            trainer.say(line)
        if loaded.config.train.early_stop is not None:
            trainer.say("early stopping is off in all rounds: they are compared after equally many updates")
        found = []
        for number in range(trainer.settings.seeds):
            seed = loaded.config.train.seed + number
            place = folder / f"seed-{seed}"
            rounds = Rounds(place, seed, trainer, labeller).run()
            found.append(seed_outcome(place, rounds, trainer, labeller))
        result = outcome(loaded.name, trainer, labeller, found)
        world.first_does(lambda: _write(folder, result))
    return result


def _opened(held: ExitStack, trainer: Trainer, labeller: Labeller, force: bool) -> list[str]:
    """Own the folder, begin or go on there; a line for each key that has changed."""
    folder = trainer.top
    refuse_foreign(folder)
    make_folder(folder)
    held.enter_context(folder_lock(folder))
    sweep(folder)
    if force:
        clear(folder)
    for place in folder.glob("seed-*"):
        sweep(place)
    return open_rounds(folder, trainer.loaded, labeller.digest)


def _write(folder: Path, result: dict[str, Any]) -> None:
    write_json(folder / RESULT, result)
    write_text(folder / REPORT, markdown(result))


def _labeller(trainer: Trainer) -> Labeller:
    """The labeller of the config's task: the one place that knows all of them."""
    world = trainer.world
    task = _task(trainer, trainer.loaded)
    for remark in task.remarks("valid"):
        trainer.say(remark)
    text = _text(trainer) if isinstance(task, LanguageTask) else None
    with world.agreeing():
        refuse_uneven_stages(_rows(task), world)
        match task:
            case ClassifyTask():
                return ClassifyLabeller(task, trainer.new_console, trainer.check, world)
            case RateTask():
                return RateLabeller(task, trainer.new_console, trainer.check, world)
            case LanguageTask():
                return LanguageLabeller(task, text, trainer.check, world)
    raise AssertionError("other tasks have been refused")


def _task(trainer: Trainer, loaded: Loaded) -> Task:
    """The task of a config; of several processes the first prepares its data, and the others wait."""

    def made() -> Task:
        with trainer.new_console() as console:
            return task_of(loaded, trainer.corpora, console, trainer.interrupt.check)

    return trainer.world.after_first(made)


def _rows(task: Task) -> dict[str, int]:
    """The rows of a batch, stage by stage."""
    settings: Settings = task.config.pseudo  # type: ignore[attr-defined]
    own = training_stream(task).rows
    taught = own + (settings.lanes if isinstance(settings, TextRounds) else settings.rows)
    rows = {"the teacher": own, "a student": taught}
    if isinstance(settings, Pseudo) and settings.finetune is not None:
        rows |= {"the last stage": taught + settings.finetune.rows}
    return rows


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
    task = _task(trainer, loaded)
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
