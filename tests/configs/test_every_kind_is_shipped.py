"""Every kind of every part of a config is used by at least one shipped config, so each has been trained by a test."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from charrnn.config.load import load_config
from charrnn.config.schema import TASKS

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").rglob("*.yaml"))


def sections(annotation: object) -> Iterator[type[BaseModel]]:
    """The sections that a type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        if not isinstance(part, str | int | types.NoneType):
            yield from sections(part)


def kinds_known(section: type[BaseModel], key: str) -> Iterator[str]:
    """All `key=kind` that the schema knows."""
    for name, field in section.model_fields.items():
        choices = list(sections(field.annotation))
        for choice in choices:
            place = f"{key}.{name}".lstrip(".")
            if "kind" in choice.model_fields:
                (kind,) = typing.get_args(choice.model_fields["kind"].annotation)
                yield f"{place}={kind}"
            yield from kinds_known(choice, place)


def kinds_used(value: object, key: str = "") -> Iterator[str]:
    """All `key=kind` of a config."""
    if isinstance(value, dict):
        for part in value.values():
            yield from kinds_used(part, key)
    if not isinstance(value, BaseModel):
        return
    if "kind" in type(value).model_fields:
        yield f"{key}={value.kind}"  # type: ignore[attr-defined]
    for name in type(value).model_fields:
        part = value.recurrent if name == "recurrent_dropout" else getattr(value, name)  # type: ignore[attr-defined]
        yield from kinds_used(part, f"{key}.{name}".lstrip("."))


@pytest.fixture(scope="module")
def shipped() -> list[str]:
    return [kind for path in CONFIGS for kind in kinds_used(load_config(path).config)]


@pytest.mark.parametrize("kind", sorted({kind for config in TASKS.values() for kind in kinds_known(config, "")}))
def test_it_is_in_a_shipped_config(kind: str, shipped: list[str]) -> None:
    assert kind in shipped


CHOICES = {
    "stream.offset": ["fixed", "random"],
    "stream.targets": ["each", "last"],
    "model.core.initial_state": ["zeros", "trained"],
    "model.biases": [True, False],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in CHOICES.items() for value in values])
def test_each_choice_is_in_a_shipped_config(key: str, value: str) -> None:
    found = []
    for path in CONFIGS:
        part: object = load_config(path).config
        for name in key.split("."):
            part = getattr(part, name, None)  # another kind may not have it
        found.append(part)
    assert value in found
