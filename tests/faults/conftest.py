"""What the fault tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from ledger import SOAK, Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """Counts the trials of a test."""
    counts = Ledger()
    yield counts
    counts.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder; a soak looks at far more made-up cases."""
    for item in items:
        if "/tests/faults/" in item.path.as_posix():
            item.add_marker(pytest.mark.faults)


if os.environ.get(SOAK):
    settings.register_profile("soak", deadline=None, max_examples=4000)
    settings.load_profile("soak")
