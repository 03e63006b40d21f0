"""The typist who is simulated, key by key."""

from __future__ import annotations

import pytest
from smallmodel import Small, letters

from charrnn.sample.keystrokes import Keystrokes, type_out
from charrnn.sample.offers import Suggestion, Suggestions
from charrnn.sample.suggest import Place, Suggester

VOCABULARY = letters("abcdehnt ,.\n")


class Offering(Suggester):
    """Offers the rests of some words, whatever came before, with a space in front where a sign came last."""

    words: tuple[str, ...] = ()

    def suggest(self, place: Place, k: int) -> Suggestions:
        space = " " if place.last and not place.last.isalnum() and not place.last.isspace() else ""
        fits = [word for word in self.words[:k] if word.startswith(place.begun)]
        offers = [Suggestion(space + word.removeprefix(place.begun), word, 0.5) for word in fits]
        return Suggestions((), tuple(offers), True)


def typed(text: str, *words: str, k: int = 5) -> Keystrokes:
    class These(Offering):
        pass

    These.words = words
    return type_out(These(Small(VOCABULARY), VOCABULARY), text, k)


@pytest.mark.parametrize(
    ("text", "words", "keys", "taken"),
    [
        ("the then", (), 8, 0),
        ("the end", ("the",), 1 + 3, 1),  # one key brings the word and its space
        ("the,", ("the",), 2 + 1, 1),  # a second one takes the space away
        ("the", ("the",), 2, 1),
        ("be,", ("be",), 3, 0),  # that saves nothing
        ("a b", ("a",), 1 + 1, 1),
        ("then ", ("the",), 5, 0),  # the word goes on otherwise
        ("then ", ("the", "then"), 1, 1),
        ("at, the end", ("the",), 3 + 1 + 3, 1),  # behind a sign, the space in front comes with it
        ("the\nend", ("the", "end"), 2 + 1 + 2, 2),
    ],
)
def test_keys(text: str, words: tuple[str, ...], keys: int, taken: int) -> None:
    found = typed(text, *words)
    assert (found.keys, found.taken, found.characters) == (keys, taken, len(text))
    assert found.saved == pytest.approx(1 - keys / len(text))


def test_only_k_words_are_offered() -> None:
    assert typed("the end", "ten", "the", k=1).keys == 7
    assert typed("the end", "ten", "the", k=2).keys == 4


def test_words_are_counted_as_they_stand() -> None:
    assert typed("the, end.\nat").words == 3
    assert typed("").saved == 0.0


def test_a_model_never_costs_keys() -> None:
    text = "the cat ate the bean, then the hen. " * 3
    vocabulary = letters("".join(set(text)))
    found = type_out(Suggester(Small(vocabulary), vocabulary), text, 3)
    assert 0 < found.keys <= len(text)
    assert found.words == 24
