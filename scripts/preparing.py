"""A row for `scripts/bench.py`: how fast a text becomes a corpus, beside what scripts for character models do.

Both sides are whole commands: Python is started, a file of ASCII text is read, and files are written. Ours is `charrnn
prepare` on one core: it takes the digest of the text, counts its symbols, cuts the splits, writes tokens of one byte
with their digest, vocabulary and manifest, and flushes all to the disk, or leaves nothing. The other reads the text as
a whole, takes the set of its characters, looks each character up in a dictionary and saves an array of two bytes each;
it gets a tenth of the text, for it holds a list of all of it.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from contests import Sides, Size

_SHARE = 10
_BLOCK = 1_000_000
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"

LOOKUP = """
import sys
import numpy as np
text = open(sys.argv[1], encoding="utf-8").read()
number = {character: place for place, character in enumerate(sorted(set(text)))}
np.save(sys.argv[2], np.array([number[character] for character in text], np.uint16))
"""


def contest(folder: Path, size: Size) -> Sides:
    """Megabytes of text per second: by `charrnn prepare` on one core, and by a script with a dictionary."""
    whole, part = written(folder / "ascii.txt", size.megabytes), written(folder / "part.txt", size.megabytes / _SHARE)

    def ours() -> float:
        out = folder / "prepared"
        command = [sys.executable, "-m", "charrnn", "prepare", str(whole), "--out", str(out), "--jobs", "1", "--quiet"]
        return timed(command, whole, out)

    def other() -> float:
        out = folder / "ids.npy"
        return timed([sys.executable, "-c", LOOKUP, str(part), str(out)], part, out)

    return ours, other


def timed(command: list[str], text: Path, out: Path) -> float:
    """Megabytes of `text` per second of a command, which writes `out`; it is gone afterwards."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - began
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink()
    return text.stat().st_size / 1e6 / took


def written(path: Path, megabytes: float) -> Path:
    """A file of words and lines, the same every time; made once. Its words are repeated from megabyte to megabyte."""
    if not path.exists():
        drawn = random.Random(0)
        words = ["".join(drawn.choices(_LETTERS, range(52, 0, -2), k=drawn.randint(1, 9))) for _ in range(5000)]
        text = "".join(drawn.choice(words) + drawn.choice("     ,;.\n") for _ in range(_BLOCK // 4))[:_BLOCK].encode()
        size = int(megabytes * 1e6)
        with path.open("wb") as file:
            while (left := size - file.tell()) > 0:
                file.write(text[:left])
    return path
