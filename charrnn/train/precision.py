"""In what numbers an update is computed, and the loss scale that fp16 needs.

Weights, optimizer, loss, carried state and figures are in the weights' own type (fp32, or fp64). With a reduced type
the products of the forward pass, and with them those of the backward pass, are in fewer bits (`models/reduced.py`).
fp16 has few exponents: a small gradient would vanish, so the loss is multiplied by a scale before its gradient is
taken, which is divided by it afterwards (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2).

The scale lives on the device and moves there, in place: nothing of an update waits for the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from charrnn.contracts import Loss

Kind = Literal["fp64", "fp32", "fp16", "bf16"]
"""What `train.precision` may be, when it has been decided."""

REDUCED: Mapping[Kind, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}


class LossScale:
    """A scale that falls to a half where a gradient overflows, and doubles after so many good updates in a row.

    What is scaled is the mean over all places of a batch, so the scale means the same whatever the size of the batch,
    and in however many parts or processes it is computed.

    Args:
        device: where it lives.

    Attributes:
        value: the scale, a scalar in fp32; a power of two, so that scaling rounds nothing.
        good: good updates in a row since it last moved, a scalar.
    """

    BEGIN, FLOOR, CEILING = 2.0**16, 1.0, 2.0**24
    PATIENCE = 2000

    def __init__(self, device: torch.device) -> None:
        self.value = torch.tensor(self.BEGIN, device=device)
        self.good = torch.tensor(0, device=device)

    def look(self, sound: Tensor, norm: Tensor) -> Tensor:
        """Move after an update.

        Args:
            sound: whether all but the gradient is finite; what is not finite in the forward pass, no scale can mend.
            norm: the gradient's norm.

        Returns:
            Whether the scale was too high, and has fallen: the gradient alone is not finite, and the scale was not at
            its floor.
        """
        finite = norm.isfinite()
        over = sound & ~finite & (self.value > self.FLOOR)
        self.good.add_(1).mul_(sound & finite)
        grows = self.good >= self.PATIENCE
        self.good.mul_(~grows)
        # By arithmetic: `torch.where` would copy its numbers to the device, which no CUDA graph can hold.
        self.value.mul_(1.0 - 0.5 * over.float() + grows.float()).clamp_(self.FLOOR, self.CEILING)
        return over


@dataclass(frozen=True)
class Precision:
    """In what numbers an update is computed; as it stands, in those of the weights.

    Attributes:
        reduced: the type of the products of a forward pass and of its gradient; None for the weights' own.
        tf32: whether fp32 matrix products on CUDA are in TF32, those of cuDNN's kernels being so by PyTorch's default.
        scale: the loss scale, of fp16.
    """

    reduced: torch.dtype | None = None
    tf32: bool = False
    scale: LossScale | None = None

    @classmethod
    def of(cls, kind: Kind, tf32: bool, device: torch.device) -> Precision:
        """That of a plan, at the beginning of a run."""
        return cls(REDUCED.get(kind), tf32, LossScale(device) if kind == "fp16" else None)

    def forward(self, device: torch.device) -> AbstractContextManager[object]:
        """A block for the forward pass of an update.

        Casts are not kept for a second use: a CUDA graph must hold all that it needs, and PyTorch 2.10 hands a cast
        that was made without a gradient, as scheduled sampling makes them, to what needs one.
        """
        if self.reduced is None:
            return nullcontext()
        return torch.autocast(device.type, self.reduced, cache_enabled=False)

    @contextmanager
    def products(self) -> Iterator[None]:
        """A block for the forward and the backward pass of an update."""
        if not self.tf32:
            yield
            return
        matmul, before = torch.backends.cuda.matmul, torch.backends.cuda.matmul.fp32_precision
        matmul.fp32_precision = "tf32"  # `allow_tf32` is the older word for it, which some versions warn of
        try:
            yield
        finally:
            matmul.fp32_precision = before

    def backward(self, loss: Loss, rows: int, whole: bool) -> None:
        """Add the gradient of a loss to the parameters', scaled where there is a scale.

        Args:
            loss: of a batch, or of a part of one.
            rows: those of the global batch.
            whole: whether it is the loss of all rows, per target; else it is their sum.
        """
        if self.scale is not None:
            (loss.total * (self.scale.value / _places(loss, rows))).backward()
        else:
            (loss.objective if whole else loss.total).backward()

    def unscale(self, model: nn.Module, loss: Loss, rows: int, whole: bool) -> None:
        """Undo what `backward` has multiplied the gradients by; with `whole` they are per target afterwards."""
        if self.scale is None:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        factor = _places(loss, rows) / self.scale.value.double()
        factor = factor / loss.divisor if whole else factor
        with torch.no_grad():
            torch._foreach_mul_(gradients, factor.to(gradients[0].dtype))

    def look(self, figures: Mapping[str, Tensor], norm: Tensor) -> dict[str, Tensor]:
        """Move the scale after an update, if there is one, and tell of it.

        Args:
            figures: what must be finite besides the gradient; of all processes.
            norm: the norm of the gradient.

        Returns:
            `scale`, by which the loss was multiplied, and `overflow`, whether that was too much.
        """
        if self.scale is None:
            return {}
        used = self.scale.value.clone()
        sound = torch.stack([figure.isfinite() for figure in figures.values()]).all()
        return {"scale": used, "overflow": self.scale.look(sound, norm)}

    @property
    def numbers(self) -> tuple[Tensor, ...]:
        """What on the device moves with the updates."""
        return () if self.scale is None else (self.scale.value, self.scale.good)

    def told(self) -> dict[str, float]:
        """For a record: the scale, if there is one. It waits for the device."""
        return {} if self.scale is None else {"loss_scale": self.scale.value.item()}

    def document(self) -> dict[str, Any] | None:
        """For a checkpoint: what `restore` takes."""
        scale = self.scale
        return None if scale is None else {"scale": scale.value.item(), "good": scale.good.item()}

    def restore(self, document: Mapping[str, Any] | None) -> None:
        """Go on with the scale of a checkpoint; one that knew of none leaves it at its beginning."""
        if self.scale is not None:
            found = document or {"scale": LossScale.BEGIN, "good": 0}
            self.scale.value.fill_(found["scale"])
            self.scale.good.fill_(found["good"])


def _places(loss: Loss, rows: int) -> int:
    """The targets that a batch of so many rows has room for, as the next power of two: known without a look at the
    device, the same for all its parts, and no cause of rounding."""
    return 1 << max(0, rows * loss.each.shape[1:].numel() - 1).bit_length()
