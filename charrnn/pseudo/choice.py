"""Which of the labels that teachers give are kept, and the table of all of them.

Arrays: N candidates, M items, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Config, Pseudo
from charrnn.corpus.given_labels import GivenLabels, write_labels
from charrnn.corpus.labelled import LabelledCorpus
from charrnn.pseudo.calibrate import Temperature
from charrnn.pseudo.candidates import Candidates
from charrnn.pseudo.labeller import Record
from charrnn.pseudo.rightness import rightness
from charrnn.pseudo.select import Called, Mask, balanced, passing
from charrnn.runs.use import weights_sha256
from charrnn.stream.chance import uniforms


@dataclass(frozen=True)
class Choice:
    """How labels are chosen.

    Attributes:
        config: the task's.
        settings: its `pseudo:` section.
        corpus: with the labelled items.
        candidates: the items that are labelled.
    """

    config: Config
    settings: Pseudo
    corpus: LabelledCorpus
    candidates: Candidates

    def write(
        self, found: Sequence[tuple[NDArray[np.float64], Temperature]], teachers: Sequence[Checkpoint], path: Path
    ) -> Record:
        """Write what the teachers find as a table.

        Args:
            found: of each teacher, its p_NC and its temperature.
            teachers: they.
            path: the table's.

        Returns:
            What it came to: counts, temperatures, and how right it is where the truth is known.
        """
        called = Called.of(np.stack([p_NC for p_NC, _ in found]))
        labelled_C = np.bincount(self.corpus.split("train").labels, minlength=len(self.corpus.labels))
        passed_N = passing(self.settings.select, called)
        ranks_N = self._ranks(called, teachers)
        kept_N = balanced(self.settings.balance, self.settings.cap, called.label_N, ranks_N, passed_N, labelled_C)
        of = self.candidates
        given = GivenLabels(
            of.parts,
            of.part_N,
            of.number_N,
            called.label_N.astype(np.int32),
            called.confidence_N.astype(np.float32),
            kept_N,
            called.p_NC.astype(np.float32),
        )
        write_labels(path, self.corpus, given)
        return {
            "candidates": len(of),
            "passed": int(passed_N.sum()),
            "kept": int(kept_N.sum()),
            "called_alike": int(called.alike_N.sum()),
            "temperatures": [{"value": t.value, "how": t.how} for _, t in found],
            "called_labels": self._counted(called, np.ones(len(of), bool)),
            "kept_labels": self._counted(called, kept_N),
            "lowest_confidence": self._lowest(called, kept_N),
            "right": rightness(called, kept_N, of.truth_N),
        }

    def _ranks(self, called: Called, teachers: Sequence[Checkpoint]) -> NDArray[np.float64]:
        """Which of too many stay: those with the highest numbers. What is drawn is drawn anew for other teachers."""
        if self.settings.keep == "surest":
            return called.confidence_N
        return uniforms(len(self.candidates), self.config.train.seed, "kept", *map(weights_sha256, teachers))

    def _counted(self, called: Called, among_N: Mask) -> dict[str, int]:
        return by_label(self.corpus, called.label_N[among_N])

    def _lowest(self, called: Called, kept_N: Mask) -> dict[str, float | None]:
        """For each label the confidence that was just enough; None where nothing was kept."""
        of_label = [called.confidence_N[kept_N & (called.label_N == label)] for label in range(len(self.corpus.labels))]
        lowest = [float(found.min()) if len(found) else None for found in of_label]
        return dict(zip(self.corpus.labels, lowest, strict=True))


def by_label(corpus: LabelledCorpus, label_M: NDArray[Any]) -> dict[str, int]:
    """How many items have each label."""
    count_C = np.bincount(label_M, minlength=len(corpus.labels))
    return dict(zip(corpus.labels, count_C.tolist(), strict=True))
