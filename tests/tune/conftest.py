from __future__ import annotations

from pathlib import Path

import pytest
from tuning import Tuning, new_tuning


@pytest.fixture
def tuning(tmp_path: Path) -> Tuning:
    return new_tuning(tmp_path)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    """A folder with the finished study `study`; tests must not change it."""
    tuning = new_tuning(tmp_path_factory.mktemp("searched"))
    tuning.search("study")
    return tuning
