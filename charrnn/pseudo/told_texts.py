"""The report of rounds of distillation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrnn.pseudo.cells import change, spread


class ToldTexts:
    """See `charrnn.pseudo.told.Told`."""

    title = "What a teacher was worth"
    meaning = (
        "The control is the same model from the same seed after equally many updates without a teacher; below 0 % the "
        "nats are fewer than the control's. Wilcoxon's signed-rank test (two-sided, by the normal approximation) holds "
        "the nats of the same passages of one seed against each other: of every lane's part of every chunk that "
        "evaluation reads. The deviation is that of the seeds. No labels lie anywhere: the teacher predicts while its "
        "student trains."
    )
    columns = ("bits/char", "control", "nats", "control", "change of nats", "it better", "the control", "Wilcoxon p")
    round_columns = ("updates", "nats", "bits/char")

    def row(self, seed: Mapping[str, Any]) -> list[str]:
        """Bits, nats, and of how many passages each of the two models knows more."""
        own, control, test = seed["figures"], seed["control_figures"], seed["wilcoxon"]
        told = [f"{figures[name]:.4f}" for name in ("bits_per_char", "nats") for figures in (own, control)]
        differ = [str(test["second_lower"]), str(test["first_lower"]), f"{test['p']:.3g}"]
        return [*told, change(seed["relative_error_change"]), *differ]

    def over(self, over: Mapping[str, Any]) -> list[str]:
        """Nats."""
        own, control = (spread(over[name], "{:.4f}") for name in ("error", "control_error"))
        return ["", "", own, control, spread(over["relative_error_change"], "{:+.1%}"), "", "", ""]

    def data(self, data: Mapping[str, Any]) -> str:
        """Counts of characters."""
        text = "of the same text" if data["own_text"] else "of another text"
        return (
            f"{data['train']:,} characters to train on; teachers predict {data['predicted']:,} tokens {text}; "
            f"{data['valid']:,} characters in validation, {data['test']:,} in the test."
        )

    def round(self, one: Mapping[str, Any]) -> list[str]:
        """What its student, or the given teacher, is like in validation."""
        if one["student"] is None:
            return ["", "no student", ""]
        return [f"{one['student']['updates']:,}", *(f"{one['valid'][name]:.4f}" for name in ("nats", "bits_per_char"))]

    def details(self, seed: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
        """Nothing more."""
        return []
