from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from charrnn.logs.tail import Cut, Line, Tail


def line(number: int, life: int = 0) -> bytes:
    return (json.dumps({"step": number, "life": life}) + "\n").encode()


def append(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(lines)


def steps(tail: Tail) -> list[Any]:
    """What is new: the step of a record, with a sign where it is known; a cut as text."""
    found: list[Any] = []
    for new in tail.new():
        if isinstance(new, Cut):
            found.append(f"cut to {new.kept}")
        else:
            assert new.record is not None
            found.append(-new.record["step"] if new.known else new.record["step"])
    return found


def test_each_record_is_told_once_and_half_a_line_when_it_has_ended(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "m.jsonl")
    assert steps(tail) == []
    append(tail.path, line(1), line(2)[:5])
    assert steps(tail) == [1]
    assert steps(tail) == []
    append(tail.path, line(2)[5:], line(3))
    assert steps(tail) == [2, 3]


def test_what_a_resumed_run_cuts_away_is_noticed_even_where_the_file_has_grown_meanwhile(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "m.jsonl")
    append(tail.path, *(line(i) for i in (1, 2, 3)))
    assert steps(tail) == [1, 2, 3]
    os.truncate(tail.path, len(line(1)) * 2)
    append(tail.path, *(line(i, life=1) for i in (3, 4, 5)))
    assert steps(tail) == ["cut to 2", -1, -2, 3, 4, 5]


def test_a_run_that_began_anew_is_told_from_its_beginning(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "m.jsonl")
    append(tail.path, line(1))
    assert steps(tail) == [1]
    tail.path.unlink()
    assert steps(tail) == ["cut to 0"]
    append(tail.path, line(1, life=1))
    assert steps(tail) == [1]


def test_a_file_that_was_replaced_by_the_same_records_tells_nothing_new(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "m.jsonl")
    append(tail.path, line(1), line(2))
    assert steps(tail) == [1, 2]
    other = tmp_path / "other"
    append(other, line(1), line(2), line(3))
    other.replace(tail.path)
    assert steps(tail) == ["cut to 2", -1, -2, 3]


def test_a_line_that_is_no_record_is_told_as_none(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "m.jsonl")
    append(tail.path, b"nonsense\n", b"[1]\n", b"[" * 100_000 + b"\n", line(4))
    assert [new.record for new in tail.new() if isinstance(new, Line)] == [None, None, None, {"step": 4, "life": 0}]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.booleans()), max_size=12))
def test_whoever_follows_knows_what_is_in_the_file(changes: list[tuple[int, int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tail = Tail(Path(folder) / "m.jsonl")
        truth: list[dict[str, int]] = []
        told: list[dict[str, int]] = []
        for life, (kept, more, look) in enumerate(changes):
            truth = truth[:kept] + [{"step": kept + i, "life": life} for i in range(more)]
            data = "".join(json.dumps(record) + "\n" for record in truth).encode()
            with tail.path.open("r+b" if tail.path.exists() else "w+b") as file:
                file.truncate(0)
                file.write(data)
            for new in tail.new() if look else ():
                if isinstance(new, Cut):
                    before, told = told, []
                    kept_now = before[: new.kept]
                    assert kept_now == truth[: new.kept]
                else:
                    assert new.record is not None
                    assert not new.known or new.record in before
                    told.append(new.record)
            assert not look or told == truth
