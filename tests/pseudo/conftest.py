from __future__ import annotations

from pathlib import Path

import pytest
from pseudolab import PseudoLab, new_lab


@pytest.fixture
def lab(tmp_path: Path) -> PseudoLab:
    return new_lab(tmp_path)


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> PseudoLab:
    """A folder with finished rounds in `out`; tests must not change it."""
    lab = new_lab(tmp_path_factory.mktemp("done"))
    lab.rounds("out")
    return lab
