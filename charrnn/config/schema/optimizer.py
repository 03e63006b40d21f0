"""`train.optimizer:` how gradients become steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from charrnn.config.schema.base import AsTuple, Fraction, Section, default_kind

Rate = Annotated[float, Field(gt=0.0)]
Betas = Annotated[tuple[Fraction, ...], Field(min_length=2, max_length=2), AsTuple]


class Adam(Section):
    """Adam (Kingma and Ba 2015)."""

    kind: Literal["adam"]

    lr: Rate = 1e-3
    """The learning rate, before the schedule."""

    betas: Betas = (0.9, 0.999)
    """Decay rates of the two moving averages."""

    eps: Rate = 1e-8
    """Added to the denominator."""


class AdamW(Section):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"

    lr: Rate = 2e-3
    """The learning rate, before the schedule."""

    betas: Betas = (0.9, 0.99)
    """Decay rates of the two moving averages."""

    eps: Rate = 1e-8
    """Added to the denominator."""

    weight_decay: Annotated[float, Field(ge=0.0)] = 0.01
    """Decay of the matrices; biases and BatchNorm are left alone."""


Optimizer = Annotated[Adam | AdamW, Field(discriminator="kind"), default_kind("adamw")]
