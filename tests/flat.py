"""How much memory `prepare` takes, measured in forks of a process that has loaded nothing else.

    python tests/flat.py FOLDER MEGABYTES [KIND …]

Prints a JSON object: for each kind of source the peaks of a small one and of one `TIMES` as large, in MB of 2^20 bytes
of the process's own memory above what it had before. It is looked at after every block.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from charrnn.config.schema import Ratings
from charrnn.config.schema.corpus import Corpus
from charrnn.config.schema.labelled import Table
from charrnn.corpus.labelled import prepare_labelled
from charrnn.corpus.prepare import prepare
from charrnn.corpus.rating_tables import prepare_ratings

TIMES = 8
WORDS = "the quick brown fox of whom all have heard jumps over the lazy dog and again; "
Read = Callable[..., Any]


def own_kb() -> int:
    """The memory of this process that is no page of a file."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").partition("RssAnon:")[2].split()[0])


def text(path: Path, size: int, ending: str = "\n") -> None:
    """Put a text of about `size` bytes at `path`."""
    block = (WORDS * 12 + ending).encode()
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)


def language(folder: Path, size: int) -> Read:
    """Characters, line by line."""
    text(folder / "source", size)
    return lambda **how: prepare(Corpus(source="source"), **how)


def one_line(folder: Path, size: int) -> Read:
    """Characters in a single line, in a normal form."""
    text(folder / "source", size, "")
    return lambda **how: prepare(Corpus(source="source", normal_form="NFC", case="lower"), **how)


def words(folder: Path, size: int) -> Read:
    """Words."""
    text(folder / "source", size)
    return lambda **how: prepare(Corpus(source="source", unit="word"), **how)


def packed(folder: Path, size: int) -> Read:
    """A gzip file."""
    text(folder / "plain", size)
    with (folder / "plain").open("rb") as plain, gzip.open(folder / "source", "wb", 1) as out:
        shutil.copyfileobj(plain, out, 1 << 16)
    return lambda **how: prepare(Corpus(source="source"), **how)


def piped(folder: Path, size: int) -> Read:
    """Standard input."""
    text(folder / "source", size)

    def read(**how: Any) -> Any:
        os.dup2(os.open(folder / "source", os.O_RDONLY), 0)
        return prepare(Corpus(source="-"), **how)

    return read


def labelled(folder: Path, size: int) -> Read:
    """Labelled texts, a thousand of them whatever the size."""
    with (folder / "source").open("w") as file:
        file.write("label,text\n")
        for row in range(1000):
            file.write(f"{'ab'[row % 2]},{row} " + WORDS * (size // 1000 // len(WORDS)) + "\n")
    return lambda **how: prepare_labelled(Table(source="source", kind="table", text="text", label="label"), **how)


def ratings(folder: Path, size: int) -> Read:
    """A thousand ratings, with more or less beside them."""
    with (folder / "source").open("w") as file:
        file.write("userId,movieId,rating,comment\n")
        for row in range(1000):
            file.write(f"{row % 50},{row % 70},{row % 5},{WORDS * (size // 1000 // len(WORDS))}\n")
    return lambda **how: prepare_ratings(Ratings(source="source"), **how)


KINDS: dict[str, Callable[[Path, int], Read]] = {
    "characters": language,
    "one line": one_line,
    "words": words,
    "gzip": packed,
    "standard input": piped,
    "labelled texts": labelled,
    "ratings": ratings,
}


def rise(read: Read, folder: Path, name: str) -> float:
    """How far a fork of this process rises while it reads into the corpus of this `name`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        failed = True
        try:
            before = own_kb()
            peaks = [before]
            read(base=folder, corpora=folder, out=folder / name, check=lambda: peaks.append(own_kb()))
            os.write(writer, str(max(peaks) - before).encode())
            failed = False
        finally:
            os._exit(failed)
    os.close(writer)
    with os.fdopen(reader) as told:
        kilobytes = told.read()
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
    return int(kilobytes) / 1024


def main() -> None:
    """Measure what is asked for."""
    folder, size = Path(sys.argv[1]), int(float(sys.argv[2]) * 2**20)
    found = {}
    for kind in sys.argv[3:] or KINDS:
        found[kind] = [round(rise(KINDS[kind](folder, n), folder, f"{kind} {n}"), 2) for n in (size, TIMES * size)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
