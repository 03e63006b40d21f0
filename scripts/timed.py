"""The rows of `scripts/bench.py`: what is timed beside what."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import contests
import mixing
import preparing
import scaling
import streams
import training
import webpage
from contests import Contest, Size
from training import Shape


@dataclass(frozen=True)
class Row:
    """Two sides that are timed in turn, in which unit, the ratio ours / other that is wanted on a CPU, if one is, and
    whether the row can be timed on CUDA, too."""

    ours: str
    other: str
    unit: str
    contest: Contest
    wanted: float | None = None
    on_cuda: bool = False


TORCH, SIZE = '`python -c "import torch"`', Size()
NETWORK = f"2 × {SIZE.hidden} (embedding {SIZE.embedding}, vocabulary {len(contests.SYMBOLS) + 1})"
HALF = NETWORK.replace(str(SIZE.hidden), str(SIZE.hidden // webpage.HALVED))
MESSAGES = f"update of a classifier, GRU {SIZE.hidden // 4}, {{}} rows of {mixing.LENGTH} characters"
CHARACTERS = "characters/s"
TRAIN = "`charrnn train`, {}"
A = Shape()
B = replace(A, chunk=128, steps=6)
C = replace(A, share=2, steps=24)
D = replace(B, lanes=128, steps=4)
E = Shape(lanes=64, chunk=784, kind="elman", share=4, layers=1, steps=4, lr=1e-8)
"""Its rate is that of Le, Jaitly and Hinton 2015 (section 4.2): at a higher one its state explodes."""
SHAPES = {"a": A, "b": B, "c": C, "d": D, "e": E}


def shaped(shape: Shape) -> str:
    """A network and its batches in a few words."""
    kind = {"lstm": "LSTM", "elman": "identity RNN"}[shape.kind]
    return f"{kind} {shape.layers} × {SIZE.hidden // shape.share}, {shape.lanes} lanes of {shape.chunk}"


def beside(what: str, peer: str, wanted: float | None = None, same: bool = True) -> Row:
    """The first configuration, beside a peer."""
    return Row(TRAIN.format(shaped(A)), what, CHARACTERS, training.against(peer, A, same), wanted, on_cuda=True)


ROWS = {
    "prepare": Row(
        f"`charrnn prepare` of {SIZE.megabytes:.0f} MB of ASCII, one process, all in all",
        "a dictionary of characters and a loop, all in all",
        "MB/s",
        preparing.contest,
    ),
    "start-up": Row("`charrnn --help`", TORCH, "s", contests.start_up, 0.25),
    "first-character": Row(
        f"`charrnn sample`, LSTM {NETWORK}, to the first character drawn", TORCH, "s", contests.first_character, 0.5
    ),
    "sampling-lstm": Row(
        f"sampler, LSTM {NETWORK}",
        "`torch.nn.LSTM`, one character at a time",
        "characters/s",
        streams.sampling("lstm"),
        6.0,
        on_cuda=True,
    ),
    "sampling-many": Row(
        f"sampler, 64 texts at once, LSTM {NETWORK}",
        "`torch.nn.LSTM`, one character of each at a time",
        CHARACTERS,
        streams.sampling("lstm", 64),
        on_cuda=True,
    ),
    "sampling-lstm-plain": Row(
        f"sampler, LSTM {NETWORK}",
        "the same with oneDNN switched off",
        "characters/s",
        streams.sampling("lstm", onednn=False),
    ),
    "sampling-gru": Row(
        f"sampler, GRU {NETWORK}",
        "`torch.nn.GRU`, one character at a time",
        "characters/s",
        streams.sampling("gru"),
    ),
    **{
        f"train-{name}": Row(
            TRAIN.format(shaped(shape)),
            "a loop around `torch.nn`",
            CHARACTERS,
            training.against("torch", shape),
            1.1 if name == "a" else None,
            on_cuda=True,
        )
        for name, shape in SHAPES.items()
    },
    "train-a-bf16": Row(
        TRAIN.format(f"{shaped(A)}, `train.precision: bf16`"),
        "the loop around `torch.nn`, in fp32",
        CHARACTERS,
        training.against("torch", replace(A, precision="bf16")),
        on_cuda=True,
    ),
    "train-a-autocast": beside("the loop in bfloat16, by autocast", "torch-autocast"),
    "train-a-cells": beside("a loop around `torch.nn.LSTMCell`", "torch-cells"),
    "train-a-keras": beside("stateful Keras 3 on JAX", "keras", 1.0),
    "train-a-jax": beside("`jax.lax.scan`, compiled", "jax", 1.0),
    "train-a-kernel": beside("the recurrent kernels alone, forward and backward", "kernel", same=False),
    "train-a-products": beside("the matrix products alone", "products", same=False),
    "stateful": Row(
        f"an epoch in lanes, {shaped(A)}", "the same chunks shuffled", CHARACTERS, training.stateful, 0.98, on_cuda=True
    ),
    "until-learned": Row(
        f"`charrnn train` to {training.LEARNED} nats of validation, {shaped(training.LEARNING)}, all in all",
        "a loop around `torch.nn.LSTM`, all in all",
        "s",
        training.until_learned,
        on_cuda=True,
    ),
    "page-lstm": Row(
        f"page of `charrnn export`, in Chromium, LSTM {HALF}",
        "`charrnn sample`",
        "characters/s",
        webpage.writing,
    ),
    "two-processes": Row(
        f"training, LSTM {NETWORK}, 64 lanes of 40, by two processes of one thread each",
        "by one",
        "characters/s",
        scaling.training,
        1.8,
    ),
    "two-shared": Row(
        f"training, LSTM {NETWORK}, 64 lanes of 40, by two processes that share a run",
        "by two at once, each with a run of 32 lanes",
        "characters/s",
        scaling.apart,
        0.9,
    ),
    "mix-two": Row(MESSAGES.format("64 + 16"), "one stream of 80 rows", "ms", mixing.steps("64 + 16", "80"), 1.02),
    "mix-three": Row(
        MESSAGES.format("44 + 16 + 4"), "one stream of 64 rows", "ms", mixing.steps("44 + 16 + 4", "64"), 1.02
    ),
    "mix-concatenated": Row(
        MESSAGES.format("64 + 16"), "a batch concatenated from two", "ms", mixing.steps_concatenated("64 + 16")
    ),
    "mix-batch": Row(
        "the batch of 64 + 16 rows alone", "concatenated from two", "ms", mixing.batches_concatenated("64 + 16")
    ),
}


ELSEWHERE = ("train-a-keras", "train-a-jax")
"""The rows whose peers need another Python."""
WANTED_ON_CUDA = {"train-a": 3.0, "train-a-kernel": 0.8}
"""The ratios that are wanted on a GPU."""


def has_bf16() -> bool:
    """Whether training in bfloat16 is not refused on this processor."""
    import torch

    from charrnn.runs.hardware import hardware_of

    return "bf16" in hardware_of(torch.device("cpu")).reduced


def impossible(name: str, device: str) -> str | None:
    """Why a row cannot be timed here; None where it can."""
    row = ROWS[name]
    if device != "cpu" and not row.on_cuda:
        return "it is of a CPU alone"
    if row.contest is webpage.writing and webpage.CHROMIUM is None:
        return "there is no Chromium here"
    if name == "train-a-bf16" and device == "cpu" and not has_bf16():
        return "this processor has no units for bfloat16"
    if name in ELSEWHERE and training.PYTHON not in os.environ:
        return f"{training.PYTHON} names no Python that has JAX and Keras"
    return None
