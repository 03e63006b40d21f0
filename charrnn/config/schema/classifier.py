"""`model:` of the task `classify`: from a sequence to one score per label."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charrnn.config.schema.base import AsTuple, Count, Fraction, Section, default_kind
from charrnn.config.schema.model import Core, EmbeddingInput, GruCore, OneHotInput


class ValuesInput(Section):
    """Each step is a vector of numbers, as in images; there is nothing to look up."""

    kind: Literal["values"]

    dropout: Fraction = 0.0
    """Dropout on the input of the first layer."""


ClassifierInput = Annotated[
    EmbeddingInput | OneHotInput | ValuesInput, Field(discriminator="kind"), default_kind("embedding")
]


class ClassifierHead(Section):
    """From what the sequence has become to one score per label."""

    hidden: Annotated[tuple[Count, ...], AsTuple] = ()
    """Sizes of dense ReLU layers before the output."""

    dropout: Fraction = 0.0
    """Dropout in front of every dense layer of the head, the output among them."""


class RecurrentClassifier(Section):
    """Stacked recurrent layers, many-to-one: input → layers → pool → head."""

    kind: Literal["recurrent"] = "recurrent"
    input: ClassifierInput = EmbeddingInput()
    core: Core = GruCore(kind="gru", hidden=128)

    bidirectional: bool = False
    """A second stack reads every sequence from its end, and both are pooled side by side."""

    pool: Literal["last", "mean", "max"] = "last"
    """What of the last layer the head receives: the output at the last step of each sequence, or the mean or the
    greatest value over all its steps."""

    head: ClassifierHead = ClassifierHead()


class ConvolutionClassifier(Section):
    """Filters of several widths over neighbouring steps, ReLU, and the greatest value of each (Kim 2014)."""

    kind: Literal["convolution"]
    input: ClassifierInput = EmbeddingInput()

    widths: Annotated[tuple[Count, ...], Field(min_length=1), AsTuple] = (3, 4, 5)
    """How many neighbouring steps the filters of each size see."""

    filters: Count = 100
    """Filters of each width."""

    head: ClassifierHead = ClassifierHead(dropout=0.5)


ClassifierModel = Annotated[
    RecurrentClassifier | ConvolutionClassifier, Field(discriminator="kind"), default_kind("recurrent")
]
