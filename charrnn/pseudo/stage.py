"""A stage of pseudo-labelling: a folder that appears when all is in it, with what it came to in its manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from charrnn.errors import DataError
from charrnn.files.atomic import make_folder, move_folder, sweep, write_json
from charrnn.pseudo.labeller import Record
from charrnn.train.world import World

MANIFEST = "manifest.json"
_PART = ".part"


def stage(place: Path, make: Callable[[Path], Record], world: World, check: Callable[[], None]) -> Record:
    """The manifest of a stage, which is done now unless it is there.

    Args:
        place: its folder.
        make: does it, in a folder beside that one; what lies there already is from an earlier life. Returns the
            manifest.
        world: the processes that do it together.
        check: called before the work; it may raise to stop.

    Raises:
        DataError: the manifest that is there is damaged.
    """
    part = place.with_name(place.name + _PART)

    def begin() -> None:
        make_folder(part)
        sweep(part)

    def end(record: Record) -> None:
        write_json(part / MANIFEST, record)
        move_folder(part, place)

    if not world.first_does(lambda: (place / MANIFEST).is_file()):
        check()
        world.first_does(begin)
        record = make(part)
        world.first_does(lambda: end(record))
    return world.first_does(lambda: read_manifest(place / MANIFEST))


def place_of(part: Path) -> Path:
    """Where what lies in `part` will lie."""
    return part.with_name(part.name.removesuffix(_PART))


def read_manifest(path: Path) -> Record:
    """The manifest of a stage.

    Raises:
        DataError: it cannot be read.
    """
    try:
        found: Record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError) as error:
        hint = "delete the folder of this stage and of all later ones, and they are done again"
        raise DataError("the manifest is damaged", where=path, why=str(error), hint=hint) from error
    return found
