"""Start, resume or decline a training run: the refusals first, then the wiring, then the loop."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.contracts import Task
from charrnn.logs.console import Console
from charrnn.runs.changes import Changes, allowed_changes
from charrnn.runs.claim import is_done, owned, to_go_on_from
from charrnn.runs.folder import RunFolder
from charrnn.runs.memory import out_of_memory
from charrnn.runs.mixed import check_mixed, say_mixed
from charrnn.runs.mixed_texts import refuse_own_teacher
from charrnn.runs.pretrained import check_pretrained
from charrnn.runs.saver import set_pointers
from charrnn.runs.session import Session
from charrnn.runs.task import say_remarks, task_of
from charrnn.runs.transfer import refuse_itself
from charrnn.train.interrupt import Interrupt
from charrnn.train.outlets import Verdict, never
from charrnn.train.state import best_of
from charrnn.train.world import World

_ALONE = World()


def train_run(
    loaded: Loaded,
    folder: Path,
    mode: str,
    corpora: Path,
    console: Console,
    interrupt: Interrupt,
    verdict: Verdict = never,
    allowed: Collection[str] = (),
    world: World = _ALONE,
) -> dict[str, Any]:
    """Train a run to its end.

    Args:
        loaded: the config.
        folder: the run's folder.
        mode: `new`, `resume` (go on where the run stopped), or `force` (delete what is there).
        corpora: where corpora are looked for and prepared.
        console: what the user sees.
        interrupt: the signals so far.
        verdict: asked after each validation; a text ends the run, and is the reason that its outcome names.
        allowed: what a run that goes on may find changed: `data`, `stream`, `seed`; see `changes.py`.
        world: the processes that train it together; each of them calls this with the same.

    Returns:
        What the run came to: its folder, steps, why it ended, and its best validation.

    Raises:
        UsageError: the folder holds a run and `mode` is `new`; or another process works in it; or the run that this
            one starts from is not there, or is this one.
        ConfigError, DataError: the run cannot go on with this config or text.
        Interrupted: a signal asked to stop; the state has been saved.
        PeerError: another process of the run has died.
    """
    with ExitStack() as held:
        with world.agreeing():
            if mode != "resume":
                refuse_itself(loaded.config, folder)
                refuse_own_teacher(loaded.config, folder)
        run = world.first_does(lambda: held.enter_context(owned(folder)))
        with world.agreeing():
            checkpoint = None if mode == "force" else to_go_on_from(run, loaded, mode, console, allowed)
        task = world.after_first(lambda: task_of(loaded, corpora, console, interrupt.check))
        with world.agreeing():
            changes = _allowed(checkpoint, task, allowed, console)
        if checkpoint is not None and not changes.new and is_done(checkpoint, loaded):
            console.note(f"nothing to do: the run in {folder} is finished")
            return world.first_does(lambda: _finished(run, checkpoint))
        say_remarks(task, "valid", console)
        say_mixed(task, console)
        session = Session(run, loaded, task, checkpoint, changes, console, interrupt, world)
        with out_of_memory(loaded.config):
            state = session.train(mode == "force", verdict)
        return _outcome(run, state.document())


def _allowed(checkpoint: Checkpoint | None, task: Task, allowed: Collection[str], console: Console) -> Changes:
    """What has changed under a run that goes on, as far as it may."""
    if checkpoint is None:
        return Changes()
    changes = allowed_changes(checkpoint, task, allowed, console)
    check_pretrained(checkpoint, task.config)
    check_mixed(checkpoint, task)
    return changes


def _finished(run: RunFolder, checkpoint: Checkpoint) -> dict[str, Any]:
    """The outcome of a run that has ended before."""
    for damage in checkpoint.damage():  # nothing else would look at the model of a finished run
        raise damage
    outcome = _outcome(run, checkpoint.document("train"))
    set_pointers(run, checkpoint.step, outcome["best"])  # a kill may have left them behind
    return outcome


def _outcome(run: RunFolder, document: dict[str, Any]) -> dict[str, Any]:
    best = best_of(document["history"])
    best = None if best is None else dict(best)  # that of a checkpoint knows where it is from, and cannot be sent
    return {"run": str(run.path), "step": document["step"], "ended": document["ended"], "best": best}
