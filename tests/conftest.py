"""What all tests share: one thread (small tensors are slower on two), and no trace of the user's environment."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
