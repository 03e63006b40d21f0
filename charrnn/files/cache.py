"""Where a user's cache lies: what can be made again at any time, and may be deleted at any time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`charrnn` in `$XDG_CACHE_HOME`, else in `~/.cache`; it need not be there yet.

    As the XDG Base Directory specification has it, a path that is not absolute is left out of account.
    """
    named = Path(environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path("~/.cache").expanduser()) / "charrnn"
