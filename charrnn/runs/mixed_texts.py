"""`stream.mix` of a language model: its texts, prepared with the main text's vocabulary, and its teachers, opened.

Checkpoints record by their digests what texts and teachers a run has. A resumed run needs all of them, wherever they
lie by then, and refuses others in their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded
from charrnn.config.schema import Config, Lanes, LanguageConfig, Windows
from charrnn.config.schema.mixed_text import MixedText
from charrnn.contracts import Task
from charrnn.corpus.counting import Given
from charrnn.corpus.prepare import prepare
from charrnn.corpus.tokens import Split, TokenCorpus
from charrnn.errors import CheckpointError, ConfigError, DataError, UsageError
from charrnn.files import digest
from charrnn.logs.console import Console
from charrnn.models.build import build_model
from charrnn.runs.corpus import say_damage
from charrnn.runs.folder import find_checkpoint
from charrnn.runs.use import config_of
from charrnn.tasks.beside import Beside, Teacher
from charrnn.tasks.language import LanguageTask
from charrnn.text.labels import described
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Check
from charrnn.train.state import load_model

_NAMED = 10


def texts_beside(
    loaded: Loaded, corpus: TokenCorpus, corpora: Path, console: Console, check: Check
) -> dict[str, Beside]:
    """What the config of a language model has its lanes of other texts read, by name; they are prepared unless they are
    there.

    Args:
        loaded: the config.
        corpus: the main text.
        corpora: where corpora are looked for and prepared.
        console: shows the progress; told what is read, and what has become of symbols that the vocabulary lacks.
        check: called once per block; it may raise to stop.

    Raises:
        DataError: a text cannot be prepared, or a teacher has another vocabulary.
        UsageError, CheckpointError: there is no such teacher, or it cannot be used.
    """
    found = {}
    for name, part in parts_of(loaded.config).items():
        with _about(name):
            split, identity = _text(name, part, loaded, corpus, corpora, console, check)
            teacher = None if part.teacher is None else open_teacher(part, loaded.config, corpus.vocabulary)
            found[name] = Beside(split, identity, part.lanes, part.weight, teacher)
            _refuse_short(name, found[name], loaded.config)
        told = "" if teacher is None else f", taught by {teacher.document['checkpoint']} ({teacher.document['which']})"
        console.note(f"mixing in `{name}`: {part.lanes} lanes of {len(split.tokens):,} tokens{told}")
    return found


def parts_of(config: Config) -> Mapping[str, MixedText]:
    """The entries of `stream.mix` of a language model; none where there are none, or it is of another task."""
    stream = config.stream if isinstance(config, LanguageConfig) else None
    return (stream.mix or {}) if isinstance(stream, Lanes) else {}


def text_documents(task: Task) -> dict[str, Any]:
    """What texts and teachers a run mixes in, by name, for its checkpoints."""
    beside = task.beside if isinstance(task, LanguageTask) else {}
    return {name: _document(text) for name, text in beside.items()}


def check_texts(checkpoint: Checkpoint, task: Task) -> None:
    """Hold the texts and the teachers of `stream.mix` against those of the checkpoint.

    Raises:
        DataError: a text is another one.
        ConfigError: a teacher is another one; or only one of the two has any.
    """
    former, now = checkpoint.document("config").get("mix", {}), text_documents(task)
    for name in [name for name in former if name in now]:  # other names are other keys, refused with the config
        before, here = former[name], now[name]
        main = checkpoint.document("config")["corpus_digest"], task.corpus.digest  # held against each other elsewhere
        if (
            before["corpus_digest"] != here["corpus_digest"]
            and (before["corpus_digest"], here["corpus_digest"]) != main
        ):
            raise DataError(
                f"stream.mix.{name}: the text is not the one that the run was trained on",
                where=checkpoint.folder,
                why=f"digest in the run {before['corpus_digest'][:16]}…, now {here['corpus_digest'][:16]}…",
                hint="bring the former text back, or start anew with --out DIR or --force",
            )
        one, other = before["teacher"], here["teacher"]
        if (one and one["digest"]) != (other and other["digest"]):
            raise ConfigError(
                f"stream.mix.{name}: the teacher is not the one that the run has learned from",
                where=checkpoint.folder,
                why=f"in the run: {_told(one)}; now: {_told(other)}",
                hint="name the former checkpoint itself as the teacher, or start anew with --out DIR or --force",
            )


def refuse_own_teacher(config: Config, run: Path) -> None:
    """Refuse a new run in the very folder of one of its teachers.

    Raises:
        UsageError: that is what is asked for.
    """
    own = run.resolve()
    for name, part in parts_of(config).items():
        place = None if part.teacher is None else Path(part.teacher).resolve()
        if place is not None and (own == place or own / "checkpoints" == place.parent):
            raise UsageError(
                f"stream.mix.{name}: a run cannot be its own teacher",
                where=run,
                hint="give the new run a folder of its own with --out",
            )


def _text(
    name: str,
    part: MixedText,
    loaded: Loaded,
    corpus: TokenCorpus,
    corpora: Path,
    console: Console,
    check: Check,
) -> tuple[Split, str]:
    """The text of a part and the digest of its corpus."""
    if part.corpus is None:
        return corpus.split("train"), corpus.digest
    assert isinstance(loaded.config, LanguageConfig), "no other task mixes texts"
    ready = prepare(
        part.corpus.within(loaded.config.corpus),
        base=loaded.base,
        corpora=corpora,
        name=f"{loaded.name}-{name}",
        progress=console.progress,
        check=check,
        given=Given(corpus.vocabulary, part.corpus.unknown),
    )
    say_damage(ready.damage, console)
    if ready.lost:
        named = ", ".join(map(described, ready.lost[:_NAMED])) + (", …" if len(ready.lost) > _NAMED else "")
        what = "left out" if part.corpus.unknown == "skip" else "replaced"
        console.note(f"`{name}` has {len(ready.lost)} symbols that the main text has not; they were {what}: {named}")
    return ready.corpus.split("train"), ready.corpus.digest


def open_teacher(part: MixedText, config: Config, vocabulary: Vocabulary) -> Teacher:
    """The teacher that a part names, for a student of `config`.

    Raises:
        UsageError, CheckpointError: there is no such model, or it is none of lanes of a text.
        DataError: it has another vocabulary.
    """
    place = Path(str(part.teacher))
    checkpoint, which = find_checkpoint(place, place.parent)
    theirs = config_of(checkpoint)
    if not isinstance(theirs, LanguageConfig) or isinstance(theirs.stream, Windows):
        what = "it reads windows from a cold state" if theirs.task == "language" else f"its task is `{theirs.task}`"
        raise CheckpointError(
            "this model cannot teach lanes of a text",
            where=checkpoint.folder,
            why=what,
            hint="name a run of a language model whose stream is `lanes`",
        )
    _check_vocabulary(Vocabulary.from_json(checkpoint.document("vocabulary")), vocabulary, checkpoint.folder)
    dtype = torch.float64 if config.train.precision == "fp64" else torch.float32
    model = build_model(theirs.model, vocabulary.size, theirs.train.seed, dtype)
    load_model(model, checkpoint)
    document = {
        "checkpoint": str(checkpoint.folder),
        "step": checkpoint.step,
        "which": which,
        "digest": digest.of_json({name: sha256 for name, (_, sha256) in checkpoint.files.items()}),
    }
    return Teacher(model.requires_grad_(False).eval(), part.temperature, document)


def _check_vocabulary(theirs: Vocabulary, ours: Vocabulary, where: Path) -> None:
    if theirs.digest != ours.digest:
        raise DataError(
            "the teacher has another vocabulary",
            where=where,
            why="\n".join(["in the teacher (here), in the main text (there):", *theirs.difference(ours)]),
            hint="train the teacher on the main text, with the same `unit`, `min_count`, `case` and normal form",
        )


def _refuse_short(name: str, text: Beside, config: Config) -> None:
    assert isinstance(config.stream, Lanes), "no other stream has a mix"
    text.ring(name, config.stream, config.train.seed)


def _document(text: Beside) -> dict[str, Any]:
    return {"corpus_digest": text.digest, "teacher": None if text.teacher is None else dict(text.teacher.document)}


def _told(teacher: Mapping[str, Any] | None) -> str:
    return "none" if teacher is None else f"{teacher['checkpoint']}, digest {teacher['digest'][:16]}…"


@contextmanager
def _about(name: str) -> Iterator[None]:
    """Let an error of the block say which part it is about."""
    try:
        yield
    except (DataError, UsageError, CheckpointError) as error:
        error.what = f"stream.mix.{name}: {error.what}"
        error.args = (error.what,)
        raise
