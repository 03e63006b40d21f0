"""A workplace with a text in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.prepare import prepare
from charrnn.corpus.ready import Prepared
from charrnn.corpus.tokens import TokenCorpus

Prepare = Callable[..., Prepared[TokenCorpus]]


@pytest.fixture
def prepared(tmp_path: Path) -> Prepare:
    """Prepare `text.txt` of the temporary folder with these keys of `corpus:`; `given` goes to `prepare` itself."""

    def run(
        text: str | bytes | None = None, *, given: dict[str, Any] | None = None, **keys: Any
    ) -> Prepared[TokenCorpus]:
        if text is not None:
            (tmp_path / "text.txt").write_bytes(text.encode() if isinstance(text, str) else text)
        settings = Corpus.model_validate({"source": "text.txt", **keys})
        return prepare(settings, base=tmp_path, corpora=tmp_path / "corpora", **(given or {}))

    return run
