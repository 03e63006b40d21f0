"""What a report tells of a task, in its own words and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from charrnn.pseudo.told_labels import ToldLabels
from charrnn.pseudo.told_ratings import ToldRatings
from charrnn.pseudo.told_texts import ToldTexts


class Told(Protocol):
    """How the report of a task differs from those of others. All is drawn from the result alone."""

    @property
    def title(self) -> str:
        """What the page is about."""

    @property
    def meaning(self) -> str:
        """How to read the table of last figures; it follows "Figures of the … split."."""

    @property
    def columns(self) -> Sequence[str]:
        """What the last figures of a seed are called."""

    @property
    def round_columns(self) -> Sequence[str]:
        """What is told of a round besides its number."""

    def row(self, seed: Mapping[str, Any]) -> list[str]:
        """The last figures of a seed."""

    def over(self, over: Mapping[str, Any]) -> list[str]:
        """Those of all seeds together, of `over_seeds`."""

    def data(self, data: Mapping[str, Any]) -> str:
        """What was there to learn from, as a sentence."""

    def round(self, one: Mapping[str, Any]) -> list[str]:
        """A round."""

    def details(self, seed: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
        """What else is told of the rounds of a seed, line by line."""


_TOLD: Mapping[str, Told] = {"classify": ToldLabels(), "rate": ToldRatings(), "language": ToldTexts()}


def told_of(result: Mapping[str, Any]) -> Told:
    """What tells of the task that `result` is of."""
    return _TOLD[result["task"]]
