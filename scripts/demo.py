"""The whole way once: prepare, train, the n-gram floor, samples, and a last line that puts the figures side by side.

Every command is printed before it runs, so that it can be typed again. Safe to run twice: what is done is not done
again, and a run that was stopped goes on.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

CONFIG = "configs/demo.yaml"
RUN = "runs/demo"
CHARRNN = [sys.executable, "-m", "charrnn"]


def charrnn(*arguments: str) -> None:
    """Run a command and let the user see what it prints; a failure ends the demo with its exit code."""
    print(f"\n$ charrnn {shlex.join(arguments)}", flush=True)
    done = subprocess.run([*CHARRNN, *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def asked(*arguments: str) -> dict[str, Any]:
    """The JSON that a command prints."""
    done = subprocess.run([*CHARRNN, *arguments, "--json", "--quiet"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def main() -> None:
    charrnn("prepare", CONFIG)
    charrnn("train", CONFIG, "--resume")
    charrnn("baseline", CONFIG)
    for seed in ("The ", "def "):
        charrnn("sample", RUN, "--seed", seed, "--length", "400")
    best = asked("train", CONFIG, "--resume")["best"]
    table = asked("baseline", CONFIG)
    rows = [
        ("1-gram", table["orders"][0]["bits_per_char"]),
        (f"best n-gram ({table['best']['order']}-gram)", table["best"]["bits_per_char"]),
        (f"LSTM (step {best['step']})", best["bits_per_char"]),
    ]
    print("\nBits per character on the validation split, which no model was trained on; fewer is better:")
    for name, bits in rows:
        print(f"  {name:<24} {bits:.3f}")
    print(f"\nThe run is in {Path(RUN)}; write more with:  .venv/bin/charrnn sample --seed text")


if __name__ == "__main__":
    main()
