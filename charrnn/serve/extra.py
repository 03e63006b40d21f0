"""The packages of the extra `serve`: whether they are there."""

from __future__ import annotations

from importlib.util import find_spec

from charrnn.errors import MissingExtraError

_PACKAGES = ("starlette", "uvicorn")


def check_extra() -> None:
    """Make sure that the packages are installed; the other modules of this folder load them.

    Raises:
        MissingExtraError: one is not.
    """
    for name in _PACKAGES:
        if find_spec(name) is None:
            raise MissingExtraError(
                f"`charrnn serve` needs {name}, which is not installed", hint="pip install 'charrnn[serve]'"
            )
