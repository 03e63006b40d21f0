from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from corrupting import DAMAGES, Damage, delete, flip, name_of, neighbour, swap
from lab import CONFIG, TEXT, Lab
from pseudolab import PseudoLab, all_that_came, new_lab

from charrnn.checkpoint.layout import MANIFEST, checkpoints, step_name
from charrnn.config.load import load_config
from charrnn.errors import CharRnnError, UsageError
from charrnn.files import atomic
from charrnn.files.lock import folder_lock
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared
from charrnn.runs.doctor import examine, kind_of, sweep_below
from charrnn.runs.findings import Finding
from charrnn.runs.start import train_run
from charrnn.train.interrupt import Interrupt

FEW = ("train.tensorboard=false", "train.epochs=1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, to be copied."""
    path = tmp_path_factory.mktemp("trained")
    (path / "text.txt").write_text(TEXT, encoding="utf-8")
    (path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    Lab(path).train("run", "new", None, *FEW)
    return path


@pytest.fixture
def lab(trained: Path, tmp_path: Path) -> Lab:
    """A copy, whose config still names the text of the first one."""
    shutil.copytree(trained, tmp_path / "copy")
    return Lab(tmp_path / "copy")


def wrong(place: Path, corpora: Path) -> list[Finding]:
    """What the doctor finds that is not whole."""
    return [finding for finding in examine(place, corpora) if finding.state in ("damaged", "missing")]


def follow(advice: str, corpora: Path) -> None:
    """Do what the doctor says: the commands of a line, each up to a semicolon or the first word that is none of it."""
    for part in re.split(r"; (?:then )?", advice.splitlines()[0]):
        words = shlex.split(part)
        match words:
            case ["rm", *_]:
                subprocess.run(words, check=True)
            case ["sed", *_]:
                subprocess.run(words, check=True)
            case ["charrnn", "train", config, "--out", out, "--resume", *_]:
                with Console(quiet=True) as console:
                    train_run(load_config(Path(config)), Path(out), "resume", corpora, console, Interrupt())
            case ["charrnn", "prepare", config, *_]:
                with Console(quiet=True) as console:
                    prepared(load_config(Path(config)), corpora, console, lambda: None)


def test_a_whole_run_is_whole(lab: Lab) -> None:
    found = list(examine(lab.path / "run", lab.path / "corpora"))
    assert kind_of(lab.path / "run") == "run"
    assert [finding.state for finding in found] == ["ok"] * len(found)
    things = [finding.thing for finding in found]
    count = len(checkpoints(lab.path / "run/checkpoints"))
    assert things == ["config", *["checkpoint"] * count, "pointer", "pointer", "records", "records", "corpus"]


def test_nothing_of_ours_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match="there is n"):
            list(examine(place, tmp_path))


@pytest.mark.faults
@pytest.mark.parametrize("damage", DAMAGES, ids=name_of)
def test_every_damage_to_every_file_of_a_checkpoint_is_found(lab: Lab, damage: Damage) -> None:
    run = lab.path / "run"
    place = checkpoints(run / "checkpoints")[-1]
    kept = lab.path / "kept"
    shutil.copytree(place, kept)
    for file in sorted(path.name for path in kept.iterdir()):
        names = [file, *([neighbour(place / file).name] if damage is swap else [])]
        damage(place / file)
        for asked in (run, place):
            found = wrong(asked, lab.path / "corpora")
            first = found[0]
            assert (first.thing, first.exit_code) == ("checkpoint", 4)
            assert first.place.absolute() == place
            # A digest that was damaged in the manifest shows at the file that it is of.
            names += ["the manifest", "no manifest"] if file == MANIFEST else []
            assert any(name in str(first.why) for name in names)
            assert "step-" in str(first.mend)
            assert [finding.thing for finding in found[1:]] in ([], ["pointer"])
        shutil.rmtree(place)
        shutil.copytree(kept, place)
        for other in lab.path.rglob("elsewhere-*"):
            other.unlink()
    assert wrong(run, lab.path / "corpora") == []


@pytest.mark.faults
def test_the_advice_for_the_newest_checkpoint_leads_to_the_same_end(lab: Lab, trained: Path) -> None:
    run = lab.path / "run"
    flip(checkpoints(run / "checkpoints")[-1] / "model.safetensors")
    (found,) = wrong(run, lab.path / "corpora")
    follow(str(found.mend), lab.path / "corpora")
    assert wrong(run, lab.path / "corpora") == []
    shutil.copytree(trained / "run", lab.path / "unbroken")
    assert lab.records("run") == lab.records("unbroken")
    last = [checkpoints(lab.path / name / "checkpoints")[-1] for name in ("run", "unbroken")]
    assert last[0].name == last[1].name
    assert (last[0] / "model.safetensors").read_bytes() == (last[1] / "model.safetensors").read_bytes()


@pytest.mark.faults
@pytest.mark.parametrize("which", [0, 1])
def test_the_advice_for_an_older_checkpoint(lab: Lab, which: int) -> None:
    run = lab.path / "run"
    folders = checkpoints(run / "checkpoints")
    (run / "best").write_text(folders[0].name + "\n")
    delete(folders[which] / "train.json")
    (found,) = wrong(run, lab.path / "corpora")
    assert str(run / "last") not in str(found.mend)
    assert (str(run / "best") in str(found.mend)) == (which == 0)
    follow(str(found.mend), lab.path / "corpora")
    assert wrong(run, lab.path / "corpora") == []
    assert len(checkpoints(run / "checkpoints")) == len(folders) - 1


def test_with_no_whole_checkpoint_left_there_is_only_a_new_beginning(lab: Lab) -> None:
    for folder in checkpoints(lab.path / "run/checkpoints"):
        flip(folder / "manifest.json")
        (folder / "manifest.json").write_bytes(b"{")
    found = wrong(lab.path / "run", lab.path / "corpora")
    assert all("--force begins anew" in str(finding.mend) for finding in found)
    assert {finding.exit_code for finding in found} == {4}


def test_pointers(lab: Lab) -> None:
    run = lab.path / "run"
    newest = checkpoints(run / "checkpoints")[-1]
    for content in ("step-00009999\n", "../../etc\n", ""):
        (run / "last").write_text(content)
        (found,) = wrong(run, lab.path / "corpora")
        assert (found.thing, found.place, found.exit_code) == ("pointer", run / "last", 4)
    follow(str(found.mend), lab.path / "corpora")
    assert wrong(run, lab.path / "corpora") == []
    assert (run / "last").read_text() == newest.name + "\n"
    for change in (lambda: (run / "last").unlink(), lambda: (run / "last").write_text(f"{step_name(9)}\n")):
        change()  # as a kill between a checkpoint and its pointers may leave them
        notes = [finding for finding in examine(run, lab.path / "corpora") if finding.state != "ok"]
        assert [(note.state, note.thing) for note in notes] == [("note", "pointer")]
        assert "--resume" in str(notes[0].why)


def test_half_a_line_is_no_damage_and_half_a_file_is(lab: Lab) -> None:
    run, corpora = lab.path / "run", lab.path / "corpora"
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metrics.jsonl").write_bytes(b"".join(lines) + b'{"step": 9')
    assert wrong(run, corpora) == []
    assert any("half a line" in str(finding.why) for finding in examine(run, corpora))
    (run / "metrics.jsonl").write_bytes(b"".join(lines[:-1]))
    (found,) = wrong(run, corpora)
    assert (found.thing, found.exit_code) == ("records", 3)
    assert f"had {len(lines)}" in str(found.why)
    (run / "metrics.jsonl").unlink()
    assert [finding.state for finding in wrong(run, corpora)] == ["missing"]


def test_the_advice_for_lines_that_are_no_records_lets_the_run_go_on(lab: Lab) -> None:
    run, corpora = lab.path / "run", lab.path / "corpora"
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    lines[0], lines[2] = b"\0" * 30 + b"\n", b"[1]\n"
    (run / "metrics.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(CharRnnError, match="not a record") as caught:
        lab.train("run", "resume", None, "train.tensorboard=false", "train.epochs=2")
    assert "charrnn doctor" in str(caught.value.hint)
    (found,) = wrong(run, corpora)
    assert str(found.why).endswith("1, 3")
    follow(str(found.mend), corpora)
    assert wrong(run, corpora) == []
    lab.train("run", "resume", None, "train.tensorboard=false", "train.epochs=2")


def test_a_config_that_is_damaged_is_not_named_in_any_advice(lab: Lab) -> None:
    run = lab.path / "run"
    (run / "config.yaml").write_text("corpus: [", encoding="utf-8")
    flip(checkpoints(run / "checkpoints")[-1] / "model.safetensors")
    found = wrong(run, lab.path / "corpora")
    assert [finding.thing for finding in found] == ["config", "checkpoint"]
    assert all("charrnn train CONFIG --out" in str(finding.mend) for finding in found)
    (run / "config.yaml").unlink()
    assert wrong(run, lab.path / "corpora")[0].state == "missing"


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_the_advice_for_the_corpus_of_a_run(lab: Lab, how: str) -> None:
    run, corpora = lab.path / "run", lab.path / "corpora"
    (folder,) = corpora.iterdir()
    if how == "gone":
        shutil.rmtree(folder)
    else:
        flip(folder / "tokens.bin")
    (found,) = wrong(run, corpora)
    assert (found.thing, found.exit_code) == ("corpus", 3)
    follow(str(found.mend), corpora)
    assert wrong(run, corpora) == []


def test_what_dead_processes_left_is_told_and_swept_when_asked(lab: Lab) -> None:
    run, corpora = lab.path / "run", lab.path / "corpora"
    process = subprocess.Popen(["true"])
    process.wait()
    name = f".tmp-charrnn-step-00000099-{atomic._host()}-{process.pid}"
    living = run / f".tmp-charrnn-best-{atomic._host()}-{os.getppid()}"
    for folder in (run, run / "checkpoints"):
        (folder / name).mkdir()
    living.write_text("")
    found = [finding for finding in examine(run, corpora) if finding.state == "leftover"]
    assert [finding.place.parent for finding in found] == [run, run / "checkpoints"]
    assert all(str(finding.mend).endswith("--sweep") for finding in found)
    assert wrong(run, corpora) == []
    sweep_below(run)
    assert [finding.state for finding in examine(run, corpora) if finding.state != "ok"] == []
    assert living.exists()


def test_a_run_in_which_somebody_works_says_so(lab: Lab) -> None:
    with folder_lock(lab.path / "run"):
        first = next(iter(examine(lab.path / "run", lab.path / "corpora")))
        assert (first.state, first.thing) == ("note", "in use")
        assert str(os.getpid()) in str(first.why)
    assert next(iter(examine(lab.path / "run", lab.path / "corpora"))).thing == "config"


SHORT = ("train.max_steps=4", "pseudo.rounds=1", "pseudo.select={kind: all}")


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> PseudoLab:
    lab = new_lab(tmp_path_factory.mktemp("rounds"))
    lab.rounds("whole", *SHORT)
    return lab


def edit(path: Path) -> None:
    """Another model, by its digest."""
    manifest = json.loads(path.read_text())
    manifest["student"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))


@pytest.mark.faults
@pytest.mark.parametrize(
    ("file", "damage", "code"),
    [
        ("seed-1/round-1/labels.csv", flip, 3), ("seed-1/round-1/labels.csv", delete, 3),
        ("seed-1/round-1/manifest.json", delete, 3), ("seed-1/round-0/manifest.json", edit, 3),
        ("seed-1/round-1/run/checkpoints/step-00000004/model.safetensors", flip, 4),
        ("seed-1/round-0/run/checkpoints/step-00000004/train.json", delete, 4),
    ],
    ids=lambda value: Path(value).parent.name if isinstance(value, str) else None,
)  # fmt: skip
def test_the_advice_for_rounds_leads_to_the_same_end(
    rounds: PseudoLab, tmp_path: Path, file: str, damage: Callable[[Path], None], code: int
) -> None:
    whole, broken = rounds.path / "whole", rounds.path / f"broken-{tmp_path.name}"
    shutil.copytree(whole, broken)
    assert (kind_of(broken), wrong(broken, rounds.path / "corpora")) == ("rounds", [])
    damage(broken / file)
    found = wrong(broken, rounds.path / "corpora")
    assert max(finding.exit_code for finding in found) == code
    assert any(str(finding.place).startswith(str((broken / file).parent)) for finding in found)
    remove = re.search(r"(rm -r [^;]*); charrnn pseudolabel \S+ --out \S+ does that again", str(found[0].mend))
    assert remove is not None, found[0].mend
    subprocess.run(shlex.split(remove[1]), check=True)
    rounds.rounds(broken.name, *SHORT)
    assert wrong(broken, rounds.path / "corpora") == []
    assert all_that_came(broken) == all_that_came(whole)
