"""`pseudo:` of `task: language`: rounds of distillation, in which a student learns what a teacher predicts."""

from __future__ import annotations

from typing import Literal

from charrnn.config.schema.base import Count
from charrnn.config.schema.mixed_text import OtherCorpus
from charrnn.config.schema.rounds import Begins, Patience, Positive, Rounds


class TextStop(Patience):
    """When the rounds end before their time. The best round by validation is handed back then; round 0 is one of them
    where it was trained here, and not where the teacher was given."""

    @property
    def better(self) -> Literal["nats"]:
        """The figure of validation that rounds are compared by."""
        return "nats"


class TextRounds(Rounds, Begins):
    """Rounds in which a student learns what a teacher predicts, in lanes beside those of the text itself (Hinton,
    Vinyals, Dean 2015). A teacher of its own kind is that of born-again networks (Furlanello et al. 2018)."""

    rounds: Count = 1
    """Students at most; each is the next one's teacher."""

    text: OtherCorpus | None = None
    """The text that the teacher predicts: one that nobody has labelled, as it were, since its own symbols are no
    targets. `null` is the training split of the main text. It should hold nothing of validation and test."""

    lanes: Count = 16
    """How many lanes of it are in each batch, on top of `stream.lanes`."""

    temperature: Positive = 2.0
    """What the scores of the teacher and of the student are divided by before they are compared; the loss is multiplied
    by its square."""

    stop: TextStop = TextStop()
