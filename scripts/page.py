"""What is drawn from the records: the page of results with its pictures, and the README's table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from charrnn.report.plots import Chart, Line, grid_of_charts

Records = dict[str, dict[str, Any]]

HEADLINES = ("L3", "L6", "L9-elman", "L6-2018", "L7", "L11", "L10-mingru", "tiny", "tiny-dynamic", "demo", "demo-L11")
"""The rows that the README shows."""

RATINGS = (
    "Ratings of MovieLens latest-small, edition of 2016, are means over five masks "
    "(`numpy.random.default_rng(s).random(n) < 0.8`, s = 0 … 4). A tenth of each training part decides when training "
    "ends; the scored fifth decides nothing, and items without ratings in training stay in it.\n"
)
LABELS_TOLD = (
    "Of labelled items the test set is scored, which decides nothing: settings and each model's checkpoint were chosen "
    "by validation. A figure is a mean over seeds, or over the folds of a cross-validation, and ± is the standard "
    "deviation from one to the next. Here higher is better.\n"
)
VECTORS_TOLD = (
    "Word vectors are held against people by Spearman's rank correlation with WordSim-353, over the pairs of which "
    "both words have vectors; the interval of 95 % is of a bootstrap over those pairs. Higher is better. gensim learns "
    "from the same words with the same settings, in one thread as well.\n"
)
ANOMALIES_TOLD = (
    "Foreign lines in a log, found by a model of the normal log. The threshold is chosen by validation lines alone "
    "(`--anomalies auto`: one in a thousand of them is above it); the average precision looks at the order of the "
    "scores and needs none. The reference is the average precision of the plain mean of nats per symbol. Higher is "
    "better.\n"
)
ROUNDS_TOLD = (
    "Rounds of `charrnn pseudolabel` without labels of their own: the error on the test set of what they hand back, "
    "held against the same model after as many updates without a teacher. Means over seeds, ± is the standard "
    "deviation. Lower is better.\n"
)
KNOWN = ("config", "commit", "machine", "device", "threads", "torch", "seeds")


def short_table(records: Records) -> str:
    """What the README shows."""
    rows = [
        [name, title(record), f"{record['figures']['valid_nats']:.4f}", bits(record), reference(record)]
        for name, record in texts(records).items()
        if name in HEADLINES
    ]
    return table(["row", "system", "validation, nats per char", "bits per char", "reference, nats"], rows)


def long_table(records: Records) -> str:
    """Every row: the reference and ours side by side, what it took, and how it is done again."""
    head = ["row", "system", "training, nats", "validation, nats", "bits", "reference, nats", "parameters", "chars/s"]
    rows = []
    for name, record in texts(records).items():
        figures = record["figures"]
        training = figures.get("train_nats_last_epoch")
        rows.append(
            [
                f"[{name}](#{anchor(name, record)})",
                title(record),
                "—" if training is None else f"{training:.4f}",
                f"{figures['valid_nats']:.4f}",
                bits(record),
                reference(record),
                f"{figures['parameters']:,}" if "parameters" in figures else "—",
                f"{figures['chars_per_second']:,}" if "chars_per_second" in figures else "—",
                f"`{record['command'].splitlines()[-1]}`",
                machine(record),
            ]
        )
    return table([*head, "command", "machine"], rows)


def texts(records: Records) -> Records:
    """The rows of language models."""
    return {name: record for name, record in records.items() if "valid_nats" in record["figures"]}


def ratings_table(records: Records) -> str:
    """The rows over ratings: means over five masks."""
    rows = []
    for name, record in records.items():
        figures = record["figures"]
        if "test_rmse" in figures:
            found = [f"{figures[key]:.4f}" for key in ("test_mse", "test_rmse", "test_rmse_spread", "test_mae")]
            link = f"[{name}](#{anchor(name, record)})"
            rows.append([link, title(record), *found, reference(record), f"{figures['parameters']:,}", machine(record)])
    head = ["row", "system", "MSE", "RMSE", "± over masks", "MAE", "reference", "parameters", "machine"]
    return table(head, rows) if rows else ""


def labels_table(records: Records) -> str:
    """The rows over labelled items: means over seeds or folds."""
    rows = []
    for name, record in records.items():
        figures = record["figures"]
        if "test_accuracy" in figures:
            spread = figures.get("test_accuracy_spread")
            held = record["reference"]
            against = "—" if held["value"] is None else f"{100 * held['value']:.2f} ({held['source']})"
            rows.append(
                [
                    f"[{name}](#{anchor(name, record)})",
                    title(record),
                    f"{100 * figures['test_accuracy']:.2f}",
                    "—" if spread is None else f"{100 * spread:.2f}",
                    f"{figures['test_macro_f1']:.4f}",
                    f"{figures['test_items']:,}",
                    against,
                    f"{figures['parameters']:,}" if "parameters" in figures else "—",
                    machine(record),
                ]
            )
    head = ["row", "system", "accuracy, %", "±", "macro F1", "items", "reference, %", "parameters", "machine"]
    return table(head, rows) if rows else ""


def rounds_table(records: Records) -> str:
    """The rows of rounds over pairs and texts: errors, and those of the control."""
    rows = []
    for name, record in records.items():
        figures = record["figures"]
        if "test_error" in figures:
            found = [
                f"{figures[key]:.4f} ± {figures[f'{key}_spread']:.4f}" for key in ("test_error", "test_error_control")
            ]
            link = f"[{name}](#{anchor(name, record)})"
            change = f"{-figures['test_error_falls_by']:+.1%}"
            rows.append([link, title(record), figures["error"], *found, change, machine(record)])
    return table(["row", "system", "error", "test", "control", "change", "machine"], rows) if rows else ""


def vectors_table(records: Records) -> str:
    """The rows of word vectors: agreement with people, and time."""
    rows = []
    for name, record in records.items():
        figures = record["figures"]
        if "spearman" in figures:
            low, high = figures["spearman_low"], figures["spearman_high"]
            other = (
                f"{figures['gensim_spearman']:.3f}, {figures['gensim_seconds_per_epoch']:.1f} s"
                if "gensim_spearman" in figures
                else "—"
            )
            rows.append(
                [
                    f"[{name}](#{anchor(name, record)})",
                    title(record),
                    f"{figures['spearman']:.3f}",
                    f"{low:.3f} – {high:.3f}",
                    f"{figures['covered_pairs']} of {figures['pairs']}",
                    f"{figures['seconds_per_epoch']:.1f}",
                    other,
                    machine(record),
                ]
            )
    head = ["row", "system", "Spearman", "95 % interval", "pairs", "seconds per epoch", "gensim", "machine"]
    return table(head, rows) if rows else ""


def anomalies_table(records: Records) -> str:
    """The rows of foreign lines that are found."""
    rows = []
    for name, record in records.items():
        figures = record["figures"]
        if "average_precision" in figures:
            found = [f"{figures[key]:.4f}" for key in ("precision", "recall", "f1", "average_precision")]
            counts = f"{figures['foreign_lines']:,} of {figures['lines']:,}"
            link = f"[{name}](#{anchor(name, record)})"
            rows.append([link, title(record), *found, counts, reference(record), machine(record)])
    head = ["row", "system", "precision", "recall", "F1", "average precision", "foreign lines", "reference", "machine"]
    return table(head, rows) if rows else ""


def headline(record: dict[str, Any]) -> float:
    """The figure by which rows are held against each other."""
    figures = record["figures"]
    names = ("valid_nats", "test_accuracy", "test_mse", "test_error", "spearman", "average_precision")
    return float(next(figures[name] for name in names if name in figures))


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "".join(f"| {' | '.join(cells)} |\n" for cells in lines).replace("| --- ", "|---").replace("--- |\n", "---|\n")
    )


def title(record: dict[str, Any]) -> str:
    order = f" (order {record['figures']['order']})" if "order" in record["figures"] else ""
    return f"{record['title']}{order}"


def bits(record: dict[str, Any]) -> str:
    return f"{record['figures']['valid_bits_per_char']:.3f}"


def reference(record: dict[str, Any]) -> str:
    held = record["reference"]
    return "—" if held["value"] is None else f"{held['value']} ({held['source']})"


def machine(record: dict[str, Any]) -> str:
    threads = record.get("threads")
    return record["device"] + (f", {threads} thread{'s' if threads > 1 else ''}" if threads else "")


def anchor(name: str, record: dict[str, Any]) -> str:
    """How a page's readers are led to the section of a row, as GitHub names it."""
    heading = f"{name}: {record['title']}".lower().replace(" ", "-")
    return "".join(c for c in heading if c.isalnum() or c in "-_")


def page(records: Records) -> str:
    """docs/results.md."""
    parts = [
        "# Results\n",
        "Drawn from `results.json` by `scripts/results.py`; no figure is typed by hand. `make course` measures them "
        "again.\n",
        "Training losses are means over the last epoch, dropout on, while the weights change; the course of 2016 told "
        "no others. Validation text is never trained on; `lanes` is how many lanes it was read by, which moves a "
        "figure a little. Characters per second are those of a machine that did other things besides.\n",
        long_table(records),
        *(part for told, drawn in sections(records) if drawn for part in (told, drawn)),
        *(f"![{alt}]({name})\n" for name, alt in ALTS.items() if drawable(name, records)),
    ]
    for name, record in records.items():
        parts += [f"## {name}: {record['title']}\n", details(record)]
    return "\n".join(parts)


def sections(records: Records) -> list[tuple[str, str]]:
    """What is said of the rows of each other task, and their table; it is empty where there are none."""
    return [
        (RATINGS, ratings_table(records)),
        (LABELS_TOLD, labels_table(records)),
        (ROUNDS_TOLD, rounds_table(records)),
        (VECTORS_TOLD, vectors_table(records)),
        (ANOMALIES_TOLD, anomalies_table(records)),
    ]


def details(record: dict[str, Any]) -> str:
    rows = [
        [name.replace("_", " "), f"{value:.4f}" if isinstance(value, float) else str(value)]
        for name, value in record["figures"].items()
    ]
    about = "\n".join(f"- {key}: {record[key]}" for key in KNOWN if record.get(key))
    return f"```\n{record['command']}\n```\n\n{about}\n\n{table(['figure', 'value'], rows)}"


ALTS = {
    "positions.svg": "The loss at each position after a cold start: L3, L4 and L5",
    "stacked.svg": "Validation loss of two stacked LSTMs, with BatchNorm on the embedding and without",
    "batchnorm.svg": "Validation loss of L6 over three seeds, with BatchNorm on the embedding and without",
}
NEEDED = {"positions.svg": ("L3", "L4", "L5"), "stacked.svg": ("L7", "L7-plain"), "batchnorm.svg": ("L6-batchnorm",)}


def drawable(name: str, records: Records) -> bool:
    """Whether the rows of a picture are there."""
    return all(row in records for row in NEEDED[name])


def draw_pictures(folder: Path, records: Records) -> None:
    """Draw into a folder every picture whose rows are there."""
    for name, chart in {"positions.svg": positions, "stacked.svg": stacked, "batchnorm.svg": batchnorm}.items():
        if drawable(name, records):
            grid_of_charts(folder / name, [chart(records)], columns=1)


def positions(records: Records) -> Chart:
    """Where in its window a prediction is hard: one line for each model that reads windows of 8."""
    lines = []
    for row in NEEDED["positions.svg"]:
        figures = records[row]["figures"]
        nats = [value for key, value in figures.items() if key.startswith("valid_nats_position_")]
        lines.append(Line(f"{row}: {records[row]['title']}", range(1, len(nats) + 1), nats))
    return Chart(lines, "after a cold start", "position in the window", "validation, nats per character")


def stacked(records: Records) -> Chart:
    """BatchNorm on the embedding against none."""
    lines = [Line(label, *curve(records[row])) for row, label in zip(("L7", "L7-plain"), LABELS, strict=True)]
    return Chart(lines, "two stacked LSTMs of 512", "epoch", "validation, nats per character")


def batchnorm(records: Records) -> Chart:
    """The same on the small model, over seeds: the mean of each epoch."""
    lines = []
    for label, runs in records["L6-batchnorm"]["curves"].items():
        for seed, run in zip(records["L6-batchnorm"]["seeds"], runs, strict=True):
            lines.append(Line(f"{label}, seed {seed}", run["epoch"], run["valid_nats"]))
    return Chart(lines, "L6 over three seeds", "epoch", "validation, nats per character")


LABELS = ("with BatchNorm", "without BatchNorm")


def curve(record: dict[str, Any]) -> tuple[list[float], list[float]]:
    return record["curve"]["epoch"], record["curve"]["valid_nats"]
