"""The record of measured results: `docs/results.json`; `docs/results.md` and the README's table are drawn from it.

    scripts/results.py measure ROW        run the row's command and put what it measured into docs/results.json
    scripts/results.py draw               draw docs/results.md and the table in README.md again

Rows are those below. A row's figures are read from the run that its command made, never typed. A run that is finished
already is not trained again, so `measure` can be stopped and started.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "results.json"
PAGE = ROOT / "docs" / "results.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- results: drawn by scripts/results.py from docs/results.json -->", "<!-- end of results -->"


@dataclass(frozen=True)
class Row:
    """What is measured, by which config, and what it is held against (nats per character, and whose figure it is)."""

    title: str
    config: str
    reference: float | None
    source: str
    ngram: bool = False


ROWS = {
    "L6": Row(
        "stateful LSTM 256, Nietzsche lower-cased, split of 2018",
        "configs/nietzsche-lstm.yaml",
        1.358,
        "course of 2018, validation",
    ),
    "L11": Row(
        "n-gram, interpolated Kneser–Ney, same text and split",
        "configs/nietzsche-lstm.yaml",
        None,
        "—",
        ngram=True,
    ),
    "demo": Row("small stateful LSTM, Python's language reference (`make demo`)", "configs/demo.yaml", None, "—"),
    "demo-L11": Row("n-gram, interpolated Kneser–Ney, same text and split", "configs/demo.yaml", None, "—", ngram=True),
}


def main(arguments: list[str]) -> None:
    match arguments:
        case ["measure", name] if name in ROWS:
            commit = current_commit()  # of the code that measures, not of what is there when it is done
            measured = measure_ngram(ROWS[name]) if ROWS[name].ngram else measure_run(ROWS[name])
            store(name, {"commit": commit, **measured})
            draw()
        case ["draw"]:
            draw()
        case _:
            sys.exit(f"usage: scripts/results.py measure {'|'.join(ROWS)} | draw")


def charrnn(*arguments: str) -> dict[str, Any]:
    """Run a command of charrnn and return the JSON it prints."""
    command = [sys.executable, "-m", "charrnn", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def measure_run(row: Row) -> dict[str, Any]:
    arguments = ["train", row.config, "--resume"]
    outcome = charrnn(*arguments)
    check = charrnn("train", row.config, "--check")
    run = ROOT / outcome["run"]
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    last = [record for record in records if record["split"] == "valid"][-1]
    best = outcome["best"]
    checkpoint = (run / "best").read_text(encoding="utf-8").strip()
    config = json.loads((run / "checkpoints" / checkpoint / "config.json").read_text(encoding="utf-8"))
    return {
        "command": shlex.join(["charrnn", *arguments]),
        "seeds": [config["config"]["train"]["seed"]],
        "device": config["plan"]["device_name"],
        "threads": config["plan"]["threads"],
        "torch": config["plan"]["torch"],
        "figures": {
            "valid_nats": best["nats"],
            "valid_bits_per_char": best["bits_per_char"],
            "valid_step": best["step"],
            "valid_lanes": last["lanes"],
            "train_nats_last_epoch": last["train_nats"],
            "steps": outcome["step"],
            "parameters": check["parameters"],
        },
    }


def measure_ngram(row: Row) -> dict[str, Any]:
    arguments = ["baseline", row.config]
    table = charrnn(*arguments)
    return {
        "command": shlex.join(["charrnn", *arguments]),
        "seeds": [],
        "device": platform.processor() or platform.machine(),
        "figures": {
            "valid_nats": table["best"]["nats"],
            "valid_bits_per_char": table["best"]["bits_per_char"],
            "order": table["best"]["order"],
            "unigram_bits_per_char": table["orders"][0]["bits_per_char"],
            "valid_lanes": table["lanes"],
        },
    }


def current_commit() -> str:
    """The commit that is measured; a figure of code that is in no commit is worth nothing."""
    if git("status", "--porcelain", "--", "charrnn", "configs", "scripts", "constraints.txt"):
        sys.exit("scripts/results.py: commit the code first")
    return git("describe", "--always")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def store(name: str, measured: dict[str, Any]) -> None:
    row = ROWS[name]
    records = read()
    records[name] = {
        "title": row.title,
        "config": row.config,
        "reference": {"nats": row.reference, "source": row.source},
        "machine": f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}",
        **measured,
    }
    ordered = {key: records[key] for key in ROWS if key in records}
    RESULTS.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read() -> dict[str, Any]:
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def draw() -> None:
    records = read()
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
