"""What a row of `scripts/bench.py` times in a browser: the page of `charrnn export --format web` as it writes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from contests import TEMPERATURE, Side, Sides, Size, per_second, trained

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HALVED = 2  # its network has half the hidden units of those that the other rows time
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
TIMED = """
charrnn.write({{ count: {warm}, temperature: {temperature} }});
const began = performance.now();
const written = charrnn.write({{ count: {count}, temperature: {temperature} }});
document.body.dataset.told = `${{Array.from(written).length * 1000 / (performance.now() - began)}}`;
"""


def writing(folder: Path, size: Size) -> Sides:
    """Characters per second of text from one network: by the page in Chromium, and by our sampler."""
    from charrnn.export.web import page
    from charrnn.runs.use import open_model

    if CHROMIUM is None:
        sys.exit("scripts/bench.py: this row needs Chromium, which is not installed")
    own = folder / "page"
    own.mkdir(exist_ok=True)
    small = replace(size, hidden=size.hidden // HALVED)
    model = open_model(trained(own, "lstm", small), own)
    script = TIMED.format(warm=size.characters, count=size.characters * 5, temperature=TEMPERATURE)
    place = own / "page.html"
    place.write_text(page(model).replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    options = model.options({})

    def other() -> int:
        return len("".join(model.text(options, 0, "error", lambda: None)))

    return browsing(place), lambda: per_second(other)


def browsing(place: Path) -> Side:
    """Opens a page and reads the figure that it puts into its document; the browser's clock is the real one."""

    def once() -> float:
        with profile() as folder:
            command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder}", "--dump-dom", place.as_uri()]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        found = re.search(r'<body data-told="([\d.]+)"', done.stdout)
        if found is None:
            sys.exit(f"scripts/bench.py: the page did not run: {done.stderr[-500:]}")
        return float(found[1])

    return once


@contextmanager
def profile() -> Iterator[str]:
    """A browser's own folder; it may still write there while it is removed."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield folder
