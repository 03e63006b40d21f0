"""The report of rounds over ratings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrnn.pseudo.cells import change, spread


class ToldRatings:
    """See `charrnn.pseudo.told.Told`."""

    title = "What pseudo-ratings were worth"
    meaning = (
        "The control is the same model from the same seed after equally many updates without pseudo-ratings; below 0 % "
        "the mean squared error is lower than the control's. Wilcoxon's signed-rank test (two-sided, by the normal "
        "approximation) holds the squared errors of the same ratings of one seed against each other: it asks which "
        "model is closer more often and by more, rank for rank. The deviation is that of the seeds."
    )
    columns = ("RMSE", "control", "MSE", "control", "MSE change", "it closer", "the control", "Wilcoxon p")
    round_columns = ("pairs", "share", "mean rating", "spread of teachers", "updates", "RMSE", "MAE")

    def row(self, seed: Mapping[str, Any]) -> list[str]:
        """Errors, and how often each of the two models is closer."""
        own, control, test = seed["figures"], seed["control_figures"], seed["wilcoxon"]
        errors = [f"{figures[name]:.4f}" for name in ("rmse", "mse") for figures in (own, control)]
        differ = [str(test["second_lower"]), str(test["first_lower"]), f"{test['p']:.3g}"]
        return [*errors, change(seed["relative_error_change"]), *differ]

    def over(self, over: Mapping[str, Any]) -> list[str]:
        """Mean squared errors."""
        own, control = (spread(over[name], "{:.4f}") for name in ("error", "control_error"))
        return ["", "", own, control, spread(over["relative_error_change"], "{:+.1%}"), "", "", ""]

    def data(self, data: Mapping[str, Any]) -> str:
        """Counts of ratings and pairs."""
        return (
            f"{data['ratings']:,} ratings to train on, by {data['users']:,} users of {data['items']:,} items; of the "
            f"{data['unrated']:,} pairs that nobody has rated {data['candidates']:,} to be rated; "
            f"{data['valid']:,} ratings in validation, {data['test']:,} in the test."
        )

    def round(self, one: Mapping[str, Any]) -> list[str]:
        """Its pseudo-ratings, and what its student is like in validation."""
        labels, student, valid = one["labels"], one["student"], one["valid"]
        told = [""] * 4
        if labels is not None:
            figures = ["–" if labels[name] is None else f"{labels[name]:.3f}" for name in ("mean", "spread")]
            told = [f"{labels['kept']:,}", f"{labels['kept'] / labels['candidates']:.1%}", *figures]
        if student is None:
            return [*told, "", "no student", ""]
        return [*told, f"{student['updates']:,}", *(f"{valid[name]:.4f}" for name in ("rmse", "mae"))]

    def details(self, seed: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
        """Nothing: nobody knows how right a pseudo-rating is."""
        return []
