"""From a file and what was typed to one frozen `Config`, or to all that is wrong with it at once."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from charrnn.config import explain, space, yaml12
from charrnn.config.override import apply_overrides
from charrnn.config.places import ELSEWHERE, EXTENDED, FILES, absolute_paths, absolute_source
from charrnn.config.schema import Config, config_from
from charrnn.config.shape import Keys, Shape, shape_of
from charrnn.config.tree import Place, Problem, Tree, one_line
from charrnn.errors import ConfigError

EXTENDS = "extends"
ARGUMENT = "SOURCE"
_OF_MANY_RUNS = ("tune", "pseudo")
"""Sections for commands that make many runs."""

_SUFFIXES = re.compile(r"(\.(txt|text|md|csv|jsonl?|gz))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Loaded:
    """A config and where it came from.

    Args:
        config: the values.
        origins: for each dotted key of `flatten(config)`: `demo.yaml:3`, `--set`, `SOURCE` or `default`.
        name: what runs and corpora of this config are called.
        base: the folder that a relative `corpus.source` refers to.
        tree: what was given, each value with its place.
        warnings: what the user should be told, though it is not wrong.
    """

    config: Config
    origins: dict[str, str]
    name: str
    base: Path
    tree: Tree = field(repr=False)
    warnings: list[str] = field(default_factory=list)

    def anchored(self, keep: Sequence[str] = ()) -> Loaded:
        """The same, for a copy of the config in the folder of a run: relative sources are made absolute, and what is
        for commands that make many runs is left out, but for the sections in `keep`."""
        places = {key: getattr(self.config.corpus, key, None) for key in FILES}
        relative = {key: place for key, place in places.items() if place is not None and not ELSEWHERE.match(place)}
        absolute = {key: str(self.base / place) for key, place in relative.items()}
        corpus = self.config.corpus.model_copy(update=absolute)
        nothing = [key for key in _OF_MANY_RUNS if key in type(self.config).model_fields and key not in keep]
        config = self.config.model_copy(update={"corpus": corpus, **dict.fromkeys(nothing)})
        return replace(self, config=config, origins={**self.origins, **dict.fromkeys(nothing, "default")})

    def varied(self, overrides: Sequence[str]) -> Loaded:
        """The same with `overrides` laid over it; no file is read again.

        Raises:
            ConfigError: an override is wrong, or does not go with the rest.
        """
        return _finish(self.tree, [], overrides, name=self.name, base=self.base)


def load_config(path: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Read the config at `path`, and the file that it extends, and lay `overrides` over it.

    Raises:
        ConfigError: the file cannot be read, or something in it or in an override is wrong; all is told.
    """
    tree, problems = _read(path, rank=0)
    if tree is not None and EXTENDS in tree.children():
        tree, more = _extended(tree, path)
        problems += more
    return _finish(tree, problems, overrides, name=path.stem, base=path.absolute().parent)


def config_from_source(source: str, overrides: Sequence[str] = ()) -> Loaded:
    """The defaults, for the text at `source`; a relative one refers to the current folder.

    Raises:
        ConfigError: the source or an override is wrong; all of it is told.
    """
    place = Place(0, 0, 0, ARGUMENT, source)
    tree = Tree({"corpus": Tree({"source": Tree(source, place)}, place)}, place)
    return _finish(tree, [], overrides, name=_name_of(source), base=Path.cwd())


def flatten(config: Config) -> dict[str, Any]:
    """The values of a config as JSON values by dotted key; a list stays whole."""
    return {".".join(path): value for path, value in _leaves((), config.model_dump(mode="json"))}


def _leaves(path: Keys, value: Any) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves((*path, key), child)
    else:
        yield path, value


def _finish(tree: Tree | None, problems: list[Problem], overrides: Sequence[str], *, name: str, base: Path) -> Loaded:
    nowhere = Tree({}, Place(0, 0, 0, ""))
    changed, warnings, wrong = apply_overrides(tree or nowhere, overrides)
    problems = problems + wrong
    if tree is None:
        raise _error(problems)
    changed = absolute_paths(absolute_source(changed), base)
    problems += explain.not_text(changed)
    try:
        config = config_from(changed.plain())
    except ValidationError as error:
        raise _error(problems + explain.explain(error, changed)) from None
    if problems:
        raise _error(problems)
    problems = space.problems(config, changed)
    if problems:
        raise _error(problems)
    return Loaded(config, _origins(config, changed), name, base, changed, warnings)


def _error(problems: list[Problem]) -> ConfigError:
    lines = list(dict.fromkeys(str(problem) for problem in sorted(problems)))
    head = [f"the config has {len(lines)} problems"] if len(lines) > 1 else []
    more = len(lines) - explain.MOST_TOLD
    return ConfigError("\n".join(head + lines[: explain.MOST_TOLD] + ([f"and {more:,} more"] if more > 0 else [])))


def _read(path: Path, rank: int, asked: Place | None = None) -> tuple[Tree | None, list[Problem]]:
    """The mapping in a file; `asked` is the place that names the file, where there is one."""
    start = Place(rank, 1, 1, str(path))
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for without end
            raise OSError(errno.EINVAL, "Neither a file nor a link to one")
        with path.open("rb") as file:
            data = file.read(yaml12.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = f"cannot read `{path}`: {reason.lower()}"
        return None, [Problem(asked or Place(rank, 0, 0, ""), EXTENDS if asked else "", text)]
    if len(data) > yaml12.MAX_BYTES:
        return None, [Problem(start, "", f"a config of more than {yaml12.MAX_BYTES >> 20} MiB is none")]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        byte = f"0x{data[error.start]:02x}"
        return None, [Problem(Place(rank, line, column, str(path)), "", f"the byte {byte} is not UTF-8")]
    tree, problems = yaml12.parse(text, start)
    if tree is not None and not isinstance(tree.value, dict):
        problems.append(Problem(start, "", f"a config is a group of keys, not {explain.show(tree.value)}"))
        tree = None
    elif tree is None and not problems:
        problems.append(Problem(start, "", "the file is empty; a config needs at least `corpus: {source: …}`"))
    return tree, problems


def _extended(tree: Tree, path: Path) -> tuple[Tree | None, list[Problem]]:
    """`tree` laid over the file that its `extends` names."""
    own = dict(tree.children())
    asked = own.pop(EXTENDS)
    if not isinstance(asked.value, str) or not asked.value:
        text = f"should be the path of a file, not {explain.show(asked.value)}"
        return None, [Problem(asked.place, EXTENDS, text)]
    base, problems = _read(path.parent / asked.value, EXTENDED, asked.place)
    if base is None:
        return None, problems
    if EXTENDS in base.children():
        text = f"`{asked.value}` extends a file itself; a config may extend one that does not"
        return None, [*problems, Problem(asked.place, EXTENDS, text)]
    return _merge(base, Tree(own, tree.place), (), shape_of(base)), problems


def _merge(base: Tree, over: Tree, path: Keys, shape: Shape) -> Tree:
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    kind = over.value.get("kind")
    if kind is not None and kind.value != _kind(base.value, path, shape):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = _merge(merged[key], child, (*path, key), shape) if key in merged else child
    return Tree(merged, over.place)


def _kind(mapping: dict[str, Tree], path: Keys, shape: Shape) -> object:
    return mapping["kind"].value if "kind" in mapping else shape.usual_kind(path)


def _origins(config: Config, tree: Tree) -> dict[str, str]:
    leaves = _leaves((), config.model_dump(mode="json"))
    return {".".join(path): _origin(path, value, tree) for path, value in leaves}


def _origin(path: Keys, value: Any, tree: Tree) -> str:
    node = tree.at(path)
    filled = isinstance(node.value, dict) or (node.value is None and value is not None)
    return "default" if filled else one_line(node.place.origin)


def _name_of(source: str) -> str:
    """A name for files, from a path, an address or `named:…`; the same source has the same name."""
    if source == "-":
        return "stdin"
    elsewhere = ELSEWHERE.match(source)
    path = re.split("[?#]", source[elsewhere.end() :])[0] if elsewhere else source
    words = re.findall(r"[A-Za-z0-9._-]+", _SUFFIXES.sub("", Path(path).absolute().name))
    return "-".join(words)[:80].strip(".-_") or "text"
