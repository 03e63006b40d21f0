"""docs/schedules.svg is what scripts/draw_schedules.py draws now, and shows every kind of schedule."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from charrnn.config.schema.schedule import ConstantSchedule, LinearWarmup, LowEpoch, Schedule

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.findall(r"^matplotlib==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_schedules", ROOT / "scripts" / "draw_schedules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_kind_and_both_warm_ups_are_drawn(script: ModuleType) -> None:
    drawn = [schedule for chart in script.CHARTS.values() for schedule in chart.values()]
    kinds = get_args(get_args(Schedule)[0])
    assert [kind for kind in kinds if not any(isinstance(schedule, kind) for schedule in drawn)] == []
    beginnings = [type(schedule.beginning) for schedule in drawn if isinstance(schedule, ConstantSchedule)]
    assert {LinearWarmup, LowEpoch} == set(beginnings)


@pytest.mark.skipif(version("matplotlib") not in PINNED, reason="another matplotlib draws other bytes")
def test_the_picture_is_drawn_by_the_schedules_of_now(script: ModuleType, tmp_path: Path) -> None:
    script.main([str(tmp_path / "schedules.svg")])
    shipped = (ROOT / "docs" / "schedules.svg").read_bytes()
    assert (tmp_path / "schedules.svg").read_bytes() == shipped, "make schedules"
    assert len(shipped) < 80_000
    assert all(f">{title}<".encode() in shipped for title in [*script.CHARTS, "validation"])
