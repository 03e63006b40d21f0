"""Whether a model that is given may be the teacher of the first round; a classifier, above all."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import flatten
from charrnn.config.schema import ClassifyConfig, Config
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.errors import CheckpointError, DataError
from charrnn.pseudo.labeller import Record
from charrnn.runs.resume import change
from charrnn.runs.use import config_of
from charrnn.text.vocabulary import Vocabulary

_FORM = ("corpus.unit", "corpus.case", "corpus.newlines", "corpus.normal_form", "corpus.read")
OWN = "set pseudo.teacher: null to train one by this config"
"""What to do about a teacher that does not belong here."""


def admit(teacher: Checkpoint, config: ClassifyConfig, corpus: LabelledCorpus) -> Record:
    """Refuse a teacher of other labels, of items in another form, or with another vocabulary.

    Args:
        teacher: the model; it may be of another size than the config's.
        config: the config of the rounds.
        corpus: their corpus.

    Returns:
        `trained_on_other_data`: a sentence about it, or None where it was trained on this corpus.

    Raises:
        CheckpointError: it is of another task, or damaged.
        DataError: it reads or says other things; the error shows the first difference.
    """
    theirs, where = same_task(teacher, config), teacher.folder
    _same_labels(teacher, list(corpus.labels))
    before, now = flatten(theirs), flatten(config)
    changed = [change(key, before.get(key), now.get(key)) for key in _FORM if before.get(key) != now.get(key)]
    if changed:
        raise DataError(
            "the teacher reads items in another form",
            where=where,
            why="\n".join(["key: in the teacher → here", *changed]),
            hint=f"give these keys the teacher's values, or {OWN}",
        )
    _same_vocabulary(teacher, corpus.vocabulary)
    return other_data(teacher, corpus.digest, "items")


def other_data(teacher: Checkpoint, digest: str, things: str) -> Record:
    """`trained_on_other_data`: a sentence about that, or None where a teacher was trained on the corpus of this digest;
    `things` are what validation and test hold."""
    theirs = teacher.document("config")["corpus_digest"]
    other = f"the teacher was trained on other data ({theirs[:8]}, here {digest[:8]}): if {things} of this validation "
    told = None if theirs == digest else other + "or test were among them, their figures are too good"
    return {"trained_on_other_data": told}


def same_task(teacher: Checkpoint, config: Config) -> Config:
    """The config of a teacher of the task that `config` is of.

    Raises:
        CheckpointError: it is of another task, or damaged.
    """
    theirs = config_of(teacher)
    if theirs.task != config.task:
        why = f"it is of the task `{theirs.task}`, and this config of `{config.task}`"
        raise CheckpointError("the teacher is of another task", where=teacher.folder, why=why, hint=OWN)
    return theirs


def first_difference(kind: str, theirs: Sequence[str], ours: Sequence[str]) -> str:
    """The first label, user or item that a teacher has differently."""
    size = max(len(theirs), len(ours))
    there, here = ([*map(repr, names), *["nothing"] * (size - len(names))] for names in (theirs, ours))
    first = next(number for number in range(size) if there[number] != here[number])
    return f"{kind} {first} is {there[first]} in the teacher and {here[first]} here, of {len(theirs)} and {len(ours)}"


def _same_labels(teacher: Checkpoint, ours: list[str]) -> None:
    theirs: list[str] = teacher.document("labels")
    if theirs == ours:
        return
    raise DataError(
        "the teacher gives other labels",
        where=teacher.folder,
        why=first_difference("label", theirs, ours),
        hint=OWN,
    )


def _same_vocabulary(teacher: Checkpoint, ours: Vocabulary | None) -> None:
    theirs = Vocabulary.from_json(teacher.document("vocabulary")) if "vocabulary.json" in teacher.files else None
    if ours is not None and theirs is not None:
        same = theirs.digest == ours.digest
        why = "\n".join(["in the teacher (here), in this corpus (there):", *theirs.difference(ours, limit=3)])
    else:
        same, why = ours is theirs, "one reads texts and the other pictures"
    if not same:
        hint = f"train the teacher on this corpus, or {OWN}"
        raise DataError("the teacher has another vocabulary", where=teacher.folder, why=why, hint=hint)
