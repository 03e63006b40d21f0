"""The report of all rounds as a page, and the table of its last figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from charrnn.config.tree import one_line

TRANSDUCTIVE = "transductive: the test inputs were among the pseudo-labelled items, so this is no headline figure"
ON_VALID = "the rounds were chosen by this split, so its figures flatter: no headline figures"


def table(result: Mapping[str, Any]) -> list[list[str]]:
    """The last figures, seed by seed and together: a head, then a row each."""
    rows = [
        ["seed", "handed back", "accuracy", "control", "error change", "only it right", "only the control", "McNemar p"]
    ]
    for seed in result["seeds"]:
        test = seed["mcnemar"]
        rows.append(
            [
                str(seed["seed"]),
                f"round {seed['handed_back']}",
                f"{seed['figures']['accuracy']:.4f}",
                f"{seed['control_figures']['accuracy']:.4f}",
                _change(seed["relative_error_change"]),
                str(test["only_second"]),
                str(test["only_first"]),
                f"{test['p']:.3g}",
            ]
        )
    if len(result["seeds"]) > 1:
        over = result["over_seeds"]
        own, control = (_spread(over[name], "{:.4f}", flip=True) for name in ("error", "control_error"))
        change = _spread(over["relative_error_change"], "{:+.1%}")
        rows.append(["mean ± deviation", "", own, control, change, "", "", ""])
    return rows


def caveats(result: Mapping[str, Any]) -> list[str]:
    """What must stand beside the figures."""
    found = [TRANSDUCTIVE] if result["transductive"] else []
    return found + ([ON_VALID] if result["report"] == "valid" else [])


def markdown(result: Mapping[str, Any]) -> str:
    """The report as a page."""
    data = result["data"]
    head, *rows = table(result)
    left = "".join(f", {count:,} left out ({why})" for why, count in data["left_out"].items())
    lines = [
        "# What pseudo-labels were worth",
        "",
        *(f"**{text[0].upper()}{text[1:]}.**\n" for text in caveats(result)),
        f"{data['labelled']:,} labelled items, {data['candidates']:,} to be labelled{left}; "
        f"{data['valid']:,} in validation, {data['test']:,} in the test.",
        "",
        f"Figures of the {result['report']} split. The control is the same model from the same seed after equally many "
        "updates without pseudo-labels; below 0 % the error is lower than the control's. McNemar's test is exact and "
        "two-sided, over the items of one seed; the deviation is that of the seeds.",
        "",
        *_grid(head, rows),
        "",
    ]
    tuned = [seed for seed in result["seeds"] if seed["finetune_figures"] is not None]
    for seed in tuned:
        accuracy = seed["finetune_figures"]["accuracy"]
        lines += [
            f"Seed {seed['seed']}, after the last stage, which learned from the validation items and their labels: "
            f"accuracy {accuracy:.4f}. There is no validation in it, and the control has not seen those items.",
            "",
        ]
    for seed in result["seeds"]:
        lines += _seed(seed, data)
    return "\n".join(lines).rstrip() + "\n"


def _seed(seed: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    rounds = seed["rounds"]
    lines = [f"## Seed {seed['seed']}", "", f"Ended: {one_line(seed['ended'])}.", ""]
    lines += [f"Handed back: round {seed['handed_back']}. Control: {one_line(seed['control']['why'])}.", ""]
    other = rounds[0].get("trained_on_other_data")
    lines += [f"Mind: {one_line(other)}.", ""] if other else []
    head = [
        "round",
        "temperature",
        "kept",
        "share",
        "kept right",
        "all right",
        "updates",
        "accuracy",
        "macro F1",
        "nats",
    ]
    lines += [*_grid(head, [_round(one) for one in rounds]), ""]
    labelled = [one for one in rounds if one["labels"] is not None]
    if labelled:
        lines += [
            "Labels, in % of the labelled items, and of those that each round kept, from which confidence on:",
            "",
        ]
        own = data["labelled_labels"]
        rows = [
            [_cell(label), _share(own[label], sum(own.values())), *(_kept(one["labels"], label) for one in labelled)]
            for label in own
        ]
        lines += [*_grid(["label", "labelled", *(f"round {one['round']}" for one in labelled)], rows), ""]
    for one in labelled:
        lines += _confidence(one)
    return lines


def _kept(labels: Mapping[str, Any], label: str) -> str:
    """The share of a label among what was kept, and the lowest confidence with which it was."""
    lowest = labels["lowest_confidence"][label]
    share = _share(labels["kept_labels"][label], labels["kept"])
    return share if lowest is None else f"{share} from {lowest:.3f}"


def _round(one: Mapping[str, Any]) -> list[str]:
    """A round as a row of the table of its seed."""
    labels, student, valid = one["labels"], one["student"], one["valid"]
    told = [str(one["round"]), "", "", "", "", ""]
    if labels is not None:
        temperatures = ", ".join(f"{each['value']:.3g}" for each in labels["temperatures"])
        share, right = labels["kept"] / labels["candidates"], labels["right"]
        rightness = [_share(right[which]["right"], right[which]["items"]) for which in ("kept", "all")]
        told = [str(one["round"]), temperatures, f"{labels['kept']:,}", f"{share:.1%}", *rightness]
    if student is None:
        return [*told, "", "no student", "", ""]
    figures = [f"{valid[name]:.4f}" for name in ("accuracy", "macro_f1", "nats")]
    return [*told, f"{student['updates']:,}", *figures]


def _confidence(one: Mapping[str, Any]) -> list[str]:
    """How right the labels of a round were, by confidence; nothing where no truth is known."""
    bins = one["labels"]["right"]["by_confidence"]
    if not bins:
        return []
    rows = []
    for each in bins:
        counts = [each[which][what] for which in ("all", "kept") for what in ("items", "right")]
        rows.append(
            [
                f"{each['above']:g} – {each['to']:g}",
                f"{counts[0]:,}",
                _share(counts[1], counts[0]),
                f"{counts[2]:,}",
                _share(counts[3], counts[2]),
            ]
        )
    head = ["confidence", "items", "right", "of these kept", "right"]
    return [f"Round {one['round']}, where the truth is known:", "", *_grid(head, rows), ""]


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [line[0], "|---" * len(head) + "|", *line[1:]]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _change(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1%}"


def _spread(found: Mapping[str, Any], form: str, flip: bool = False) -> str:
    """A mean and its deviation; `flip` turns an error into the accuracy that it leaves."""
    if found["mean"] is None:
        return "–"
    mean = form.format(1.0 - found["mean"] if flip else found["mean"])
    return mean if found["deviation"] is None else f"{mean} ± {form.replace('+', '').format(found['deviation'])}"


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")
