"""Memory that is freed stays with the process: what an update needs, the next one needs again."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""How `mallopt` names what it sets (malloc.h of glibc)."""
_LARGEST = 1 << 30


def keep_freed_memory() -> bool:
    """Let glibc reuse large blocks in place of handing them back to the kernel, which would clear them page by page at
    every update.

    The price is some memory: between its updates the process holds on to what they need, and its blocks lie less
    densely.

    Returns:
        Whether there is such an allocator here; another one is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # no glibc: musl, macOS, Windows
        return False
    set_both = [mallopt(_MMAP_THRESHOLD, _LARGEST), mallopt(_TRIM_THRESHOLD, _LARGEST)]
    return all(set_both)
