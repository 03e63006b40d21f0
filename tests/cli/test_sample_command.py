from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import Shell


pytestmark = pytest.mark.slow


def test_the_newest_run_is_the_default_and_the_text_is_repeatable(trained: Shell) -> None:
    one, two = trained("sample", "--seed", "the "), trained("sample", "runs/tiny", "--seed", "the ")
    assert one.stdout == two.stdout
    assert one.stdout.startswith("the ")
    assert len(one.stdout) == 4 + 10 + 1
    assert "runs/tiny/checkpoints/step-" in one.stderr
    assert "(best)" in one.stderr
    assert trained("sample", "--seed", "the ", "--random-seed", "9").stdout != one.stdout


def test_json_holds_every_sample(trained: Shell) -> None:
    done = json.loads(trained("sample", "--seed", "the ", "--count", "3", "--length", "7", "--json").stdout)
    assert len(done["samples"]) == 3
    assert len(set(done["samples"])) > 1
    assert all(len(text) == 7 for text in done["samples"])
    assert done["options"]["temperature"] == 0.8


def test_a_seed_from_a_file(trained: Shell) -> None:
    (trained.path / "seed.txt").write_text("and the ")
    assert trained("sample", "--seed-file", "seed.txt").stdout.startswith("and the ")
    trained("sample", "--seed-file", "seed.txt", "--seed", "x", code=2)
    trained("sample", "--seed-file", "none.txt", code=2)


def test_filters_and_stop(trained: Shell) -> None:
    greedy = trained("sample", "--greedy", "--seed", "the ").stdout
    assert trained("sample", "--top-k", "1", "--seed", "the ").stdout == greedy
    assert trained("sample", "--min-p", "1", "--seed", "the ").stdout == greedy
    assert trained("sample", "--top-p", "1e-9", "--seed", "the ").stdout == greedy
    text = trained("sample", "--length", "200", "--stop", "a").stdout
    assert "a" not in text


def test_a_checkpoint_by_name(trained: Shell) -> None:
    done = trained("sample", "runs/tiny/checkpoints/step-00000012", "--length", "3")
    assert "step-00000012 (named)" in done.stderr


def test_a_reader_that_leaves_is_no_error(trained: Shell) -> None:
    command = " ".join(f"'{word}'" for word in trained.command("sample", "--length", "100000"))
    done = subprocess.run(
        ["bash", "-c", f"{command} 2>err.txt | head -c 5; code=${{PIPESTATUS[0]}}; echo; echo $code"],
        cwd=trained.path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "141"
    err = (trained.path / "err.txt").read_text()
    assert "error" not in err.lower()
    assert "Traceback" not in err


def test_no_run_yet(shell: Shell) -> None:
    assert "charrnn train CONFIG" in shell("sample", code=2).stderr
    assert "nowhere" in shell("sample", "nowhere", code=2).stderr


def told(trained: Shell, *arguments: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(trained("sample", "--json", *arguments).stdout)
    return result


def test_samples_are_printed_in_order_and_are_those_of_json(trained: Shell) -> None:
    options = ("--seed", "the ", "--count", "4", "--length", "30", "--stop", "t", "--temperature", "3,1")
    result = told(trained, *options)
    assert result["options"]["temperature"] == [3.0, 1.0]
    assert result["ended"] == ["length" if len(text) == 30 else "stop" for text in result["samples"]]
    assert trained("sample", *options).stdout == "".join(f"the {text}\n" for text in result["samples"])
    alone = trained("sample", "--seed", "the ", "--length", "30", "--stop", "t", "--temperature", "3,1").stdout
    assert alone == f"the {result['samples'][0]}\n"


def test_charsets_and_what_is_required(trained: Shell) -> None:
    text = told(trained, "--length", "200", "--temperature", "2", "--ban", "ae", "--require", "dog on")["samples"][0]
    assert not set(text) & set("ae")
    assert "dog on" in text
    assert set(told(trained, "--length", "200", "--only", "abt ", "--temperature", "2")["samples"][0]) <= set("abt ")
    for options in (("--only", "☃"), ("--require", "☃"), ("--require", "dog", "--ban", "o")):
        refused = trained("sample", "--seed", "the ", *options, code=2)
        assert refused.stdout == ""
        assert options[0] in refused.stderr


def test_a_beam(trained: Shell) -> None:
    one, two = (told(trained, "--beam", "5", "--length", "12", "--count", "2", "--stop", ".") for _ in range(2))
    assert one == two
    assert len(set(one["samples"])) == 2
    narrow, greedy = (told(trained, "--length", "12", *options) for options in (("--beam", "1"), ("--greedy",)))
    assert narrow["samples"] == greedy["samples"]
    assert "--beam and --top-k exclude" in trained("sample", "--beam", "2", "--top-k", "2", code=2).stderr
    assert "2 beams have no 3 texts" in trained("sample", "--beam", "2", "--count", "3", code=2).stderr


def test_probabilities(trained: Shell) -> None:
    options = ("--length", "9", "--count", "2", "--seed", "the ")
    result = told(trained, *options, "--probabilities", "--alternatives", "3")
    assert result["samples"] == told(trained, *options)["samples"]
    for text, symbols in zip(result["samples"], result["symbols"], strict=True):
        assert "".join(one["text"] for one in symbols) == text
        for one in symbols:
            assert list(one) == ["symbol", "text", "probability", "model_probability", "alternatives"]
            assert 0.0 < one["model_probability"] <= one["alternatives"][0][1] <= 1.0
            assert 0.0 < one["probability"] <= 1.0
            assert len(one["alternatives"]) == 3
    searched = told(trained, "--length", "4", "--beam", "2", "--probabilities")["symbols"][0]
    assert [one["probability"] for one in searched] == [None] * 4
    assert "--json" in trained("sample", "--probabilities", code=2).stderr


def test_what_is_memorized(trained: Shell) -> None:
    options = ("--seed", "the ", "--length", "60", "--count", "2")
    result = told(trained, *options, "--memorized", "--memorized-min", "3")
    training = (trained.path / "text.txt").read_text()
    found = result["memorized"]
    for text, one in zip(result["samples"], found["samples"], strict=True):
        assert one["characters"] == len(text)
        for passage in one["passages"]:
            assert text[passage["start"] :].startswith(passage["text"])
            assert training[passage["offset"] :].startswith(passage["text"])
            assert passage["line"] == 1 + training[: passage["offset"]].count("\n")
        # A share of passages of at least three characters, from the definition.
        starts = [n for n in range(len(text) - 2) if text[n : n + 3] in training]
        assert one["copied"] == len({n + k for n in starts for k in range(3)})
    assert found["copied"] == sum(one["copied"] for one in found["samples"])
    assert sum(row["passages"] for row in found["lengths"]) == sum(len(one["passages"]) for one in found["samples"])
    assert found["held_out"]["share"] == 1.0, "the text repeats one line"
    lines = trained("sample", *options, "--memorized", "--memorized-min", "3").stdout
    assert f"{found['copied']} of {found['characters']} characters" in lines
    assert "--memorized-min goes with" in trained("sample", "--memorized-min", "3", code=2).stderr


def test_without_its_text_a_model_says_how_to_prepare_it(trained: Shell, tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to(trained.path / "runs")
    said = trained.at(tmp_path)("sample", "--memorized", code=3)
    assert said.stdout == ""
    assert "charrnn prepare runs/tiny/config.yaml" in said.stderr


def test_states_are_traced(trained: Shell, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file, picture = str(tmp_path / "units.npz"), str(tmp_path / "units.svg")
    result = told(trained, "--seed", "the ", "--length", "6", "--trace", file)
    with np.load(file) as arrays:
        assert "".join(arrays["symbols"]).replace("<space>", " ").replace("\\n", "\n") == "the " + result["samples"][0]
        assert arrays["0.h"].shape == (10, 4)
    assert result["units"] == {
        "text": "sample",
        "symbols": 10,
        "trace": file,
        "picture": None,
        "units": {"0.h": 4, "0.c": 4},
        "followers": result["units"]["followers"],
    }
    valid = told(trained, "--trace-text", "train", "--trace-length", "500", "--picture", picture)["units"]
    assert (valid["text"], valid["symbols"]) == ("train", 500)
    assert [one["feature"] for one in valid["followers"]] == ["position in the line"]
    assert Path(picture).stat().st_size
    assert "position in the line" in trained("sample", "--trace-text", "train").stdout
    assert "nothing to draw" in trained("sample", "--length", "2", "--picture", picture, code=2).stderr
    for options in (("--trace", "x.csv"), ("--trace", file, "--count", "2"), ("--trace-length", "9")):
        trained("sample", *options, code=2)


def test_the_config_has_all_of_it(shell: Shell) -> None:
    config = shell.path / "tiny.yaml"
    sample = "sample: {length: 20, seed: 'the ', only: 'thecaso ', temperature: [2, 0.5], require: [cat]}"
    config.write_text(config.read_text().replace("sample: {length: 10}", sample))
    shell("train", "tiny.yaml", "--quiet")
    last = json.loads((shell.path / "runs" / "tiny" / "samples.jsonl").read_text().splitlines()[-1])
    text = last["text"].removeprefix("the ")
    assert set(text) <= set("thecaso ")
    assert "cat" in text
    result = told(shell, "runs/tiny")
    assert result["options"] | {"temperature": [2, 0.5], "require": ["cat"]} == result["options"]
    config.write_text(config.read_text().replace("only: 'thecaso '", "only: '☃'"))
    refused = shell("train", "tiny.yaml", "--out", "other", code=2)
    assert "left to draw" in refused.stderr
    assert not (shell.path / "other").exists()
