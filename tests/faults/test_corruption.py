"""Damage to any file of what charrnn has written is found by its digest, named, and never passed over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from corrupting import DAMAGES, Damage, delete, flip, name_of, neighbour, swap
from lab import CONFIG, TEXT, Lab
from ledger import Ledger
from wholeness import KINDS, content, read_corpus, sources

from charrnn.checkpoint.layout import checkpoints
from charrnn.errors import CheckpointError, DataError
from charrnn.logs.console import Console
from charrnn.runs.corpus import prepared
from charrnn.runs.findings import corpus_finding
from charrnn.runs.folder import find_checkpoint
from charrnn.train.interrupt import Interrupt

FEW = ("train.tensorboard=false", "train.epochs=1")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of every kind, to be copied."""
    top = tmp_path_factory.mktemp("corpora")
    for kind, (make, _) in KINDS.items():
        sources(top / kind)
        make(top / kind)
    return top


@pytest.mark.parametrize("kind", KINDS)
def test_damage_to_every_file_of_a_corpus_is_named(corpora: Path, tmp_path: Path, ledger: Ledger, kind: str) -> None:
    count = ledger.fault("a file of a corpus damaged (flip, cut, zero, swap, delete, …)")
    opened, folder = KINDS[kind][1], tmp_path / "corpus"
    files = sorted(path.name for path in (corpora / kind / "out").iterdir())
    assert len(files) >= 4
    for damage in DAMAGES:
        for file in files:
            shutil.copytree(corpora / kind / "out", folder)
            named = {file, neighbour(folder / file).name} if damage is swap else {file}
            damage(folder / file)
            with count.trial():
                with pytest.raises(DataError) as caught:
                    read_corpus(opened, folder)
                assert caught.value.exit_code == 3
                told = f"{caught.value.where} {caught.value.why}"
                # A digest that was damaged in the manifest shows at the file that it is of; without it, all is missing.
                if file == "manifest.json":
                    named |= {"the manifest"} | ({str(folder)} if damage in (delete, *DAMAGES[7:]) else set())
                assert any(name in told for name in named), told
                assert caught.value.hint
                found = corpus_finding(folder, "make it again")
                assert (found.state, found.exit_code) == ("damaged", 3)
                assert any(name in str(found.why) for name in named | {"no prepared corpus"})
            shutil.rmtree(folder)
            for other in tmp_path.glob("elsewhere-*"):
                shutil.rmtree(other) if other.is_dir() else other.unlink()


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_of_a_corpus_is_read(corpora: Path, tmp_path: Path, ledger: Ledger, kind: str) -> None:
    count = ledger.fault("one bit of a corpus flipped")
    opened, folder = KINDS[kind][1], tmp_path / "corpus"
    shutil.copytree(corpora / kind / "out", folder)
    read_corpus(opened, folder)
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        places = ledger.times(100 if path.name == "manifest.json" else 12, 3000)
        for place in range(0, len(data), max(1, len(data) // places)):
            changed = bytearray(data)
            changed[place] ^= 1 << place % 8
            if path.name == "manifest.json" and means_the_same(changed, data):
                continue
            with count.trial():
                path.write_bytes(changed)
                with pytest.raises(DataError):
                    read_corpus(opened, folder)
        path.write_bytes(data)
    read_corpus(opened, folder)


def means_the_same(changed: bytes, data: bytes) -> bool:
    """White space between the words of JSON means nothing."""
    try:
        same: bool = json.loads(changed) == json.loads(data)
    except ValueError:
        return False
    return same


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_that_is_cut_after_it_was_opened_is_noticed(corpora: Path, tmp_path: Path, kind: str) -> None:
    """What is small is read whole, so nothing that happens to the file later reaches a model."""
    for file in sorted((corpora / kind / "out").glob("*.bin")):
        folder = tmp_path / file.name
        shutil.copytree(corpora / kind / "out", folder)
        corpus = KINDS[kind][1].open(folder, verify=True)
        data = file.read_bytes()
        (folder / file.name).write_bytes(data[: len(data) // 16 * 8])
        with pytest.raises(DataError):
            corpus.split("train")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return Lab(tmp_path)


def test_a_damaged_corpus_is_made_again_aloud_and_refused_without_its_source(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    from charrnn.config.load import load_config

    def prepare() -> Path:
        loaded = load_config(lab.path / "config.yaml", [])
        with Console() as console:
            folder: Path = prepared(loaded, lab.path / "corpora", console, Interrupt().check).corpus.folder
        return folder

    folder = prepare()
    whole = (folder / "tokens.bin").read_bytes()
    assert "damaged" not in capsys.readouterr().err
    for damage in (flip, delete):
        damage(folder / "tokens.bin")
        assert prepare() == folder
        assert (folder / "tokens.bin").read_bytes() == whole
        told = capsys.readouterr().err
        assert "was damaged, and has been made again from its source" in told
        assert "tokens.bin" in told
    flip(folder / "tokens.bin")
    (lab.path / "text.txt").unlink()
    with pytest.raises(DataError):
        prepare()


@pytest.mark.parametrize("damage", [flip, delete], ids=name_of)
def test_a_damaged_checkpoint_is_never_passed_over_for_an_older_one(lab: Lab, ledger: Ledger, damage: Damage) -> None:
    """Neither by what trains on nor by what uses it; both name the last good one."""
    count = ledger.fault("a file of the newest checkpoint damaged, then --resume")
    lab.train("run", "new", None, *FEW)
    folders = checkpoints(lab.path / "run/checkpoints")
    (lab.path / "run/best").write_text(folders[-1].name + "\n")
    kept = lab.path / "kept"
    shutil.copytree(folders[-1], kept)
    for file in sorted(path.name for path in kept.iterdir()):
        damage(folders[-1] / file)
        with count.trial():
            with pytest.raises(CheckpointError) as caught:
                lab.train("run", "resume", None, "train.tensorboard=false", "train.epochs=2")
            assert caught.value.exit_code == 4
            assert folders[-2].name in str(caught.value.hint)
            with pytest.raises(CheckpointError) as caught:
                content(find_checkpoint(lab.path / "run", lab.path)[0].folder)
            assert folders[-2].name in str(caught.value.hint)
            assert checkpoints(lab.path / "run/checkpoints")[: len(folders) - 1] == folders[:-1]
        shutil.rmtree(folders[-1])
        shutil.copytree(kept, folders[-1])


def test_a_finished_run_with_a_damaged_model_is_not_called_finished(lab: Lab, ledger: Ledger) -> None:
    count = ledger.fault("a file of the newest checkpoint damaged, then --resume")
    lab.train("run", "new", None, *FEW)
    lab.train("run", "resume", None, *FEW)
    flip(checkpoints(lab.path / "run/checkpoints")[-1] / "model.safetensors")
    with count.trial(), pytest.raises(CheckpointError, match="damaged"):
        lab.train("run", "resume", None, *FEW)
