"""The record of measured results: `docs/results.json`; `docs/results.md` and the README's table are drawn from it.

    scripts/results.py course [--quick]   measure every row that this checkout has not measured yet
    scripts/results.py measure ROW...     measure these rows, measured or not
    scripts/results.py draw               draw docs/results.md, its pictures and the README's table again

Rows are those of `scripts/rows.py`. A row's figures are read from the runs that its commands made, never typed. It can
be stopped and started: a run goes on where it stopped, and a finished one is not trained again. `--quick` does a few
steps of every row, in runs/quick and with a page there, to see that all of it works.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import page
import recording
from measure import Place
from recording import ROOT
from rows import ROWS, Row

from charrnn.config.load import load_config
from charrnn.files.atomic import write_text

RESULTS = ROOT / "docs" / "results.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- results: drawn by scripts/results.py from docs/results.json -->", "<!-- end of results -->"
MEASURED = ROOT / "runs" / "measured"
QUICK = "runs/quick"


def main(arguments: list[str]) -> None:
    match arguments:
        case ["course"]:
            course()
        case ["course", "--quick"]:
            quick(Place(QUICK, quick=True))
        case ["measure", *names] if names and all(name in ROWS for name in names):
            for name in names:
                keep(name, measured(name, Place()))
        case ["draw"]:
            draw(recording.read(RESULTS))
        case _:
            sys.exit(f"usage: scripts/results.py course [--quick] | draw | measure ROW...\nrows: {' '.join(ROWS)}")


def course() -> None:
    """Every row, from where the last call stopped; what it measured is in runs/measured."""
    for name in measurable(Place()):
        known = recording.read(MEASURED / f"{name}.json")
        if known.get("of") == fingerprint(ROWS[name]):
            say(f"{name}: measured already")
            put(name, known["record"])
        else:
            say(f"{name}: {ROWS[name].title}")
            keep(name, measured(name, Place()))


def measurable(place: Place) -> Iterator[str]:
    """The rows whose data are here, or can be fetched; of the others it says that they are left out."""
    for name, row in ROWS.items():
        folder = Path(os.environ.get("CHARRNN_DATA", "")) / str(row.needs)
        if row.needs is None or place.stands_in or ("CHARRNN_DATA" in os.environ and folder.is_dir()):
            yield name
        else:
            say(f"{name}: left out, as CHARRNN_DATA names no folder with {row.needs}/ in it")


def quick(place: Place) -> None:
    """A few steps of every row; what that gives is no result, and is kept apart from results."""
    shutil.rmtree(ROOT / place.runs, ignore_errors=True)
    records: dict[str, Any] = {}
    for name in measurable(place):
        say(f"{name}: a few steps")
        records[name] = complete(name, measured(name, place, commit="none"), records)
    folder = ROOT / place.runs
    recording.write(folder / "results.json", records, ROWS)
    write_text(folder / "results.md", page.page(records))
    page.draw_pictures(folder, records)
    say(f"{len(records)} rows work; their pages are in {place.runs}")


def measured(name: str, place: Place, commit: str | None = None) -> dict[str, Any]:
    """What a row measures, and with which code."""
    # Asked before measuring: it is the code that measures, not what is there when it is done.
    return {"commit": commit or recording.current_commit(), **ROWS[name].how(place, ROWS[name].config)}


def fingerprint(row: Row) -> str:
    """Tells a row from what it was before its config or its way of measuring changed."""
    config = load_config(ROOT / row.config).config.model_dump_json()
    return hashlib.sha256(f"{row.how.__qualname__} {config}".encode()).hexdigest()


def keep(name: str, record: dict[str, Any]) -> None:
    """A row has been measured: remember it here, and record it."""
    recording.write(MEASURED / f"{name}.json", {"of": fingerprint(ROWS[name]), "record": record})
    put(name, record)


def put(name: str, record: dict[str, Any]) -> None:
    """Record a row, and draw the pages again."""
    records = recording.read(RESULTS)
    records[name] = complete(name, record, records)
    recording.write(RESULTS, records, ROWS)
    draw(recording.read(RESULTS))


def complete(name: str, record: dict[str, Any], records: dict[str, Any]) -> dict[str, Any]:
    """A measured row with its title and what it is held against; a training loss is held against a training loss."""
    row = ROWS[name]
    held = row.reference
    if row.against in records:
        held = round(page.headline(records[row.against]), 4)
    whole = {"title": row.title, "config": row.config, "reference": {"value": held, "source": row.source}}
    whole |= {"machine": recording.machine(), **record}
    if held is not None and row.source.endswith("training"):
        whole["figures"] |= reached(whole, held)
    return whole


def reached(record: dict[str, Any], nats: float) -> dict[str, int | str]:
    """After how many predictions the training loss of an epoch was at or below the reference."""
    curve = record["curve"]
    epochs = [epoch for epoch, loss in zip(curve["epoch"], curve["train_nats"], strict=True) if loss <= nats]
    predictions = round(epochs[0] * record["figures"]["predictions_per_epoch"]) if epochs else "never"
    return {"predictions_until_training_loss_at_reference": predictions}


def draw(records: dict[str, Any]) -> None:
    write_text(RESULTS.parent / "results.md", page.page(records))
    page.draw_pictures(RESULTS.parent, records)
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    write_text(README, f"{before}{BEGIN}\n{page.short_table(records)}{END}{after}")


def say(line: str) -> None:
    print(f"== {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
