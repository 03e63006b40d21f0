"""What is known of the validations so far, asked for at every step and computed at every validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class OfHistory(Generic[T]):
    """A function of the history of a run that is computed anew only where the history has become another.

    A history grows by appending, and is replaced as a whole where a run goes back; nothing in it is ever changed.
    """

    def __init__(self, function: Callable[[Sequence[dict[str, Any]]], T]) -> None:
        self._function = function
        self._known: tuple[Sequence[dict[str, Any]], int, T] | None = None

    def __call__(self, history: Sequence[dict[str, Any]]) -> T:
        """The value for `history`."""
        known = self._known
        if known is None or known[0] is not history or known[1] != len(history):
            known = self._known = history, len(history), self._function(history)
        return known[2]
