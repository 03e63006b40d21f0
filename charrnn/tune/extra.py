"""Optuna, the extra `tune`: loaded here and nowhere else, and only when it is used."""

from __future__ import annotations

from typing import Any

from charrnn.errors import MissingExtraError


def optuna() -> Any:
    """The package, told to keep its news to itself.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import optuna as package
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise MissingExtraError(
            "`charrnn tune` needs Optuna, which is not installed", hint="pip install 'charrnn[tune]'"
        ) from error
    package.logging.set_verbosity(package.logging.WARNING)
    return package
