"""Freed memory stays with the process that frees it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from charrnn.runs.allocator import keep_freed_memory

CHILD = """
import resource, sys
import numpy as np
from charrnn.runs.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.empty(1 << 26, np.uint8).fill(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
assert keep_freed_memory()
faults()
print(before, faults())
"""


def test_a_block_that_was_freed_is_used_again_without_asking_the_kernel() -> None:
    if not keep_freed_memory():
        pytest.skip("another allocator than glibc's")
    done = subprocess.run([sys.executable, "-c", CHILD], check=True, capture_output=True, text=True)
    before, after = map(int, done.stdout.split())
    assert after < before / 50


def test_without_glibc_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
