"""One of several processes is killed: the others say so and end, and the run goes on to what it would have come to."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import company
import lab
import pytest
from killing import nothing_half_written
from lab import Lab, same_run
from ledger import Ledger
from nursery import Nursery

from charrnn.errors import PeerError

pytestmark = pytest.mark.slow

SHORT = ("--set", "train.tensorboard=false", "--set", "train.epochs=2", "--quiet")
TRAIN = ("train", "config.yaml", "--out", "run", "--resume", *SHORT)
SIZE = 2


def test_a_process_that_is_killed(processes: Nursery, tmp_path: Path, ledger: Ledger) -> None:
    count = ledger.fault("SIGKILL of one of two processes while training, then --resume")
    given = tmp_path / "given"
    given.mkdir()
    (given / "text.txt").write_text(lab.TEXT, encoding="utf-8")
    (given / "config.yaml").write_text(lab.CONFIG, encoding="utf-8")
    whole = shutil.copytree(given, tmp_path / "whole")
    ends = company.together(processes, whole, SIZE, *TRAIN)
    assert [end.code for end in ends] == [0] * SIZE, ends[0].err
    chance, usual = random.Random(20), min(end.seconds for end in ends)
    for trial in range(ledger.times(2, 20)):
        with count.trial():
            folder, victim = tmp_path / f"broken-{trial}", trial % SIZE
            killed = False
            while not killed:  # unless it was through before
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(given, folder)
                children = company.start(processes, folder, SIZE, "nursery:charrnn", *TRAIN)
                # Before they have found each other nobody but torchrun, which started them, can know of one's death.
                killed = children[victim].kill_after(chance.uniform(0.3 * usual, usual)).killed
                left = children[1 - victim].wait()
            assert left.code in (0, PeerError.exit_code), left.err  # 0 where it had nothing to do but to end
            assert left.code == 0 or "another process of this run is gone" in left.err
            nothing_half_written(folder)
            ends = company.together(processes, folder, SIZE, *TRAIN)
            assert [end.code for end in ends] == [0] * SIZE, [end.err for end in ends]
            same_run(Lab(tmp_path), "whole/run", f"broken-{trial}/run")
