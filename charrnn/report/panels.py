"""The curves of runs, figure by figure: training and validation are lines of their own, always."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from charrnn.report.drawn import drawn
from charrnn.report.picture import COLOURS
from charrnn.report.plots import Chart, Line
from charrnn.report.told import Told

SIZE = (4.5, 2.7)
_MOST = 1e100
_DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1, 1.5)))

Part = Literal["training", "validation", "ideal"]


@dataclass(frozen=True)
class Curve:
    """A line of a run.

    Attributes:
        run: the number of the run: its colour.
        name: the run's name.
        part: of what it tells.
        x: where its points are.
        y: as many values; what is not finite is a gap.
    """

    run: int
    name: str
    part: Part
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Curves over one pair of axes.

    Attributes:
        key: its name in a file's name and in the page.
        title: what is shown, with its unit.
        x_label: what x is.
        curves: at least one.
        log_x: whether x is logarithmic.
        note: how to read it.
    """

    key: str
    title: str
    x_label: str
    curves: Sequence[Curve]
    log_x: bool = False
    note: str = ""

    def chart(self) -> Chart:
        """For a picture of its own, where lines bear their names."""
        several = len({curve.run for curve in self.curves}) > 1
        lines = [Line(f"{c.name}, {c.part}" if several else c.part, c.x, c.y) for c in self.curves]
        return Chart(lines, self.title, self.x_label, "", self.log_x)

    def svg(self, name: str) -> str:
        """For a page, whose legend says which line is which; errors as those of `drawn`."""
        return drawn(name, self._draw, SIZE)

    def _draw(self, figure: Any) -> None:
        axes = figure.subplots()
        if self.log_x:
            from matplotlib.ticker import FuncFormatter, NullFormatter

            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        beside = any(curve.part == "validation" for curve in self.curves)
        for curve in self.curves:
            x, y = zip(*_points(curve), strict=True) if curve.x else ((), ())
            axes.plot(x, y, **_look(curve, beside))
        axes.set_xlabel(self.x_label)
        axes.locator_params(axis="y", nbins=6)
        if not self.log_x:
            axes.locator_params(axis="x", nbins=6)


def _points(curve: Curve) -> Iterator[tuple[float, float]]:
    for x, y in zip(curve.x, curve.y, strict=True):
        yield x, y if abs(y) < _MOST else math.nan


def _look(curve: Curve, beside: bool) -> dict[str, Any]:
    """Validation is a line with points, training a fine one without, in the run's colour; faint where validation stands
    `beside` it."""
    if curve.part == "ideal":
        return {"color": "#888888", "linewidth": 1.0, "linestyle": (0, (3, 2))}
    look: dict[str, Any] = {
        "color": COLOURS[curve.run % len(COLOURS)],
        "linestyle": _DASHES[curve.run // len(COLOURS) % len(_DASHES)],
    }
    if curve.part == "training":
        marker = "o" if len(curve.x) == 1 else ""  # no line goes through a single point
        return {**look, "linewidth": 1.1, "alpha": 0.6 if beside else 1.0, "marker": marker, "markersize": 3.4}
    few = len(curve.x) <= 40
    return {**look, "linewidth": 1.9, "marker": "o" if few else "", "markersize": 3.4}


_LOSS = {"language": ("bits_per_char", "bits per character"), "rate": ("rmse", "RMSE, in units of the ratings")}
_NATS = ("nats", "loss, nats")
_OF_VALIDATION = (
    ("accuracy", "accuracy"),
    ("macro_f1", "macro F1"),
    ("calibration_error", "expected calibration error"),
    ("mae", "MAE, in units of the ratings"),
)
_OF_TRAINING = (
    ("lr", "learning rate"),
    ("grad_norm", "gradient norm, before clipping"),
    ("state_norm", "norm of the carried state"),
)


_VALIDATION: Literal["validation"] = "validation"
_TRAINING: Literal["training"] = "training"


def panels(runs: Sequence[Told]) -> list[Panel]:
    """What the records of these runs can be drawn as; a figure that no record has is left out."""
    found = []
    for name, title in dict.fromkeys(_LOSS.get(run.task, _NATS) for run in runs):
        shown = [run for run in runs if _LOSS.get(run.task, _NATS)[0] == name]
        curves = [curve for run in shown for curve in (_curve(run, name, "training"), _curve(run, name, "validation"))]
        found.append(Panel(name, title, "updates", curves))
    found += [
        Panel(name, title, "updates", [_curve(run, name, "validation") for run in runs])
        for name, title in _OF_VALIDATION
    ]
    found += [
        Panel(name, title, "updates", [_curve(run, name, "training") for run in runs]) for name, title in _OF_TRAINING
    ]
    kept = [Panel(p.key, p.title, p.x_label, [c for c in p.curves if c.x], p.log_x, p.note) for p in found]
    return [panel for panel in kept if panel.curves and not _says_nothing(panel)]


def _says_nothing(panel: Panel) -> bool:
    """Whether it is the norm of a state that no model here carries from batch to batch."""
    return panel.key == "state_norm" and not any(any(curve.y) for curve in panel.curves)


def _curve(run: Told, name: str, part: Literal["training", "validation"]) -> Curve:
    records = run.history.train if part == "training" else run.history.valid
    points = [(record["step"], record[name]) for record in records if name in record]
    return Curve(run.number, run.name, part, [x for x, _ in points], [y for _, y in points])


def positions_panel(runs: Sequence[tuple[Told, Sequence[float]]]) -> Panel | None:
    """The loss at each position after a cold start, of the runs that tell; None where none does."""
    curves = [
        Curve(run.number, run.name, "validation", list(range(1, len(nats) + 1)), list(nats))
        for run, nats in runs
        if nats
    ]
    note = "what reading further back is worth: a model that uses its state falls on"
    title = "loss after a cold start, nats"
    return Panel("positions", title, "position k, in symbols", curves, True, note) if curves else None


def reliability_panel(runs: Sequence[Told]) -> Panel | None:
    """How often classifiers are right, by how sure they are; None where no record tells."""
    curves = []
    for run in runs:
        bins = [one for one in _list(run.history.details.get("calibration")) if _is_bin(one)]
        if bins:
            x, y = ([float(one[name]) for one in bins] for name in ("confidence", "accuracy"))
            curves.append(Curve(run.number, run.name, "validation", x, y))
    if not curves:
        return None
    ideal = Curve(0, "as sure as right", "ideal", [0.0, 1.0], [0.0, 1.0])
    note = "below the dashed line a model is surer than it is right"
    return Panel("calibration", "how often right, by how sure", "confidence", [ideal, *curves], False, note)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_bin(value: Any) -> bool:
    names = ("confidence", "accuracy")
    return isinstance(value, Mapping) and all(type(value.get(name)) in (int, float) for name in names)
