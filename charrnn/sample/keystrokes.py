"""How many keys suggestions save, by a typist who is simulated.

The rule. The typist wants a text and types it from its beginning, a key for each character. In front of each key he
looks at the k words that are offered, at no cost. One that the text goes on with, to the end of its word, he takes if
that needs fewer keys than typing it. Taking costs one key, and brings the word and a space behind it. Where the text
goes on with a space, that is one key less; where it does not, a second key takes the space away again. Of several he
takes the one that saves most. Symbols that are offered play no part. What is saved is the share of keys that were not
pressed; without suggestions there would be as many as characters.
"""

from __future__ import annotations

from dataclasses import dataclass

from charrnn.sample.offers import Suggestion
from charrnn.sample.suggest import Suggester, word_character
from charrnn.text.watch import Progress, no_progress


@dataclass(frozen=True)
class Keystrokes:
    """What the typist came to.

    Attributes:
        k: how many words were offered.
        characters: of the text, each a key where nothing is offered.
        keys: that were pressed.
        words: of the text.
        taken: words that were taken from an offer.
    """

    k: int
    characters: int
    keys: int
    words: int
    taken: int

    @property
    def saved(self) -> float:
        """The share of keys that were not pressed; below 0 never."""
        return 1.0 - self.keys / self.characters if self.characters else 0.0


def type_out(suggester: Suggester, text: str, k: int, progress: Progress = no_progress) -> Keystrokes:
    """Type a text with k suggestions at hand; see above for the rule.

    Args:
        suggester: what suggests.
        text: in the form of the model's corpus.
        k: words that are offered at a time.
        progress: hears of the characters typed.

    Raises:
        UnknownSymbols: the vocabulary lacks a symbol of the text, under `error`.
    """
    place, at, keys, taken = suggester.start, 0, 0, 0
    while at < len(text):
        step, cost = 1, 1
        if _may_begin(text, at):
            offers = suggester.suggest(place, k).words
            fitting = [saving for offer in offers if (saving := _saving(text, at, offer))]
            if fitting:
                (step, cost), taken = max(fitting, key=lambda saving: saving[0] - saving[1]), taken + 1
        place = suggester.after(place, text[at : at + step])
        at, keys = at + step, keys + cost
        progress("type", at, len(text))
    begins = (word_character(text[i]) and (i == 0 or not word_character(text[i - 1])) for i in range(len(text)))
    return Keystrokes(k, len(text), keys, sum(begins), taken)


def _may_begin(text: str, at: int) -> bool:
    """Whether an offer can be what is wanted here: a word goes on or begins, perhaps behind a space."""
    return word_character(text[at]) or (text[at] == " " and at + 1 < len(text) and word_character(text[at + 1]))


def _saving(text: str, at: int, offer: Suggestion) -> tuple[int, int] | None:
    """How far an offer that is wanted leads, and for how many keys; None where it is not, or saves none."""
    end = at + len(offer.text)
    if not text.startswith(offer.text, at) or (end < len(text) and word_character(text[end])):
        return None
    step, cost = (end + 1 - at, 1) if text[end : end + 1] == " " else (end - at, 2)
    return (step, cost) if cost < step else None
