"""All that is trained with one seed: the teacher, the rounds, the control, the last stage.

Every stage is a folder (`charrnn.pseudo.stage`). Until all is in it, it has another name beside its place, and its runs
go on from their own checkpoints; a stage that is there is never done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from charrnn.config.schema.pseudo import FineTune
from charrnn.errors import DataError, DivergedError
from charrnn.files import digest
from charrnn.files.atomic import write_json
from charrnn.pseudo.guards import best_round, stalled
from charrnn.pseudo.labeller import Labeller, Record
from charrnn.pseudo.stage import MANIFEST, place_of, read_manifest, stage
from charrnn.pseudo.training import CHECKED, PSEUDO, Model, Trainer

RUN, TEACHERS = "run", "teachers"
_SEEDS = 1 << 32
_DONE = "all rounds are done"


@dataclass(frozen=True)
class Rounds:
    """One seed's work.

    Attributes:
        folder: where it goes.
        seed: `train.seed` of the teacher, of all students and of the control.
        trainer: trains.
        labeller: labels and measures.
    """

    folder: Path
    seed: int
    trainer: Trainer
    labeller: Labeller

    def run(self) -> Record:
        """Do what is left to do.

        Returns:
            `rounds`, `control` and `finetune`: their manifests; `ended`, why there are no more rounds; `handed_back`,
            the number of the best one.

        Raises:
            CharRnnError: as `charrnn train` does, and where what lies there is damaged.
            Interrupted: a signal asked to stop; the same call goes on.
        """
        settings, since = self.trainer.settings, self.labeller.since
        rounds, ended = [self._stage("round-0", self._first)], None
        while ended is None and len(rounds) <= settings.rounds:
            rounds.append(self._stage(f"round-{len(rounds)}", partial(self._next, rounds=tuple(rounds))))
            ended = rounds[-1]["ended"] or stalled(settings.stop, rounds, since)
        best = best_round(settings.stop, rounds, since)
        self._say(f"{ended or _DONE}; handing back round {best}")
        control = self._stage("control", partial(self._control, lineage=rounds[: best + 1]))
        tuned = None
        if self.labeller.finetune is not None:
            tuned = self._stage("finetune", partial(self._finetune, settings=self.labeller.finetune, best=rounds[best]))
        return {
            "seed": self.seed,
            "rounds": rounds,
            "ended": ended or _DONE,
            "handed_back": best,
            "control": control,
            "finetune": tuned,
        }

    def _stage(self, name: str, make: Callable[[Path], Record]) -> Record:
        return stage(self.folder / name, make, self.trainer.world, self.trainer.check)

    def _manifest(self, stage: str, **own: Any) -> Record:
        return {"stage": stage, "seed": self.seed, **self.labeller.marks, **own}

    def _say(self, text: str) -> None:
        self.trainer.say(f"seed {self.seed}: {text}")

    def _trained(self, part: Path, values: Mapping[str, Any], last: bool = False) -> Record:
        """What the run of a stage came to: `student`, and `valid`, its figures; None where it has learned from those
        items."""
        self.trainer.train(part / RUN, self.seed, values)
        model = self.trainer.model(part / RUN, self.seed, last)
        valid = None if last else self.labeller.measure(self.trainer.open(model), "valid")
        return {"student": model.moved(part, place_of(part)).record(), "valid": valid}

    def _first(self, part: Path) -> Record:
        """Round 0: the teacher, given or trained."""
        given, about = self.trainer.settings.teacher, {}
        if given is None:
            self._say(f"round 0: training the teacher, without {self.labeller.extra}")
            found = self._trained(part, {})
        else:
            self._say(f"round 0: the teacher is {given}")
            model = self.trainer.given(given)
            checkpoint = self.trainer.open(model)
            about = self.trainer.world.first_does(lambda: self.labeller.admit(checkpoint))
            found = {"student": model.record(), "valid": self.labeller.measure(checkpoint, "valid")}
        return self._manifest("round", round=0, teachers=[], labels=None, ended=None, **about, **found)

    def _next(self, part: Path, rounds: Sequence[Record]) -> Record:
        """A round: its teachers label, and a student learns from that, if it may."""
        own = self._manifest("round", round=len(rounds), teachers=[], labels=None, ended=None, student=None, valid=None)
        try:
            own = self._labelled(part, own, rounds)
            if own["ended"] is not None:
                return own
            self._say(f"round {len(rounds)}: training the student")
            start = Model.of(rounds[-1]["student"])
            own |= self._trained(part, self._student(part, start))
            # The labels will lie elsewhere in a moment, and `charrnn evaluate` should find them there.
            self.trainer.refer(part / RUN, self.seed, self._student(place_of(part), start))
            return own
        except DivergedError as error:
            return own | {"ended": f"a training diverged: {error.what}"}

    def _labelled(self, part: Path, own: Record, rounds: Sequence[Record]) -> Record:
        """The manifest of a round as far as the labels, which are made now unless they are there; of a table of them,
        if there is one."""
        table, world = self.labeller.table, self.trainer.world
        if table is None:
            return own | {"teachers": [rounds[-1]["student"]]}
        former = world.first_does(lambda: self._former(part))
        if former is not None:
            return former
        teachers = self._teachers(part, rounds)
        self._say(f"round {len(rounds)}: labelling")
        labels = table.label([self.trainer.open(teacher) for teacher in teachers], part / table.name)
        self._say(f"round {len(rounds)}: {labels['kept']:,} of {labels['candidates']:,} {table.things} kept")
        own |= {
            "teachers": [teacher.moved(part, place_of(part)).record() for teacher in teachers],
            "selection": table.selection,
            "labels": labels,
            "labels_sha256": world.first_does(lambda: digest.of_file(part / table.name)),
            "ended": table.refusal(labels),
        }
        world.first_does(lambda: write_json(part / MANIFEST, own))
        return own

    def _former(self, part: Path) -> Record | None:
        """What an earlier life has said of a round once its labels were made; None where it did not come so far."""
        if not (part / MANIFEST).is_file():
            return None
        former = read_manifest(part / MANIFEST)
        if former["ended"] is None:
            self._intact(part, former)
        return former

    def _teachers(self, part: Path, rounds: Sequence[Record]) -> list[Model]:
        """The student of the round before, and further ones that were trained as it was from other seeds."""
        former = rounds[-1]
        found = [Model.of(former["student"])]
        for number in range(2, self.trainer.settings.teachers + 1):
            self._say(f"round {len(rounds)}: training teacher {number}")
            values: dict[str, Any] = {}
            if former["round"] > 0:
                values = self._student(self._done(former), Model.of(former["teachers"][number - 1]))
            run, seed = part / TEACHERS / str(number), _other_seed(self.seed, number)
            self.trainer.train(run, seed, values)
            found.append(self.trainer.model(run, seed))
        return found

    def _student(self, folder: Path, start: Model) -> dict[str, Any]:
        """The keys of a student's run.

        Args:
            folder: that of the round, with the table of labels.
            start: its teacher.
        """
        settings, trainer = self.trainer.settings, self.trainer
        return {
            **trainer.mixed({PSEUDO: self._mixed(folder, start)}),
            **trainer.updates(settings.max_steps),
            **trainer.beginning(start if settings.begin == "teacher" else None),
        }

    def _mixed(self, folder: Path, teacher: Model) -> Mapping[str, Any]:
        """What a teacher says, as a part of every batch; the table of labels lies in `folder`."""
        table = self.labeller.table
        labels = folder if table is None else folder / table.name
        return self.labeller.mixed(labels.absolute(), self.trainer.path(teacher))

    def _done(self, record: Record) -> Path:
        """The folder of a round that is done."""
        folder = self.folder / f"round-{record['round']}"
        self.trainer.world.first_does(lambda: self._intact(folder, record))
        return folder

    def _intact(self, folder: Path, record: Record) -> None:
        if self.labeller.table is None:
            return
        path = folder / self.labeller.table.name
        if not path.is_file() or digest.of_file(path) != record["labels_sha256"]:
            raise DataError(
                "the labels are not those that this round was made with",
                where=path,
                why="its SHA-256 is not the one in manifest.json" if path.is_file() else "the file is gone",
                hint="bring the former file back, or delete the folder of the round and of all later ones",
            )

    def _control(self, part: Path, lineage: Sequence[Record]) -> Record:
        """The same model from the same seed after equally many updates, without what the teacher says.

        Args:
            part: where to work.
            lineage: the rounds up to the one that is handed back.
        """
        settings, first, students = self.trainer.settings, lineage[0], lineage[1:]
        same = {"student": first["student"], "valid": first["valid"]}
        if not students:
            return self._manifest(
                "control", trained=False, why="round 0 is handed back, and is its own control", **same
            )
        fresh, given = settings.begin == "fresh", settings.teacher is not None
        counted = students[-1:] if fresh else students if given else lineage
        updates = sum(one["student"]["updates"] for one in counted)
        if fresh and not given and updates == first["student"]["updates"]:
            why = f"round 0 took as many updates from the same weights: {updates}"
            return self._manifest("control", trained=False, why=why, **same)
        self._say(f"training the control: {updates} updates without {self.labeller.extra}")
        start = Model.of(first["student"]) if given and not fresh else None
        found = self._trained(part, {**self.trainer.updates(updates), **self.trainer.beginning(start)})
        begun = "from the given teacher's weights" if start else "from the same fresh weights as round 1"
        return self._manifest("control", trained=True, why=f"{updates} updates {begun}", **found)

    def _finetune(self, part: Path, settings: FineTune, best: Record) -> Record:
        """The course's last stage: validation items with their true labels join in."""
        self._say("the last stage learns from the validation items, so there is no validation in it")
        checked = {"kind": "split", "split": "valid", "rows": settings.rows, "weight": 1.0}
        taught = best["round"] > 0
        labels = {PSEUDO: self._mixed(self._done(best), Model.of(best["teachers"][0]))} if taught else {}
        values = {
            **self.trainer.mixed({**labels, CHECKED: checked}),
            **self.trainer.beginning(Model.of(best["student"])),
            "train.epochs": settings.epochs,
            "train.max_steps": None,
        }
        found = self._trained(part, values, last=True)
        return self._manifest("finetune", validation="off: its items are learned from", **found)


def _other_seed(seed: int, number: int) -> int:
    """The seed of a further teacher."""
    return int(digest.of_json(["teacher", seed, number]), 16) % _SEEDS
