"""The plan for a terabyte: its arithmetic on round numbers, where it is put, and every measurement done small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import recording
import terabyte
import terabyte_page
from terabyte_page import Assumed, Plan, line_through, placed, section, size, span

RECORD: dict[str, Any] = {
    "about": {
        "commit": "abc123",
        "machine": "2 CPU cores",
        "processor": "A Processor",
        "command": "scripts/terabyte.py",
    },
    "prepare": {"mb": 10, "seconds": 2.5, "cpu_seconds": 2.0, "tokens": 5_000_000, "bytes_on_disk": 10_000_000},
    "map": {"seconds": 2e-4, "descriptors": 1.0, "times": 200},
    "batch": {"few_tokens": 1000, "few_seconds": 1e-4, "many_tokens": 2000, "many_seconds": 1.1e-4},
    "checkpoint": [
        {
            "parameters": 1000,
            "units": 100,
            "model_bytes": 4100,
            "optimizer_bytes": 8200,
            "lanes_bytes": 900,
            "seconds_to_write": 1.0,
        },
        {
            "parameters": 3000,
            "units": 300,
            "model_bytes": 12100,
            "optimizer_bytes": 24200,
            "lanes_bytes": 2500,
            "seconds_to_write": 0.0388,
        },
    ],
    "train": {
        "alone_tokens_per_second": 1000.0,
        "two_tokens_per_second": 1900.0,
        "matrix_parameters": 1_000_000,
        "product_flops": 1e10,
        "messages_per_update": 3.0,
        "bytes_per_update": 4000.0,
        "parameters": 1000,
    },
    "all_reduce": [[1024, 1e-4], [1_001_024, 1.1e-3], [2_001_024, 4.1e-3]],
}
PLAN = Plan(text=1e9, part=1e8, machines=2, gpus=4, cores=3, layers=2, hidden=100, lanes=10, chunk=50, saves=2.0)
ASSUMED = Assumed(rate=1e12, share=0.5, within=1e9, between=1e8)


def rows() -> dict[str, str]:
    """What the plan says, row by row."""
    lines = [line for line in section(RECORD, PLAN, ASSUMED).splitlines() if line.startswith("| ")]
    return {line.split(" | ")[0].strip("| "): line.removesuffix(" |").rpartition(" | ")[2] for line in lines}


def test_every_figure_is_a_measurement_times_its_model() -> None:
    """On numbers that can be followed by hand: 160,000 weights, 8 GPUs, 4,000 tokens in an update, 5e8 in all."""
    found = rows()
    assert found["preparing"] == "3.33 min on one core, 33.3 s on 6"  # 1 GB at 5 MB/s
    assert found["the corpus on disk"] == "1 GB"  # half a token of a byte, two bytes of a token
    assert found["read by a GPU in an epoch"] == "125 MB, in 10 places at a time"
    assert found["mapping that"] == "600 µs, 3 open files"  # ten parts for eight, and one that is begun
    assert found["state of a GPU's lanes"] == "16 kB; 128 kB in all"  # 8 bytes × 10 × 2 × 100
    assert found["weights, their moments and gradients on every GPU"] == "2.56 MB"  # 12 + 4 bytes
    assert found["computing"] == "960 µs for 500 tokens"  # 6 × 160,000 × 500 / 0.5e12
    # 640 kB: 1.5 × 640 kB / 1 GB/s + 160 kB / 100 MB/s + 3 × 8 hops × 50 µs
    assert found["adding up the gradients"] == "3.76 ms for 640 kB"
    assert found["making the batch"] == "40 µs"
    assert found["an update"] == "4.76 ms; 20% of it computing"
    assert found["an epoch"] == "125,000 updates, 9.92 min"
    assert found["read meanwhile"] == "210 kB/s by each, 1.68 MB/s by all"
    assert found["a checkpoint"] == "1.92 MB + 128 kB = 2.05 MB"
    # 2.048 MB at 1 MB/s, and 128 kB at 500 MB/s
    assert found["saving it"] == "2.05 s; at 2 an hour 0.1% of the time"


def test_what_is_assumed_is_marked_and_has_its_source() -> None:
    page = section(RECORD, PLAN, ASSUMED)
    assert "| a GPU multiplies fp16 matrices at | 1 TFLOP/s | NVIDIA's data sheet" in page
    assert "| InfiniBand, one NDR port for each GPU | 0 GB/s |" in page
    for line in page.splitlines():
        if "÷ InfiniBand" in line or "÷ NVLink" in line or "its rate " in line:
            assert "°" in line
    assert "at commit abc123 on A Processor, 2 CPU cores, one thread" in page


def test_the_section_takes_the_place_of_the_former_one_and_of_nothing_else() -> None:
    page = f"# Title\n\n{terabyte_page.BEGIN}\nold\n{terabyte_page.END}\n\nafter\n"
    once = placed(page, RECORD)
    assert once.startswith("# Title\n\n")
    assert once.endswith(f"{terabyte_page.END}\n\nafter\n")
    assert "old" not in once
    assert placed(once, RECORD) == once


def test_a_line_tells_how_far_it_is_off() -> None:
    latency, per_byte, off = line_through(RECORD["all_reduce"])
    assert (latency, per_byte) == (1e-4, pytest.approx(2e-9))
    assert off == pytest.approx((2.1e-3 - 1.1e-3) / 1.1e-3)


@pytest.mark.parametrize(
    ("count", "told"), [(999.4e9, "999 GB"), (999.9e9, "1 TB"), (1500, "1.5 kB"), (12, "12 bytes"), (0, "0 bytes")]
)
def test_bytes_in_three_digits(count: float, told: str) -> None:
    assert size(count) == told


@pytest.mark.parametrize(("seconds", "told"), [(86400, "1 days"), (90, "1.5 min"), (0.25, "250 ms"), (3e-6, "3 µs")])
def test_times_in_three_digits(seconds: float, told: str) -> None:
    assert span(seconds) == told


def test_the_page_is_what_the_record_gives() -> None:
    page = terabyte.PAGE.read_text(encoding="utf-8")
    assert page.count(terabyte_page.BEGIN) == page.count(terabyte_page.END) == 1
    if terabyte.RECORD.exists():
        assert placed(page, recording.read(terabyte.RECORD)) == page


@pytest.mark.slow
@pytest.mark.long
def test_everything_is_measured_small(tmp_path: Path) -> None:
    found = terabyte.measured(tmp_path, 0.5, 16, (1, 1024))
    small, large = found["checkpoint"]
    assert terabyte_page.checkpoint_bytes(found) == (pytest.approx(12.0, rel=0.02), pytest.approx(8.0, rel=0.02))
    assert (small["units"], large["units"]) == (16 * 8 * 2, 64 * 16 * 2)
    assert found["prepare"]["tokens"] == pytest.approx(0.5e6, rel=0.02)
    assert found["train"]["bytes_per_update"] == pytest.approx(4 * found["train"]["parameters"], rel=0.2)
    assert found["train"]["messages_per_update"] == int(found["train"]["messages_per_update"]) > 0
    assert [count for count, _ in found["all_reduce"]] == [1024, 1 << 20]
    assert "| an epoch |" in section({**found, "about": RECORD["about"]})
