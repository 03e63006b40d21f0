import errno
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.errors import DataError, StorageError
from charrnn.logs.record import Record, last_record, read_records, truncate_after


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


def write(path, *records, keep=0):
    file = Record(path, keep)
    for record in records:
        file.log(record)
    file.close()
    return file


def test_records_come_back_in_order(path):
    write(path, {"step": 1, "nats": 0.1}, {"step": 2, "best": True, "text": "é\n\u2028"})
    assert read_records(path) == [{"step": 1, "nats": 0.1}, {"step": 2, "best": True, "text": "é\n\u2028"}]
    assert path.read_bytes().count(b"\n") == 2


def test_every_record_is_on_its_way_to_the_disk_at_once(path):
    file = Record(path, 0)
    file.log({"step": 1})
    assert read_records(path) == [{"step": 1}]
    file.close()
    file.close()


def test_what_json_lacks_is_written_as_text(path):
    write(path, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": "\udcff"})
    strict = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert strict == {"a": "nan", "b": "inf", "c": "-inf", "d": "\udcff"}
    assert math.isnan(float(read_records(path)[0]["a"]))


def test_half_a_line_at_the_end_is_dropped_by_the_reader_and_removed_by_the_writer(path):
    path.write_bytes(b'{"step": 1}\n{"step": 2, "na')
    assert read_records(path) == [{"step": 1}]
    assert last_record(path) == {"step": 1}
    write(path, {"step": 3}, keep=1)
    assert path.read_bytes() == b'{"step": 1}\n{"step": 3}\n'
    assert not path.with_name("metrics.jsonl.bak").exists(), "half a record is none"


def test_a_last_line_without_its_end_is_half_a_line_even_if_it_reads_like_a_whole_one(path):
    path.write_bytes(b'{"step": 1}\n{"step": 2}')
    assert read_records(path) == [{"step": 1}]


@pytest.mark.parametrize("garbage", [b"{", b"", b"\xff", b"\0\0", b"[1]", b'"x"', b"3"])
def test_garbage_in_the_middle_is_an_error_that_names_the_line(path, garbage):
    path.write_bytes(b'{"step": 1}\n' + garbage + b'\n{"step": 3}\n')
    with pytest.raises(DataError, match="this line is not a record") as caught:
        read_records(path)
    assert caught.value.where == f"{path}:2"
    assert caught.value.exit_code == 3


def test_no_file_is_no_records(path):
    assert read_records(path) == []
    assert last_record(path) is None
    assert truncate_after(path, 5) == 0


def test_later_records_of_another_life_are_dropped_and_kept_aside(path):
    write(path, *({"step": step} for step in (10, 20, 20, 30)))
    before = path.read_bytes()
    file = write(path, {"step": 25}, keep=3)
    assert [record["step"] for record in read_records(path)] == [10, 20, 20, 25]
    assert file.count == 4
    assert path.with_name("metrics.jsonl.bak").read_bytes() == before


def test_what_stays_is_not_rewritten(path):
    path.write_bytes(b'{"step":   1}\n{"step": 2}\n')
    inode = path.stat().st_ino
    assert truncate_after(path, 7) == 2
    assert path.stat().st_ino == inode
    assert list(path.parent.iterdir()) == [path]
    assert truncate_after(path, 1) == 1
    assert path.read_bytes() == b'{"step":   1}\n', "kept as it stood"


@pytest.mark.parametrize("tail", [b"garbage\n", b"", b"\n", b"[]\n", b'{"step": 1'])
def test_the_last_record_of_a_damaged_file_is_none(path, tail):
    path.write_bytes(tail)
    assert last_record(path) is None


def test_the_last_record_of_a_long_file_is_found(path):
    path.write_bytes(b'{"text": "' + b"x" * (3 << 20) + b'"}\n{"step": 9}\n')
    assert last_record(path) == {"step": 9}


def test_a_folder_in_its_place_is_told(path):
    path.mkdir()
    with pytest.raises(DataError, match="cannot read the records"):
        read_records(path)


def test_a_folder_that_is_missing_is_not_made(tmp_path):
    with pytest.raises(StorageError):
        Record(tmp_path / "no" / "metrics.jsonl", 0)


@pytest.mark.faults
def test_a_full_disk_leaves_the_records_before_it_whole(path, monkeypatch):
    file = Record(path, 0)
    file.log({"step": 1})
    write_all = os.write

    def write_half(descriptor, data):
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_all(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", write_half)
    with pytest.raises(StorageError) as caught:
        file.log({"step": 2, "text": "long enough to be written in parts"})
    assert caught.value.exit_code == 7
    assert caught.value.where == str(path)
    assert path.read_bytes() == b'{"step": 1}\n'
    monkeypatch.setattr(os, "write", write_all)
    file.log({"step": 3})
    file.close()
    assert read_records(path) == [{"step": 1}, {"step": 3}]
    assert file.count == 2


@pytest.mark.faults
def test_short_writes_are_continued(path, monkeypatch):
    write_all = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write_all(descriptor, data[:3]))
    write(path, {"step": 1, "text": "in pieces"})
    assert read_records(path) == [{"step": 1, "text": "in pieces"}]


@pytest.mark.faults
def test_a_disk_that_refuses_to_flush_is_a_storage_error(path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    file = Record(path, 0)
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="cannot write"):
        file.sync()
    file.close()


@pytest.mark.faults
def test_a_folder_without_permission_is_a_storage_error(path, monkeypatch):
    def refuse(name, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(name))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError) as caught:
        Record(path, 0)
    assert caught.value.where == str(path)


VALUES = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text(), st.none())


@given(st.lists(st.dictionaries(st.text(), VALUES), max_size=5), st.integers(0, 6), st.binary(max_size=5))
def test_any_records_survive_any_cut(tmp_path_factory, records, keep, half):
    path = tmp_path_factory.mktemp("records") / "r.jsonl"
    write(path, *records)
    with path.open("ab") as file:
        file.write(half.replace(b"\n", b""))
    assert read_records(path) == records
    write(path, {"step": 1}, keep=keep)
    assert read_records(path) == [*records[:keep], {"step": 1}]
    assert Path(f"{path}.bak").exists() == (keep < len(records))
