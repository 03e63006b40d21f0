"""Scheduled sampling: some inputs are symbols that the model itself has drawn (Bengio, Vinyals, Jaitly, Shazeer 2015).

The symbols of a chunk are drawn all at once from the scores of a pass over the chunk, then the mixed chunk is read
again, as often as the config asks (Duckworth et al. 2019, "Parallel Scheduled Sampling"). With as many passes as the
chunk is long, every symbol has been drawn after its own mixed past: the original, symbol by symbol.

Shapes: B rows (lanes), T columns, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from charrnn.config.schema.train import ExponentialFeedback, Feedback, LinearFeedback, SigmoidFeedback
from charrnn.models.core import Draws
from charrnn.text.vocabulary import Vocabulary


def share_of_draws(config: Feedback, step: int) -> float:
    """How many of the inputs are drawn in the update after `step`, from 0 to 1 (section 2.4 of the paper)."""
    match config:
        case LinearFeedback():
            return config.to * min(1.0, step / config.over)
        case ExponentialFeedback():
            return 1.0 - config.k**step
        case SigmoidFeedback():
            # k / (k + e^x) with its exponent kept small
            return 1.0 / (1.0 + config.k * math.exp(-min(step / config.k, 700.0)))


def mixed_inputs(
    scores: Callable[[Tensor], Tensor], x_BT: Tensor, fixed_BT: Tensor, share: float, passes: int, draws: Draws
) -> Tensor:
    """The inputs with a share of them drawn from the model's own predictions.

    Args:
        scores: the model: from x_BT to logits_BTV, without a gradient.
        x_BT: the true inputs.
        fixed_BT: True for inputs that stay, because no prediction of this chunk stands in front of them.
        share: how many of the others are drawn.
        passes: how often the model is asked.
        draws: the random numbers of the training step.
    """
    chosen_BT = draws.uniform_rows("which inputs are drawn", x_BT.to(torch.float64)) < share
    chosen_BT = chosen_BT & ~fixed_BT
    level_BT1 = draws.uniform_rows("drawn inputs", x_BT.to(torch.float64))[..., None]
    mixed_BT = x_BT
    for _ in range(passes):
        shares_BTV = scores(mixed_BT).to(torch.float64).softmax(-1)
        shares_BTV[..., Vocabulary.START] = 0.0  # no text holds it, and the sampler never draws it
        rising_BTV = shares_BTV.cumsum(-1)
        drawn_BT = (rising_BTV <= level_BT1 * rising_BTV[..., -1:]).sum(-1)
        follows_BT = torch.cat([x_BT[:, :1], drawn_BT[:, :-1]], 1)
        mixed_BT = torch.where(chosen_BT, follows_BT, x_BT)
    return mixed_BT
