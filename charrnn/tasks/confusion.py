"""What a classifier gets right: accuracy, F1, the confusion of labels, and whether its probabilities can be believed.

Shapes: B rows (items), C classes, K bins.
"""

from __future__ import annotations

from typing import Any

import torch

from charrnn.contracts import Loss
from charrnn.stream.sequences import SequenceBatch

BINS = 15
"""Bins of equal width, for the calibration (Guo, Pleiss, Sun, Weinberger 2017)."""


class Confusion:
    """Counts over all batches of an evaluation.

    Args:
        classes: C.
    """

    def __init__(self, classes: int) -> None:
        self.confusion_CC = torch.zeros(classes, classes, dtype=torch.int64)
        self.count_K = torch.zeros(BINS, dtype=torch.int64)
        self.right_K = torch.zeros(BINS, dtype=torch.int64)
        self.confidence_K = torch.zeros(BINS, dtype=torch.float64)

    def add(self, batch: SequenceBatch, loss: Loss) -> None:
        """Take a batch into account; `loss.outputs` are its scores, logits_BC."""
        assert loss.outputs is not None, "the loss of a classifier brings its scores along"
        confidence_B, said_B = loss.outputs.double().softmax(-1).max(-1)
        confidence_B, said_B, y_B = confidence_B.cpu(), said_B.cpu(), batch.y_B.cpu()
        classes = len(self.confusion_CC)
        self.confusion_CC += torch.bincount(y_B * classes + said_B, minlength=classes**2).view(classes, classes)
        bin_B = (confidence_B * BINS).long().clamp(max=BINS - 1)
        self.count_K += torch.bincount(bin_B, minlength=BINS)
        self.right_K += torch.bincount(bin_B[said_B == y_B], minlength=BINS)
        self.confidence_K.index_add_(0, bin_B, confidence_B)

    def figures(self) -> dict[str, Any]:
        """`accuracy`; `macro_f1`, the mean over the labels that occur or were said; `calibration_error`, the expected
        one; `confusion`, how often the label of each row was called that of each column; `calibration`, for each bin
        that holds any, how many, how confident, and how often right."""
        right_C = self.confusion_CC.diagonal().double()
        there_C, said_C = self.confusion_CC.sum(1), self.confusion_CC.sum(0)
        known_C = (there_C + said_C) > 0
        f1_C = 2.0 * right_C / (there_C + said_C).clamp(min=1)
        total = int(there_C.sum())
        gap_K = (self.right_K - self.confidence_K).abs()
        return {
            "accuracy": right_C.sum().item() / total,
            "macro_f1": f1_C[known_C].mean().item(),
            "calibration_error": gap_K.sum().item() / total,
            "confusion": self.confusion_CC.tolist(),
            "calibration": [self._bin(k) for k in range(BINS) if self.count_K[k]],
        }

    def _bin(self, k: int) -> dict[str, float]:
        count = int(self.count_K[k])
        mean, right = self.confidence_K[k].item() / count, self.right_K[k].item() / count
        return {"items": count, "confidence": mean, "accuracy": right}
