"""Whether a run can be made of every value that `tune.space` may give to a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from charrnn.config import explain
from charrnn.config.schema import Config, LanguageConfig, Windows, config_from, is_manner
from charrnn.config.schema.tune import Choice
from charrnn.config.shape import Keys, shape_of
from charrnn.config.tree import Problem, Tree

_SPACE = ("tune", "space")
_FIXED = ("task", "corpus", "evaluate", "train.epochs", "train.max_steps")


def problems(config: Config, tree: Tree) -> list[Problem]:
    """All keys and values of `tune.space` that the rest of the config refuses, each value taken on its own.

    Args:
        config: a valid config.
        tree: what it was made of.
    """
    if config.tune is None:
        return []
    found: list[Problem] = []
    for key, distribution in config.tune.space.items():
        wrong = _wrong_key(key, list(config.tune.space), tree)
        found += wrong
        if wrong:
            continue
        given = distribution.values if isinstance(distribution, Choice) else (distribution.low, distribution.high)
        for number, value in enumerate(given):
            found += _refused(key, value, _value_place(key, number, tree), tree)
    return found


def _wrong_key(key: str, keys: list[str], tree: Tree) -> list[Problem]:
    path: Keys = tuple(key.split("."))
    node = tree.at((*_SPACE, key))
    name = ".".join((*_SPACE, key))
    if shape_of(tree).field(path) is None:
        unknown = explain.no_such_key(path, tree.replaced(path, Tree(None, node.place)))
        return [Problem(node.place, name, unknown.text)]
    if any(key == fixed or key.startswith(fixed + ".") for fixed in _FIXED):
        return [Problem(node.place, name, f"trials could not be compared if `{key}` varied")]
    if is_manner(key):
        return [Problem(node.place, name, f"`{key}` changes nothing that a trial is judged by")]
    outer = [other for other in keys if key.startswith(other + ".")]
    return [Problem(node.place, name, f"lies within `{other}`, which varies as a whole") for other in outer]


def _value_place(key: str, number: int, tree: Tree) -> Tree:
    node = tree.at((*_SPACE, key))
    values = node.children().get("values")
    if values is not None and isinstance(values.value, list):
        return values.value[number]
    return node.children().get(("low", "high")[number], node)


def _refused(key: str, value: Any, given: Tree, tree: Tree) -> Iterator[Problem]:
    """What is wrong with the config once `key` has `value`; `given` is the value in the space."""
    path = tuple(key.split("."))
    changed = tree.replaced(path, _tree_of(value, given))
    try:
        if _judged(config_from(changed.plain())) != _judged(config_from(tree.plain())):
            about = f"trials could not be compared: with {explain.show(value)} validation would read other windows"
            yield Problem(given.place, ".".join((*_SPACE, key)), about)
    except ValidationError as error:
        for problem in explain.explain(error, changed):
            about = problem.text if problem.key == key else f"{explain.show(value)}: {problem.key} {problem.text}"
            yield Problem(given.place, ".".join((*_SPACE, key)), about)


def _judged(config: Config) -> tuple[object, ...]:
    """How validation reads, where that lies in the stream and not in `evaluate`."""
    stream = config.stream if isinstance(config, LanguageConfig) else None
    return (stream.length, stream.hop, stream.targets) if isinstance(stream, Windows) else ()


def _tree_of(value: Any, given: Tree) -> Tree:
    """A value of the space as a tree at the place where it was given."""
    if isinstance(value, dict):
        return Tree({name: _tree_of(inner, given) for name, inner in value.items()}, given.place)
    if isinstance(value, list):
        return Tree([_tree_of(inner, given) for inner in value], given.place)
    return Tree(value, given.place)
