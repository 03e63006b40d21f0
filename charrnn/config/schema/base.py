"""What all sections of a config have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """A frozen group of keys: types are taken at their word and an unknown key is an error."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
    )


def default_kind(kind: str) -> BeforeValidator:
    """In a union of sections, let a mapping without `kind:` mean this kind."""

    def fill(value: Any) -> Any:
        return {"kind": kind, **value} if isinstance(value, dict) and "kind" not in value else value

    return BeforeValidator(fill)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


AsTuple = BeforeValidator(_as_tuple)
"""Accept a YAML list where the frozen section keeps a tuple."""

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
"""A probability that leaves something: 0 ≤ p < 1."""

Count = Annotated[int, Field(ge=1)]
"""A whole number from 1."""

Column = Annotated[str, Field(min_length=1)] | Count
"""A column of a table: its name, or its number counted from 1."""
