from __future__ import annotations

from pathlib import Path

import pytest
from corrupting import flip
from tuning import Tuning

from charrnn.checkpoint.layout import checkpoints
from charrnn.runs.doctor import examine, kind_of
from charrnn.runs.folder import STUDY


@pytest.mark.faults
def test_the_journal_and_every_trial_are_looked_at(tuning: Tuning) -> None:
    tuning.search("study", "tune.trials=2", "tune.max_steps=8", "tune.prune=null")
    study, corpora = tuning.path / "study", tuning.path / "corpora"

    def wrong() -> list[tuple[str, Path, int]]:
        found = [finding for finding in examine(study, corpora) if finding.state in ("damaged", "missing")]
        assert all(finding.mend for finding in found)
        return [(finding.thing, finding.place, finding.exit_code) for finding in found]

    assert (kind_of(study), wrong()) == ("study", [])
    things = [finding.thing for finding in examine(study, corpora)]
    assert things.count("journal") == 1
    assert things.count("config") == 3  # two trials, and best.yaml
    assert things.count("corpus") == 1
    with (study / STUDY).open("ab") as journal:
        journal.write(b'{"half')
    assert wrong() == []
    damaged = checkpoints(study / "trials/0001/checkpoints")[-1]
    flip(damaged / "model.safetensors")
    (study / "best.yaml").write_text("corpus: [", encoding="utf-8")
    (study / STUDY).write_bytes(b"\0\n" + (study / STUDY).read_bytes())
    assert wrong() == [("journal", study / STUDY, 3), ("config", study / "best.yaml", 4), ("checkpoint", damaged, 4)]
