"""Measure `prepare`: its speed and its peak memory, on a large text, on a single long line, packed, and from a pipe.

    python scripts/measure_prepare.py [--text-mb 1000] [--line-mb 200] [--folder DIR] [--json FILE]

The texts are the language reference that Python carries, repeated. Each case runs in a process of its own, whose peak
memory is the figure that the operating system keeps. MB are 10^6 bytes, of the text as it is before packing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MB = 10**6


def measure(source: str, folder: Path) -> dict[str, float]:
    """Prepare `source` in this process; seconds, seconds of the processor, and peak memory in MB."""
    from charrnn.config.schema.corpus import Corpus
    from charrnn.corpus.prepare import prepare

    started = time.perf_counter()
    prepare(Corpus(source=source), base=folder, corpora=folder / "corpora")
    seconds, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024  # the system counts bytes there and kibibytes elsewhere
    busy = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu_seconds": busy, "peak_mb": used.ru_maxrss * unit / MB}


def write_text(path: Path, size: int, one_line: bool) -> None:
    """Put `size` bytes of text at `path`."""
    from pydoc_data.topics import topics

    passage = "\n".join(topics[name] for name in sorted(topics))
    block = (" ".join(passage.split()) if one_line else passage).encode()
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
        rest = block[: size % len(block)].decode("utf-8", "ignore").encode()  # no letter is cut in two
        file.write(rest.ljust(size % len(block), b"."))


def in_child(source: str, folder: Path, stdin: Path | None = None) -> dict[str, float]:
    """`measure` in a fresh process."""
    command = [sys.executable, __file__, "--measure", source, "--folder", str(folder)]
    with (stdin or Path(os.devnull)).open("rb") as given:
        done = subprocess.run(command, stdin=given, stdout=subprocess.PIPE, check=True)
    shutil.rmtree(folder / "corpora")
    record: dict[str, float] = json.loads(done.stdout)
    return record


def run(folder: Path, text_mb: float, line_mb: float) -> list[dict[str, Any]]:
    """All cases, one after the other."""
    text, line, packed = folder / "text.txt", folder / "line.txt", folder / "line.txt.gz"
    write_text(text, int(text_mb * MB), one_line=False)
    write_text(line, int(line_mb * MB), one_line=True)
    with line.open("rb") as file, gzip.open(packed, "wb", compresslevel=1) as out:
        shutil.copyfileobj(file, out, 1 << 20)
    cases = []
    for name, mb, source, stdin in (
        ("text", text_mb, text.name, None),
        ("single line", line_mb, line.name, None),
        ("single line, gzip", line_mb, packed.name, None),
        ("single line, pipe", line_mb, "-", line),
    ):
        found = in_child(source, folder, stdin)
        figures = {"mb": mb, "mb_per_second": mb / found["seconds"], **found}
        cases.append({"case": name} | {key: round(figure, 2) for key, figure in figures.items()})
    return cases


def main() -> None:
    """Read the options, run the cases, print the table."""
    parser = argparse.ArgumentParser(description="Measure the speed and the peak memory of `prepare`.")
    parser.add_argument("--text-mb", type=float, default=1000, help="size of the text (default: %(default)s)")
    parser.add_argument("--line-mb", type=float, default=200, help="size of the single line (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the texts are made (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="also write a record of the figures to this file")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.folder)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        cases = run(Path(folder), given.text_mb, given.line_mb)
    print(f"{'case':<20} {'MB':>7} {'seconds':>8} {'CPU s':>7} {'MB/s':>7} {'peak MB':>8}")
    for case in cases:
        print("{case:<20} {mb:>7g} {seconds:>8} {cpu_seconds:>7} {mb_per_second:>7} {peak_mb:>8}".format(**case))
    if given.json:
        machine = {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
        given.json.write_text(json.dumps({"machine": machine, "cases": cases}, indent=2) + "\n")


if __name__ == "__main__":
    main()
