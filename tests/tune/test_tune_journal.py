from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tuning import Tuning

from charrnn.errors import DataError
from charrnn.tune import journal
from charrnn.tune.journal import drop_half_line, open_journal


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=6), st.binary(max_size=40))
@example([], b"")
@example([b"x" * 11, b""], b"y" * 40)
def test_half_a_line_goes_and_whole_lines_stay(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], half: bytes
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    whole = b"".join(line + b"\n" for line in lines)
    path.write_bytes(whole + half.replace(b"\n", b""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_BLOCK", 7)
        drop_half_line(path)
    assert path.read_bytes() == whole


def test_a_study_goes_on_behind_half_a_line(tuning: Tuning) -> None:
    tuning.search("study", "tune.trials=1")
    path = tuning.path / "study" / journal.JOURNAL
    before = path.read_bytes()
    path.write_bytes(before + b'{"op_code": 4, "wor')
    tuning.search("study", "tune.trials=2")
    assert path.read_bytes().startswith(before + b'{"op_code"')
    assert [trial["state"] for trial in tuning.journal("study")] == ["COMPLETE", "COMPLETE"]


@pytest.mark.parametrize("text", [b"hello\n", b"{}\n", b'{"op_code": 99, "worker_id": "x"}\n', b"\xff\xfe\n"])
def test_what_is_no_journal_is_said_to_be_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / journal.JOURNAL
    path.write_bytes(text + b'{"op_code": 0}\n')
    with pytest.raises(DataError, match="journal"):
        open_journal(path)
