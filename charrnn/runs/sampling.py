"""How a text is to be made: a run's `sample:` section with the options of one command in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from charrnn.config.schema import Sample
from charrnn.config.schema.use import FILTERS
from charrnn.errors import UsageError

_DRAWING = ("temperature", *FILTERS, "require", "random_seed")
_OTHER_FORM = ("tuple_type", "float_type")


def settled(section: Sample, given: Mapping[str, Any]) -> Sample:
    """`section` with what was `given` in its place.

    A text is drawn or searched for. Where `beam` is given, filters of the section are set aside, and where an option of
    drawing is given, a `beam` of the section is.

    Args:
        section: the keys of the config.
        given: values by the names of keys.

    Raises:
        UsageError: a value is not allowed, or a beam and an option of drawing were both given.
    """
    drawing = [name for name in _DRAWING if name in given]
    if "beam" in given and drawing:
        raise UsageError(
            f"{option('beam')} and {' and '.join(map(option, drawing))} exclude one another",
            why="a beam searches for the likeliest text, and draws nothing",
            hint="leave one of them out",
        )
    base = section.model_dump()
    if "beam" in given:
        base |= {name: Sample.model_fields[name].default for name in FILTERS}
    elif drawing:
        base["beam"] = None
    try:
        return Sample.model_validate(base | dict(given))
    except ValidationError as error:
        raise UsageError("\n".join(_said(error.errors()))) from error


def option(key: str) -> str:
    """A key of `sample:` as it is written on the command line."""
    return f"--{key.replace('_', '-')}"


def _said(errors: list[ErrorDetails]) -> list[str]:
    """A line for each key; of a key that takes several forms, what is wrong with the form that it has."""
    by_key: dict[str, ErrorDetails] = {}
    for error in errors:
        key = str(error["loc"][0]) if error["loc"] else ""
        if key not in by_key or by_key[key]["type"] in _OTHER_FORM:
            by_key[key] = error
    return [f"{option(key)} {error['input']}: {error['msg']}" if key else error["msg"] for key, error in by_key.items()]
