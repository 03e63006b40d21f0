"""YAML 1.2 as configs need it: a tree of plain values in which every value knows its place in the file.

PyYAML reads YAML 1.1, where `1e-3` is a text, `no` is false and `010` is eight; its scanner and parser are
used here, its scalars are not. Tags, anchors and aliases are refused, so a file can neither name a class nor
unfold into more than it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from charrnn.config.tree import Place, Problem, Scalar, Tree, is_text

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_MAX_DIGITS = 64  # a longer number stays a text: no key holds it, and Python refuses to convert some of them
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_SYNTAX = {
    r"found character '\\t'": "a tab cannot indent here: use spaces",
    r"found character '(.)' that cannot": "a value cannot begin with `{0}`: put it in quotes",
    r"mapping values are not": "a `key: value` cannot stand here: mend the indentation, or quote the text",
    r"could not find expected ':'": "a `:` is missing after the key",
    r"found unexpected (end|document)": "the quoted text that begins here never ends",
    r"expected ',' or '(.)'": "a `,` or the closing `{0}` is missing",
    r"expected <block end>|expected '<document": "this does not continue the lines above: mend the indentation",
    r"unknown escape character '(.)'": "there is no escape `\\{0}` in double quotes: use single quotes",
    r"found another document": "a config is a single document: remove the `---`",
}
"""What PyYAML says, and what it means to somebody who writes a config."""


def scalar(text: str) -> Scalar:
    """What a plain (unquoted) scalar means in YAML 1.2's core schema."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text) and not _INT.fullmatch(text):
        return float(text)
    special = _NOT_FINITE.fullmatch(text)
    return float(f"{special[1] or ''}{'inf' if special[2] else 'nan'}") if special else text


def parse(text: str, place: Place, path: tuple[str, ...] = ()) -> tuple[Tree | None, list[Problem]]:
    """Read one YAML document.

    Args:
        text: the whole document.
        place: where it begins; all places in the tree are of the same source.
        path: the keys that the document is the value of.

    Returns:
        The tree (None where the document is empty or ends the reading early), and all that is wrong with it.
    """
    reader = _Reader(place)
    node = _compose(text, reader)
    return (None if node is None else reader.tree(node, reader.at(node), path)), reader.problems


def _compose(text: str, reader: _Reader) -> Node | None:
    loader: _Loader | None = None
    try:
        loader = _Loader(text, reader)
        return loader.get_single_node()
    except _Refused:
        pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.problem and "found unexpected" in error.problem and error.context_mark:
            mark = error.context_mark  # the opening quote is the place to look at, not the end of the file
        reader.add(mark, _sentence(error))
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        spot = reader.spot(before.count("\n"), len(before) - before.rfind("\n") - 1)
        character = f"U+{ord(text[int(error.position)]):04X}"
        reader.problems.append(Problem(spot, "", f"the character {character} cannot stand in a config"))
    except (ValueError, OverflowError):  # PyYAML hands the number of a \U escape to chr() unseen
        reader.add(loader.get_mark() if loader else None, "this escape names no character")
    return None


class _Refused(Exception):
    """The document holds something that ends the reading at once; the problem is recorded."""


class _Loader(yaml.SafeLoader):
    """PyYAML's composer with a look at every event before it becomes a node."""

    def __init__(self, text: str, reader: _Reader) -> None:
        super().__init__(text)
        self.problem_reader = reader
        self.depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        refusal = self._refusal(event)
        if refusal:
            self.problem_reader.add(event.start_mark, refusal)
            raise _Refused
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refusal(self, event: Any) -> str | None:
        if isinstance(event, yaml.AliasEvent):
            return f"aliases (`*{event.anchor}`) are not allowed: write the value out"
        if event.anchor is not None:
            return f"anchors (`&{event.anchor}`) are not allowed: write the value out"
        if event.tag is not None:
            return f"tags (`{event.tag}`) are not allowed: a config holds plain values"
        return f"nested deeper than {MAX_DEPTH} levels" if self.depth >= MAX_DEPTH else None


@dataclass
class _Reader:
    """Turns PyYAML's nodes into a tree and collects the problems on the way."""

    source: Place
    problems: list[Problem] = field(default_factory=list)

    def spot(self, line: int, column: int) -> Place:
        if not self.source.line:
            return self.source
        return Place(self.source.rank, line + 1, column + 1, self.source.source)

    def mark(self, mark: Any) -> Place:
        return self.source if mark is None else self.spot(mark.line, mark.column)

    def at(self, node: Node) -> Place:
        return self.mark(node.start_mark)

    def add(self, mark: Any, text: str) -> None:
        self.problems.append(Problem(self.mark(mark), "", text))

    def tree(self, node: Node, place: Place, path: tuple[str, ...]) -> Tree:
        if isinstance(node, MappingNode):
            return Tree(dict(self.pairs(node, path)), place)
        if isinstance(node, SequenceNode):
            return Tree([self.tree(item, self.at(item), path) for item in node.value], place)
        assert isinstance(node, ScalarNode)
        return Tree(node.value if node.style else scalar(node.value), place)

    def pairs(self, node: MappingNode, path: tuple[str, ...]) -> Iterator[tuple[str, Tree]]:
        first: dict[str, Place] = {}
        for key, value in node.value:
            place = self.at(key)
            if not isinstance(key, ScalarNode):
                self.add(key.start_mark, "a key must be a word, not a group or a list")
                continue
            name = str(key.value)
            if not is_text(name):
                self.add(key.start_mark, "half of a surrogate pair is not a character")
                continue
            full = (*path, name)
            if name in first:
                where = f"first at {first[name]}" if place.line else "keep one of the two"
                self.problems.append(Problem(place, ".".join(full), f"given twice, {where}"))
            first.setdefault(name, place)
            yield name, self.tree(value, place, full)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "this is not YAML"
    for pattern, sentence in _SYNTAX.items():
        found = re.search(pattern, problem)
        if found:
            return sentence.format(*found.groups())
    return f"this is not YAML: {problem}"
