"""Read a checkpoint: every byte is checked against the manifest before it is used."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from charrnn.checkpoint.forms import Document, count, no_constant, problem
from charrnn.checkpoint.layout import (
    DOCUMENT,
    FORMAT,
    LARGEST_DOCUMENT,
    LARGEST_MANIFEST,
    MANIFEST,
    TENSORS,
    checkpoints,
    step_of,
)
from charrnn.errors import CheckpointError
from charrnn.files import digest

_OTHER_DIGEST = "its SHA-256 is not the one in the manifest"


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint folder; its files are read, and verified, when they are asked for."""

    folder: Path
    step: int
    files: dict[str, tuple[int, str]]

    @classmethod
    def open(cls, folder: Path) -> Checkpoint:
        """Open the checkpoint in `folder`.

        Raises:
            CheckpointError: there is none, its manifest is damaged, or it is of a format not known here.
        """
        try:
            manifest = _parse(_read_capped(folder / MANIFEST), KeyError)
            if manifest["kind"] != "checkpoint" or manifest["format"] != FORMAT:
                raise CheckpointError(
                    f"not a checkpoint of format {FORMAT}", where=folder / MANIFEST, hint=_other(folder)
                )
            files = {
                _plain(name): (int(entry["bytes"]), str(entry["sha256"])) for name, entry in manifest["files"].items()
            }
            step = manifest["step"]
            if not count(step):
                raise ValueError("its step is not a whole number")
            if step_of(folder) not in (None, step):
                raise ValueError(f"it says step {step}, and the folder's name does not")
            return cls(folder, step, files)
        except (FileNotFoundError, NotADirectoryError):
            raise CheckpointError(
                "no checkpoint here", where=folder, why=f"it has no {MANIFEST}", hint=_other(folder)
            ) from None
        except (OSError, ValueError, OverflowError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(
                "the checkpoint's manifest is damaged",
                where=folder / MANIFEST,
                why=str(error),
                hint=_other(folder),
            ) from error

    def tensors(self, group: str) -> dict[str, np.ndarray]:
        """The named arrays of one group.

        Raises:
            CheckpointError: the file is missing, damaged, or not safetensors.
        """
        name = group + TENSORS
        data = self._verified(name)
        try:
            arrays = dict(sorted(load(data).items()))
        except (SafetensorError, ValueError, KeyError) as error:
            raise self._damaged(name, str(error)) from error
        for key, array in arrays.items():
            if array.dtype.kind not in "biuf":
                raise self._damaged(name, f"{key!r} is of {array.dtype}, which is never saved")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise self._damaged(name, f"{key!r} holds NaN or infinity, which is never saved")
        return arrays

    def document(self, name: str) -> Any:
        """One JSON document, in its form (`checkpoint/forms.py`). To ask an object for a key that it lacks is an error
        of the checkpoint.

        Raises:
            CheckpointError: the file is missing, damaged, not JSON, or not of its form.
        """
        data = self._verified(name + DOCUMENT, LARGEST_DOCUMENT)
        try:
            value = _parse(data, lambda key: self._damaged(name + DOCUMENT, f"it lacks `{key}`"))
        except (ValueError, RecursionError) as error:
            raise self._damaged(name + DOCUMENT, str(error)) from error
        wrong = problem(name, value)
        if wrong is not None:
            raise self._damaged(name + DOCUMENT, wrong)
        return value

    def damage(self) -> list[CheckpointError]:
        """What is wrong with its files, an error each; they are read in blocks, whatever their size."""
        found = []
        for name, (_, sha256) in self.files.items():
            try:
                with self._reading(name):
                    if digest.of_file(self.folder / name) != sha256:
                        raise self._damaged(name, _OTHER_DIGEST)
            except CheckpointError as error:
                found.append(error)
        return found

    def _verified(self, name: str, largest: float = math.inf) -> bytes:
        if name not in self.files:
            raise self._damaged(name, "the manifest does not list it")
        with self._reading(name, largest):
            data = (self.folder / name).read_bytes()
        if digest.of_bytes(data) != self.files[name][1]:
            raise self._damaged(name, _OTHER_DIGEST)
        return data

    @contextmanager
    def _reading(self, name: str, largest: float = math.inf) -> Iterator[None]:
        """While a listed file is read: it must have its size, and what the system refuses is damage."""
        size = self.files[name][0]
        try:
            found = _own_size(self.folder / name)
            if found != size:
                raise self._damaged(name, f"it has {found} bytes, and the manifest says {size}")
            if found > largest:
                raise self._damaged(name, "the file is too large")
            yield
        except (OSError, ValueError) as error:
            raise self._damaged(name, getattr(error, "strerror", None) or str(error)) from error

    def _damaged(self, name: str, why: str) -> CheckpointError:
        return CheckpointError("the checkpoint is damaged", where=self.folder / name, why=why, hint=_other(self.folder))


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a checkpoint, every file of which has the digest that its manifest says."""
    try:
        return not Checkpoint.open(folder).damage()
    except CheckpointError:
        return False


def _parse(data: bytes, lacks: Callable[[str], Exception]) -> Any:
    hook = partial(Document, lacks=lacks)
    return json.loads(data, parse_constant=no_constant, object_pairs_hook=hook)


def _plain(name: str) -> str:
    if not isinstance(name, str) or Path(name).name != name or name in {"", ".", ".."} or "\\" in name:
        raise ValueError(f"{name!r} is not the name of a file in this folder")
    return name


def _read_capped(path: Path) -> bytes:
    if _own_size(path) > LARGEST_MANIFEST:
        raise ValueError("the file is too large")
    return path.read_bytes()


def _own_size(path: Path) -> int:
    """The bytes of a file that is the folder's own: no link to elsewhere, and no pipe that would never end."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is a link, a pipe or a folder, and a checkpoint holds files of its own")
    return status.st_size


def _other(folder: Path) -> str:
    others = [other for other in checkpoints(folder.parent) if other != folder]
    if not others:
        return "name another checkpoint or run"
    return f"use another checkpoint by name, such as {others[-1]}"
