"""Eve: Adam with a rate that follows the loss (Hayashi, Koushik, Neubig 2016, arXiv 1611.01505, version 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

KEY = "eve"
"""Under which `state` holds what belongs to no single parameter."""


class Eve(torch.optim.Adam):
    """Adam whose rate is divided by a running average of how much the loss changes, relative to how far it has to fall.

    With f the loss of a step and f* its lower bound, for every step t but the first, where the divisor is 1:

        d_t       = |f_t - f_{t-1}| / (min(f_t, f_{t-1}) - f*)
        divisor_t = beta3 divisor_{t-1} + (1 - beta3) clip(d_t, 1/c, c)

    A loss that jumps about slows the run down, a loss that hardly moves speeds it up. At the bound or below it, where
    the paper's quotient means nothing, any change counts as c.

    `state["eve"]` holds the two scalars that a resumed run needs, the last loss and the divisor, in fp64 and on the
    device of the loss: nothing here waits for the device.

    Args:
        params: parameters or groups of them.
        lr: the rate before the division.
        betas: decay rates of the two moments and of the divisor.
        eps: added to the denominator.
        weight_decay: times the weight, added to the gradient.
        c: d_t is clipped to [1/c, c].
        floor: f*, in the unit of the loss.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        c: float = 10.0,
        floor: float = 0.0,
    ) -> None:
        super().__init__(params, lr, betas[:2], eps, weight_decay, fused=True)
        self.beta3, self.c, self.floor = betas[2], c, floor

    def step(self, closure: Callable[[], Any]) -> Any:
        """One update; the groups' rates are the caller's again afterwards.

        Args:
            closure: hands back the loss of this step, a scalar; it is called once.
        """
        loss = closure()
        divisor = self._divisor(torch.as_tensor(loss, dtype=torch.float64).detach())
        rates = [group["lr"] for group in self.param_groups]
        for group, lr in zip(self.param_groups, rates, strict=True):
            # On a CPU the fused kernel takes the number out of a tensor; on CUDA it reads fp32 where it lies.
            group["lr"] = (lr / divisor).float() if divisor.is_cuda else lr / divisor
        try:
            super().step()
        finally:
            for group, lr in zip(self.param_groups, rates, strict=True):
                group["lr"] = lr
        return loss

    def _divisor(self, loss: Tensor) -> Tensor:
        state = self.state
        if KEY in state:
            last, divisor = (state[KEY][name].to(loss.device) for name in ("loss", "divisor"))
            room = (torch.minimum(loss, last) - self.floor).clamp(min=torch.finfo(loss.dtype).tiny)
            change = ((loss - last).abs() / room).clamp(1 / self.c, self.c)
            divisor = self.beta3 * divisor + (1 - self.beta3) * change
        else:
            divisor = torch.ones_like(loss)
        state[KEY] = {"loss": loss, "divisor": divisor}
        return divisor
