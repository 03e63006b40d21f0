"""`train:` how long, how fast, on what, and what is kept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import Count, Fraction, Section
from charrnn.config.schema.optimizer import AdamW, Optimizer
from charrnn.config.schema.schedule import CosineSchedule, Schedule

NotNegative = Annotated[float, Field(ge=0.0)]


class EarlyStop(Section):
    """Stop when validation no longer improves."""

    patience: Count = 5
    """Evaluations without improvement after which training ends."""

    min_delta: Annotated[float, Field(ge=0.0)] = 0.0
    """Improvements of the validation loss below this many nats do not count."""


class Save(Section):
    """When checkpoints are written. The best, the last, and the one of a signal are always written."""

    every: Count | Literal["epoch"] = "epoch"
    """Steps between checkpoints, or `epoch`."""

    minutes: Annotated[float, Field(gt=0.0)] = 10.0
    """A checkpoint is also written when this much time has passed since the last."""

    keep: Count = 3
    """How many checkpoints are kept besides the best."""


class Guard(Section):
    """What is done about a loss or a gradient that is not finite: the update is skipped, and the lanes keep the state
    that they had in front of it."""

    skips: Count = 5
    """After so many skipped updates in a row the run goes back to its last good checkpoint with half the rate; when
    that happens again, it ends."""


class Regularization(Section):
    """What training adds to its loss; figures never include it."""

    activation: NotNegative = 0.0
    """AR: times the mean square of what the head receives, after dropout (Merity, McCann, Socher 2017)."""

    temporal: NotNegative = 0.0
    """TAR: times the mean square of the change of the last layer's output from step to step (the same paper)."""

    label_smoothing: Fraction = 0.0
    """The share of each target that is spread over all symbols (Szegedy et al. 2016)."""


class _Feedback(Section):
    passes: Count = 1
    """How often the model reads its chunk to draw symbols: 1 draws all from true inputs, as many as it reads at once
    (`stream.reach`, else `stream.chunk`) is symbol by symbol (Duckworth et al. 2019)."""


class LinearFeedback(_Feedback):
    """The share of drawn inputs grows linearly."""

    kind: Literal["linear"]

    to: Annotated[float, Field(gt=0.0, le=1.0)] = 0.25
    """The share in the end."""

    over: Count = 2000
    """Updates until then."""


class ExponentialFeedback(_Feedback):
    """The share of true inputs is k^step."""

    kind: Literal["exponential"]

    k: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.9999
    """Close to 1: the closer, the slower."""


class SigmoidFeedback(_Feedback):
    """The share of true inputs is k / (k + e^(step / k))."""

    kind: Literal["sigmoid"]

    k: Annotated[float, Field(ge=1.0)] = 1000.0
    """The larger, the later and the slower."""


Feedback = Annotated[LinearFeedback | ExponentialFeedback | SigmoidFeedback, Field(discriminator="kind")]


class EmaAverage(Section):
    """An exponential moving average of the weights (Polyak averaging as in Tarvainen and Valpola 2017)."""

    kind: Literal["ema"]

    decay: Fraction = 0.999
    """What the average keeps of itself at every update; less during the first, (1 + n) / (10 + n)."""


class NtAsgdAverage(Section):
    """The mean of all weights since validation stalled (NT-ASGD: Merity, Keskar, Socher 2017, algorithm 1)."""

    kind: Literal["nt-asgd"]

    patience: Count = 5
    """Averaging begins when a validation is worse than the best of those that lie more than so many back."""


Average = Annotated[EmaAverage | NtAsgdAverage, Field(discriminator="kind")]

DEFAULT_STEPS = 5000


class Train(Section):
    """The training run."""

    epochs: Count | None = None
    """Passes over the training split."""

    max_steps: Count | None = None
    """Updates in all. With both, the shorter ends the run; with neither, it is 5,000 steps."""

    optimizer: Optimizer = AdamW()
    schedule: Schedule = CosineSchedule()

    clip_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    """The gradient's norm is clipped to this (Pascanu, Mikolov, Bengio 2013); `null` for no clipping."""

    guard: Guard = Guard()

    average: Average | None = None
    """Evaluate, sample and keep as the run's model an average of the weights; training goes on with its own."""

    early_stop: EarlyStop | None = EarlyStop()
    """`null` trains to the end whatever validation says."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """`auto` takes a CUDA device when there is one; else `cpu`, `cuda`, `cuda:1`."""

    precision: Literal["auto", "fp64", "fp32", "fp16", "bf16"] = "auto"
    """In what numbers an update is computed. `fp16` and `bf16` are for recurrent models and classifiers, on a device
    that computes in them: their products alone are in fewer bits; weights, optimizer, carried state, loss and all
    figures are in fp32. `auto` is fp32 on a CPU, and with `deterministic`; on CUDA a recurrent model or a classifier
    is measured when a run begins, and the fastest that gives the same losses within 1 % is taken. A resumed run keeps
    it. See docs/training.md."""

    deterministic: bool = False
    """Refuse operations that may differ from run to run. On a CPU every run is repeatable anyway, but for what `scan:
    auto` measures."""

    micro_batches: Count = 1
    """The rows of every batch go through the model in so many parts, one after the other (at most one for each row):
    it takes less memory and more time, and the gradient and the dropout are those of the whole batch; sums differ in
    the order of their terms alone. Not with BatchNorm, whose statistics are those of the whole batch."""

    step: Literal["auto", "eager", "graph"] = "auto"
    """How an update is done on a CUDA device: operation by operation, or as a graph that is launched at once; the same
    numbers come of both. `auto` takes graphs where the run allows it and says so, `graph` refuses to do without. See
    docs/training.md."""

    threads: Count | None = None
    """CPU threads; `null` takes what the machine offers. A resumed run keeps the number it began with."""

    log_every: Count = 50
    """Steps between records of the training loss."""

    tensorboard: Literal["auto"] | bool = "auto"
    """Write TensorBoard's event files too: `auto` where its extra is installed, `true` demands it."""

    save: Save = Save()

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Everything random is derived from it."""

    reducible: ClassVar[bool] = False
    """Whether its models can be computed in fp16 and bf16."""

    @property
    def by_hand(self) -> bool:
        """Whether our own NumPy computes in place of PyTorch."""
        return False

    @model_validator(mode="after")
    def _few_bits_where_they_pay(self) -> Train:
        if self.precision in ("fp16", "bf16") and (self.by_hand or not self.reducible):
            whose = "engine: scratch computes" if self.by_hand else "models of ratings and of word vectors are computed"
            raise ValueError(f"{whose} in fp32 or fp64: set train.precision to one of them, or to auto")
        return self

    @model_validator(mode="after")
    def _averages_before_it_stops(self) -> Train:
        if isinstance(self.average, NtAsgdAverage) and self.early_stop is not None:
            needed = self.average.patience + 2
            if self.early_stop.patience < needed:
                raise ValueError(
                    "early stopping would end the run before averaging begins: set early_stop to null, or its "
                    f"patience to {needed} or more"
                )
        return self

    @model_validator(mode="before")
    @classmethod
    def _some_end(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("epochs") is None and value.get("max_steps") is None:
            return {**value, "max_steps": DEFAULT_STEPS}
        return value


class RecurrentTrain(Train):
    """The training run of a recurrent model."""

    reducible: ClassVar[bool] = True

    start_from: Annotated[str, Field(min_length=1)] | None = None
    """A run's folder, or a checkpoint's, whose weights this run begins with (also --from); of a run it is the best
    checkpoint, else the last. Relative to the config's folder. `null` begins with fresh weights."""

    scan: Literal["auto", "loop", "tree", "kernel"] = "auto"
    """How `mingru` and `minlstm` run over a chunk: step by step, as a tree of steps, or on CUDA in fp32 by the kernel
    of the extra `scan`; they differ by rounding. `auto` takes the kernel on CUDA where it is installed, else the tree;
    on a CPU it measures loop and tree when a run begins, and with `deterministic` takes the loop. A resumed run keeps
    the form that it began with."""


class ClassifierTrain(RecurrentTrain):
    """The training run of a classifier."""

    label_smoothing: Fraction = 0.0
    """The share of each label that is spread over all labels (Szegedy et al. 2016)."""


class LanguageTrain(RecurrentTrain):
    """The training run of a language model."""

    regularization: Regularization = Regularization()

    scheduled_sampling: Feedback | None = None
    """Replace some inputs by symbols that the model itself draws, more and more of them (Bengio et al. 2015); `null`
    always shows the true text."""

    engine: Literal["torch", "scratch"] = "torch"
    """What computes the network and its derivatives: PyTorch, or `charrnn/scratch`, where all is written by hand in
    NumPy; the same figures but for rounding. `scratch` runs on the CPU, its products on one thread, and knows neither
    BatchNorm nor dropout inside the recurrence. See docs/scratch.md."""

    @property
    def by_hand(self) -> bool:
        """Whether the engine is `scratch`."""
        return self.engine == "scratch"
