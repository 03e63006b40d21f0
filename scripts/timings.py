"""The page of `scripts/bench.py`: the table of its rows, how to read it, what was found, and what waits."""

from __future__ import annotations

import re
from typing import Any

from timed import ROWS, SIZE

Records = dict[str, dict[str, Any]]

UNITS = {
    "s": (".2f", "below"),
    "ms": (".2f", "below"),
    "characters/s": (",.0f", "at least"),
    "MB/s": (".0f", "at least"),
}
"""How a figure is written, and on which side of what is wanted its ratio should lie."""
HOW_TO_READ = """\
# Speed, side by side

Drawn from `bench.json` by `scripts/bench.py`; no figure is typed by hand. `make bench` measures every row anew and
prints it; `scripts/bench.py --save` also records it here.

The two sides of a row run in turn, round after round, on the same machine, one thread each; `ours` and `other` are the
medians of all rounds. **Times and rates belong to the machine; the ratio, ours / other, is what to quote.** It is taken
in each round, where both sides met the same load; shown are the median, the lowest and the highest. Every side runs
once before the first round, so files come from memory.

The first character is the first that the model has drawn, read from a pipe, not the seed that is printed in front of
it. The sampling rows write text, with temperature, drawing and all; both sides hold the same weights, and before they
are timed their scores for the same characters must agree to 1e-5. On a CPU PyTorch leaves `torch.nn.LSTM`
to oneDNN, which lays the matrices out anew at every call: good for sequences, dear for one character. The row in which
that is switched off shows what is left of the ratio without it.

Preparing a text is timed as whole commands: ours counts, encodes and writes, with digests of what was read and written,
and flushes all to the disk; the other is a script that looks up each character, on a tenth of the text.

The page row writes in a browser what `charrnn sample` writes in NumPy, from the same weights; that both compute the
same is a test (`tests/export/`). What is wanted of the page is 200 characters per second.

The training rows begin with the same weights and read the same batches on both sides, and Adam takes the same
updates: the mean losses of both halves must agree to 0.01, or nothing is timed. The text is random. A row's figure is
that of the second half of its updates. Each side has one core to itself, as XLA does not heed a wish for one thread.
What most scripts are is the loop around `torch.nn`; the kernels alone, and the matrix products alone, say what there
is to gain. The row until-learned counts all seconds from a command to its end.

In the row of two processes both sides train the same network on the same batches, by gloo on one machine; twice the
rate would be perfect, and 1.8 times is wanted. Timed are the last twelve updates of twenty-four. How much of what is
missing is the machine's, whose cores share their memory and their clock, tells the row below it: there the other side
are two trainings at once, each of half the lanes, which do not know of each other.

The mixing rows train a classifier on batches that hold rows of several sources (`stream.mix`), beside one that reads as
many rows from a single source, and beside one whose batches are made source by source and then concatenated, as the
iterator of the course of 2016 did. Their sides take turns step by step; a round is the median of 40 steps of each.
"""
LOG = """\
## What was found

The method: two numbers first, the arithmetic of the work and the bytes that it moves; a prediction; one change; the row
again. A ratio in brackets is that of a row above.

- **Training on a CPU is bound by matrix products.** A character costs this LSTM {flop} MFLOP forward and backward.
  The loop around `torch.nn.LSTM` spends nearly all of its time inside oneDNN's two kernels. The same products, one
  after the other by `torch.matmul`, are no faster than all of `charrnn train` [{train-a-products}]: oneDNN packs
  the matrices once for all steps. Beside its kernels alone stands [{train-a-kernel}]. So there is little to gain in
  kernels; a loop of cells is slower by [{train-a-cells}].
- **What lay beside the kernels was the kernel of the machine.** glibc hands every block above 128 KiB back to
  Linux, which clears its pages anew at every update. Expected from others' figures: a fifth or less. Kept:
  `charrnn/runs/allocator.py`, the greater part of [{train-a}]. Smaller networks gain more by it [{train-c}].
- **Two threads of half the lanes each** (a Python thread per half, one thread in each kernel) were no faster than
  one batch on two threads, so they are not here; two processes are [{two-processes}]. What is missing of 2 is
  in part the machine's: beside two runs at once that share nothing, two processes that share one stand at
  [{two-shared}]. What a sum of all gradients takes stands in `docs/scaling.md`.
- **A table of gates** in place of the first layer's input product would save {table} % of the arithmetic, and needs
  kernels of one's own; oneDNN's are faster than what NumPy or PyTorch's single operations leave. Not done. In
  sampling, where the kernels are our own, it is done.
- **bfloat16** is emulated where a processor has no units for it, at a third of the speed of fp32 by others'
  figures: refused there. Where it has them, `train.precision: bf16` is worth a try [{train-a-bf16}]. `auto` keeps
  fp32 on a CPU: what a config comes to should not depend on whose processor it is.
- **Sampling** moves the weights once per character; the sampler reads each once, in the order in which they lie,
  and no kernel packs them anew. Many texts share that reading [{sampling-many}]. In 8-bit integers a quarter of the
  bytes would move; NumPy has no such product. onnxruntime has one, and the graph that `charrnn export --int8`
  writes does a step in less time than ours; but it would be a second engine, with another package to install and to
  load, and what is asked of it, ten times the loop, the sampler in fp32 does alone [{sampling-lstm}]. So it is an
  export, and no engine.
- **Preparing** a text was bound by Python's way of reading: every block became a string and then bytes again.
  Blocks of ASCII are now looked up as they are, symbols that were seen often enough are counted no more, and where
  no corpus can be there yet the text is not read once more for its digest [{prepare}]. The memory of one block is
  kept for the next, as in training. What is left is a lookup for each byte, the digests of what is read and of what
  is written, and the disk.
- **Starting** spent a good part of its time on reading what the keys of a config mean, from the sources, for messages
  that are hardly ever shown; that is read when it is asked for [{first-character}].
- **A state that is carried costs nothing** [{stateful}]: an epoch in lanes reads as many characters per second as
  the same chunks shuffled.
"""
WAITING = {
    "2 × 512, 64 lanes of 40: 4 million characters per second, three times the loop, 80 % of the bare kernels": (
        "scripts/bench.py --device cuda --save"
    ),
    "that all of it computes what a CPU does": "python -m pytest -m gpu",
    "a thousand epochs of Nietzsche in under five minutes": (
        "charrnn train configs/course/l7-plain.yaml --device cuda --set train.epochs=1000"
    ),
    "tiny-shakespeare at 1.4697 nats or less in under a minute": (
        "charrnn train configs/shakespeare-lstm.yaml --device cuda"
    ),
}
"""What is wanted of a GPU, and the commands that measure it."""


def page(records: Records) -> str:
    """docs/performance.md."""
    lines = ["| row | rounds | processor | machine | threads | torch | commit |", "|---|---|---|---|---|---|---|"]
    for name, found in records.items():
        known = (found[key] for key in ("processor", "machine", "threads", "torch", "commit"))
        lines.append(f"| {name} | {len(found['ratios'])} | {' | '.join(map(str, known))} |")
    measured_on = "## Measured on\n\n" + "\n".join(lines) + "\n"
    return "\n".join([HOW_TO_READ, table(records), found_out(records), waiting(records), measured_on])


def waiting(records: Records) -> str:
    """What no GPU has measured yet."""
    if any(name not in ROWS for name in records):
        return ""
    rows = "".join(f"| {what} | `{command}` |\n" for what, command in WAITING.items())
    return f"## Not measured, for want of a GPU\n\n| what is wanted | the command that measures it |\n|---|---|\n{rows}"


def found_out(records: Records) -> str:
    """The log, with the ratios of the rows that it speaks of."""

    def ratio(name: str) -> str:
        return short(records[name]["ratio"]) if name in records else "not measured"

    vocabulary, hidden = 86, SIZE.hidden
    products = 4 * hidden * (SIZE.embedding + hidden) + 4 * hidden * 2 * hidden + vocabulary * hidden
    flop = 6 * products  # two per product, and twice as many backward
    text = LOG.replace("{flop}", f"{flop / 1e6:.1f}")
    text = text.replace("{table}", f"{100 * 4 * hidden * SIZE.embedding / products:.0f}")
    return re.sub(r"\{([a-z0-9-]+)\}", lambda found: ratio(found[1]), text)


def table(records: dict[str, Any]) -> str:
    """Ours, the other and the ratio of each row."""
    lines = ["| row | ours | | other | | ratio (lowest – highest) | wanted |", "|---|---|---|---|---|---|---|"]
    for name, found in records.items():
        digits, _ = UNITS[found["unit"]]
        cells = [
            f"{found[side]['what']} | {found[side]['median']:{digits}} {found['unit']}" for side in ("ours", "other")
        ]
        low, high = min(found["ratios"]), max(found["ratios"])
        ratio = f"{short(found['ratio'])} ({short(low)} – {short(high)})"
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio} | {verdict(found)} |")
    return "\n".join(lines) + "\n"


def short(ratio: float) -> str:
    """A ratio to three digits that mean something."""
    return f"{ratio:.3f}" if ratio < 1 else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def verdict(found: dict[str, Any]) -> str:
    """What is wanted of the ratio, and whether it is so."""
    if found["wanted"] is None:
        return "—"
    _, side = UNITS[found["unit"]]
    met = found["ratio"] < found["wanted"] if side == "below" else found["ratio"] >= found["wanted"]
    return f"{side} {found['wanted']:g}: {'met' if met else '**missed**'}"
