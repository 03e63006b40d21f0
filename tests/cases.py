"""A small config of every kind of batch, in fp64, with all that is random in it: what must not change with how its
rows are cut, into parts or over processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from lab import TEXT, Lab
from ratinglab import MODELS, table

LANGUAGE = """\
corpus: {source: text.txt, split: [0.7, 0.2, 0.1]}
stream: {lanes: 5, chunk: 8}
model:
  input: {size: 6, dropout: 0.1}
  core: {hidden: 8, layers: 2, dropout: 0.2, recurrent_dropout: 0.3}
  head: {hidden: [7], dropout: 0.2}
train:
  precision: fp64
  max_steps: 40
  clip_norm: 0.5
  optimizer: {kind: sgd, lr: 0.3, momentum: 0.9}
sample: {seed: "abc", length: 5}
"""
CRAFT = """\
stream: {lanes: 5, chunk: 8, reach: 13, offset: random, reset_chance: 0.2}
model.core.initial_state: trained
model.core.recurrent_dropout: {kind: state, p: 0.3}
train.regularization: {activation: 0.5, temporal: 0.5, label_smoothing: 0.1}
train.scheduled_sampling: {kind: linear, to: 0.5, over: 3}
"""
MIXED = "stream.mix: {other: {corpus: {source: other.txt}, lanes: 3}, soft: {lanes: 2, teacher: teacher, weight: 2.0}}"
CLASSIFY = """\
task: classify
corpus: {source: items.csv, split: [0.6, 0.2, 0.2]}
stream: {batch: 7, mix: {more: {kind: labels, source: more.csv, targets: soft, temperature: 2.0, rows: 3}}}
model: {input: {size: 4, dropout: 0.1}, core: {hidden: 5, dropout: 0.2, layers: 2}, bidirectional: true,
        head: {hidden: [4], dropout: 0.2}}
train: {precision: fp64, max_steps: 20, label_smoothing: 0.1, clip_norm: 0.5, optimizer: {kind: sgd, lr: 0.3}}
"""
RATE = """\
task: rate
corpus: {source: ratings.csv, split: {shares: [0.7, 0.2, 0.1], seed: 3}}
stream: {batch: 7, mix: {more: {source: more.csv, rows: 3, ramp: 1.0}}}
model: {l2: 0.01}
train: {precision: fp64, max_steps: 20, clip_norm: 0.5, optimizer: {kind: sgd, lr: 0.1}}
"""
VECTORS = """\
task: vectors
corpus: {source: text.txt, unit: char, split: [0.8, 0.1, 0.1]}
stream: {batch: 5, length: 12, window: 3, subsample: 0.02}
model: {kind: KIND, size: 4, noise: 16}
train: {precision: fp64, max_steps: 20, clip_norm: 0.5, optimizer: {kind: sgd, lr: 0.3}}
"""


def configs() -> Iterator[tuple[str, str, list[str]]]:
    yield "lstm", LANGUAGE, []
    for kind in ("elman", "gru", "ln-lstm", "mingru"):
        more = [] if kind == "mingru" else ["model.core.recurrent_dropout=0.3"]
        yield kind, LANGUAGE, [f"model.core={{kind: {kind}, hidden: 8, layers: 2, dropout: 0.2}}", *more]
    yield "craft", LANGUAGE, [line.replace(": ", "=", 1) for line in CRAFT.splitlines()]
    yield "mixed", LANGUAGE, [MIXED.replace(": ", "=", 1), "stream.reach=13", "train.regularization.temporal=0.5"]
    yield "windows", LANGUAGE, ["stream={kind: windows, length: 6, batch: 7, stride: 2}"]
    yield "scratch", LANGUAGE, ["train.engine=scratch", "model.core.recurrent_dropout=0.0"]
    yield "classify", CLASSIFY, []
    yield "convolution", CLASSIFY, ["model={kind: convolution, filters: 4, head: {dropout: 0.2}}"]
    for name in ("factors", "histories", "network"):
        penalty = ["model.l2=0.01"]
        yield name, RATE, [f"model={MODELS[name]}", *penalty]
    for kind in ("skip-gram", "cbow"):
        yield kind, VECTORS.replace("KIND", kind), []


CASES = {name: (config, overrides) for name, config, overrides in configs()}


def furnish(tmp_path: Path) -> None:
    """Write what the configs name into a folder."""
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "other.txt").write_text("abcabdcab" * 30, encoding="utf-8")
    rows = [f"{TEXT[i : i + 3 + i % 5]!r},{'yes' if i % 3 else 'no'}".replace("\\n", "") for i in range(60)]
    (tmp_path / "items.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    likely = [f"train:{i},yes,{0.5 + i / 50},{0.5 - i / 50}" for i in range(10)]
    (tmp_path / "ratings.csv").write_text(table(), encoding="utf-8")
    (tmp_path / "labels.csv").write_text("item,label,p:yes,p:no\n" + "\n".join(likely) + "\n", encoding="utf-8")


def prepared(place: Path, name: str) -> None:
    """Write the config of a case, and what it alone needs."""
    config, _ = CASES[name]
    (place / "config.yaml").write_text(config, encoding="utf-8")
    if name == "mixed":
        Lab(place).train("teacher", "new", None, "train.max_steps=4")
    if config is CLASSIFY:
        (place / "labels.csv").rename(place / "more.csv")
    if config is RATE:
        lines = table().splitlines()
        (place / "more.csv").write_text("\n".join([lines[0], *_unrated(lines)]) + "\n", encoding="utf-8")


def _unrated(lines: list[str]) -> list[str]:
    """A few pairs that the table has not."""
    rated = {tuple(line.split(",")[:2]) for line in lines}
    pairs = [(f"u{user:03}", f"0{film}") for user in range(12) for film in range(15)]
    return [f"{user},{film},3.5,0" for user, film in pairs if (user, film) not in rated][:8]


def close(one: Any, other: Any, name: str = "", digits: float = 1e-12) -> None:
    """Equal to so small a share of the largest number."""
    one, other = np.asarray(one), np.asarray(other)
    scale = np.abs(one).max(initial=0.0) or 1.0
    np.testing.assert_allclose(other / scale, one / scale, rtol=0, atol=digits, err_msg=name)
