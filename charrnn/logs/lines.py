"""Records as plain lines, for log files and terminals without a live view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrnn.logs.standing import Standing

_LOSSES = {
    "nats": "{:.3f} nats",
    "bits_per_char": "{:.3f} bits/char",
    "accuracy": "accuracy {:.4f}",
    "mse": "MSE {:.4f}",
    "rmse": "RMSE {:.4f}",
}
_PACE = {"lr": "rate {:.3g}", "grad_norm": "gradient norm {:.3g}"}


def record_line(standing: Standing, record: Mapping[str, Any], left: float | None) -> str:
    """One record as one line."""
    if record["split"] == "guard":
        trouble = f"at step {record['rolled_back_from']}: {record['what']}"
        return f"{trouble}; going on from step {record['step']} with half the rate"
    if record["split"] == "disk":
        return f"WARNING: step {record['step']} is not saved, and training goes on: {record['what']}"
    total = f"/{standing.steps}" if standing.steps else ""
    parts = [f"step {record['step']}{total}", f"epoch {record['epoch']:.2f}"]
    if record["split"] == "train":
        parts += [*losses(record), *pace(record)]
        parts += [f"skipped (not finite): {record['skipped']}"] if record.get("skipped") else []
        parts += [] if left is None else [f"{duration(left)} left"]
    else:
        parts += ["validation " + "  ".join(losses(record))]
        parts += ["the best so far"] if record.get("best") else []
    return "  ".join(parts)


def tellable(record: Mapping[str, Any]) -> bool:
    """Whether a record that was read from a file is one that can be told."""
    try:
        losses(record)
        pace(record)
        int(record["step"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    return isinstance(record.get("split"), str)


def losses(record: Mapping[str, Any]) -> list[str]:
    """How good the model is, each figure with its unit."""
    return [form.format(float(record[name])) for name, form in _LOSSES.items() if name in record]


def pace(record: Mapping[str, Any]) -> list[str]:
    """How training goes: the learning rate, the gradient, and what is read per second."""
    told = [form.format(float(record[name])) for name, form in _PACE.items() if name in record]
    speeds = {name: value for name, value in record.items() if name.endswith("_per_second")}
    return told + [f"{value:,.0f} {name.removesuffix('_per_second')}/s" for name, value in speeds.items()]


def sample_lines(step: int, text: str) -> str:
    """A sample, set off from what is said around it."""
    return "\n".join([f"sample at step {step}:", *(f"  | {line}" for line in text.split("\n"))])


def progress_line(label: str, done: int, total: int | None) -> str:
    """How far some work has come."""
    return f"{label}: {100 * done // total} %" if total else f"{label}: {done:,}"


def duration(seconds: float) -> str:
    """Seconds as 0:07, 12:31 or 1:02:31."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
