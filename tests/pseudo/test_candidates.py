"""What may be labelled: nothing that is known, and nothing that is asked about."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelling import Workplace

from charrnn.corpus.labelled import LabelledCorpus
from charrnn.pseudo.candidates import UNKNOWN, candidates_of

ROWS = [(f"item {number} of {number * number}", "ab"[number % 2]) for number in range(60)]


def corpus(place: Workplace, **keys: object) -> LabelledCorpus:
    text = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)
    return place.corpus(text, split=[0.5, 0.25, 0.25], min_count=1, **keys)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_hidden_labels_are_the_truths_and_all_are_candidates(place: Workplace) -> None:
    own = corpus(place, labelled=6)
    found = candidates_of(own, transductive=False)
    assert found.parts == ("unlabelled",)
    assert found.number_N.tolist() == list(range(len(own.split("unlabelled"))))
    assert found.truth_N.tolist() == own.split("unlabelled").truths.tolist()
    assert min(found.truth_N.tolist()) >= 0
    assert found.left_out == {}


def test_what_a_source_brings_along_from_elsewhere_is_left_out(place: Workplace) -> None:
    first = corpus(place)
    held = [first.split(part).text(0) for part in ("valid", "test", "train")]
    place.write("more", "\n".join(["new one", *map(str, held), "new two", str(held[1])]) + "\n")
    own = corpus(place, unlabelled_source=place.place("more"), unlabelled_form="lines")
    found = candidates_of(own, transductive=False)
    texts = [own.split("unlabelled").text(number) for number in found.number_N.tolist()]
    assert texts == ["new one", "new two"]
    assert found.left_out == {"in validation too": 1, "in the test too": 2, "labelled already": 1}
    assert found.truth_N.tolist() == [UNKNOWN, UNKNOWN]


def test_test_items_come_in_only_when_asked_for_and_without_their_labels(place: Workplace) -> None:
    own = corpus(place, labelled=6)
    found = candidates_of(own, transductive=True)
    hidden, test = len(own.split("unlabelled")), len(own.split("test"))
    assert found.parts == ("unlabelled", "test")
    assert found.part_N.tolist() == [0] * hidden + [1] * test
    assert found.number_N.tolist() == [*range(hidden), *range(test)]
    assert found.truth_N.tolist()[hidden:] == [UNKNOWN] * test
