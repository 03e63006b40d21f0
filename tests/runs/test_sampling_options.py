"""Options of one command in the place of a run's keys."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from charrnn.config.schema import Sample
from charrnn.errors import UsageError
from charrnn.runs.sampling import settled


def test_what_is_given_goes_before_the_keys() -> None:
    section = Sample(length=7, temperature=(1.0, 0.5), ban="x")
    assert settled(section, {"length": 9, "require": ("a",)}) == Sample(
        length=9, temperature=(1.0, 0.5), ban="x", require=("a",)
    )
    assert settled(section, {"temperature": 2.0}).temperature == 2.0
    assert settled(section, {}) == section


def test_a_beam_that_is_given_sets_filters_aside_and_drawing_sets_a_beam_aside() -> None:
    filtered = Sample(greedy=True, top_k=3, top_p=0.5, min_p=0.1, temperature=0.3)
    assert settled(filtered, {"beam": 4}) == Sample(beam=4, temperature=0.3)
    searching = Sample(beam=4)
    for given in ({"temperature": 0.8}, {"top_k": 3}, {"random_seed": 1}, {"require": ("a",)}, {"greedy": True}):
        assert settled(searching, given) == Sample(**given)
    assert settled(searching, {"length": 9}) == Sample(beam=4, length=9)


@pytest.mark.parametrize("key", ["temperature", "greedy", "top_k", "top_p", "min_p", "require", "random_seed"])
def test_a_beam_and_an_option_of_drawing_exclude_one_another(key: str) -> None:
    with pytest.raises(UsageError, match=f"--beam and --{key.replace('_', '-')} exclude"):
        settled(Sample(), {"beam": 4, key: 1})


def test_a_section_with_a_beam_has_no_filters() -> None:
    for keys in ({"greedy": True}, {"top_k": 3}, {"require": ("a",)}):
        with pytest.raises(ValidationError, match=f"goes without {next(iter(keys))}"):
            Sample.model_validate({"beam": 4, **keys})
    with pytest.raises(UsageError, match="goes without require") as error:
        settled(Sample(require=("a",)), {"beam": 2})
    assert "--" not in error.value.what


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"temperature": -1.0}, "--temperature -1.0: Input should be greater than 0"),
        ({"temperature": (1.0, -2.0)}, "--temperature -2.0: Input should be greater than 0"),
        ({"top_k": 0}, "--top-k 0: Input should be greater than or equal to 1"),
        ({"only": ""}, "--only : String should have at least 1 character"),
    ],
)
def test_a_value_that_is_not_allowed_is_one_line(given: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError) as error:
        settled(Sample(), given)
    assert error.value.what == line
