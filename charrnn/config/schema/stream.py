"""`stream:` how a split becomes batches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import Count, Fraction, Section, default_kind
from charrnn.config.schema.mixed_text import TextMix


class FixedLengths(Section):
    """Every chunk has `chunk` tokens; the last of an epoch is filled up and masked."""

    kind: Literal["fixed"] = "fixed"


class RandomLengths(Section):
    """Chunks of random length, so that the joints of the chunks fall elsewhere in every epoch; the rate of a step is
    multiplied by its length / `chunk` (Merity, Keskar, Socher 2017, section 5)."""

    kind: Literal["random"]

    halve: Fraction = 0.05
    """How often the mean length is half of `chunk`."""

    spread: Annotated[float, Field(ge=0.0)] = 5.0
    """The standard deviation of the length, in tokens."""

    least: Count = 5
    """No chunk is shorter, but for one that ends the lane."""


Lengths = Annotated[FixedLengths | RandomLengths, Field(discriminator="kind")]


class Lanes(Section):
    """Contiguous lanes: each row of the batch reads its own unbroken passage, chunk after chunk."""

    kind: Literal["lanes"] = "lanes"

    lanes: Count | Literal["auto"] = "auto"
    """How many lanes the split is cut into: the rows of a batch. `auto` takes 32, and fewer where the text is
    so short that a lane would hold less than eight chunks."""

    chunk: Count = 64
    """k1: new tokens per row and update."""

    reach: Count | None = None
    """k2: the gradient of an update reaches back so many tokens, over earlier chunks too; `null` means `chunk`
    (Williams and Peng 1990). The older tokens are read again under the new weights, which costs time."""

    lengths: Lengths = FixedLengths()

    offset: Literal["fixed", "random"] = "fixed"
    """`random` begins every epoch at another place of the text, which is read as a ring: the lanes stay contiguous,
    and where the end of the text meets its beginning the state begins anew."""

    reset_chance: Fraction = 0.0
    """How often the state of a row begins anew in front of a chunk, so that the model learns to begin, too."""

    mix: TextMix = None
    """Lanes of other texts in every batch, or lanes that learn what a teacher says, besides those of `lanes`. A name is
    what the records call the mean loss of these lanes; validation, `best` and epochs are of the main text alone."""

    @model_validator(mode="after")
    def _sizes_agree(self) -> Lanes:
        if self.reach is not None and self.reach < self.chunk:
            raise ValueError(f"reach ({self.reach}) must be at least chunk ({self.chunk})")
        if isinstance(self.lengths, RandomLengths) and self.lengths.least > self.chunk:
            raise ValueError(f"lengths.least ({self.lengths.least}) must be at most chunk ({self.chunk})")
        return self


class Windows(Section):
    """Windows of the text, each a row of its own that begins from a cold state; nothing is carried from one to the
    next. Validation reads the windows of its split in the same way, in order, every window once; `evaluate.lanes` and
    `evaluate.chunk` play no part in it."""

    kind: Literal["windows"]

    length: Count = 8
    """Symbols that are read in a window, and the most that a prediction can see. A text that the model writes is drawn
    in the same way: for each new symbol the last so many are read again from a cold state."""

    stride: Count | None = None
    """Tokens from the beginning of one window to that of the next; `null` means `length`: they lie side by side. A
    smaller one lets them overlap."""

    batch: Count = 64
    """Windows per update: the rows of a batch."""

    targets: Literal["each", "last"] = "each"
    """`each` predicts a symbol after every symbol of a window; the last window of the text may be shorter. `last`
    predicts only the one that follows a whole window (many-to-one): begin its samples with a `sample.seed` of at least
    `length` symbols, as it has learned nothing about fewer."""

    shuffle: bool = True
    """Read the windows of training in another order in every epoch; `false` reads them as they lie in the text."""

    @model_validator(mode="after")
    def _leaves_no_gaps(self) -> Windows:
        if self.stride is not None and self.stride > self.length:
            raise ValueError(
                f"stride ({self.stride}) must be at most length ({self.length}): the text between would never be read"
            )
        return self

    @property
    def hop(self) -> int:
        """`stride` as a number."""
        return self.length if self.stride is None else self.stride


Stream = Annotated[Lanes | Windows, Field(discriminator="kind"), default_kind("lanes")]
