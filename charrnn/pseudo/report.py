"""The report of all rounds as a page, and the table of its last figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from charrnn.config.tree import one_line
from charrnn.pseudo.cells import grid
from charrnn.pseudo.told import Told, told_of

TRANSDUCTIVE = "transductive: the test inputs were among the pseudo-labelled items, so this is no headline figure"
ON_VALID = "the rounds were chosen by this split, so its figures flatter: no headline figures"


def table(result: Mapping[str, Any]) -> list[list[str]]:
    """The last figures, seed by seed and together: a head, then a row each."""
    told = told_of(result)
    rows = [["seed", "handed back", *told.columns]]
    rows += [[str(seed["seed"]), f"round {seed['handed_back']}", *told.row(seed)] for seed in result["seeds"]]
    if len(result["seeds"]) > 1:
        rows.append(["mean ± deviation", "", *told.over(result["over_seeds"])])
    return rows


def caveats(result: Mapping[str, Any]) -> list[str]:
    """What must stand beside the figures."""
    found = [TRANSDUCTIVE] if result["transductive"] else []
    return found + ([ON_VALID] if result["report"] == "valid" else [])


def markdown(result: Mapping[str, Any]) -> str:
    """The report as a page."""
    told = told_of(result)
    head, *rows = table(result)
    lines = [
        f"# {told.title}",
        "",
        *(f"**{text[0].upper()}{text[1:]}.**\n" for text in caveats(result)),
        told.data(result["data"]),
        "",
        f"Figures of the {result['report']} split. {told.meaning}",
        "",
        *grid(head, rows),
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
        lines += _seed(told, seed, result["data"])
    return "\n".join(lines).rstrip() + "\n"


def _seed(told: Told, seed: Mapping[str, Any], data: Mapping[str, Any]) -> list[str]:
    rounds = seed["rounds"]
    lines = [f"## Seed {seed['seed']}", "", f"Ended: {one_line(seed['ended'])}.", ""]
    lines += [f"Handed back: round {seed['handed_back']}. Control: {one_line(seed['control']['why'])}.", ""]
    other = rounds[0].get("trained_on_other_data")
    lines += [f"Mind: {one_line(other)}.", ""] if other else []
    lines += [*grid(["round", *told.round_columns], [[str(one["round"]), *told.round(one)] for one in rounds]), ""]
    return lines + told.details(seed, data)
