"""A text prepared by several processes: the same corpus to the byte, whatever their number.

Every pass hands out pieces (`charrnn.text.pieces`). Counting adds up. Where tokens belong is known as soon as those in
front of them have been made, so workers hold theirs until they are told, and write them into the files of the corpus;
this process takes the digests, and finds where documents begin, in the order of the text.

Whatever is wrong with a text is left to one process, which reads it from its beginning and says what and where.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.counting import Given
from charrnn.corpus.crew import Crew, Member
from charrnn.corpus.documents import DocumentWriter
from charrnn.corpus.manifest import SourceRecord
from charrnn.corpus.placing import Placing
from charrnn.text.blocks import changed, read_errors
from charrnn.text.pieces import Work
from charrnn.text.sources import Source
from charrnn.text.tally import Tally
from charrnn.text.vocabulary import Vocabulary
from charrnn.text.watch import Watch

_HELD = 2
"""So many pieces a worker holds at most before it waits for their places."""


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Jobs:
    """How many processes read a large text.

    Attributes:
        count: the processes; 1 for none but this one.
        least: a smaller text, in bytes, is read by this process alone.
        slow: the same of a text of words, or that is brought into a normal form, which takes ten times as long.
        piece: about how many bytes one reads at a time.
    """

    count: int = field(default_factory=cores)
    least: int = 256 << 20
    slow: int = 16 << 20
    piece: int = 8 << 20

    def enough(self, settings: Corpus, size: int) -> bool:
        """Whether a text of so many bytes is worth several processes."""
        slow = settings.unit == "word" or settings.normal_form != "none"
        return self.count > 1 and size >= (min(self.slow, self.least) if slow else self.least)


class Several:
    """The passes over one text, by a crew.

    Args:
        settings: what becomes of the text.
        source: the text.
        work: its pieces.
        crew: who reads them.
        watch: told about every piece.
    """

    def __init__(self, settings: Corpus, source: Source, work: list[Work], crew: Crew, watch: Watch) -> None:
        self._settings, self._source, self._work, self._crew, self._watch = settings, source, work, crew, watch
        self._total = sum(piece.size for each in work for piece in each)
        self._stamps: list[tuple[int, ...] | None] = []

    def end(self) -> None:
        """End the processes."""
        self._crew.end()

    def look(self) -> list[SourceRecord]:
        """Sizes and digests of the files."""
        self._stamps = self._stamped()
        return [record for _, record in sorted(self._records(range(len(self._source.files)), "look").items())]

    def count(self, records: list[SourceRecord]) -> tuple[Tally, list[SourceRecord]]:
        """Count the symbols; `records` are those of the files, or none where they have not been looked at, and then
        they are on the way."""
        self._stamps = self._stamps or self._stamped()
        found = dict(enumerate(records))
        if not found:
            cut = {piece.number for each in self._work for piece in each if piece.end is not None}
            found = self._records(sorted(cut), None)
        known = bool(records)
        for _, more in self._each("count", [(each,) for each in self._work], self._sizes(), "count"):
            for number, record in more[1]:
                if known and found[number] != record:
                    raise changed(self._source.files[number])
                found[number] = record
        tally = Tally(self._settings)
        for counts in self._crew.tell("counts"):
            tally.add_counts(counts)
        return tally, [record for _, record in sorted(found.items())]

    def measure(self, folder: Path, part_bytes: int | None, split: tuple[int, int], width: int) -> tuple[int, int]:
        """How many characters, and bytes of UTF-8, the tokens of a split stand for."""
        start, end = split
        edges = [*range(start, end, self._step(width)), end]
        tasks = [(folder, part_bytes, *pair) for pair in pairwise(edges)]
        sizes = [(upto - at) * width for _, _, at, upto in tasks]
        found = [pair for _, pair in self._each("measure", tasks, sizes, "measure")]
        return sum(characters for characters, _ in found), sum(count for _, count in found)

    def encode(
        self,
        vocabulary: Vocabulary,
        given: Given | None,
        records: list[SourceRecord],
        folder: Path,
        part_bytes: int | None,
        documents: DocumentWriter | None,
    ) -> Placing:
        """Write the tokens; `documents` hears them in their order."""
        fresh = Vocabulary(vocabulary.unit, vocabulary.byte_values, vocabulary.symbols)  # without its tables
        self._crew.tell("use", fresh, given, folder)
        tokens = Placing(folder, part_bytes, np.dtype(vocabulary.dtype.newbyteorder("<")), documents)
        try:
            known = dict(enumerate(records))
            self._encode(tokens, known)
            cut = sorted({piece.number for each in self._work for piece in each if piece.end is not None})
            for number, record in self._records(cut, None).items():
                if record != known[number]:
                    raise changed(self._source.files[number])
            self._refuse_change()
        except BaseException:
            tokens.discard()
            raise
        return tokens

    def _encode(self, tokens: Placing, known: dict[int, SourceRecord]) -> None:
        """Let every piece be made into tokens, placed, and taken in."""
        left, done, sizes = enumerate(self._work), 0, self._sizes()
        holding: dict[Member, list[int]] = {member: [] for member in self._crew.members}
        doing: dict[Member, tuple[str, int]] = {}

        def hand_out(member: Member) -> None:
            """Placing comes first; who waits for a place makes one more piece, so that nobody waits for long."""
            number = next((held for held in holding[member] if tokens.place(held) is not None), None)
            if number is not None:
                holding[member].remove(number)
                doing[member] = "place", number
                member.ask("place", number, tokens.place(number))
            elif len(holding[member]) < _HELD and (task := next(left, None)) is not None:
                doing[member] = "encode", task[0]
                member.ask("encode", *task, {piece.number: known[piece.number] for piece in task[1]})

        for member in self._crew.members:
            hand_out(member)
        for member in self._crew.ready():
            (kind, number), answer = doing[member], member.answer()
            if kind == "encode":
                tokens.made(number, answer)
                holding[member].append(number)
            for idle in self._crew.members:
                if not idle.busy:
                    hand_out(idle)
            if kind == "place":
                tokens.placed(number, self._work[number])
                done += sizes[number]
                self._watch.block("encode", done, self._total)

    def _records(self, numbers: Any, label: str | None) -> dict[int, SourceRecord]:
        """The records of the files with these numbers."""
        files = [self._source.files[number] for number in numbers]
        sizes = [file.size() for file in files]
        found = self._each("digest", [(file,) for file in files], sizes, label)
        return {numbers[number]: record for number, record in found}

    def _each(
        self, name: str, tasks: list[tuple[Any, ...]], sizes: list[int], label: str | None
    ) -> Iterator[tuple[int, Any]]:
        """Let all tasks be done; under `label` the watch hears of the bytes done."""
        done = 0
        for number, answer in self._crew.each((name, task) for task in tasks):
            done += sizes[number]
            if label is not None:
                self._watch.block(label, done, sum(sizes))
            yield number, answer

    def _sizes(self) -> list[int]:
        return [sum(piece.size for piece in each) for each in self._work]

    def _step(self, width: int) -> int:
        return max(1, max(self._sizes()) // width)

    def _stamped(self) -> list[tuple[int, ...] | None]:
        """What the file system says of each file: it says something else when the file is written to."""
        return [_stamp(file.place) if isinstance(file.place, Path) else None for file in self._source.files]

    def _refuse_change(self) -> None:
        for file, now, before in zip(self._source.files, self._stamped(), self._stamps, strict=True):
            if now != before:
                raise changed(file)


def _stamp(path: Path) -> tuple[int, ...]:
    with read_errors(path):
        found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
