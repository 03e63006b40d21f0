"""From pydantic's errors to sentences, each with the place of the key that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from charrnn.config.described import description
from charrnn.config.schema import TASKS
from charrnn.config.shape import Keys, Shape, kind_of, listing, shape_of, suggest_word
from charrnn.config.tree import Problem, Tree, is_text, shorten

MOST_TOLD = 100
"""So many problems of one config are explained."""

_TYPES = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a group of keys",
    "model_attributes_type": "a group of keys",
}
_BOUNDS = {
    "greater_than_equal": "{ge:g} or more",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "{le:g} or less",
    "less_than": "less than {lt:g}",
    "finite_number": "a finite number",
}


def explain(error: ValidationError, tree: Tree) -> list[Problem]:
    """All that is wrong with the config in `tree`, a sentence for each key.

    Args:
        error: what pydantic says about the values of `tree`.
        tree: the values with their places.
    """
    shape = shape_of(tree)
    groups: dict[tuple[Keys, int | None], list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        groups.setdefault(_path(detail["loc"], shape), []).append(detail)
    parents = {path[:end] for path, _ in groups for end in range(len(path))}
    lists = {path for path, item in groups if item is not None}  # what is wrong in them is told; they are lists
    problems: list[Problem] = []
    for (path, item), details in groups.items():
        above = path in parents or (item is None and path in lists)
        # A sentence with advice takes time, and nobody reads thousands of them.
        if len(problems) >= MOST_TOLD:
            problems.append(Problem(tree.at(path).place, ".".join(path), str(details[0]["msg"])))
        elif not (above and all(detail["type"] in _TYPES for detail in details)):
            problems.extend(_explain_one(path, item, details, tree))
    return problems


def not_text(tree: Tree, path: Keys = ()) -> Iterator[Problem]:
    """A problem for each text in `tree` that UTF-8 cannot hold."""
    for key, child in tree.children().items():
        yield from not_text(child, (*path, key))
    for child in tree.value if isinstance(tree.value, list) else ():
        yield from not_text(child, path)
    if isinstance(tree.value, str) and not is_text(tree.value):
        yield Problem(tree.place, ".".join(path), f"should be text in UTF-8, not {show(tree.value)}")


def no_such_key(path: Keys, tree: Tree) -> Problem:
    """The problem of a key that the schema does not know."""
    shape, place = shape_of(tree), tree.at(path).place
    known = shape.field(path)
    kind = _kind_at(path[:-1], tree)
    if known is not None:
        kinds = [kind_of(s) for s in shape.sections(path[:-1]) if path[-1] in s.model_fields]
        text = f"kind `{kind}` has no such key; it belongs to kind {listing(kinds)}"
        return Problem(place, ".".join(path), text)
    parent = shape.field(path[:-1])
    if parent is not None and not shape.sections(path[:-1]):
        return Problem(place, ".".join(path), f"no such key: `{'.'.join(path[:-1])}` is a value, set it whole")
    return Problem(place, ".".join(path), f"no such key{shape.suggest(path, kind)}")


def _kind_at(path: Keys, tree: Tree) -> str:
    node = tree.at((*path, "kind"))
    return str(node.value) if isinstance(node.value, str) else shape_of(tree).usual_kind(path)


def _path(loc: Sequence[int | str], shape: Shape) -> tuple[Keys, int | None]:
    """The keys of a place as pydantic names it, without its own labels, and the number of a list's item."""
    path: Keys = ()
    skip = 0
    for part in loc:
        if isinstance(part, int):
            return path, part
        if skip:
            skip -= 1
        elif path and shape.field(path) is None:
            break
        else:
            path = (*path, part)
            skip = shape.labels(path)
    return path, None


def _explain_one(path: Keys, item: int | None, details: list[ErrorDetails], tree: Tree) -> list[Problem]:
    first = details[0]
    node = tree.at(path)
    if first["type"] == "extra_forbidden":
        return [no_such_key(path, tree)]
    if first["type"] == "missing":
        return [_missing(path, tree)]
    if any(detail["type"] == "union_tag_invalid" for detail in details):
        return [_wrong_kind((*path, "kind"), tree)]
    if path[-1:] == ("kind",) and first["type"] == "literal_error":
        return [_wrong_kind(path, tree)]
    if path == ("task",):
        return [_one_of("task", path, list(TASKS), tree)]
    if any(detail["type"] == "string_unicode" for detail in details):
        return []  # `not_text` has it, and more: pydantic looks only into texts that it has to measure
    value = first["input"]
    key = ".".join(path)
    place = node.place
    if item is not None and isinstance(node.value, list):
        place = node.value[item].place
        key = f"{key}[{item}]"
    text = _sentence(path, details, value, tree)
    return [Problem(place, key, text)] if text else []


def _missing(path: Keys, tree: Tree) -> Problem:
    needed = [name for s in shape_of(tree).sections(path)[:1] for name, f in s.model_fields.items() if f.is_required()]
    full = (*path, *needed[:1])
    return Problem(tree.at(path).place, ".".join(full), f"is missing. {_about(full, tree)}")


def _about(path: Keys, tree: Tree) -> str:
    """The key's description in the schema."""
    kind = _kind_at(path[:-1], tree)
    sections = shape_of(tree).sections(path[:-1])
    return description(next(s for s in sections if kind_of(s) in ("", kind)), path[-1])


def _wrong_kind(path: Keys, tree: Tree) -> Problem:
    return _one_of("kind", path, [kind_of(section) for section in shape_of(tree).sections(path[:-1])], tree)


def _one_of(what: str, path: Keys, known: list[str], tree: Tree) -> Problem:
    value = tree.at(path).value
    given = f"`{shorten(value)}`" if isinstance(value, str) else show(value)
    text = f"there is no {what} {given}; known {what}s: {', '.join(f'`{word}`' for word in known)}"
    return Problem(tree.at(path).place, ".".join(path), text + suggest_word(value, known))


def _sentence(path: Keys, details: list[ErrorDetails], value: Any, tree: Tree) -> str:
    for detail in details:
        context = detail.get("ctx", {})
        if detail["type"] == "value_error":
            return str(context["error"])
        if detail["type"] in ("too_short", "too_long"):
            return _wrong_length(context, value)
        if detail["type"] == "string_too_short":
            return "should not be empty"
        if detail["type"] == "string_pattern_mismatch":
            return f"{show(value)} is not of the form `{context['pattern']}`. {_about(path, tree)}"
    bounds = [_BOUNDS[d["type"]].format(**d.get("ctx", {})) for d in details if d["type"] in _BOUNDS]
    wanted = bounds or [_TYPES[d["type"]] for d in details if d["type"] in _TYPES]
    words = [word for d in details if d["type"] == "literal_error" for word in _words(d["ctx"])]
    if not wanted and not words:
        return f"{details[0]['msg']}, not {show(value)}"
    phrases = [*_distinct(wanted), *([listing(words)] if words else [])]
    return f"should be {' or '.join(phrases)}, not {show(value)}{suggest_word(value, words)}"


def _wrong_length(context: Mapping[str, Any], value: Any) -> str:
    least, most, given = context.get("min_length"), context.get("max_length"), len(value)
    if least is not None and given < least:
        return f"should have {least} values, not {given}"
    # an item that is wrong in itself is not counted by pydantic: then the list only seems too short
    return f"should have {most} values, not {given}" if most is not None and given > most else ""


def _words(context: Mapping[str, Any]) -> list[str]:
    return re.findall(r"'([^']*)'", context["expected"])


def _distinct(phrases: list[str]) -> list[str]:
    """Each phrase once; `a number` says all that `a whole number` says."""
    kept = list(dict.fromkeys(phrases))
    return [p for p in kept if not (p == "a whole number" and "a number" in kept)]


def show(value: Any) -> str:
    """A value as a sentence shows it: short, on one line, its type told."""
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f"the text '{shorten(value)}'"
    return str(value)
