"""A real browser without a window: what a page comes to in it, and what it complains of. Needs Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the page was not opened")

_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
_FLAGS += ["--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
_FLAGS += ["--enable-logging=stderr", "--log-level=0"]
_CONSOLE = re.compile(r"INFO:CONSOLE[^\]]*\] (.*)")


@dataclass(frozen=True)
class Seen:
    """A page after its scripts have run.

    Attributes:
        dom: its document as HTML.
        console: every line that it wrote to the console, errors and refused requests among them.
    """

    dom: str
    console: list[str]


def visit(page: Path | str, milliseconds: int = 5000) -> Seen:
    """Open a file or an address, and let so much of the page's own time pass."""
    done = _chromium(page, f"--virtual-time-budget={milliseconds}", "--dump-dom")
    return Seen(done.stdout, _CONSOLE.findall(done.stderr))


def picture(
    page: Path | str, to: Path, width: int = 1200, height: int = 900, dark: bool = False, milliseconds: int = 3000
) -> None:
    """A PNG of the page in a window of this size."""
    shade = ["--blink-settings=preferredColorScheme=0"] if dark else []
    options = [f"--virtual-time-budget={milliseconds}", "--run-all-compositor-stages-before-draw", *shade]
    _chromium(page, f"--window-size={width},{height}", f"--screenshot={to}", *options)


def _chromium(page: Path | str, *options: str, tries: int = 2) -> subprocess.CompletedProcess[str]:
    address = page if isinstance(page, str) else page.resolve().as_uri()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [str(CHROMIUM), *_FLAGS, f"--user-data-dir={profile}", *options, address]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        except subprocess.TimeoutExpired:  # once in a few hundred starts it hangs before it has opened anything
            if tries == 1:
                raise
    return _chromium(page, *options, tries=tries - 1)
