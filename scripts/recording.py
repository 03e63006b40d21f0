"""What the scripts share that write measured figures down: the commit, the machine, and the file of records."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from charrnn.files.atomic import make_folder, write_text

ROOT = Path(__file__).resolve().parent.parent


def current_commit(*further: str) -> str:
    """The commit that is measured; a figure of code that is in no commit is worth nothing.

    Args:
        further: folders that the figure depends on besides those that all do.
    """
    if _git("status", "--porcelain", "--", "charrnn", "configs", "scripts", "constraints.txt", *further):
        sys.exit(f"scripts/{Path(sys.argv[0]).name}: commit the code first")
    return _git("describe", "--always")


def machine() -> str:
    """The machine in a few words."""
    return f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def read(path: Path) -> dict[str, Any]:
    """The records by name; none where there is no file yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path: Path, records: dict[str, Any], order: Iterable[str] | None = None) -> None:
    """Put the records into the file, in this order; a name that is not in it is dropped. A list of numbers stands on
    one line."""
    ordered = records if order is None else {name: records[name] for name in order if name in records}
    text = json.dumps(ordered, indent=2, ensure_ascii=False)
    make_folder(path.parent)
    write_text(path, re.sub(r"\[[^\[\]{}\"]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
