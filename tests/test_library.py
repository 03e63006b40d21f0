"""`charrnn.load`: what scripts and notebooks use gives what the commands print."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lab import Lab
from ratinglab import rating_lab

import charrnn
from charrnn.errors import CheckpointError, DataError, UsageError
from charrnn.runs.use import open_model
from charrnn.text.watch import no_check


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    from lab import CONFIG, TEXT

    place = tmp_path_factory.mktemp("library")
    (place / "text.txt").write_text(TEXT, encoding="utf-8")
    (place / "config.yaml").write_text(CONFIG, encoding="utf-8")
    lab = Lab(place)
    lab.train("run", "new", None, "train.epochs=1")
    return lab


def test_a_sample_is_that_of_the_command(trained: Lab) -> None:
    model = charrnn.load(trained.path / "run")
    opened = open_model(trained.path / "run", trained.path)
    options = opened.options({"seed": "abc", "length": 30, "temperature": 0.5, "random_seed": 3})
    expected = ["".join(opened.text(options, number, "error", no_check)) for number in range(3)]
    given = {"length": 30, "temperature": 0.5, "random_seed": 3}
    assert [model.sample("abc", number=number, **given) for number in range(3)] == expected
    assert model.samples(3, "abc", **given) == expected
    assert "".join(model.stream("abc", number=1, **given)) == expected[1]
    assert len({*expected}) == 3


def test_a_score_is_per_symbol_and_of_the_whole(trained: Lab) -> None:
    model, text = charrnn.load(trained.path / "run"), "abcabc\ncab"
    scored = model.score(text)
    assert "".join(scored.symbols) == "abcabc\\ncab"
    assert scored.nats == pytest.approx(float(np.mean(scored.nats_N)), rel=1e-12)
    assert scored.bits_per_char == pytest.approx(scored.nats / np.log(2.0), rel=1e-12)
    assert scored.bits_per_byte == scored.bits_per_char
    first = model.score("abcab")
    assert scored.nats_N[:5].tolist() == first.nats_N.tolist()


def test_what_comes_next_and_what_lies_near(trained: Lab) -> None:
    model = charrnn.load(trained.path / "run")
    shown = model.suggest("abc", 4)
    assert len(shown.symbols) == 4
    shares = [suggestion.probability for suggestion in shown.symbols]
    assert shares == sorted(shares, reverse=True)
    vectors = model.embeddings()
    assert vectors["a"].tolist() == vectors.table_VD[vectors.names.index("a")].tolist()
    assert [len(vectors.neighbours("a", 3)), vectors.neighbours("a", 3)[0][0] in vectors.names] == [3, True]


def test_models_of_ratings_have_vectors_and_write_nothing(tmp_path: Path) -> None:
    lab = rating_lab(tmp_path)
    lab.train("run", "new", None, "train.epochs=1")
    model = charrnn.load(tmp_path / "run", corpora=tmp_path / "corpora")
    assert model.config["task"] == "rate"
    assert len(model.embeddings("users").names) == len(model.embeddings("users").table_VD)
    with pytest.raises(UsageError):
        model.sample("abc")


def test_bad_arguments_are_our_errors_and_come_at_once(trained: Lab) -> None:
    model = charrnn.load(trained.path / "run")
    with pytest.raises(UsageError):
        model.stream("abc", temperature=-1.0)
    with pytest.raises(UsageError, match="lengths"):
        model.sample("abc", lengths=3)
    with pytest.raises(DataError):
        model.score("漢")
    with pytest.raises(DataError):
        model.score("")
    assert model.score("漢a", unknown="skip").symbols == ("a",)
    with pytest.raises(UsageError):
        charrnn.load(trained.path / "nowhere")
    with pytest.raises(AttributeError):
        charrnn.save  # noqa: B018  # pyright: ignore


def test_a_damaged_checkpoint_is_said_when_it_is_opened(trained: Lab, tmp_path: Path) -> None:
    import shutil

    run = shutil.copytree(trained.path / "run", tmp_path / "run")
    for file in run.glob("checkpoints/*/model.safetensors"):
        file.write_bytes(file.read_bytes()[:-8] + bytes(8))
    with pytest.raises(CheckpointError):
        charrnn.load(run)


def test_it_needs_no_torch_and_costs_nothing_until_it_is_asked_for(trained: Lab) -> None:
    code = (
        "import json, sys, charrnn\n"
        "early = 'numpy' in sys.modules\n"
        "model = charrnn.load(sys.argv[1])\n"
        "model.sample('abc', length=5); model.score('abc'); model.suggest('abc'); model.embeddings()\n"
        "print(json.dumps([early, 'torch' in sys.modules]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(trained.path / "run")], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [False, False]


def test_the_page_runs_from_top_to_bottom(trained: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """With a model of other letters, so that texts are made of those."""
    page = (Path(__file__).parents[1] / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 7
    code = "\n".join(blocks).replace("runs/demo", str(trained.path / "run"))
    known = {"The value of the expression is not a list.": "abcab", "The stat": "abc", "The ": "abc", "漢字!": "漢a"}
    known |= {"a list of values": "abc", "a lots of values": "bca", '"q"': '"a"'}
    for text, other in known.items():
        assert text in code
        code = code.replace(text, other)
    exec(compile(code, "docs/library.md", "exec"), {})
    told = capsys.readouterr().out
    assert "bits per character" in told
    assert told.endswith("('a',)\n")
