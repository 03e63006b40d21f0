"""Keys of a config that name a file or a folder, and what a relative one refers to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from charrnn.config.schema.labelled_source import PLACES
from charrnn.config.shape import Keys
from charrnn.config.tree import Tree

EXTENDED = 1
"""The rank of what stands in the file that a config extends; its own is 0."""

ELSEWHERE = re.compile(r"-$|named:|builtin:|[A-Za-z][A-Za-z0-9+.-]*://")
"""How a source begins that is no path."""

_PATHS = (
    ("train", "start_from"),
    ("model", "pretrained"),
    ("model", "input", "pretrained"),
    ("pseudo", "teacher"),
    ("pseudo", "text", "source"),
    ("stream", "mix", "*", "source"),
    ("stream", "mix", "*", "corpus", "source"),
    ("stream", "mix", "*", "teacher"),
)
"""Keys that name a place; a `*` stands for a name."""

FILES = tuple(key for key in PLACES if key != "sha256")
"""Keys of a corpus that name its files."""


def absolute_source(tree: Tree) -> Tree:
    """Make a relative source absolute, but not in the config itself: `Loaded.base` is its folder."""
    path = ("corpus", "source")
    source = tree.at(path[:1]).children().get("source")
    if source is None or source.place.rank == 0 or not isinstance(source.value, str):
        return tree
    if not source.value or ELSEWHERE.match(source.value):
        return tree
    folder = Path(source.place.source).parent if source.place.rank == EXTENDED else Path()
    return tree.replaced(path, Tree(str((folder / source.value).absolute()), source.place))


def absolute_paths(tree: Tree, base: Path) -> Tree:
    """Make the relative paths of `_PATHS` absolute, wherever they stand: the run is the same under its own copy."""
    for path, named in [found for pattern in _PATHS for found in _given(tree, pattern)]:
        if not isinstance(named.value, str) or not named.value:
            continue
        if path[-1] == "source" and ELSEWHERE.match(named.value):
            continue
        folders = {0: base, EXTENDED: Path(named.place.source).parent}
        place = folders.get(named.place.rank, Path()) / os.path.expanduser(named.value)
        tree = tree.replaced(path, Tree(str(place.absolute()), named.place))
    return tree


def _given(tree: Tree, pattern: Keys, path: Keys = ()) -> Iterator[tuple[Keys, Tree]]:
    """The values in `tree` whose keys are as `pattern` says, each with its keys."""
    if not pattern:
        yield path, tree
        return
    for key, child in tree.children().items():
        if pattern[0] in (key, "*"):
            yield from _given(child, pattern[1:], (*path, key))
