"""What a resumed run may change: keys that only say how to go on may, keys that make the run what it is may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded, flatten
from charrnn.config.render import flow
from charrnn.config.schema import Config, RecurrentTrain, config_from, is_by_content
from charrnn.corpus.ready import named_by
from charrnn.errors import ConfigError, DataError
from charrnn.runs.use import config_of
from charrnn.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from charrnn.contracts import Corpus  # it loads torch, and what is here does not need it

TAKES_EFFECT, REFUSED = "takes effect", "refused"
_WIDEST = 32
_ANEW = "start anew with --out DIR or --force"
_OF_THE_MODEL = ("task", "corpus.", "model.", "train.precision")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The keys whose values differ, with both values, in the order of the config.

    Keys that only say where a text lies are left out: the text itself is compared.
    """
    keys = [key for key in dict.fromkeys([*now, *before]) if not is_by_content(key)]
    return [(key, before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)]


def change(key: str, before: Any, now: Any) -> str:
    """How a user is told of a key with another value than before."""
    return f"{key}: {flow(before)} → {flow(now)}"


def accepted_changes(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    effect: Callable[[str], str],
    what: str,
    where: object,
    hint: str,
) -> list[str]:
    """Hold what was begun with one config against another.

    Args:
        before: dotted keys and values of the config that it was begun with.
        now: those of this command.
        effect: what becomes of a change of a key: `takes effect`, `refused`, or more words that begin with one of them
            or with `restarts`.
        what: what was begun: `the run`.
        where: its place, for the error.
        hint: what else can be done, for the error.

    Returns:
        The changes in columns, a line each below a line of heads; nothing where there are none.

    Raises:
        ConfigError: a key that may not change has changed; all changes are told with both values and their effects.
    """
    rows = [(key, *values, effect(key)) for key, *values in differences(before, now)]
    if any(row[-1].startswith(REFUSED) for row in rows):
        raise ConfigError(
            f"the config no longer describes {what} that is there",
            where=where,
            why="\n".join(in_columns(rows, what)),
            hint=f"give what is refused its former value, or {hint}",
        )
    return in_columns(rows, what)


def fixed_unless(free: Callable[[str], bool]) -> Callable[[str], str]:
    """The effects of changes where some keys may change freely and no others."""
    return lambda key: TAKES_EFFECT if free(key) else REFUSED


def in_columns(rows: Sequence[tuple[str, Any, Any, str]], what: str) -> list[str]:
    """Changes as aligned lines: key, both values, effect; nothing where there are none. A value that is wider than
    most pushes what follows it to the right."""
    lines = [(key, flow(before), flow(now), effect) for key, before, now, effect in rows]
    heads = ("key", f"in {what}", "now", "effect")
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(heads, *lines, strict=True)][:-1]
    shown = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]])
        for line in (heads, *lines)
    ]
    return shown if lines else []


def former_config(begun: Mapping[str, Any], what: str, where: object) -> Config:
    """The config that something was begun with, from its record.

    Raises:
        DataError: this version of charrnn does not know such a config.
    """
    try:
        return config_from(begun["config"])
    except (ValidationError, LookupError, TypeError) as error:
        raise DataError(
            f"{what} was begun with a config that this version of charrnn does not know", where=where, why=str(error)
        ) from error


def check_model(checkpoint: Checkpoint, loaded: Loaded) -> None:
    """Hold the config that a model is to be measured with against the one that it was trained with.

    Raises:
        ConfigError: a key that makes the model or its data what they are has changed.
    """
    changed = differences(flatten(config_of(checkpoint)), flatten(loaded.config))
    wrong = [change(*difference) for difference in changed if difference[0].startswith(_OF_THE_MODEL)]
    if wrong:
        raise ConfigError(
            "the config is not the one that this model was trained with",
            where=checkpoint.folder,
            why="\n".join(["key: in the checkpoint → in the config", *wrong]),
            hint="leave these keys as they were; `evaluate` and how to compute may be set",
        )


def as_prepared(checkpoint: Checkpoint, loaded: Loaded, corpora: Path) -> Loaded:
    """The config under the name that the data of a checkpoint were prepared with, where they are still there; else
    under that of its folder."""
    there = named_by(corpora, checkpoint.document("config")["corpus_digest"])
    return replace(loaded, name=loaded.base.name if there is None else there.name.rpartition("-")[0])


def check_corpus(checkpoint: Checkpoint, corpus: Corpus, else_: str = _ANEW) -> None:
    """Hold the corpus, and its vocabulary if it has one, against the checkpoint's.

    Args:
        checkpoint: the checkpoint.
        corpus: what would be read.
        else_: what can be done where the former data do not come back, for the error.

    Raises:
        DataError: they differ; for a vocabulary the first differing entries are named.
    """
    check_vocabulary(checkpoint, corpus)
    digest = checkpoint.document("config")["corpus_digest"]
    if digest != corpus.digest:
        raise DataError(
            "the data are not those that the run was trained on",
            where=corpus.folder,
            why=f"digest in the run {digest[:16]}…, now {corpus.digest[:16]}…",
            hint=f"bring the former data back, or {else_}",
        )


def check_vocabulary(checkpoint: Checkpoint, corpus: Corpus) -> None:
    """Hold the symbols of a corpus, where it has any, against the checkpoint's.

    Raises:
        DataError: they differ; the first differing entries are named.
    """
    if corpus.vocabulary is None:
        return
    former, now = Vocabulary.from_json(checkpoint.document("vocabulary")), corpus.vocabulary
    if former.digest != now.digest:
        raise DataError(
            "the vocabulary is not the one that the run was trained with",
            where=corpus.folder,
            why="\n".join(["in the run (here), in the text now (there):", *former.difference(now)]),
            hint=f"bring the former text back, or {with_its_weights(config_of(checkpoint), checkpoint.folder)}{_ANEW}",
        )


def with_its_weights(config: Config, run: Path) -> str:
    """The advice to begin another run with the weights of `run`, where its task can; for a hint, to be gone on with."""
    fine_tuned = isinstance(config.train, RecurrentTrain)
    return f"begin another run with its weights: charrnn train CONFIG --from {run} --out DIR; or " if fine_tuned else ""
