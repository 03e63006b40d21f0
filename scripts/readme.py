"""The pictures of the README, the sample and the table in it, from the demo's run: `make readme`.

    scripts/readme.py            train the demo unless it is there, draw docs/terminal.svg and docs/curve.svg, and write
                                 the sample and the table into README.md
    scripts/readme.py --run DIR  show another run

All that is shown is what the commands have printed.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import recording
import results
from recording import ROOT
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from charrnn.files.atomic import write_text

DEMO = "configs/demo.yaml"
TERMINAL, CURVE = ROOT / "docs" / "terminal.svg", ROOT / "docs" / "curve.svg"
BEGIN, END = "<!-- sample: written by scripts/readme.py -->", "<!-- end of sample -->"
CHARRNN = [sys.executable, "-m", "charrnn"]
WIDTH = 96
SENTENCE = "The value of a generator is not a banana."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="runs/demo", help="the run that is shown (default: %(default)s)")
    run = parser.parse_args().run
    if run == "runs/demo":
        subprocess.run([*CHARRNN, "train", DEMO, "--resume"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    write_text(TERMINAL, terminal(run))
    draw_curve(run)
    results.draw(recording.read(results.RESULTS))
    readme = results.README.read_text(encoding="utf-8")
    write_text(results.README, with_sample(readme, run))
    return 0


def asked(*arguments: str, text: str | None = None) -> str:
    """What a command prints on standard output."""
    done = subprocess.run([*CHARRNN, *arguments], cwd=ROOT, check=False, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def terminal(run: str) -> str:
    """A terminal in which commands were typed, as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    typed: list[tuple[list[str], str | None]] = [
        (["sample", run, "--seed", "The ", "--length", "240"], None),
        (["suggest", run, "--seed", "The stat", "-k", "3"], None),
        (["score", run, "-", "--color"], SENTENCE),
        (["runs"], None),
    ]
    for arguments, text in typed:
        heard = "" if text is None else f"echo {shlex.quote(text)} | "
        console.print(Text(f"$ {heard}charrnn {shlex.join(arguments)}", style="bold"))
        told = asked(*arguments, text=None if text is None else text + "\n")
        console.print(Text.from_ansi(told.rstrip("\n")), soft_wrap=False)
        console.print()
    # Fonts that would have to be fetched are left to whoever shows the picture.
    template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="charrnn", theme=SVG_EXPORT_THEME, unique_id="charrnn", code_format=template)


def draw_curve(run: str) -> None:
    """The loss in training and in validation."""
    with tempfile.TemporaryDirectory() as folder:
        asked("report", run, "--out", f"{folder}/page.html", "--plots", folder)
        shutil.copyfile(Path(folder, "bits_per_char.svg"), CURVE)


def with_sample(page: str, run: str) -> str:
    """The README with a text that the model has written."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{results.README.name} has no {BEGIN} and {END}")
    arguments = ["sample", run, "--seed", "def ", "--length", "320"]
    told = json.loads(asked(*arguments, "--json"))
    text = (told["options"]["seed"] + told["samples"][0]).replace("```", "'''").rstrip()
    shown = "\n".join(line.rstrip() for line in text.splitlines())
    return f"{before}{BEGIN}\n```\n$ charrnn {shlex.join(arguments)}\n{shown}\n```\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
