"""The execution plan: on what, and how, a run computes; a resumed run repeats it."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from charrnn.config.schema import Config, RecurrentTrain, Train
from charrnn.config.schema.model import ScannedCore
from charrnn.contracts import Stream
from charrnn.errors import DeviceError
from charrnn.models.kernel import obstacle
from charrnn.models.scan import Form, fastest_form
from charrnn.runs.allocator import keep_freed_memory
from charrnn.runs.hardware import hardware_of
from charrnn.train.launch import local_rank
from charrnn.train.precision import REDUCED, Kind

WAY = ("precision", "tf32", "padded")
"""What of a plan is how an update is computed: measured where it is not given."""

_MOVES_NOTHING = ("step", "tokens")


@dataclass(frozen=True)
class Plan:
    """How a run computes.

    Attributes:
        device: `cpu`, or `cuda:<number>`.
        device_name: what the machine calls it.
        precision: `fp64`, `fp32`, `fp16` or `bf16`.
        deterministic: whether operations that may differ from run to run are refused.
        threads: CPU threads.
        torch: the version.
        numpy: its version.
        micro_batches: into how many parts the rows of a process are cut.
        processes: how many share a batch.
        scan: how linear recurrences are computed; None where the model has none.
        step: how updates are done on a CUDA device: operation by operation, or as graphs.
        tokens: where those of training lie.
        tf32: whether fp32 matrix products on CUDA are in TF32.
        padded: whether layers are computed as larger ones, of sizes that cuDNN's persistent kernels take.
    """

    device: str
    device_name: str
    precision: Kind
    deterministic: bool
    threads: int
    torch: str
    numpy: str = np.__version__
    micro_batches: int = 1
    processes: int = 1
    scan: Form | None = None
    step: Literal["eager", "graph"] = "eager"
    tokens: Literal["host", "device"] = "host"
    tf32: bool = False
    padded: bool = False

    @property
    def way(self) -> str:
        """What an update is computed in, in words."""
        words = {"tf32": "TF32 products", "padded": "sizes padded"}
        return ", ".join([self.precision, *(text for name, text in words.items() if getattr(self, name))])

    def differences(self, former: dict[str, Any]) -> list[str]:
        """What no longer is as in the plan of an earlier session, as `name: before → now`; what that did not write down
        is not compared, nor what moves no number."""
        now = {key: value for key, value in asdict(self).items() if key not in _MOVES_NOTHING}
        return [f"{key}: {former[key]} → {now[key]}" for key in now if key in former and former[key] != now[key]]

    def differences_in_measuring(self, former: dict[str, Any]) -> list[str]:
        """Those that figures of a trained model could tell: they are the same in whatever way its updates were
        computed."""
        return self.differences({name: value for name, value in former.items() if name not in WAY})

    def exactness(self, former: dict[str, Any]) -> str | None:
        """What is left of the promise that a resumed run is bit for bit the unbroken one; None where all of it is."""
        changed = self.differences(former)
        if not changed:
            return None
        left = "the order of the data and all draws are the same, and each update is the same but for rounding"
        if torch.device(self.device).type != torch.device(former.get("device", self.device)).type:
            left = "the order of the data is the same; another kind of device draws other numbers for dropout"
        return f"not bit for bit what an unbroken run would give: {', '.join(changed)}; {left}"


def make_plan(settings: Train, former: dict[str, Any] | None = None, processes: int = 1, training: bool = True) -> Plan:
    """Decide how to compute; what is measured for it is decided later, by `with_scan` and `with_way`.

    Args:
        settings: the `train:` section.
        former: the plan of the session that is resumed; its number of threads is kept, as it moves results.
        processes: how many share a batch.
        training: False where a model is only measured, which is done in fp32 whatever it was trained in, or in fp64.

    Raises:
        DeviceError: the device does not exist here, or does not compute in the precision that is asked for.
    """
    # The engine `scratch` runs on the CPU, and the schema refuses to name another device beside it.
    device = device_of("cpu" if settings.by_hand else settings.device)
    threads = settings.threads or (former or {}).get("threads") or torch.get_num_threads()
    hardware = hardware_of(device)
    precision: Kind = "fp32" if settings.precision == "auto" else settings.precision
    if not training and precision in REDUCED:
        precision = "fp32"
    hardware.refuse(precision)
    plan = Plan(str(device), hardware.name, precision, settings.deterministic, threads, torch.__version__)
    return replace(plan, micro_batches=settings.micro_batches, processes=processes)


def with_scan(plan: Plan, config: Config, stream: Stream, former: dict[str, Any] | None = None) -> Plan:
    """The plan with the form of the model's scans: as the config says, as before, or measured.

    Args:
        plan: the plan, applied already: its threads are measured with.
        config: the whole config.
        stream: the batches that the model will see.
        former: the plan of the session that is resumed; on the same kind of device its form is kept.

    Raises:
        ConfigError, MissingExtraError: the config, or the former plan, asks for a kernel that does not run here.
    """
    core, settings = getattr(config.model, "core", None), config.train
    if not isinstance(core, ScannedCore) or not isinstance(settings, RecurrentTrain) or settings.by_hand:
        return plan
    device = torch.device(plan.device)
    if settings.scan != "auto":
        return _scanned(plan, settings.scan, "train.scan")
    if former and former.get("scan") and torch.device(former["device"]).type == device.type:
        return _scanned(plan, former["scan"], "the plan in the checkpoint's config.json")
    if settings.deterministic and device.type == "cpu":
        return replace(plan, scan="loop")
    return replace(plan, scan=fastest_form(stream.rows, stream.columns, core.hidden, device, _of_scans(plan)))


def _scanned(plan: Plan, form: Form, where: str) -> Plan:
    """The plan with the form that `where` asks for."""
    error = obstacle(torch.device(plan.device), _of_scans(plan)) if form == "kernel" else None
    if error is not None:
        error.where = where
        raise error
    return replace(plan, scan=form)


def _of_scans(plan: Plan) -> str:
    """The precision of a scan, whose terms are not reduced with the products."""
    return "fp64" if plan.precision == "fp64" else "fp32"


def apply_plan(plan: Plan) -> torch.device:
    """Set this process up as the plan says, and return the device."""
    torch.set_num_threads(plan.threads)
    if torch.device(plan.device).type == "cpu":
        keep_freed_memory()
    if plan.deterministic:
        # cuBLAS reads this when it makes its first handle, at the first matrix product.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if plan.deterministic != torch.are_deterministic_algorithms_enabled():  # the call loads torch's compiler: 3 s
        torch.use_deterministic_algorithms(plan.deterministic)
    # Our layers hand cuDNN their weights one by one (see models/cells.py), which it remarks upon at every call.
    warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
    return torch.device(plan.device)


def device_of(wanted: str) -> torch.device:
    """The device that `train.device` means in this process.

    Raises:
        DeviceError: it does not exist here, or another process of this machine has it.
    """
    own = local_rank()  # of several processes on a machine each has a GPU of its own
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.device_count() else "cpu"  # for all processes of a machine alike
    device = torch.device(wanted)
    if device.type == "cpu":
        return device
    if own and device.index is not None:
        raise DeviceError(
            f"all processes of this machine would compute on `{wanted}`",
            hint="use --device cuda: each process takes the GPU of its own number",
        )
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = own if device.index is None else device.index
    if index >= count:
        raise DeviceError(
            f"there is no device `{wanted}` here" + (f" for process {own + 1} of this machine" if own else ""),
            why=f"this PyTorch ({torch.__version__}) sees {count} CUDA devices",
            hint="start as many processes as there are devices, or use --device cpu"
            if own
            else "use --device cpu, or --device auto to take what there is",
        )
    return torch.device("cuda", index)
