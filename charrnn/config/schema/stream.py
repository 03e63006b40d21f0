"""`stream:` how a split becomes batches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import Count, Fraction, Section


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

    @model_validator(mode="after")
    def _sizes_agree(self) -> Lanes:
        if self.reach is not None and self.reach < self.chunk:
            raise ValueError(f"reach ({self.reach}) must be at least chunk ({self.chunk})")
        if isinstance(self.lengths, RandomLengths) and self.lengths.least > self.chunk:
            raise ValueError(f"lengths.least ({self.lengths.least}) must be at most chunk ({self.chunk})")
        return self
