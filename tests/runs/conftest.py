from __future__ import annotations

from pathlib import Path

import pytest
from lab import CONFIG, TEXT, Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Lab(tmp_path)
