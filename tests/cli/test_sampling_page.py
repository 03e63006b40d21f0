"""docs/sampling.md tells every option and every key, and none that there is not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from charrnn.cli.sample import sample
from charrnn.config.schema import Sample

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "sampling.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = {"run", "quiet", "as_json", "overrides"}


def test_every_option_is_told() -> None:
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(sample).parameters if name not in ELSEWHERE}
    told = {*re.findall(r"--[a-z][a-z-]*", PAGE), *re.findall(r"--[a-z][a-z-]*", README)}
    assert options - told == set()
    assert set(re.findall(r"--[a-z][a-z-]*", PAGE)) - options == {"--json"}


def test_every_key_is_told() -> None:
    for key in Sample.model_fields:
        assert f"`{key}`" in PAGE or f"--{key.replace('_', '-')}" in PAGE, key
