"""`evaluate:` and `sample:` what is done with a model while it trains and after."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charrnn.config.schema.base import AsTuple, Count, Section

Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Evaluate(Section):
    """Validation: its own lanes and its own state, so that training's is untouched."""

    lanes: Count = 16
    """Lanes that the validation split is cut into; recorded with every figure, as it moves the figure a
    little."""

    chunk: Count = 128
    """Tokens per row and step; for speed only, the figure does not depend on it."""

    every: Count | Literal["epoch"] = "epoch"
    """Steps between evaluations, or `epoch`."""


class Sample(Section):
    """Text from the model; options of `charrnn sample` go before these keys."""

    seed: str | None = None
    """The text that warms the state; `null` begins from the `<start>` symbol."""

    length: Count = 320
    """Tokens to draw."""

    temperature: Annotated[float, Field(gt=0.0)] = 0.8
    """Scores are divided by it before the softmax: below 1 safer, above 1 bolder."""

    greedy: bool = False
    """Always take the likeliest symbol."""

    top_k: Count | None = None
    """Draw among the k most likely symbols only."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Draw among the fewest symbols whose probabilities sum to p (Holtzman et al. 2020)."""

    min_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Draw among symbols at least this likely relative to the likeliest (Nguyen et al. 2024)."""

    stop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], AsTuple] = ()
    """The text ends in front of the first of these strings to appear."""

    random_seed: Seed = 1
    """The draws are a function of it: the same seed gives the same text."""
