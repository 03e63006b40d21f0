"""The schema as a map: which keys exist where, which kinds a section has, what a mistyped key may mean."""

from __future__ import annotations

import difflib
import types
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from charrnn.config.schema import Config, config_class
from charrnn.config.schema.base import Section
from charrnn.config.tree import Tree

Keys = tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """The keys of one task's config.

    Attributes:
        root: the task's config.
    """

    root: type[Config]

    def sections(self, path: Keys) -> tuple[type[Section], ...]:
        """The sections that may stand at `path`, one for each kind; none where a value stands, or nothing."""
        return _sections(self, path)

    def field(self, path: Keys) -> FieldInfo | None:
        """Pydantic's description of the key at `path`, of the first kind that has it; None for an unknown key."""
        owners = self.sections(path[:-1]) if path else ()
        named = next((o.model_fields[path[-1]] for o in owners if path[-1] in o.model_fields), None)
        inner = None if named or not path else self.value_type(path[:-1])
        return named if inner is None else FieldInfo.from_annotation(inner)

    def value_type(self, path: Keys) -> Any:
        """What stands behind each key of the mapping at `path`, whose keys are the user's own; None for all else."""
        known = self.field(path)
        branches = [] if known is None else _branches(known.annotation)
        return next((get_args(branch)[1] for branch in branches if get_origin(branch) is dict), None)

    def usual_kind(self, path: Keys) -> str:
        """The kind that a mapping at `path` means when it does not say; empty where there are no kinds."""
        usual = (s for s in self.sections(path) if "kind" in s.model_fields)
        return next((kind_of(s) for s in usual if not s.model_fields["kind"].is_required()), "")

    def labels(self, path: Keys) -> int:
        """How many words of its own pydantic puts into an error's place behind the key at `path`."""
        known = self.field(path)
        branches = [] if known is None else _branches(known.annotation)
        mixed = len(branches) > 1 and not all(any(_sections_in(branch)) for branch in branches)
        return int(mixed) + int(len(self.sections(path)) > 1)

    def suggest(self, path: Keys, kind: str) -> str:
        """What the unknown key at `path` may have meant, as the end of a sentence; empty when nothing comes near.

        Args:
            path: the key that does not exist.
            kind: the kind of the section that it stands in.
        """
        siblings = {name for s in self.sections(path[:-1]) if kind_of(s) in ("", kind) for name in s.model_fields}
        key = path[-1].lower()
        if key in siblings:
            return did_you_mean([key])
        elsewhere = self._keys_named([key], path)
        if not elsewhere:
            near = difflib.get_close_matches(key, sorted(siblings), n=1, cutoff=0.55)
            if near:
                return did_you_mean(near)
            names = sorted({name for *_, name in _all_keys(self)})
            elsewhere = self._keys_named(difflib.get_close_matches(key, names, n=1, cutoff=0.7), path)
        return did_you_mean([".".join(known) for known in elsewhere[:3]])

    def _keys_named(self, names: list[str], path: Keys) -> list[Keys]:
        """The keys with one of these last names; of several, those that share the most sections with `path`, and of
        those the least deep."""
        found = [known for known in _all_keys(self) if known[-1] in names]
        nearest = max(((_shared(known, path), -len(known)) for known in found), default=None)
        return [known for known in found if (_shared(known, path), -len(known)) == nearest]


def shape_of(tree: Tree) -> Shape:
    """The keys that go with the task that a config names."""
    return Shape(config_class(tree.plain()))


@cache
def _sections(shape: Shape, path: Keys) -> tuple[type[Section], ...]:
    if not path:
        return (shape.root,)
    owners = [owner for owner in shape.sections(path[:-1]) if path[-1] in owner.model_fields]
    annotations = [owner.model_fields[path[-1]].annotation for owner in owners] or [shape.value_type(path[:-1])]
    found = (s for annotation in annotations for s in _sections_in(annotation))
    return tuple(dict.fromkeys(found))


@cache
def _all_keys(shape: Shape) -> tuple[Keys, ...]:
    return tuple(dict.fromkeys(_below(shape, ())))


def _below(shape: Shape, path: Keys) -> Iterator[Keys]:
    for section in shape.sections(path):
        for name in section.model_fields:
            yield (*path, name)
            yield from _below(shape, (*path, name))


def kind_of(section: type[Section]) -> str:
    """The word that `kind:` says for this section; empty for a section without kinds."""
    known = section.model_fields.get("kind")
    return str(get_args(known.annotation)[0]) if known else ""


def suggest_word(word: object, words: Collection[str]) -> str:
    """Which of `words` was meant, as the end of a sentence; empty when none comes near."""
    return did_you_mean(difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.55))


def did_you_mean(words: list[str]) -> str:
    """The end of a sentence that offers `words`; empty when there are none."""
    return f" — did you mean {listing(words)}?" if words else ""


def listing(words: Collection[str]) -> str:
    """The words as `a`, `b` or `c`, each in back quotes."""
    *most, last = [f"`{word}`" for word in words]
    return f"{', '.join(most)} or {last}" if most else last


def _shared(one: Keys, other: Keys) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _sections_in(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _sections_in(branch)


def _branches(annotation: Any) -> list[Any]:
    """What a value may be, null left out."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return [annotation]
    return [branch for branch in get_args(annotation) if branch is not type(None)]
