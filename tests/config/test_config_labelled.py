"""The sections of a labelled corpus: kinds, splits, and what does not go together."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from charrnn.config.schema.labelled import Folder, Images, Labelled, Table

ADAPTER: TypeAdapter[Table | Folder | Images] = TypeAdapter(Labelled)


def read(**keys: Any) -> Table | Folder | Images:
    return ADAPTER.validate_python({"source": "x", **keys})


def problem(**keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**keys)
    return "; ".join(error["msg"] for error in caught.value.errors())


def test_the_kinds() -> None:
    assert type(read()) is Table
    assert type(read(kind="folder")) is Folder
    assert type(read(kind="images", labels="y")) is Images
    assert type(read(kind="images", source="builtin:digits")) is Images
    assert "does not match any of the expected tags" in problem(kind="tabel")


def test_the_defaults_are_a_table_with_a_header() -> None:
    table = read()
    assert isinstance(table, Table)
    assert (table.text, table.label, table.header, table.quoting, table.min_count) == ("text", "label", True, "csv", 2)


def test_shares() -> None:
    assert read().parts == (0.9, 0.05, 0.05)
    assert read(test_source="t").parts == (0.9, 0.1)
    assert read(split=["rest", 10, 5]).parts == ("rest", 10, 5)
    assert read(split=["rest", 10], test_source="t").parts == ("rest", 10)
    assert read(split=[1, 0], test_source="t").parts == (1, 0)
    assert read(kind="images", source="named:mnist").parts == read(fold=[1, 3]).parts == (0.9, 0.1)


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"split": [0.9, 0.1]}, "split has three parts"),
        ({"split": [0.8, 0.1, 0.1], "test_source": "t"}, "split has two parts, for `test_source` is the test set"),
        ({"split": [0.8, 0.1, 0.1], "fold": [1, 10]}, "split has two parts, for `fold` is the test set"),
        ({"fold": [1, 10], "test_source": "t"}, "fold takes the test set out of the source, and `test_source` gives"),
        ({"fold": [11, 10]}, "fold is [k, n], fold k of n"),
        ({"fold": [1, 1]}, "fold is [k, n], fold k of n"),
        ({"fold": [0, 10]}, "greater than or equal to 1"),
        ({"split": [0.9, 0.05, 0.04]}, "fractions must sum to 1"),
        ({"split": [10, 5, 5]}, "one of three counts must be `rest`"),
        ({"split": [10, 5], "test_source": "t"}, "one of two counts must be `rest`"),
        ({"split": ["rest", "rest", 5]}, "only one part may be `rest`"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"labelled": 0}, "greater than or equal to 1"),
        ({"test_source": "-"}, "a file, a folder or a glob"),
        ({"unlabelled_source": "https://example.org/x"}, "a file, a folder or a glob"),
        ({"encoding": "utf-9"}, "Python knows no encoding named 'utf-9'"),
        ({"unit": "byte", "case": "lower", "min_count": 3}, "unit `byte` reads bytes as they are: remove case, min_co"),
        ({"unit": "byte", "newlines": "keep"}, "unit `byte` reads bytes as they are: remove newlines"),
        ({"text": "x", "label": "x"}, "text and label are the same column"),
        ({"header": False}, "without a header columns have numbers: give that of text and label"),
        ({"header": False, "label": 1}, "without a header columns have numbers: give that of text"),
        ({"text": 0}, "greater than or equal to 1"),
        ({"format": "jsonl", "text": 1}, "the columns of a `jsonl` table are keys"),
        ({"delimiter": "tab"}, "one character"),
        ({"delimiter": '"'}, "one character"),
        ({"kind": "folder", "text": "x"}, "Extra inputs are not permitted"),
        ({"kind": "images"}, "labels is needed"),
        ({"kind": "images", "source": "builtin:digits", "labels": "y"}, "labels is needed, but for `builtin:digits`"),
        ({"kind": "images", "labels": "y", "test_source": "t"}, "test_source and test_labels go together"),
        ({"kind": "images", "labels": "y", "test_labels": "t"}, "test_source and test_labels go together"),
        ({"kind": "images", "labels": "y", "longest": 3}, "Extra inputs are not permitted"),
        ({"kind": "images", "source": "named:mnist", "labels": "y"}, "`named:mnist`, which have their own"),
        (
            {"kind": "images", "source": "named:mnist", "test_source": "t", "test_labels": "u"},
            "`named:mnist` has a test set of its own",
        ),
        ({"kind": "images", "source": "named:mnist", "fold": [1, 2]}, "out of the source, and `named:mnist` gives one"),
        ({"kind": "images", "source": "named:mnist", "split": [0.8, 0.1, 0.1]}, "for `named:mnist` is the test set"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], what: str) -> None:
    assert what in problem(**keys)


def test_the_form_of_items_is_that_of_texts() -> None:
    table = read(case="lower", normal_form="NFC", encoding="cp1252", newlines="keep", unit="word", min_count=3)
    assert isinstance(table, Table)
    form = table.form
    assert (form.case, form.normal_form, form.encoding, form.newlines) == ("lower", "NFC", "cp1252", "keep")
    assert (form.unit, form.min_count) == ("word", 3)
    byte = read(kind="folder", unit="byte")
    assert isinstance(byte, Folder)
    assert (byte.form.newlines, byte.form.unit) == ("keep", "byte")
