"""A disk that is truly full: a small file system in memory, where this machine lets us mount one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ledger import Ledger

WORK = """
import json, os, sys
from pathlib import Path
import numpy as np
from charrnn.checkpoint.layout import checkpoints
from charrnn.checkpoint.read import Checkpoint
from charrnn.checkpoint.write import write_checkpoint
from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.prepare import prepare
from charrnn.errors import DiskFullError
from charrnn.files.atomic import remove_folder

disk, source = Path(sys.argv[1]), Path(sys.argv[2])
came = []
for step in range(int(sys.argv[3])):
    weights = {"w": np.full(2000, float(step)), "v": np.ones(200 + 37 * step)}
    try:
        write_checkpoint(disk / "run", step, {"model": weights}, {"train": {"step": step}})
        came.append("whole")
    except DiskFullError:
        came.append("refused")
        if checkpoints(disk / "run"):
            remove_folder(checkpoints(disk / "run")[0])  # somebody makes room
    for folder in checkpoints(disk / "run"):
        found = Checkpoint.open(folder)
        assert found.tensors("model")["w"][0] == found.document("train")["step"] == found.step
try:
    settings = Corpus.model_validate({"source": str(source)})
    prepare(settings, base=disk, corpora=disk / "corpora")
    came.append("prepared")
except DiskFullError:
    came.append("not prepared")
litter = [str(path) for path in disk.rglob(".tmp-charrnn*")]
print(json.dumps([came, litter, os.listdir(disk / "corpora")]))
"""


def test_a_disk_that_is_truly_full(tmp_path: Path, ledger: Ledger) -> None:
    disk, times = tmp_path / "disk", ledger.times(30, 2000)
    disk.mkdir()
    (tmp_path / "text.txt").write_text("a text of some length\n" * 20_000, encoding="utf-8")
    mount = f"mount -t tmpfs -o size=100k tmpfs {disk}"
    alone = ["unshare", "-Urm", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*alone, mount], check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk: only the faulty one of the other tests was full")
    count = ledger.fault("a true small disk, full")
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    command = f"{mount} && {sys.executable} {tmp_path}/work.py {disk} {tmp_path}/text.txt {times}"
    done = subprocess.run([*alone, command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    came, litter, corpora = json.loads(done.stdout)
    assert came.count("refused") > 3
    assert came.count("whole") > 8
    assert (came[-1], litter, corpora) == ("not prepared", [], [])
    for _ in range(times):
        with count.trial():
            pass
