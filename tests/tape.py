"""A graph without CUDA: the operations of some work, recorded with the memory that they read and write, and repeated.

Like a graph it knows nothing of what Python did around them, and like a capture it refuses what would make the host
wait, send a number or draw one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

REFUSED = ("_local_scalar_dense", "nonzero", "lift_fresh", "bernoulli", "rand", "equal.", "is_nonzero")


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.done: list[Callable[[], None]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if any(str(func).startswith(f"aten.{name}") for name in REFUSED):
            raise RuntimeError(f"{func} is not permitted in a capture")
        # Their memory as it is seen now: another shape may be given to a tensor itself, behind this operation.
        seen_args, seen_kwargs = tree_map_only(Tensor, Tensor.detach, (args, kwargs))
        result, learning = func(*args, **kwargs), torch.is_grad_enabled()
        if torch.Tag.inplace_view in func.tags:
            return result
        taken = {tensor.untyped_storage().data_ptr() for tensor in tensors((args, kwargs))}
        given = [tensor.detach() for tensor in tensors(result)]
        writes = any(argument.alias_info and argument.alias_info.is_write for argument in func._schema.arguments)
        fresh = any(tensor.untyped_storage().data_ptr() not in taken for tensor in given)

        def again() -> None:
            with torch.set_grad_enabled(learning):  # some kernels keep more for a gradient
                found = func(*seen_args, **seen_kwargs)
            for place, tensor in zip(given, tensors(found), strict=True) if not writes else ():
                place.copy_(tensor)

        if writes or fresh:  # anything else is a view, and sees what becomes of what it is a view of
            self.done.append(again)
        return result


def tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in what an operation takes or gives."""
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def taped(work: Callable[[], None]) -> Callable[[], None]:
    """A capture: does the work a few times, records it once more, and returns what repeats the record."""
    for _ in range(2):
        work()
    with _Recorder() as recorder:
        work()

    def repeat() -> None:
        for operation in recorder.done:
            operation()

    return repeat
