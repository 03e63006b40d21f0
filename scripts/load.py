"""A corpus of many gigabytes, made by repetition, prepared and trained: how fast, and in how much memory.

    python scripts/load.py [--gb 10] [--text FILE] [--steps 300] [--folder DIR] [--json FILE]

The text takes next to no disk: a passage of 64 MB lies there once, and the source is a folder of hard links to it.
The tokens do take their size, a byte each: 10 GB need 10 GB of free disk, and half a gigabyte for the rest; where
there is less, nothing is begun. All that is made is deleted in the end.

Preparing and training run in processes of their own. `peak_mb` is what the operating system calls the peak of resident
memory; `own_peak_mb` leaves out pages of files, which a mapped corpus brings in and which go when others need the
room. It is looked at after every block and after every step. MB are 10^6 bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import recording

MB = 10**6
PASSAGE, SPARE = 64 * MB, 512 * MB
CONFIG = """\
corpus: {{source: links, split: [rest, 100000, 100000]}}
stream: {{lanes: 32, chunk: 64}}
model: {{input: {{size: 32}}, core: {{hidden: 128, layers: 1}}}}
train: {{max_steps: {steps}, early_stop: null, log_every: 50, tensorboard: false, save: {{every: 100, keep: 2}}}}
evaluate: {{lanes: 32, chunk: 64}}
"""


class Peak:
    """The most memory of its own that this process had, as far as it was looked at."""

    def __init__(self) -> None:
        self.own_kb = 0

    def look(self) -> None:
        """Look again; where the system does not tell, the peak stays 0."""
        try:
            status = Path("/proc/self/status").read_text(encoding="ascii")
        except OSError:
            return
        self.own_kb = max(self.own_kb, int(status.partition("RssAnon:")[2].split()[0]))

    def figures(self) -> dict[str, float]:
        """Both peaks, in MB."""
        unit = 1 if sys.platform == "darwin" else 1024  # the system counts bytes there and kibibytes elsewhere
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return {"peak_mb": round(peak / MB, 1), "own_peak_mb": round(self.own_kb * 1024 / MB, 1)}


def links(folder: Path, text: Path | None, size: int) -> int:
    """Make a folder of hard links to one passage; how many bytes they are together, `size` at most and at least one."""
    passage = folder / "passage"
    data = text.read_bytes() if text else _reference()
    data = data[: min(PASSAGE, size)]
    times = max(1, min(PASSAGE, size) // len(data))
    with passage.open("wb") as file:
        for _ in range(times):
            file.write(data)
    one = passage.stat().st_size
    (folder / "links").mkdir()
    count = max(1, size // one)
    for number in range(count):
        os.link(passage, folder / "links" / f"{number:06}")
    return count * one


def _reference() -> bytes:
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics)).encode()


def prepare(folder: Path) -> dict[str, Any]:
    """Prepare the text of `folder` in this process."""
    from charrnn.config.load import load_config
    from charrnn.corpus.prepare import prepare as prepared

    peak, began = Peak(), time.perf_counter()
    loaded = load_config(folder / "load.yaml")
    ready = prepared(loaded.config.corpus, base=folder, corpora=folder / "corpora", name="load", check=peak.look)
    seconds = time.perf_counter() - began
    peak.look()
    counts = ready.corpus.manifest.counts
    return {"seconds": round(seconds, 3), "tokens": counts.tokens, "bytes": counts.bytes, **peak.figures()}


def train(folder: Path) -> dict[str, Any]:
    """Train on it in this process; `start_seconds` go by before the first step."""
    from charrnn.config.load import load_config
    from charrnn.logs.console import Console
    from charrnn.runs.start import train_run
    from charrnn.train.interrupt import Interrupt

    peak, began, first = Peak(), time.perf_counter(), list[float]()

    class Looking(Interrupt):
        """Looks at the memory where training looks for signals."""

        def check(self) -> None:
            peak.look()
            super().check()

        def take_save(self) -> bool:
            first.append(time.perf_counter())
            return super().take_save()

    loaded = load_config(folder / "load.yaml")
    with Console(quiet=True) as console:
        result = train_run(loaded, folder / "run", "new", folder / "corpora", console, Looking())
    records = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    speeds = [record["chars_per_second"] for record in records if "chars_per_second" in record]
    seconds = {"start_seconds": round(first[0] - began, 1), "seconds": round(time.perf_counter() - began, 1)}
    return {"steps": result["step"], **seconds, "chars_per_second": round(max(speeds, default=0.0)), **peak.figures()}


def in_child(what: str, folder: Path) -> dict[str, Any]:
    """One of the two above in a fresh process."""
    command = [sys.executable, __file__, "--do", what, "--folder", str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def run(folder: Path, size: int, text: Path | None, steps: int) -> dict[str, Any]:
    """Everything below `folder`, which must have room."""
    free, needed = shutil.disk_usage(folder).free, size + SPARE
    if free < needed:
        sys.exit(f"scripts/load.py: {folder} has {free / MB:,.0f} MB free, and {needed / MB:,.0f} MB are needed")
    (folder / "load.yaml").write_text(CONFIG.format(steps=steps), encoding="utf-8")
    source = links(folder, text, size)
    prepared = in_child("prepare", folder)
    prepared["mb_per_second"] = round(source / MB / max(prepared["seconds"], 0.001), 1)
    return {"machine": recording.machine(), "source_mb": round(source / MB), "prepare": prepared} | {
        "train": in_child("train", folder)
    }


def main() -> None:
    """Read the options, run, print the record."""
    parser = argparse.ArgumentParser(description="Prepare and train a corpus of many gigabytes.")
    parser.add_argument("--gb", type=float, default=10.0, help="size of the corpus (default: %(default)s)")
    parser.add_argument("--text", type=Path, help="what is repeated (default: the language reference of Python)")
    parser.add_argument("--steps", type=int, default=300, help="updates (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the tokens go (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="also write the record to this file")
    parser.add_argument("--do", choices=["prepare", "train"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        print(json.dumps({"prepare": prepare, "train": train}[given.do](given.folder)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        record = run(Path(folder), int(given.gb * 1000 * MB), given.text, given.steps)
    print(json.dumps(record, indent=2))
    if given.json:
        given.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
