"""The data of a loaded config, prepared unless they are there. Torch-free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from charrnn.config.load import Loaded
from charrnn.config.schema import ClassifyConfig, Config, Corpus, LanguageConfig, RateConfig
from charrnn.errors import UsageError
from charrnn.logs.console import Console
from charrnn.runs.allocator import keep_freed_memory
from charrnn.text.watch import Check


class Ready(Protocol):
    """A corpus that is ready, and whether it was made now."""

    @property
    def corpus(self) -> Any:
        """The corpus, of the kind that the task learns from."""

    @property
    def fresh(self) -> bool:
        """False if it was there already."""

    @property
    def damage(self) -> str | None:
        """What was wrong with the one that was there, and has been made again."""

    @property
    def whole(self) -> str | None:
        """Why large data were read by one process, though there are more."""


def _preparing(config: Config) -> Callable[..., Ready]:
    """What prepares the data of a config; loaded where it is needed, for each takes a tenth of a second."""
    if isinstance(config, ClassifyConfig):
        from charrnn.corpus.labelled import prepare_labelled

        return prepare_labelled
    if isinstance(config, RateConfig):
        from charrnn.corpus.rating_tables import prepare_ratings

        return prepare_ratings
    from charrnn.corpus.prepare import prepare

    return prepare


def _together(config: Config, jobs: int | None) -> dict[str, Any]:
    """How many processes prepare a text, for what does; any other data are prepared by one."""
    if jobs is None:
        return {}
    if not isinstance(config.corpus, Corpus):
        raise UsageError(
            "--jobs is for texts of language models and of word vectors",
            why=f"the data of the task `{config.task}` are read by one process",
        )
    from charrnn.corpus.several import Jobs

    return {"jobs": Jobs(jobs)}


def prepared(
    loaded: Loaded, corpora: Path, console: Console, check: Check, out: Path | None = None, jobs: int | None = None
) -> Ready:
    """Find or make the corpus that `loaded` describes; what should be known of a new one is told.

    Args:
        loaded: the config.
        corpora: where corpora lie, unless `out` names a folder.
        console: shows the progress.
        check: called once per block; it may raise to stop.
        out: the very folder.
        jobs: by how many processes a large text is prepared; None for the cores that this one may use.

    Raises:
        DataError, UsageError, StorageError: see `charrnn.corpus.prepare.prepare` and its neighbours.
    """
    keep_freed_memory()  # blocks of text and of tokens come and go
    ready = _preparing(loaded.config)(
        loaded.config.corpus,
        base=loaded.base,
        corpora=corpora,
        out=out,
        name=loaded.name,
        progress=console.progress,
        check=check,
        **_together(loaded.config, jobs),
    )
    say_damage(ready.damage, console)
    if ready.whole is not None:
        console.note(f"one process prepares this text: {ready.whole}")
    for remark in ready.corpus.remarks if ready.fresh else ():
        console.note(remark)
    return ready


def say_damage(damage: str | None, console: Console) -> None:
    """Say so where a damaged corpus was made again; `damage` is None where none was."""
    if damage is not None:
        console.note(f"the prepared corpus was damaged, and has been made again from its source: {damage}")


def ratings(config: Config) -> RateConfig:
    """`config`, for what only a model of ratings can do.

    Raises:
        UsageError: it is of another task.
    """
    if not isinstance(config, RateConfig):
        raise UsageError("this is for models of ratings only", why=f"the task of this config is `{config.task}`")
    return config


def language(config: Config) -> LanguageConfig:
    """`config`, for what only a language model can do.

    Raises:
        UsageError: it is of another task.
    """
    if not isinstance(config, LanguageConfig):
        raise UsageError("this is for language models only", why=f"the task of this config is `{config.task}`")
    return config
