"""Linear recurrences h' = a h + b over all steps of a chunk, as an associative scan.

Three forms of one function. The loop goes from step to step. The tree joins neighbouring steps to pairs, pairs to fours
and so on, and fills in what lies between on the way back (Blelloch 1990): some 3 log2 T operations over many steps at
once in place of T small ones, for about twice the work. Neither divides or takes logarithms, so that a product of many
factors which vanishes is a zero and no more. The kernel is an installed library's, on CUDA and in fp32 (`kernel.py`).
Which form is fastest depends on the machine and the sizes: `fastest_form`.

Shapes: B rows, T steps, H units, S = T − 1 links between neighbouring steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.models.kernel import kernel_scan, obstacle

Form = Literal["loop", "tree", "kernel"]

_ROUNDS = 9
_SECONDS = 1.0


def linear_scan(a_BTH: Tensor, b_BTH: Tensor, start_BH: Tensor, form: Form) -> Tensor:
    """h_BTH with h_t = a_t h_(t−1) + b_t, from the state in front of the first step.

    The gradient is exact, and a scan itself, from the last step to the first. It has no gradient of its own.

    Args:
        a_BTH: what each step keeps.
        b_BTH: what each step adds.
        start_BH: the state in front of the first step.
        form: they differ by rounding only; the kernel runs where `kernel.obstacle` names none.
    """
    return _LinearScan.apply(a_BTH, b_BTH, start_BH, form)


class _LinearScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a_BTH: Tensor, b_BTH: Tensor, start_BH: Tensor, form: Form) -> Tensor:
        first_BH = torch.addcmul(b_BTH[:, 0], a_BTH[:, 0], start_BH)
        h_BTH = _SCANS[form](a_BTH[:, 1:], b_BTH, first_BH, False)
        ctx.save_for_backward(a_BTH, h_BTH, start_BH)
        ctx.form = form
        return h_BTH

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, grad_BTH: Tensor) -> tuple[Tensor | None, ...]:
        """What h_t adds to the loss is its own share and a_(t+1) times that of h_(t+1)."""
        a_BTH, h_BTH, start_BH = ctx.saved_tensors
        grad_b_BTH = _SCANS[ctx.form](a_BTH[:, 1:], grad_BTH, grad_BTH[:, -1], True)
        grad_a_BTH = torch.empty_like(grad_b_BTH)
        torch.mul(grad_b_BTH[:, 0], start_BH, out=grad_a_BTH[:, 0])
        torch.mul(grad_b_BTH[:, 1:], h_BTH[:, :-1], out=grad_a_BTH[:, 1:])
        return grad_a_BTH, grad_b_BTH, grad_b_BTH[:, 0] * a_BTH[:, 0], None


def _loop(links_BSH: Tensor, b_BTH: Tensor, first_BH: Tensor, backwards: bool) -> Tensor:
    """The recurrence step by step from `first_BH`, which stands in place of the first (or last) of b."""
    h_BTH = b_BTH.new_empty(b_BTH.shape)
    order = slice(None, None, -1 if backwards else 1)
    links, b, h = (tensor.unbind(1)[order] for tensor in (links_BSH, b_BTH, h_BTH))
    h[0].copy_(first_BH)
    for link_BH, b_BH, before_BH, after_BH in zip(links, b[1:], h[:-1], h[1:], strict=True):
        torch.addcmul(b_BH, link_BH, before_BH, out=after_BH)
    return h_BTH


def _tree(links_BSH: Tensor, b_BTH: Tensor, first_BH: Tensor, backwards: bool) -> Tensor:
    """The same in log2 T sweeps up and as many down, each over all lanes and every 2 d-th step."""
    h_BTH = b_BTH.flip(1) if backwards else b_BTH.clone()
    # Entry t − 1 belongs to step t: the product of all links from some steps before it.
    p_BSH = links_BSH.flip(1) if backwards else links_BSH.clone()
    h_BTH[:, 0].copy_(first_BH)
    steps, d = h_BTH.shape[1], 1
    while 2 * d <= steps:
        h_BTH[:, 2 * d - 1 :: 2 * d].addcmul_(p_BSH[:, 2 * d - 2 :: 2 * d], h_BTH[:, d - 1 : steps - d : 2 * d])
        p_BSH[:, 4 * d - 2 :: 2 * d].mul_(p_BSH[:, 3 * d - 2 : steps - 1 - d : 2 * d])
        d *= 2
    while d:
        if 3 * d <= steps:
            h_BTH[:, 3 * d - 1 :: 2 * d].addcmul_(p_BSH[:, 3 * d - 2 :: 2 * d], h_BTH[:, 2 * d - 1 : steps - d : 2 * d])
        d //= 2
    return h_BTH.flip(1) if backwards else h_BTH


_SCANS: dict[Form, Callable[[Tensor, Tensor, Tensor, bool], Tensor]] = {
    "loop": _loop,
    "tree": _tree,
    "kernel": kernel_scan,
}


def fastest_form(
    rows: int,
    steps: int,
    units: int,
    device: torch.device,
    precision: str,
    clock: Callable[[], float] = time.perf_counter,
) -> Form:
    """The form that is faster here, forward and backward: by the median of a few rounds that take turns.

    On CUDA it is the kernel where that runs, else the tree, unmeasured: there a loop costs a launch for every step.

    Args:
        rows: B.
        steps: T.
        units: H.
        device: where the scan will run.
        precision: `fp32` or `fp64`; what is measured is fp32.
        clock: tells seconds.
    """
    if device.type == "cuda":
        return "tree" if obstacle(device, precision) else "kernel"
    generator = torch.Generator().manual_seed(0)
    a_BTH, b_BTH = torch.rand(2, rows, steps, units, generator=generator).requires_grad_()
    start_BH = torch.zeros(rows, units)
    seconds: dict[Form, list[float]] = {"loop": [], "tree": []}
    began = clock()
    for turn in range(1 + _ROUNDS):
        for form, times in seconds.items():
            before = clock()
            torch.autograd.grad(linear_scan(a_BTH, b_BTH, start_BH, form).sum(), (a_BTH, b_BTH))
            times.append(clock() - before)
        if turn and clock() - began > _SECONDS:
            break
    # The first turn of each warms up.
    return min(seconds, key=lambda form: median(seconds[form][1:]))
