"""Configs on a page: what was set, what differs between runs, and how to repeat one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from charrnn.config.render import flow
from charrnn.config.schema import is_by_content
from charrnn.report.told import Told

_ROW = re.compile(r"( *)([A-Za-z0-9_-]+):(?: (.*?))? *  # (.*)|( *)([A-Za-z0-9_-]+):")
_LONGEST = 200


def given(config_text: str) -> list[tuple[str, str, str]]:
    """The keys of a resolved config that somebody has set: key, value, and where it was said."""
    return [(key, _short(value), origin) for key, value, origin in _rows(config_text) if origin != "default"]


def _rows(config_text: str) -> Iterator[tuple[str, str, str]]:
    path: list[str] = []
    for line in config_text.splitlines():
        match = _ROW.fullmatch(line)
        if match is None:
            continue
        indent, key = (match[1], match[2]) if match[2] else (match[5], match[6])
        del path[len(indent) // 2 :]
        path.append(key)
        if match[2]:
            yield ".".join(path), match[3] or "", match[4]


def different(runs: Sequence[Told]) -> list[tuple[str, list[str]]]:
    """The keys in which the configs of these runs differ, with the value of each; where a run lacks a key, a dash."""
    known = [dict(_leaves(run.config)) for run in runs]
    keys = dict.fromkeys(key for config in known for key in config)
    rows = [(key, [_short(flow(config[key])) if key in config else "–" for config in known]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        here = (*path, str(key))
        if isinstance(value, Mapping):
            yield from _leaves(value, here)
        elif not is_by_content(".".join(here)) or here == ("corpus", "source"):
            yield ".".join(here), value


def again(told: Told) -> list[tuple[str, str]]:
    """Commands as they are to be typed: what each does, and the command."""
    folder, config = told.run.path, told.run.config
    run = shlex.join(["charrnn", "train", str(config), "--out", f"{folder}-again"])
    commands = [("train it again, from the config in its folder", run)]
    if told.overview.state in ("resumable", "diverged"):
        on = shlex.join(["charrnn", "train", str(config), "--out", str(folder), "--resume"])
        commands.insert(0, ("go on with it", on))
    if told.checkpoint is not None:
        commands.append(("measure it again", shlex.join(["charrnn", "evaluate", str(folder)])))
    return commands


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
