"""What is written from a template of `charrnn/export/page/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_FOLDER = Path(__file__).parent / "page"


def rendered(name: str, **values: Any) -> str:
    """The template `name` with its values; in HTML all of them are escaped."""
    return _environment().get_template(name).render(**values)


def source(name: str) -> Markup:
    """A script or a style of ours as it stands, to be put into a page."""
    return Markup((_FOLDER / name).read_text(encoding="utf-8"))  # our own file, and no text of a user


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
