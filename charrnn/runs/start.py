"""Start, resume or decline a training run: the refusals first, then the wiring, then the loop."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.config.render import render
from charrnn.config.schema.schedule import PlateauSchedule
from charrnn.config.schema.train import NtAsgdAverage
from charrnn.contracts import Task
from charrnn.errors import UsageError
from charrnn.files.atomic import storage_errors, write_text
from charrnn.logs import tensorboard
from charrnn.logs.console import Console
from charrnn.logs.logger import RunLog
from charrnn.models.build import parameters_of
from charrnn.models.minimal import use_form
from charrnn.models.scan import Form
from charrnn.runs.bounds import refuse_endless
from charrnn.runs.changes import Changes, allowed_changes
from charrnn.runs.claim import clear, is_done, owned, to_go_on_from
from charrnn.runs.folder import RunFolder
from charrnn.runs.memory import out_of_memory
from charrnn.runs.mixed import check_mixed, mixed_document, no_validation, say_mixed
from charrnn.runs.mixed_texts import refuse_own_teacher
from charrnn.runs.plan import Plan, apply_plan, make_plan, with_scan
from charrnn.runs.pretrained import Pretrained, beginning, check_pretrained, pretrained_of
from charrnn.runs.saver import RunSaver, set_pointers
from charrnn.runs.task import first_lanes, say_remarks, task_of, training_stream
from charrnn.runs.transfer import Origin, origin_of, provenance, refuse_itself
from charrnn.runs.use import continuation, in_form, stepper
from charrnn.tasks.language import LanguageTask
from charrnn.train.average import WeightAverage
from charrnn.train.interrupt import Interrupt
from charrnn.train.loop import Training, Verdict, never
from charrnn.train.optim import build_optimizer
from charrnn.train.schedule import total_steps
from charrnn.train.state import TrainState, best_of, model_arrays


def train_run(
    loaded: Loaded,
    folder: Path,
    mode: str,
    corpora: Path,
    console: Console,
    interrupt: Interrupt,
    verdict: Verdict = never,
    allowed: Collection[str] = (),
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

    Returns:
        What the run came to: its folder, steps, why it ended, and its best validation.

    Raises:
        UsageError: the folder holds a run and `mode` is `new`; or another process works in it; or the run that this
            one starts from is not there, or is this one.
        ConfigError, DataError: the run cannot go on with this config or text.
        Interrupted: a signal asked to stop; the state has been saved.
    """
    if mode != "resume":
        refuse_itself(loaded.config, folder)
        refuse_own_teacher(loaded.config, folder)
    with owned(folder) as run:
        checkpoint = None if mode == "force" else to_go_on_from(run, loaded, mode, console, allowed)
        task = task_of(loaded, corpora, console, interrupt.check)
        changes = Changes()
        if checkpoint is not None:
            changes = allowed_changes(checkpoint, task, allowed, console)
            check_pretrained(checkpoint, task.config)
            check_mixed(checkpoint, task)
            if not changes.new and is_done(checkpoint, loaded):
                for damage in checkpoint.damage():  # nothing else would look at the model of a finished run
                    raise damage
                console.note(f"nothing to do: the run in {folder} is finished")
                outcome = _outcome(run, checkpoint.document("train"))
                set_pointers(run, checkpoint.step, outcome["best"])  # a kill may have left them behind
                return outcome
        say_remarks(task, "valid", console)
        say_mixed(task, console)
        session = _Session(run, loaded, task, checkpoint, changes, console, interrupt)
        with out_of_memory(loaded.config):
            state = session.train(mode == "force", verdict)
        return _outcome(run, state.document())


@dataclass(frozen=True)
class _Session:
    """One process's work on a run that may begin, or go on from `checkpoint`."""

    run: RunFolder
    loaded: Loaded
    task: Task
    checkpoint: Checkpoint | None
    changes: Changes
    console: Console
    interrupt: Interrupt

    def train(self, anew: bool, verdict: Verdict) -> TrainState:
        """Train to the end; with `anew`, what is in the folder goes first."""
        # All that can be refused is refused before anything is deleted or written.
        config, task = self.loaded.config, self.task
        _refuse_blindness(task)
        origin = origin_of(config) if self.checkpoint is None else None
        pretrained = pretrained_of(task) if self.checkpoint is None else None
        plan = make_plan(config.train, _former_plan(self.checkpoint))
        device = apply_plan(plan)
        sampler = sampler_for(task, self.interrupt)
        events = tensorboard.wanted(config.train.tensorboard)
        stream = training_stream(task)
        plan = with_scan(plan, config, stream, _former_plan(self.checkpoint))
        state = self._state(plan, device, origin, pretrained)
        end = total_steps(config.train, stream.steps_per_epoch, state.shift)
        _refuse_the_past(state, end)
        refuse_endless(config, end, stream.steps_per_epoch)
        if anew:
            clear(self.run)
        with storage_errors(self.run.dump):
            self.run.dump.unlink(missing_ok=True)
        positions = {} if self.checkpoint is None else self.checkpoint.document("train")["records"]
        with closing(RunLog(self.run.path, self.console, positions, state.step, events)) as log:
            write_text(self.run.config, render(self.loaded.anchored()))
            begun = provenance(self.checkpoint, origin) | beginning(self.checkpoint, pretrained)
            documents = _documents(task, plan, begun | self.changes.document(stream))
            saver = RunSaver(self.run, config.train.save, documents, log, adapt=self._adapt, say=self.console.note)
            if self.changes.new:  # at once, so that no later session must be allowed it again
                saver.save(state)
            elif self.checkpoint is not None:
                saver.resumed(state)
            training = Training(
                task, state, stream, config.train, config.evaluate, device, saver, log, sampler, self.interrupt, verdict
            )
            steps = training.steps, stream.steps_per_epoch
            self.console.start(self.run.path, parameters_of(state.model), *steps, str(device))
            training.run()
        return state

    def _state(
        self, plan: Plan, device: torch.device, origin: Origin | None, pretrained: Pretrained | None
    ) -> TrainState:
        """Where the run begins, or goes on."""
        state = new_state(self.task, device, origin, plan.scan, pretrained)
        if origin is not None:
            origin.say(self.console, self.task)
        if pretrained is not None:
            pretrained.say(self.console)
        if self.checkpoint is not None:
            fresh = state.lanes
            state.restore(self.checkpoint, device)
            self._adapt(state, self.checkpoint)
            state.check_lanes(fresh, self.checkpoint.folder)
            _say_resumed(self.console, self.checkpoint, plan, state)
            self.changes.say(self.console)
        return state

    def _adapt(self, state: TrainState, checkpoint: Checkpoint) -> None:
        self.changes.adapt(state, checkpoint, self.task, training_stream(self.task))


def _refuse_blindness(task: Task) -> None:
    train = task.config.train
    blind = [
        *(["train.schedule: plateau"] if isinstance(train.schedule, PlateauSchedule) else []),
        *(["train.average: nt-asgd"] if isinstance(train.average, NtAsgdAverage) else []),
    ]
    if blind and task.stream("valid") is None:
        error = no_validation(task)
        error.why, error.hint = f"{' and '.join(blind)} would wait for ever", f"{error.hint}, or choose another kind"
        raise error


def _refuse_the_past(state: TrainState, steps: int) -> None:
    if state.step > steps:
        raise UsageError(
            f"the run is at step {state.step} already, beyond the {steps} that it should come to",
            hint="raise train.max_steps or train.epochs",
        )


def new_state(
    task: Task,
    device: torch.device,
    origin: Origin | None = None,
    scan: Form | None = None,
    pretrained: Pretrained | None = None,
) -> TrainState:
    """A run at its very beginning, on `device`; its weights are those of `origin` where there is one, and its embedding
    begins with the `pretrained` vectors.

    `scan` is how the model's scans are computed, from the plan.
    """
    model = task.model().to(device)
    use_form(model, scan)
    if origin is not None:
        origin.give(model, task)
    if pretrained is not None:
        pretrained.give(model)
    lanes = first_lanes(task, model)
    train = task.config.train
    average = None if train.average is None else WeightAverage(train.average, model)
    return TrainState(model, build_optimizer(train.optimizer, model), lanes, train.seed, average)


def _former_plan(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    return None if checkpoint is None else checkpoint.document("config")["plan"]


def _say_resumed(console: Console, checkpoint: Checkpoint, plan: Plan, state: TrainState) -> None:
    console.note(f"resuming {checkpoint.folder} at step {state.step}")
    left = plan.exactness(_former_plan(checkpoint) or {})
    if left is not None:
        console.note(left)


def _documents(task: Task, plan: Plan, beginning: dict[str, Any]) -> dict[str, Any]:
    return {
        "config": {
            "config": task.config.model_dump(mode="json"),
            "corpus_digest": task.corpus.digest,
            "plan": asdict(plan),
            **mixed_document(task),
            **beginning,
        },
        **task.documents(),
    }


def sampler_for(task: Task, interrupt: Interrupt) -> Callable[[TrainState], str | None]:
    """A text from the model as it is, for the log; a seed that cannot be spelled is an error before training."""
    if not isinstance(task, LanguageTask):
        return lambda state: None
    config, vocabulary = task.config, task.vocabulary
    options = in_form(config.sample, config.corpus)
    if options.seed:
        vocabulary.encode(options.seed)

    def text(state: TrainState) -> str:
        network = stepper(config, model_arrays(state.shown))
        pieces = continuation(network, vocabulary, options, 0, "error", interrupt.check)
        return (options.seed or "") + "".join(pieces)

    return text


def _outcome(run: RunFolder, document: dict[str, Any]) -> dict[str, Any]:
    best = best_of(document["history"])
    return {"run": str(run.path), "step": document["step"], "ended": document["ended"], "best": best}
