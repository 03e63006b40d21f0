"""The plan for a terabyte, from what was measured: each figure with the model by which it was come to.

P weights, S bytes, g GPUs of a machine, m machines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

BEGIN = "<!-- a terabyte: drawn by scripts/terabyte.py from docs/scaling.json -->"
END = "<!-- end of a terabyte -->"
Row = tuple[str, str, str, str]
"""What a figure is about, what was measured, by which model the figure comes from that, and the figure."""


@dataclass(frozen=True)
class Plan:
    """The run that is planned.

    Attributes:
        text: bytes.
        part: bytes of a part of the corpus.
        machines: m.
        gpus: g.
        cores: of a machine that prepares.
        layers: of the LSTM.
        hidden: its units.
        lanes: of a GPU.
        chunk: new tokens of a lane in an update.
        saves: checkpoints in an hour.
    """

    text: float = 1e12
    part: float = 1e9
    machines: int = 32
    gpus: int = 8
    cores: int = 64
    layers: int = 2
    hidden: int = 4096
    lanes: int = 256
    chunk: int = 128
    saves: float = 1.0

    @property
    def ranks(self) -> int:
        """GPUs in all."""
        return self.machines * self.gpus

    @property
    def units(self) -> int:
        """Of all lanes and layers."""
        return self.ranks * self.lanes * self.layers * self.hidden

    @property
    def weights(self) -> int:
        """P: those in the matrices of the layers, the first of which reads an embedding that is as wide; the head and
        the table of symbols are small beside them."""
        return self.layers * 4 * self.hidden * (2 * self.hidden)


@dataclass(frozen=True)
class Assumed:
    """What cannot be known here.

    Attributes:
        rate: operations per second of a GPU: products of fp16 matrices without sparsity.
        share: which part of that a recurrent network gets.
        within: bytes per second from a GPU to others of its machine, in one direction.
        between: bytes per second from a GPU to other machines.
    """

    rate: float = 989e12
    share: float = 0.27
    within: float = 450e9
    between: float = 50e9


ASSUMPTIONS = (
    (
        "a GPU multiplies fp16 matrices at",
        "{rate:.0f} TFLOP/s",
        "NVIDIA's data sheet of the H200 SXM, without sparsity",
    ),
    (
        "of which a recurrent network gets",
        "{share:.0%}",
        "derived from Puri et al. 2018 (three epochs of 40 GB in four hours on 128 V100, an mLSTM of 4,096 units), "
        "whose GPU is another; the plan's largest uncertainty",
    ),
    ("NVLink, in one direction", "{within:.0f} GB/s", "the same data sheet: 900 GB/s in both"),
    ("InfiniBand, one NDR port for each GPU", "{between:.0f} GB/s", "NVIDIA's ConnectX-7: 400 Gb/s"),
)


def placed(page: str, record: dict[str, Any]) -> str:
    """The page with the plan between its two marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{section(record)}{END}{after}"


def section(record: dict[str, Any], plan: Plan | None = None, assumed: Assumed | None = None) -> str:
    """The plan in words and tables."""
    plan, assumed, about = plan or Plan(), assumed or Assumed(), record["about"]
    values = {"rate": assumed.rate / 1e12, "share": assumed.share}
    values |= {"within": assumed.within / 1e9, "between": assumed.between / 1e9}
    notes = [f"| {what} | {value.format(**values)} | {source} |" for what, value, source in ASSUMPTIONS]
    rows = [f"| {' | '.join(row)} |" for row in figures(record, plan, assumed)]
    return "\n".join(
        [
            "",
            f"A text of {size(plan.text)}, in parts of {size(plan.part)}; {plan.machines} machines with {plan.gpus} "
            f"GPUs each; {plan.layers} LSTM layers of {plan.hidden:,} units, {plan.weights / 1e6:,.0f} million weights "
            f"(P); {plan.lanes} lanes for each GPU, chunks of {plan.chunk}.",
            "",
            f"Measured by `{about['command']}` at commit {about['commit']} on {about['processor']}, "
            f"{about['machine']}, one thread for each process. Nothing of this was run on so many GPUs.",
            "",
            "| | measured here | model | the plan |",
            "|---|---|---|---|",
            *rows,
            "",
            "Not measured, but assumed, and marked with a ° above:",
            "",
            "| assumption | value | source |",
            "|---|---|---|",
            *notes,
            "",
        ]
    )


def figures(record: dict[str, Any], plan: Plan, assumed: Assumed) -> list[Row]:
    """All rows."""
    text, step = reading(record, plan), seconds_of_update(record, plan, assumed)
    return [*text, *holding(record, plan), *updating(record, plan, assumed, step), *saving(record, plan, step)]


def reading(record: dict[str, Any], plan: Plan) -> list[Row]:
    """From the text to the tokens that a GPU reads."""
    made, mapped = record["prepare"], record["map"]
    speed = made["mb"] * 1e6 / made["cpu_seconds"]
    cores = min(plan.machines * plan.cores, math.ceil(plan.text / plan.part))
    per_byte, tokens = per_token(record), tokens_of(record, plan)
    parts = math.ceil(plan.text / plan.part / plan.ranks) + 1
    return [
        (
            "preparing",
            f"{speed / 1e6:.1f} MB/s of a core, {made['mb']:g} MB",
            f"÷ cores, of which there are {plan.machines} × {plan.cores}, and each takes a part at a time",
            f"{span(plan.text / speed)} on one core, {span(plan.text / speed / cores)} on {cores:,}",
        ),
        (
            "the corpus on disk",
            f"{per_byte:.2f} bytes of a token, {made['tokens'] / (made['mb'] * 1e6):.3f} tokens of a byte of text",
            "× the text",
            f"{size(tokens * per_byte)}",
        ),
        (
            "read by a GPU in an epoch",
            "the same",
            f"its lanes lie one after the other: 1/{plan.ranks} of the corpus",
            f"{size(tokens * per_byte / plan.ranks)}, in {plan.lanes} places at a time",
        ),
        (
            "mapping that",
            f"{mapped['seconds'] * 1e6:.0f} µs and {mapped['descriptors']:g} open files for a part",
            f"{parts} parts for each process",
            f"{span(parts * mapped['seconds'])}, {parts * mapped['descriptors']:g} open files",
        ),
    ]


def holding(record: dict[str, Any], plan: Plan) -> list[Row]:
    """What lies in memory."""
    bytes_of_weight, bytes_of_unit = checkpoint_bytes(record)
    weights = bytes_of_weight * plan.weights
    lanes = bytes_of_unit * plan.units / plan.ranks
    return [
        (
            "state of a GPU's lanes",
            f"{bytes_of_unit:.2f} bytes of a unit and lane",
            f"× {plan.lanes} × {plan.layers} × {plan.hidden:,}",
            f"{size(lanes)}; {size(lanes * plan.ranks)} in all",
        ),
        (
            "weights, their moments and gradients on every GPU",
            f"{bytes_of_weight:.2f} bytes of a weight in a checkpoint",
            "and 4 for its gradient, × P",
            size(weights + 4 * plan.weights),
        ),
    ]


def updating(record: dict[str, Any], plan: Plan, assumed: Assumed, step: dict[str, float]) -> list[Row]:
    """One update, and an epoch of them."""
    trained, batch = record["train"], record["batch"]
    needed = 6 * trained["matrix_parameters"] * trained["alone_tokens_per_second"]
    latency, per_byte, off = line_through(record["all_reduce"])
    tokens = plan.ranks * plan.lanes * plan.chunk
    updates = tokens_of(record, plan) / tokens
    efficiency = trained["two_tokens_per_second"] / trained["alone_tokens_per_second"] / 2
    return [
        (
            "computing",
            f"{trained['alone_tokens_per_second']:,.0f} tokens/s of a process: 6 × P × tokens are "
            f"{needed / trained['product_flops']:.0%} of its rate for a product of matrices",
            "6 × P × tokens of a GPU ÷ (its rate ° × the share that it gets °)",
            f"{span(step['compute'])} for {plan.lanes * plan.chunk:,} tokens",
        ),
        (
            "adding up the gradients",
            f"{trained['bytes_per_update'] / trained['parameters']:.2f} bytes of a weight in "
            f"{trained['messages_per_update']:g} messages; by gloo over the loopback {latency * 1e6:.0f} µs + "
            f"S ÷ {1 / per_byte / 1e9:.2f} GB/s, which is off by up to {off:.0%} from 1 MB on",
            "2 (g−1)/g · S ÷ NVLink ° + 2 (m−1)/m · S/g ÷ InfiniBand °, and half the measured latency for each of "
            "2 (g−1) + 2 (m−1) hops of each message; not while it computes",
            f"{span(step['all_reduce'])} for {size(step['bytes'])}",
        ),
        (
            "making the batch",
            f"{cost_of_token(batch) * 1e9:.1f} ns of a token of the whole batch",
            f"× {tokens:,} tokens: each process knows the plan of all rows, and reads its own",
            span(step["batch"]),
        ),
        (
            "an update",
            f"two processes here do {efficiency:.0%} of twice what one does",
            "the sum of the three",
            f"{span(step['all'])}; {step['compute'] / step['all']:.0%} of it computing",
        ),
        ("an epoch", "", f"tokens ÷ {tokens:,}", f"{updates:,.0f} updates, {span(updates * step['all'])}"),
        (
            "read meanwhile",
            f"{per_token(record):.2f} bytes of a token",
            "tokens of a GPU ÷ an update",
            f"{size(plan.lanes * plan.chunk * per_token(record) / step['all'])}/s by each, "
            f"{size(tokens * per_token(record) / step['all'])}/s by all",
        ),
    ]


def saving(record: dict[str, Any], plan: Plan, step: dict[str, float]) -> list[Row]:
    """A checkpoint: what the first process collects and writes."""
    of_weight, of_unit = checkpoint_bytes(record)
    lanes, weights = of_unit * plan.units, of_weight * plan.weights
    large = record["checkpoint"][-1]
    written = sum(large[f"{name}_bytes"] for name in ("model", "optimizer", "lanes"))
    speed = written / large["seconds_to_write"]
    _, per_byte, _ = line_through(record["all_reduce"])
    seconds = (lanes + weights) / speed + lanes * per_byte
    return [
        (
            "a checkpoint",
            f"{of_weight:.2f} bytes of a weight, {of_unit:.2f} of a unit and lane",
            "× P, × the units of all lanes",
            f"{size(weights)} + {size(lanes)} = {size(weights + lanes)}",
        ),
        (
            "saving it",
            f"{speed / 1e6:,.0f} MB/s written, with its SHA-256, by one process",
            "÷ that, and the lanes by gloo to the first process, at the speed over the loopback; all wait",
            f"{span(seconds)}; at {plan.saves:g} an hour {seconds / (seconds + 3600 / plan.saves):.1%} of the time",
        ),
    ]


def seconds_of_update(record: dict[str, Any], plan: Plan, assumed: Assumed) -> dict[str, float]:
    """What an update takes, by what it is spent on."""
    trained, ranks = record["train"], plan.ranks
    compute = 6 * plan.weights * plan.lanes * plan.chunk / (assumed.rate * assumed.share)
    volume = trained["bytes_per_update"] / trained["parameters"] * plan.weights
    latency, _, _ = line_through(record["all_reduce"])
    within = 2 * (plan.gpus - 1) / plan.gpus * volume / assumed.within
    between = 2 * (plan.machines - 1) / plan.machines * volume / plan.gpus / assumed.between
    hops = 2 * (plan.gpus - 1) + 2 * (plan.machines - 1)
    added = within + between + trained["messages_per_update"] * hops * latency / 2
    batch = cost_of_token(record["batch"]) * ranks * plan.lanes * plan.chunk
    found = {"compute": compute, "all_reduce": added, "batch": batch}
    return found | {"all": sum(found.values()), "bytes": volume}


def tokens_of(record: dict[str, Any], plan: Plan) -> float:
    """Tokens of the whole text."""
    found: float = record["prepare"]["tokens"] / (record["prepare"]["mb"] * 1e6) * plan.text
    return found


def per_token(record: dict[str, Any]) -> float:
    """Bytes on disk of a token."""
    found: float = record["prepare"]["bytes_on_disk"] / record["prepare"]["tokens"]
    return found


def cost_of_token(batch: dict[str, float]) -> float:
    """Seconds for one more token of a batch."""
    return (batch["many_seconds"] - batch["few_seconds"]) / (batch["many_tokens"] - batch["few_tokens"])


def checkpoint_bytes(record: dict[str, Any]) -> tuple[float, float]:
    """Bytes of one more weight, with its moments, and of one more unit of a lane."""
    small, large = record["checkpoint"]
    more = {name: large[name] - small[name] for name in large}
    return (more["model_bytes"] + more["optimizer_bytes"]) / more["parameters"], more["lanes_bytes"] / more["units"]


def line_through(pairs: list[list[float]]) -> tuple[float, float, float]:
    """Seconds of the smallest message, seconds of a byte of the largest, and how far from that line, as a share of what
    was measured, those of 1 MB or more are."""
    latency, (largest, longest) = pairs[0][1], pairs[-1]
    per_byte = (longest - latency) / (largest - pairs[0][0])
    off = [
        abs(latency + per_byte * (count - pairs[0][0]) - seconds) / seconds for count, seconds in pairs if count >= 1e6
    ]
    return latency, per_byte, max(off, default=0.0)


def size(count: float) -> str:
    """Bytes in three digits."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= 0.9995 * factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.3g} bytes"


def span(seconds: float) -> str:
    """A time in three digits."""
    for unit, factor in (("days", 86400.0), ("hours", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
