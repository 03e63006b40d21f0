"""The packages of the extra `export`: loaded here and nowhere else, only when they are used, and told to be quiet."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from charrnn.errors import MissingExtraError

_ERRORS_ONLY = 3  # of onnxruntime's severities


def package(name: str) -> Any:
    """A module of `onnx` or `onnxruntime`.

    Raises:
        MissingExtraError: it is not installed.
    """
    top = name.partition(".")[0]
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name != top:
            raise
        raise MissingExtraError(
            f"`charrnn export --format onnx` needs {top}, which is not installed", hint="pip install 'charrnn[export]'"
        ) from error
    if name == "onnxruntime":
        module.set_default_logger_severity(_ERRORS_ONLY)
    return module


@contextmanager
def no_advice() -> Iterator[None]:
    """While the quantiser runs: what it advises through Python's root logger is not for our user, and the handler that
    the first such line would leave behind is not for the program that called us."""
    root, before = logging.getLogger(), logging.root.manager.disable
    silent = logging.NullHandler()
    root.addHandler(silent)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
        root.removeHandler(silent)
