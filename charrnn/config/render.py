"""A resolved config as YAML with the origin of every value, and the schema as JSON Schema for editors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from charrnn.config.described import description
from charrnn.config.load import EXTENDS, Loaded
from charrnn.config.schema import TASKS
from charrnn.config.schema.base import Section
from charrnn.config.yaml12 import scalar

_PLAIN = re.compile(r"[A-Za-z_]([A-Za-z0-9_./:-]*[A-Za-z0-9_./-])?")
_COMMENT_COLUMN = 40


def render(loaded: Loaded) -> str:
    """The resolved config as YAML; it loads to the same values, and each has its origin beside it."""
    rows = list(_rows(loaded.config.model_dump(mode="json"), loaded.origins, ()))
    lines = [f"{text:<{_COMMENT_COLUMN}}  # {origin}" if origin else text for text, origin in rows]
    return "\n".join(lines) + "\n"


def _rows(values: Mapping[str, Any], origins: Mapping[str, str], path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    indent = "  " * len(path)
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:", ""
            yield from _rows(value, origins, (*path, key))
        else:
            yield f"{indent}{key}: {flow(value)}", origins[".".join((*path, key))]


def flow(value: Any) -> str:
    """A JSON value as YAML on one line; read back, it is the same value."""
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_quoted(key)}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and scalar(value) == value else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Double quotes, with YAML's escapes for all that is not printable."""
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(named.get(c) or (c if c.isprintable() else f"\\U{ord(c):08X}") for c in text) + '"'


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 7, which editors know) of a config file.

    It refuses unknown keys and wrong types. It does not ask for keys inside sections: a file with `extends`
    may leave out anything, its `kind:` among them, that the other file says.
    """
    _, whole = models_json_schema([(config, "validation") for config in TASKS.values()])
    sections: dict[str, Any] = _tidy(whole)["$defs"]
    for section in _all_sections(Section):
        keys = sections.get(section.__name__, {}).get("properties", {})
        for key in keys:
            keys[key] = _with_description(keys[key], description(section, key))
    about = "Another config, relative to this file, whose keys hold where this file has none."
    extends = {EXTENDS: {"type": "string", "minLength": 1, "description": about}}
    for config in TASKS.values():
        sections[config.__name__]["properties"] = extends | sections[config.__name__]["properties"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "charrnn config",
        "type": "object",
        "properties": {"task": {"enum": list(TASKS), "description": "What is trained."}},
        "allOf": [*_by_task(), {"if": {"required": [EXTENDS]}, "else": _NEEDED}],
        "$defs": sections,
    }


def _all_sections(base: type[Section]) -> Iterator[type[Section]]:
    for section in base.__subclasses__():
        yield section
        yield from _all_sections(section)


def _with_description(schema: dict[str, Any], said: str) -> dict[str, Any]:
    return dict(sorted({**schema, "description": said}.items())) if said else schema


def _by_task() -> Iterator[dict[str, Any]]:
    """The keys of each task; a config that extends another may leave it to that one to name the task."""
    of = {name: {"$ref": f"#/$defs/{config.__name__}"} for name, config in TASKS.items()}
    for name, keys in of.items():
        yield {"if": {"required": ["task"], "properties": {"task": {"const": name}}}, "then": keys}
    unnamed = {"not": {"required": ["task"]}}
    yield {"if": {**unnamed, "required": [EXTENDS]}, "then": {"anyOf": list(of.values())}}
    yield {"if": {"not": {"anyOf": [{"required": ["task"]}, {"required": [EXTENDS]}]}}, "then": of["language"]}


_NEEDED = {"required": ["corpus"], "properties": {"corpus": {"required": ["source"]}}}


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    tidy: dict[str, Any] = {}
    for word, value in schema.items():
        if word in ("properties", "$defs"):
            tidy[word] = {name: _tidy(inner) for name, inner in value.items()}
        elif word in ("anyOf", "oneOf"):
            # sections without `kind:` may fit several branches: `oneOf` would refuse them
            tidy["anyOf"] = [_tidy(inner) for inner in value]
        elif word in ("items", "additionalProperties") and isinstance(value, dict):
            tidy[word] = _tidy(value)
        elif word == "description":
            tidy[word] = " ".join(value.split())
        elif word not in ("title", "discriminator", "required") and not (word == "default" and isinstance(value, dict)):
            tidy[word] = value
    return tidy
