"""Draw every learning-rate schedule into docs/schedules.svg, with the function that training uses.

scripts/draw_schedules.py [PICTURE]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from charrnn.config.schema.schedule import (
    ConstantSchedule,
    CosineSchedule,
    LowEpoch,
    OneCycleSchedule,
    PlateauSchedule,
    Schedule,
    StepSchedule,
)
from charrnn.report.plots import Chart, Line, Mark, grid_of_charts
from charrnn.train.schedule import rate_factor

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "schedules.svg"
EPOCHS, EPOCH = 20, 60
STEPS = EPOCHS * EPOCH
EPOCHS_OF_STEPS = [step / EPOCH for step in range(STEPS)]
X_LABEL = f"epoch (of {EPOCH} steps)"
LOW = LowEpoch(kind="low-epoch", factor=0.1)

# Validation losses after each epoch, made up: they stall twice.
LOSSES = [2.1, 1.8, 1.65, 1.57, 1.52, 1.5, 1.51, 1.5, 1.52, 1.42, 1.4, 1.39, 1.4, 1.39, 1.395, 1.38, 1.379]
LOSSES += [1.378] * (EPOCHS - len(LOSSES))

CHARTS: dict[str, dict[str, Schedule]] = {
    "constant, linear warm-up": {
        "warmup: 0": ConstantSchedule(kind="constant"),
        "warmup: 100": ConstantSchedule(kind="constant", warmup=100),
        "warmup: 250": ConstantSchedule(kind="constant", warmup=250),
    },
    "constant, low first epoch": {
        "factor: 0.1": ConstantSchedule(kind="constant", warmup=LOW),
        "factor: 0.5": ConstantSchedule(kind="constant", warmup=LowEpoch(kind="low-epoch", factor=0.5)),
    },
    "step": {
        "factor: 0.5, every: 5": StepSchedule(kind="step"),
        "factor: 0.97, every: 1, after: 10": StepSchedule(kind="step", every=1, after=10, factor=0.97),
        "factor: 0.5, every: 2, floor: 0.2": StepSchedule(kind="step", every=2, floor=0.2),
    },
    "one-cycle": {
        "the default": OneCycleSchedule(kind="one-cycle"),
        "shape: linear, rise: 0.45": OneCycleSchedule(kind="one-cycle", rise=0.45, shape="linear"),
        "shape: linear, rise: 0": OneCycleSchedule(kind="one-cycle", rise=0.0, shape="linear"),
    },
    "cosine": {
        "the default": CosineSchedule(),
        "warmup: 0, floor: 0.3": CosineSchedule(warmup=0, floor=0.3),
        "low first epoch, floor: 0": CosineSchedule(warmup=LOW, floor=0.0),
    },
    "cosine with restarts": {
        "cycles: 4": CosineSchedule(cycles=4),
        "cycles: 3, grow: 2": CosineSchedule(cycles=3, grow=2.0),
    },
    "plateau, on the validation losses beside": {
        "factor: 0.1, low first epoch": PlateauSchedule(kind="plateau", warmup=LOW),
        "factor: 0.5, floor: 0.3": PlateauSchedule(kind="plateau", factor=0.5, floor=0.3),
    },
}


def main(arguments: list[str]) -> None:
    match arguments:
        case []:
            draw(PICTURE)
        case [path]:
            draw(Path(path))
        case _:
            sys.exit("usage: scripts/draw_schedules.py [PICTURE]")


def draw(path: Path) -> None:
    charts = [chart(title, schedules) for title, schedules in CHARTS.items()]
    grid_of_charts(path, [*charts, validation(charts[-1].marks)], columns=2)


def chart(title: str, schedules: dict[str, Schedule]) -> Chart:
    lines = [Line(label, EPOCHS_OF_STEPS, factors(schedule)) for label, schedule in schedules.items()]
    return Chart(lines, title, X_LABEL, "share of the rate", marks=cuts(next(iter(schedules.values()))))


def factors(schedule: Schedule) -> list[float]:
    """The factor of each update; an epoch's loss is known from its end on."""
    history = [{"loss": loss} for loss in LOSSES]
    return [rate_factor(schedule, step, STEPS, EPOCH, history[: step // EPOCH]) for step in range(STEPS)]


def cuts(schedule: Schedule) -> list[Mark]:
    """Where a plateau schedule cuts the rate."""
    if not isinstance(schedule, PlateauSchedule):
        return []
    got = factors(schedule)
    steps = [step for step in range(1, STEPS) if got[step] < got[step - 1]]
    return [Mark(f"{schedule.patience + 1} without improvement", step / EPOCH) for step in steps]


def validation(marks: Sequence[Mark]) -> Chart:
    line = Line("made up", range(1, EPOCHS + 1), LOSSES)
    return Chart([line], "validation", X_LABEL, "nats per character", marks=marks)


if __name__ == "__main__":
    main(sys.argv[1:])
