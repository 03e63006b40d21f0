"""`evaluate:` and `sample:` what is done with a model while it trains and after."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import AsTuple, Count, Section, default_kind

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[float, Field(ge=0.0)]
FILTERS = ("greedy", "top_k", "top_p", "min_p")
"""Keys of `sample` that narrow down what is drawn."""


class _Dynamic(Section):
    segment: Count = 20
    """Tokens between two updates; each gradient reaches back so far."""

    lanes: Count = 1
    """Lanes that the split is read by, one copy of the weights learning from all of them; 1 is strictly online."""


class RmsDynamic(_Dynamic):
    """Gradients are divided by their usual size over the training text, and weights are drawn back to where they
    were, those with usually large gradients the most (Krause et al. 2018, section 4)."""

    kind: Literal["rms"] = "rms"

    lr: Size = 0.25
    """The rate: how far a gradient of the usual size moves all weights together; one of N weights goes lr / √N. How
    the defaults were found is told in docs/evaluation.md."""

    decay: Size = 1e-3
    """The share of its way back to the trained value that each segment draws an average weight."""

    eps: Annotated[float, Field(gt=0.0)] = 0.03
    """Added to the usual size of a gradient, in units of its mean over all weights: weights whose gradient was nearly
    always zero do not leap."""

    statistics: Count = 400
    """Segments of the training split, spread over it, whose gradients give the usual sizes."""


class SgdDynamic(_Dynamic):
    """Plain steps against the gradient, and a draw back to the trained weights that is the same for all."""

    kind: Literal["sgd"]

    lr: Size = 0.02
    """The rate, for the gradient of a segment's mean loss per token."""

    decay: Size = 3e-4
    """The share of its way back to the trained value that each segment draws a weight."""


Dynamic = Annotated[RmsDynamic | SgdDynamic, Field(discriminator="kind"), default_kind("rms")]


class Evaluate(Section):
    """Validation while training goes on."""

    every: Count | Literal["epoch"] = "epoch"
    """Steps between evaluations, or `epoch`."""


class LanguageEvaluate(Evaluate):
    """Validation: its own lanes and its own state, so that training's is untouched."""

    lanes: Count = 16
    """Lanes that the validation split is cut into; recorded with every figure, as it moves the figure a
    little. A stream of windows is validated by its windows instead."""

    chunk: Count = 128
    """Tokens per row and step; for speed only, the figure does not depend on it."""

    dynamic: Dynamic = RmsDynamic()
    """How `charrnn evaluate --dynamic` lets a copy of the weights learn from the text that it has just predicted."""


Temperature = Annotated[float, Field(gt=0.0)]
Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], AsTuple]


class Sample(Section):
    """Text from the model; options of `charrnn sample` go before these keys. docs/sampling.md tells more of each."""

    seed: str | None = None
    """The text that warms the state; `null` begins from the `<start>` symbol."""

    length: Count = 320
    """Tokens to draw."""

    temperature: Temperature | Annotated[tuple[Temperature, ...], Field(min_length=1), AsTuple] = 0.8
    """Scores are divided by it before the softmax: below 1 safer, above 1 bolder. A list is run through over `length`:
    the first symbol has the first temperature, the last one the last, and those between lie on straight lines."""

    greedy: bool = False
    """Always take the likeliest symbol."""

    top_k: Count | None = None
    """Draw among the k most likely symbols only."""

    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Draw among the fewest symbols whose probabilities sum to p (Holtzman et al. 2020)."""

    min_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Draw among symbols at least this likely relative to the likeliest (Nguyen et al. 2024)."""

    beam: Count | None = None
    """Search for the likeliest text with so many candidates in place of drawing; the temperature plays no part."""

    ban: str = ""
    """Characters that never appear in the text."""

    only: Annotated[str, Field(min_length=1)] | None = None
    """The only characters that may appear in the text; `null`: all."""

    require: Texts = ()
    """Every one of these strings appears in the text before it may end."""

    stop: Texts = ()
    """The text ends in front of the first of these strings to appear."""

    random_seed: Seed = 1
    """The draws are a function of it: the same seed gives the same text."""

    @model_validator(mode="after")
    def _searched_or_drawn(self) -> Sample:
        drawing = [name for name in (*FILTERS, "require") if getattr(self, name)]
        if self.beam is not None and drawing:
            raise ValueError(f"`beam` searches and draws nothing: it goes without {', '.join(drawing)}")
        return self
