import pytest

SCRATCH = "corpus: {source: x.txt}\ntrain:\n  engine: scratch\n"
ADVICE = "leave it out, or take the engine `torch`"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "model: {input: {batchnorm: true}}",
            "4:17: model.input.batchnorm: train.engine `scratch` does not know BatchNorm",
        ),
        (
            "model: {core: {kind: gru, recurrent_dropout: 0.2}}",
            "4:27: model.core.recurrent_dropout: train.engine `scratch` does not know dropout inside the recurrence",
        ),
        (
            "model: {core: {recurrent_dropout: {kind: state, p: 0.2}}}",
            "4:16: model.core.recurrent_dropout: train.engine `scratch` does not know dropout inside the recurrence",
        ),
        (
            "  scan: tree",
            "4:3: train.scan: train.engine `scratch` does not know scans in the form of a tree",
        ),
        (
            "  scan: kernel",
            "4:3: train.scan: train.engine `scratch` does not know scans in the form of a kernel",
        ),
    ],
)
def test_what_is_not_written_by_hand_is_refused_where_it_stands(load, problems, text, line):
    assert problems(SCRATCH + text) == [f"demo.yaml:{line}: {ADVICE}"]
    assert load(SCRATCH + text, "train.engine=torch").config.train.engine == "torch"


def test_all_of_it_is_told_at_once_with_all_else_that_is_asked_for(problems):
    lines = problems(
        SCRATCH + "model: {input: {batchnorm: true}, core: {recurrent_dropout: 0.1}}", "train.device=cuda:1"
    )
    assert [line.split("train.engine")[0] for line in lines] == [
        "demo.yaml:4:17: model.input.batchnorm: ",
        "demo.yaml:4:42: model.core.recurrent_dropout: ",
        "--set train.device=cuda:1: train.device: ",
    ]


def test_what_is_switched_off_is_not_refused(load):
    loaded = load(SCRATCH + "model: {input: {batchnorm: false}, core: {recurrent_dropout: {kind: state, p: 0.0}}}")
    assert loaded.config.train.engine == "scratch"


def test_a_search_cannot_ask_for_it_either(problems):
    text = SCRATCH + "tune: {space: {model.core.recurrent_dropout: {kind: uniform, low: 0.1, high: 0.3}}}\n"
    assert any("train.engine `scratch` does not know dropout inside" in line for line in problems(text))
