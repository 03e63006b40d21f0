"""The data of a loaded config, prepared unless they are there. Torch-free."""

from __future__ import annotations

from pathlib import Path

from charrnn.config.load import Loaded
from charrnn.config.schema import Config, LanguageConfig, RateConfig
from charrnn.corpus.prepare import Prepared, prepare
from charrnn.corpus.rating_tables import PreparedRatings, prepare_ratings
from charrnn.errors import UsageError
from charrnn.logs.console import Console
from charrnn.text.watch import Check


def prepared(loaded: Loaded, corpora: Path, console: Console, check: Check, out: Path | None = None) -> Prepared:
    """Find or make the corpus that `loaded` describes.

    Args:
        loaded: the config.
        corpora: where corpora lie, unless `out` names a folder.
        console: shows the progress.
        check: called once per block; it may raise to stop.
        out: the very folder.

    Raises:
        DataError, UsageError, StorageError: see `charrnn.corpus.prepare.prepare`.
    """
    return prepare(
        language(loaded.config).corpus,
        base=loaded.base,
        corpora=corpora,
        out=out,
        name=loaded.name,
        progress=console.progress,
        check=check,
    )


def prepared_ratings(
    loaded: Loaded, corpora: Path, console: Console, check: Check, out: Path | None = None
) -> PreparedRatings:
    """Find or make the table of ratings that `loaded` describes; the arguments are those of `prepared`.

    Raises:
        DataError, UsageError, StorageError: see `charrnn.corpus.rating_tables.prepare_ratings`.
    """
    result = prepare_ratings(
        ratings(loaded.config).corpus,
        base=loaded.base,
        corpora=corpora,
        out=out,
        name=loaded.name,
        progress=console.progress,
        check=check,
    )
    repeated = result.corpus.manifest.repeated
    if repeated and result.fresh:
        console.note(f"{repeated} ratings are of an item that the same user has rated before: all of them count")
    return result


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
