"""What a checkpoint folder holds.

    step-00001200/
        model.safetensors       one file per group of tensors
        train.json              one file per document
        manifest.json           written last: format, step, and size and SHA-256 of every other file

A folder without a manifest is not a checkpoint. There is never a pickle.
"""

from __future__ import annotations

import re
from pathlib import Path

FORMAT = 2
MANIFEST = "manifest.json"
TENSORS = ".safetensors"
DOCUMENT = ".json"
LARGEST_MANIFEST = 1 << 20
LARGEST_DOCUMENT = 256 << 20
"""Bytes; a larger JSON file is refused unread."""

_STEP = re.compile(r"step-([0-9]{8,18})")


def step_name(step: int) -> str:
    """The name of the folder of one step."""
    return f"step-{step:08d}"


def step_of(folder: Path) -> int | None:
    """The step that a folder's name states, or None where it is not a checkpoint's name."""
    match = _STEP.fullmatch(folder.name)
    return int(match.group(1)) if match else None


def checkpoints(parent: Path) -> list[Path]:
    """The complete checkpoints below `parent`, by step, oldest first; unfinished ones have no manifest."""
    if not parent.is_dir():
        return []
    found = [(step_of(folder), folder) for folder in parent.iterdir() if (folder / MANIFEST).is_file()]
    return [folder for step, folder in sorted((s, f) for s, f in found if s is not None)]
