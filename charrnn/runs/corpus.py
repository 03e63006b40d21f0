"""The corpus of a loaded config, prepared unless it is there. Torch-free."""

from __future__ import annotations

from pathlib import Path

from charrnn.config.load import Loaded
from charrnn.corpus.prepare import Prepared, prepare
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
        loaded.config.corpus,
        base=loaded.base,
        corpora=corpora,
        out=out,
        name=loaded.name,
        progress=console.progress,
        check=check,
    )
