"""Records as plain lines, for log files and terminals without a live view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrnn.logs.standing import Standing

_FIGURES = (("nats", "{:.3f} nats"), ("bits_per_char", "{:.3f} bits/char"))
_TRAINING = (("lr", "rate {:.3g}"), ("grad_norm", "gradient norm {:.3g}"))


def record_line(standing: Standing, record: Mapping[str, Any], left: float | None) -> str:
    """One record as one line."""
    total = f"/{standing.steps}" if standing.steps else ""
    parts = [f"step {record['step']}{total}", f"epoch {record['epoch']:.2f}"]
    if record["split"] == "train":
        parts += figures(record)
        parts += [] if left is None else [f"{duration(left)} left"]
    else:
        parts += [f"validation {figures(record)[0]}", *figures(record)[1:]]
        parts += ["the best so far"] if record.get("best") else []
    return "  ".join(parts)


def figures(record: Mapping[str, Any]) -> list[str]:
    """The figures of a record, each with its unit."""
    known = [*_FIGURES, *(_TRAINING if record["split"] == "train" else ())]
    told = [form.format(float(record[name])) for name, form in known if name in record]
    rates = {name.removesuffix("_per_second"): value for name, value in record.items() if name.endswith("_per_second")}
    return told + [f"{value:,.0f} {what}/s" for what, value in rates.items()]


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
