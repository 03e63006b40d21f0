"""What a key means, in the words that stand below it in the schema's source.

They are read when somebody asks: to read all of them is a sixth of the time in which `charrnn sample` starts.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from functools import cache
from types import ModuleType

from charrnn.config.schema.base import Section


def description(section: type[Section], key: str) -> str:
    """What is said of a key of a section, on one line; "" where nothing is, or where there are no sources."""
    owner = next(base for base in section.__mro__ if key in inspect.get_annotations(base))
    module = inspect.getmodule(owner)
    assert module is not None, "every section is in a module"
    return " ".join(_said(module).get((owner.__name__, key), "").split())


@cache
def _said(module: ModuleType) -> Mapping[tuple[str, str], str]:
    """The text below each annotated name in each class of a module."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except OSError:
        return {}
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for line, below in zip(node.body, node.body[1:], strict=False):
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    found[node.name, line.target.id] = _text(below)
    return found


def _text(node: ast.stmt) -> str:
    """A text that stands there as a statement of its own."""
    literal = node.value if isinstance(node, ast.Expr) else None
    return literal.value if isinstance(literal, ast.Constant) and isinstance(literal.value, str) else ""
