"""`train.optimizer:` how gradients become steps.

The default rates suit character models under the default `clip_norm` of 1. Losses are means per token, so the rates
change little with lanes and chunk.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import AsTuple, Fraction, Section, default_kind

Rate = Annotated[float, Field(gt=0.0)]
Decay = Annotated[float, Field(ge=0.0)]
Betas = Annotated[tuple[Fraction, ...], Field(min_length=2, max_length=2), AsTuple]
ThreeBetas = Annotated[tuple[Fraction, ...], Field(min_length=3, max_length=3), AsTuple]


class Sgd(Section):
    """Stochastic gradient descent, plain, with momentum (Polyak 1964) or with Nesterov's (Sutskever, Martens, Dahl,
    Hinton 2013)."""

    kind: Literal["sgd"]

    lr: Rate = 1.0
    """The learning rate, before the schedule. Momentum multiplies the steps by up to 1 / (1 - momentum); where training
    is near its limit, divide the rate by as much."""

    momentum: Fraction = 0.0
    """How much of the last step's velocity is kept."""

    nesterov: bool = False
    """Look ahead along the velocity; needs `momentum`."""

    weight_decay: Decay = 0.0
    """This times the weight is added to the gradient of matrices; biases and BatchNorm are left alone."""

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Sgd:
        if self.nesterov and not self.momentum:
            raise ValueError("`nesterov` looks ahead along the momentum: give `momentum` too, 0.9 for example")
        return self


class Adagrad(Section):
    """A rate per weight that falls with the sum of its squared gradients (Duchi, Hazan, Singer 2011)."""

    kind: Literal["adagrad"]

    lr: Rate = 4e-2
    """The learning rate, before the schedule."""

    eps: Rate = 1e-10
    """Added to the denominator."""

    weight_decay: Decay = 0.0
    """This times the weight is added to the gradient of matrices; biases and BatchNorm are left alone."""


class RmsProp(Section):
    """A rate per weight that follows a moving average of its squared gradients (Tieleman and Hinton 2012)."""

    kind: Literal["rmsprop"]

    lr: Rate = 2e-3
    """The learning rate, before the schedule."""

    alpha: Fraction = 0.95
    """Decay rate of the moving average."""

    eps: Rate = 1e-8
    """Added to the denominator."""

    weight_decay: Decay = 0.0
    """This times the weight is added to the gradient of matrices; biases and BatchNorm are left alone."""


class Adam(Section):
    """Adam (Kingma and Ba 2015)."""

    kind: Literal["adam"]

    lr: Rate = 1e-3
    """The learning rate, before the schedule."""

    betas: Betas = (0.9, 0.999)
    """Decay rates of the two moving averages."""

    eps: Rate = 1e-8
    """Added to the denominator."""

    weight_decay: Decay = 0.0
    """This times the weight is added to the gradient of matrices, and so divided by the root of its second moment;
    `adamw` keeps it out of the moments. Biases and BatchNorm are left alone."""


class AdamW(Section):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"

    lr: Rate = 2e-3
    """The learning rate, before the schedule."""

    betas: Betas = (0.9, 0.99)
    """Decay rates of the two moving averages."""

    eps: Rate = 1e-8
    """Added to the denominator."""

    weight_decay: Decay = 0.01
    """Decay of the matrices; biases and BatchNorm are left alone."""


class Eve(Section):
    """Adam whose rate follows the loss: divided by a running average of the loss's relative change (Hayashi, Koushik,
    Neubig 2016)."""

    kind: Literal["eve"]

    lr: Rate = 5e-4
    """The learning rate, before the schedule and before the division; the records show it so. The loss of a large batch
    changes by a few percent from step to step, so the divisor falls from 1 towards 1 / `max_change`, and the steps grow
    up to `max_change` times: begin lower than with `adam`."""

    betas: ThreeBetas = (0.9, 0.999, 0.999)
    """Decay rates of the two moving averages of Adam and of that of the relative change."""

    max_change: Annotated[float, Field(ge=1.0)] = 10.0
    """The relative change is clipped to this and to its inverse before it is averaged; c in the paper."""

    floor: Annotated[float, Field(ge=0.0)] = 0.0
    """The lowest loss there can be, in nats per token; the change is taken relative to the distance from it."""

    eps: Rate = 1e-8
    """Added to the denominator."""

    weight_decay: Decay = 0.0
    """This times the weight is added to the gradient of matrices; biases and BatchNorm are left alone."""


Optimizer = Annotated[
    Sgd | Adagrad | RmsProp | Adam | AdamW | Eve,
    Field(discriminator="kind"),
    default_kind("adamw"),
]
