"""The record of measured results: `docs/results.json`; `docs/results.md` and the README's table are drawn from it.

    scripts/results.py measure ROW        run the row's command and put what it measured into docs/results.json
    scripts/results.py draw               draw docs/results.md and the table in README.md again

Rows are those below. A row's figures are read from the run that its command made, never typed. A run that is finished
already is not trained again, so `measure` can be stopped and started.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import measure
import recording
from recording import ROOT

RESULTS = ROOT / "docs" / "results.json"
PAGE = ROOT / "docs" / "results.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- results: drawn by scripts/results.py from docs/results.json -->", "<!-- end of results -->"


@dataclass(frozen=True)
class Row:
    """What is measured, by which config and how, and what it is held against: nats per character, and whose they are.

    `against` names another row; without it and `reference` the measuring may bring a reference of its own.
    """

    title: str
    config: str
    how: Callable[[str], dict[str, Any]] = measure.trained
    reference: float | None = None
    source: str = "—"
    against: str | None = None


NGRAM = "n-gram, interpolated Kneser–Ney, same text and split"
TRAINING = "course of 2016, training"
ROWS = {
    "L1": Row(
        "three characters, then the fourth", "configs/course/l1-three-characters.yaml", reference=2.972, source=TRAINING
    ),
    "L2": Row("eight characters, then the ninth", "configs/course/l2-recurrent.yaml", reference=1.642, source=TRAINING),
    "L3": Row(
        "a prediction after every character", "configs/course/l3-sequence.yaml", reference=1.726, source=TRAINING
    ),
    "L4": Row("L3 with one-hot input", "configs/course/l4-one-hot.yaml", reference=1.741, source=TRAINING),
    "L5": Row("GRU, one-hot input", "configs/course/l5-gru.yaml", reference=1.692, source=TRAINING),
    "L6": Row(
        "stateful LSTM 256, Nietzsche lower-cased, split of 2018",
        "configs/nietzsche-lstm.yaml",
        reference=1.358,
        source="course of 2018, validation",
    ),
    "L6-find-lr": Row(
        "L6 at the rate that `charrnn find-lr` suggests",
        "configs/nietzsche-lstm.yaml",
        measure.at_suggested_rate,
        source="L6, its rate tuned by hand",
        against="L6",
    ),
    "L6-tune": Row(
        "L6 for two epochs, the best of a search by two processes",
        "configs/craft/tune-nietzsche.yaml",
        measure.searched,
    ),
    "L7": Row(
        "two stateful LSTMs of 512, dense layer, BatchNorm on the embedding",
        "configs/course/l7-stacked.yaml",
        reference=1.263,
        source="course of 2018, validation",
    ),
    "L7-plain": Row(
        "the same without BatchNorm",
        "configs/course/l7-plain.yaml",
        reference=1.263,
        source="course of 2018, validation",
    ),
    "L11": Row(NGRAM, "configs/nietzsche-lstm.yaml", measure.ngrams),
    "tiny": Row(
        "LSTM 384, tiny-shakespeare, first 90 % / last 10 %",
        "configs/shakespeare-lstm.yaml",
        reference=1.4697,
        source="nanoGPT, 10.65 M parameters, validation",
    ),
    "tiny-dynamic": Row(
        "the same, adapting to what it reads (dynamic evaluation)",
        "configs/shakespeare-lstm.yaml",
        measure.adapting,
    ),
    "demo": Row("small stateful LSTM, Python's language reference (`make demo`)", "configs/demo.yaml"),
    "demo-L11": Row(NGRAM, "configs/demo.yaml", measure.ngrams),
}


def main(arguments: list[str]) -> None:
    match arguments:
        case ["measure", name] if name in ROWS:
            commit = recording.current_commit()  # of the code that measures, not of what is there when it is done
            store(name, {"commit": commit, **ROWS[name].how(ROWS[name].config)})
            draw()
        case ["draw"]:
            draw()
        case _:
            sys.exit(f"usage: scripts/results.py measure {'|'.join(ROWS)} | draw")


def store(name: str, measured: dict[str, Any]) -> None:
    row = ROWS[name]
    records = recording.read(RESULTS)
    nats = round(records[row.against]["figures"]["valid_nats"], 4) if row.against else row.reference
    records[name] = {
        "title": row.title,
        "config": row.config,
        "reference": {"nats": nats, "source": row.source},
        "machine": recording.machine(),
        **measured,
    }
    recording.write(RESULTS, records, ROWS)


def draw() -> None:
    records = recording.read(RESULTS)
    PAGE.write_text(page(records), encoding="utf-8")
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n{table(records)}{END}{after}", encoding="utf-8")


def table(records: dict[str, Any]) -> str:
    lines = [
        "| row | system | validation, nats per char | bits per char | reference, nats |",
        "|---|---|---|---|---|",
    ]
    for name, record in records.items():
        figures, reference = record["figures"], record["reference"]
        against = "—" if reference["nats"] is None else f"{reference['nats']} ({reference['source']})"
        order = f" (order {figures['order']})" if "order" in figures else ""
        lines.append(
            f"| {name} | {record['title']}{order} | {figures['valid_nats']:.4f} | "
            f"{figures['valid_bits_per_char']:.3f} | {against} |"
        )
    return "\n".join(lines) + "\n"


def page(records: dict[str, Any]) -> str:
    parts = [
        "# Results\n",
        "Drawn from `results.json` by `scripts/results.py`; no figure is typed by hand. Validation text is never "
        "trained on; `lanes` is how many lanes it was read by, which moves a figure a little.\n",
        table(records),
    ]
    for name, record in records.items():
        parts += [f"## {name}: {record['title']}\n", details(record)]
    return "\n".join(parts)


def details(record: dict[str, Any]) -> str:
    rows = [(key.replace("_", " "), value) for key, value in record["figures"].items()]
    figures = "\n".join(f"| {name} | {f'{v:.4f}' if isinstance(v, float) else v} |" for name, v in rows)
    known = ("config", "commit", "machine", "device", "threads", "torch", "seeds")
    facts = {key: record[key] for key in known if record.get(key)}
    about = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    return f"```\n{record['command']}\n```\n\n{about}\n\n| figure | value |\n|---|---|\n{figures}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
