"""The report of rounds over labelled items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrnn.pseudo.cells import cell, change, grid, share, spread


class ToldLabels:
    """See `charrnn.pseudo.told.Told`."""

    title = "What pseudo-labels were worth"
    meaning = (
        "The control is the same model from the same seed after equally many updates without pseudo-labels; below 0 % "
        "the error is lower than the control's. McNemar's test is exact and two-sided, over the items of one seed; the "
        "deviation is that of the seeds."
    )
    columns = ("accuracy", "control", "error change", "only it right", "only the control", "McNemar p")
    round_columns = (
        *("temperature", "kept", "share", "kept right", "all right"),
        *("updates", "accuracy", "macro F1", "nats"),
    )

    def row(self, seed: Mapping[str, Any]) -> list[str]:
        """Accuracies, and how the two models differ."""
        test = seed["mcnemar"]
        return [
            f"{seed['figures']['accuracy']:.4f}",
            f"{seed['control_figures']['accuracy']:.4f}",
            change(seed["relative_error_change"]),
            str(test["only_second"]),
            str(test["only_first"]),
            f"{test['p']:.3g}",
        ]

    def over(self, over: Mapping[str, Any]) -> list[str]:
        """Accuracies."""
        own, control = (spread(over[name], "{:.4f}", flip=True) for name in ("error", "control_error"))
        return [own, control, spread(over["relative_error_change"], "{:+.1%}"), "", "", ""]

    def data(self, data: Mapping[str, Any]) -> str:
        """Counts of items."""
        left = "".join(f", {count:,} left out ({why})" for why, count in data["left_out"].items())
        return (
            f"{data['labelled']:,} labelled items, {data['candidates']:,} to be labelled{left}; "
            f"{data['valid']:,} in validation, {data['test']:,} in the test."
        )

    def round(self, one: Mapping[str, Any]) -> list[str]:
        """Its labels, how right they were, and what its student is like in validation."""
        labels, student, valid = one["labels"], one["student"], one["valid"]
        told = [""] * 5
        if labels is not None:
            temperatures = ", ".join(f"{each['value']:.3g}" for each in labels["temperatures"])
            right = labels["right"]
            rightness = [share(right[which]["right"], right[which]["items"]) for which in ("kept", "all")]
            told = [temperatures, f"{labels['kept']:,}", f"{labels['kept'] / labels['candidates']:.1%}", *rightness]
        if student is None:
            return [*told, "", "no student", "", ""]
        return [*told, f"{student['updates']:,}", *(f"{valid[name]:.4f}" for name in ("accuracy", "macro_f1", "nats"))]

    def details(self, seed: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
        """How frequent each label is, and how right labels are by confidence."""
        labelled = [one for one in seed["rounds"] if one["labels"] is not None]
        if not labelled:
            return []
        own = data["labelled_labels"]
        rows = [
            [cell(label), share(own[label], sum(own.values())), *(_kept(one["labels"], label) for one in labelled)]
            for label in own
        ]
        head = ["label", "labelled", *(f"round {one['round']}" for one in labelled)]
        about = "Labels, in % of the labelled items, and of those that each round kept, from which confidence on:"
        return [about, "", *grid(head, rows), "", *(line for one in labelled for line in _confidence(one))]


def _kept(labels: Mapping[str, Any], label: str) -> str:
    """The share of a label among what was kept, and the lowest confidence with which it was."""
    lowest = labels["lowest_confidence"][label]
    found = share(labels["kept_labels"][label], labels["kept"])
    return found if lowest is None else f"{found} from {lowest:.3f}"


def _confidence(one: Mapping[str, Any]) -> list[str]:
    """How right the labels of a round were, by confidence; nothing where no truth is known."""
    bins = one["labels"]["right"]["by_confidence"]
    if not bins:
        return []
    rows = []
    for each in bins:
        counts = [(each[which]["items"], each[which]["right"]) for which in ("all", "kept")]
        cells = [text for items, right in counts for text in (f"{items:,}", share(right, items))]
        rows.append([f"{each['above']:g} – {each['to']:g}", *cells])
    head = ["confidence", "items", "right", "of these kept", "right"]
    return [f"Round {one['round']}, where the truth is known:", "", *grid(head, rows), ""]
