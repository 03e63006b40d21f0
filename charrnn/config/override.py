"""`--set a.b=v`: values typed on the command line, laid over those of the files."""

from __future__ import annotations

from collections.abc import Sequence

from charrnn.config import explain, yaml12
from charrnn.config.shape import Keys, shape_of
from charrnn.config.tree import Place, Problem, Tree

OPTION = "--set"
FIRST_RANK = 2


def apply_overrides(tree: Tree, overrides: Sequence[str]) -> tuple[Tree, list[str], list[Problem]]:
    """Lay `overrides` over `tree`, in order; each sets its key to exactly its value.

    Returns:
        The new tree, warnings, and all that is wrong with the overrides; a wrong one is left out of the tree.
    """
    warnings: list[str] = []
    problems: list[Problem] = []
    seen: set[Keys] = set()
    for number, text in enumerate(overrides):
        place = Place(FIRST_RANK + number, 0, 0, OPTION, text)
        path, value, wrong = _parse(text, place)
        if not wrong and shape_of(tree).field(path) is None:
            wrong = [explain.no_such_key(path, tree.replaced(path, Tree(None, place)))]
        problems.extend(wrong)
        if wrong:
            continue
        if path in seen:
            warnings.append(f"{'.'.join(path)} is set twice; the last one counts: {place}")
        seen.add(path)
        tree = tree.replaced(path, value)
    return tree, warnings, problems


def _parse(text: str, place: Place) -> tuple[Keys, Tree, list[Problem]]:
    key, equals, value_text = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    nothing = Tree(None, place)
    if not equals:
        return path, nothing, [Problem(place, "", "an override is `key=value`, as in `train.epochs=3`")]
    if not all(path):
        return (
            path,
            nothing,
            [Problem(place, "", "there is no key before the `=`, or an empty one between dots")],
        )
    if len(path) > yaml12.MAX_DEPTH:
        return path, nothing, [Problem(place, "", f"nested deeper than {yaml12.MAX_DEPTH} levels")]
    value, problems = _value(value_text, place, path)
    return path, value, [Problem(p.place, p.key or ".".join(path), p.text) for p in problems]


def _value(text: str, place: Place, path: Keys) -> tuple[Tree, list[Problem]]:
    """A flow collection or a quoted text as YAML reads it; all else is one plain scalar, whatever it is."""
    stripped = text.strip()
    if stripped[:1] in ("[", "{", '"', "'"):
        tree, problems = yaml12.parse(stripped, place, path)
        return tree or Tree(None, place), problems
    value = yaml12.scalar(stripped)
    return Tree(text if isinstance(value, str) else value, place), []
