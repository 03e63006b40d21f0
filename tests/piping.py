"""A real pipe in place of standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def piped(data: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard input holds `data`, which must fit into the pipe, and then ends."""
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield
