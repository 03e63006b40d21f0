"""Runs to tell of on a page: small ones of several tasks, trained once, and one full of what would do harm."""

from __future__ import annotations

import json
from pathlib import Path

from lab import CONFIG, TEXT, Lab
from ratinglab import CONFIG as RATINGS
from ratinglab import table

SCRIPT = "<script>document.title='owned'</script>"
IMAGE = "<img src=x onerror=\"document.title='owned'\">"
STEERING = "\x1b]0;owned\x07\x1b[31m\u202ered\x00"
HOSTILE = f"{SCRIPT}{IMAGE}</style></pre>{{{{ 7 * 7 }}}}&amp;{STEERING}"

LABELLED = """\
task: classify
corpus: {source: items.csv, split: [0.6, 0.4, 0], min_count: 1}
stream: {batch: 8}
model: {input: {size: 6}, core: {kind: gru, hidden: 6}}
train: {epochs: 2, log_every: 3, early_stop: null}
"""
WORDS = """\
task: vectors
corpus: {source: text.txt, case: lower, split: [0.8, 0.2, 0]}
stream: {length: 50, batch: 2, window: 2, subsample: null}
model: {size: 5, noise: 8}
train: {epochs: 2, optimizer: {kind: adam, lr: 1e-2}}
"""
SENTENCE = "The cat sat on the mat, and the dog ate it all before noon.\n"


def make_runs(folder: Path) -> dict[str, Path]:
    """Train a run of each task, and a second language model; their folders by name."""
    sources = {
        "language": (CONFIG, {"text.txt": TEXT}),
        "classify": (LABELLED, {"items.csv": items(("tree", "bush", "herb"))}),
        "rate": (RATINGS, {"ratings.csv": table(), "films.csv": films()}),
        "vectors": (WORDS, {"text.txt": SENTENCE * 20}),
    }
    runs = {name: train(folder / name, config, files, name) for name, (config, files) in sources.items()}
    lab = Lab(folder / "language")
    lab.train("other", "new", None, "train.optimizer.lr=1e-3", "train.epochs=2")
    return runs | {"other": lab.path / "other"}


def train(folder: Path, config: str, files: dict[str, str], name: str) -> Path:
    folder.mkdir(parents=True)
    for file, text in {"config.yaml": config, **files}.items():
        (folder / file).write_text(text, encoding="utf-8")
    Lab(folder).train(name)
    return folder / name


def items(labels: tuple[str, ...]) -> str:
    """A table of words, each kind with letters of its own."""
    rows = []
    for number in range(60):
        word = "".join(["abc", "def", "ghi"][number % len(labels)][(number * i) % 3] for i in range(1, 7))
        rows.append(f'{word}{number},"{labels[number % len(labels)]}"')
    return "text,label\n" + "\n".join(rows) + "\n"


def films() -> str:
    return "movieId,title\n" + "".join(f"0{film},Film {film}\n" for film in range(15))


def make_hostile(folder: Path) -> Path:
    """A language model of a text that would do harm, in a folder with such a name, with such samples and config."""
    text = (HOSTILE.replace("\x00", "") + " and so on\n") * 25
    run = train(folder, CONFIG.replace('seed: "abc"', 'seed: "<script>"'), {"text.txt": text}, f"a {IMAGE} run")
    with (run / "samples.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 999, "text": HOSTILE}) + "\n")
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 999, "split": "guard", "what": HOSTILE, SCRIPT: 1.0, "time": 2e9}) + "\n")
        file.write(json.dumps({"step": 999, "split": "valid", "best": True, "nats": 0.1, SCRIPT: 1.0}) + "\n")
    with (run / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"# {HOSTILE}\nhostile: {json.dumps(HOSTILE)}  # {HOSTILE}\n")
    return run


def make_hostile_labels(folder: Path) -> Path:
    """A classifier whose labels would do harm."""
    labels = (SCRIPT, IMAGE.replace('"', '""'), "</table></svg>&amp;")
    return train(folder, LABELLED, {"items.csv": items(labels)}, "labels")
