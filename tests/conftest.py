"""What all tests share: one thread (small tensors are slower on two), and no trace of the user's environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from nursery import Nursery
    from scanlibrary import ScanLibrary

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

# How long an example takes says something about the machine and what else it does, and nothing about the code.
settings.register_profile("charrnn", deadline=None)
settings.load_profile("charrnn")


@pytest.fixture
def scan_library(monkeypatch: pytest.MonkeyPatch) -> ScanLibrary:
    """The library of the scan's kernel as if it were installed, and run on a CPU."""
    from scanlibrary import ScanLibrary  # loads torch, which reads the environment above

    return ScanLibrary(monkeypatch)


@pytest.fixture(scope="session")
def processes() -> Iterator[Nursery]:
    """Makes processes that have loaded charrnn already."""
    from nursery import nursery

    with nursery() as made:
        yield made
