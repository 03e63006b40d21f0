"""What a resumed run may change: keys that only say how to go on may, keys that make the run what it is may not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.load import Loaded, flatten
from charrnn.config.render import flow
from charrnn.config.schema import Config, config_from, is_by_content
from charrnn.contracts import Corpus
from charrnn.corpus.ready import named_by
from charrnn.errors import ConfigError, DataError
from charrnn.runs.use import config_of
from charrnn.text.vocabulary import Vocabulary

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
    fixed: Callable[[str], bool],
    what: str,
    where: object,
    hint: str,
) -> list[str]:
    """Hold what was begun with one config against another.

    Args:
        before: dotted keys and values of the config that it was begun with.
        now: those of this command.
        fixed: whether a key may not change.
        what: what was begun: `the run`.
        where: its place, for the error.
        hint: what else can be done, for the error.

    Returns:
        A line for each change that takes effect.

    Raises:
        ConfigError: a key that may not change has changed; all such keys are named with both values.
    """
    changed = differences(before, now)
    refused = [f"{change(*difference)} (refused)" for difference in changed if fixed(difference[0])]
    taken = [f"{change(*difference)} (takes effect)" for difference in changed if not fixed(difference[0])]
    if refused:
        raise ConfigError(
            f"the config no longer describes {what} that is there",
            where=where,
            why="\n".join([f"key: in {what} → now", *refused]),
            hint=f"give these keys their former values, or {hint}",
        )
    return taken


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


def check_corpus(checkpoint: Checkpoint, corpus: Corpus) -> None:
    """Hold the corpus, and its vocabulary if it has one, against the checkpoint's.

    Raises:
        DataError: they differ; for a vocabulary the first differing entries are named.
    """
    if corpus.vocabulary is not None:
        _check_vocabulary(Vocabulary.from_json(checkpoint.document("vocabulary")), corpus.vocabulary, corpus.folder)
    digest = checkpoint.document("config")["corpus_digest"]
    if digest != corpus.digest:
        raise DataError(
            "the data are not those that the run was trained on",
            where=corpus.folder,
            why=f"digest in the run {digest[:16]}…, now {corpus.digest[:16]}…",
            hint="bring the former text back, or start anew with --out DIR or --force",
        )


def _check_vocabulary(former: Vocabulary, now: Vocabulary, where: object) -> None:
    if former.digest != now.digest:
        raise DataError(
            "the vocabulary is not the one that the run was trained with",
            where=where,
            why="\n".join(["in the run (here), in the text now (there):", *former.difference(now)]),
            hint="bring the former text back, or start anew with --out DIR or --force",
        )
