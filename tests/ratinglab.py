"""A small table of ratings with a pattern to learn, and whole runs over it; a sibling of `lab.py`."""

from __future__ import annotations

from pathlib import Path

from lab import Lab

CONFIG = """\
task: rate
corpus: {source: ratings.csv, split: {shares: [0.7, 0.2, 0.1], seed: 3}, names: {source: films.csv}}
stream: {batch: 16}
model: {kind: histories, size: 3, dropout: 0.2, scale: 0.3}
train:
  epochs: 4
  optimizer: {kind: adam, lr: 2e-2}
  schedule: {kind: plateau, patience: 0, factor: 0.5}
  early_stop: null
  log_every: 7
  save: {every: 9}
evaluate: {every: 11}
"""
MODELS = {
    "factors": "{kind: factors, size: 3, dropout: 0.2}",
    "dot": "{kind: factors, size: 3, biases: false, mean: false, scale: 0.5}",
    "range": "{kind: factors, size: 3, range: {low: 0.0, high: 5.5}}",
    "histories": "{kind: histories, size: 3, dropout: 0.2, scale: 0.3}",
    "network": "{kind: ratings-network, users: 3, items: 2, hidden: [12, 5], "
    "input_dropout: 0.0, dropout: 0.1, scale: 0.5}",
}


def table() -> str:
    """Users like films of their own kind; the ids are no numbers, or look like ones that are not theirs."""
    lines = ["userId,movieId,rating,timestamp"]
    for user in range(12):
        for film in range(15):
            if (user * 7 + film * 3) % 5:
                liked = 1.5 if (user + film) % 2 else 0.0
                lines.append(f"u{user:03},0{film},{2.0 + liked + film % 3 / 2},0")
    return "\n".join(lines) + "\n"


def rating_lab(path: Path, config: str = CONFIG) -> Lab:
    """A folder with a table and a config, and a way to train there."""
    (path / "ratings.csv").write_text(table(), encoding="utf-8")
    names = "".join(f'0{film},"Film, number {film}"\n' for film in range(14))
    (path / "films.csv").write_text("movieId,title\n" + names, encoding="utf-8")
    (path / "config.yaml").write_text(config, encoding="utf-8")
    return Lab(path)
