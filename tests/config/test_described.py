"""Every key of a config has words of its own, and they are those that stand below it."""

from __future__ import annotations

import pytest

from charrnn.config import described
from charrnn.config.described import description
from charrnn.config.schema import Train
from charrnn.config.schema.labelled import Images, Table
from charrnn.config.schema.train import RecurrentTrain


def test_the_words_below_a_key_are_its_description() -> None:
    assert description(Table, "quoting").startswith("`csv`: a field in double quotes may hold")
    assert "\n" not in description(Table, "quoting")


def test_a_key_that_is_inherited_has_the_words_of_the_class_that_has_it() -> None:
    assert description(Table, "seed") == description(Images, "seed") != ""
    assert description(RecurrentTrain, "max_steps") == description(Train, "max_steps") != ""


def test_a_key_that_is_defined_anew_has_new_words() -> None:
    assert description(Images, "source").startswith("The file of the pictures, or `builtin:digits`")
    assert description(Table, "source").startswith("A file (plain or .gz), a folder")
    assert description(Table, "kind") == ""


def test_without_sources_there_are_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(module: object) -> str:
        raise OSError("could not get source code")

    described._said.cache_clear()
    monkeypatch.setattr(described.inspect, "getsource", lost)
    assert description(Table, "quoting") == ""
    described._said.cache_clear()
