"""A text that is taken apart into the symbols of another one's vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from charrnn.corpus.counting import Given
from charrnn.corpus.ready import Prepared
from charrnn.corpus.tokens import TokenCorpus
from charrnn.errors import DataError
from charrnn.text.encode import Unknown
from charrnn.text.vocabulary import Vocabulary

Prepare = Callable[..., Prepared[TokenCorpus]]
MAIN = Vocabulary("char", (), tuple("abcdef"))
SPELLING = Vocabulary("char", tuple(range(256)), tuple("abcdef"))


def text_of(found: Prepared[TokenCorpus]) -> str:
    return found.corpus.vocabulary.decode(found.corpus.tokens)


def test_its_tokens_are_ids_of_that_vocabulary(prepared: Prepare) -> None:
    found = prepared("fade", given={"given": Given(MAIN)}, split=[1.0, 0.0, 0.0])
    assert found.corpus.vocabulary == MAIN
    assert found.corpus.split("train").tokens.tolist() == MAIN.encode("fade").tolist()
    assert found.lost == ()


def test_a_vocabulary_that_spells_takes_every_text(prepared: Prepare) -> None:
    found = prepared("fäde ☃" * 9, given={"given": Given(SPELLING)})
    assert text_of(found) == "fäde ☃" * 9
    assert found.corpus.split("train").characters < len(found.corpus.split("train").tokens)


def test_symbols_that_it_lacks_are_named_with_what_to_do(prepared: Prepare, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lacks 2 symbols of the text: 'x' .*, 'y' ") as error:
        prepared("faxeday", given={"given": Given(MAIN)})
    assert error.value.where == "text.txt"
    assert "corpus.min_count" in str(error.value.hint)
    assert list((tmp_path / "corpora").iterdir()) == []


@pytest.mark.parametrize(("unknown", "text"), [("skip", "faedb"), ("replace", "faedab")])
def test_they_are_left_out_or_replaced_where_that_is_asked_for(prepared: Prepare, unknown: Unknown, text: str) -> None:
    """Nothing is like an x where there is no space."""
    found = prepared("faxedÄb", given={"given": Given(MAIN, unknown)})
    assert text_of(found) == text
    assert found.lost == ("x", "Ä")
    assert prepared(given={"given": Given(MAIN, unknown)}).lost == ()


def test_the_vocabulary_is_part_of_what_the_corpus_is(prepared: Prepare) -> None:
    one = prepared("fade" * 9)
    found = [prepared(given={"given": given}) for given in (Given(MAIN), Given(SPELLING), Given(MAIN, "skip"))]
    digests = [one.corpus.digest, *(other.corpus.digest for other in found)]
    assert len(set(digests)) == 4
    assert not prepared(given={"given": Given(MAIN)}).fresh
    assert not np.array_equal(found[0].corpus.tokens, found[1].corpus.tokens)


def test_a_text_of_which_nothing_is_left_is_refused(prepared: Prepare) -> None:
    with pytest.raises(DataError, match="training split is empty"):
        prepared("xyz", given={"given": Given(MAIN, "skip")})
