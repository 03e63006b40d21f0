"""SHA-256 of files, bytes and JSON values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from charrnn.files.regular import open_regular


def of_bytes(data: bytes) -> str:
    """The hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def of_file(path: Path) -> str:
    """The hexadecimal SHA-256 of the file at `path`, read in blocks."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_json(value: Any) -> str:
    """The hexadecimal SHA-256 of a JSON value; the order of its keys plays no part."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return of_bytes(canonical.encode("ascii"))
