"""The data of a loaded config, prepared unless they are there. Torch-free."""

from __future__ import annotations

from pathlib import Path

from charrnn.config.load import Loaded
from charrnn.config.schema import Config, LanguageConfig, VectorsConfig
from charrnn.corpus.prepare import Prepared, prepare
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
    config = loaded.config
    return prepare(
        config.corpus if isinstance(config, VectorsConfig) else language(config).corpus,
        base=loaded.base,
        corpora=corpora,
        out=out,
        name=loaded.name,
        progress=console.progress,
        check=check,
    )


def language(config: Config) -> LanguageConfig:
    """`config`, for what only a language model can do.

    Raises:
        UsageError: it is of another task.
    """
    if not isinstance(config, LanguageConfig):
        raise UsageError("this is for language models only", why=f"the task of this config is `{config.task}`")
    return config
