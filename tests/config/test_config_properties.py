import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from charrnn.config.load import config_from_source, flatten, load_config
from charrnn.config.render import render
from charrnn.errors import ConfigError

PROBABILITY = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
COUNT = st.integers(1, 10**9)
TEMPERATURE = st.floats(0.01, 10.0)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def mapping(**keys):
    return st.fixed_dictionaries({}, optional=keys)


def a(kind, **keys):
    return st.fixed_dictionaries({"kind": st.just(kind)}, optional=keys)


DROP = st.one_of(
    PROBABILITY,
    st.fixed_dictionaries({"p": PROBABILITY}, optional={"kind": st.sampled_from(["weight", "state"])}),
)
CORE = {"hidden": COUNT, "layers": COUNT, "dropout": PROBABILITY, "recurrent_dropout": DROP}
WARMUP = mapping(steps=COUNT) | a("low-epoch", factor=st.floats(0.01, 0.99))
SPLIT = st.one_of(
    st.just([0.8, 0.1, 0.1]),
    st.tuples(st.integers(0, 10**12), st.just("rest"), st.integers(0)).map(list),
)
OPTIMIZER = {"lr": POSITIVE, "eps": POSITIVE, "betas": st.lists(PROBABILITY, min_size=2, max_size=2)}
CONFIG = st.fixed_dictionaries(
    {
        "corpus": st.fixed_dictionaries(
            {"source": ANY_TEXT.filter(bool)},
            optional={
                "unit": st.sampled_from(["char", "word"]),
                "split": SPLIT,
                "sha256": st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
                "encoding": st.sampled_from(["utf-8", "latin-1"]),
            },
        )
    },
    optional={
        "stream": mapping(kind=st.just("lanes"), lanes=COUNT | st.just("auto"), chunk=COUNT)
        | a("windows", batch=COUNT, shuffle=st.booleans()),
        "model": mapping(
            input=mapping(size=COUNT, batchnorm=st.booleans()) | a("one-hot", dropout=PROBABILITY),
            core=st.one_of(
                mapping(**CORE, forget_bias=st.floats(allow_nan=False, allow_infinity=False)),
                a("gru", **CORE),
                a("elman", **CORE, init=st.sampled_from(["orthogonal", "identity"])),
                a("jordan", **CORE, outputs=COUNT),
                a("window", **CORE, init=st.sampled_from(["orthogonal", "identity"])),
                a("mingru", hidden=COUNT, dropout=PROBABILITY),
            ),
            head=mapping(hidden=st.lists(COUNT, max_size=3)),
        ),
        "train": mapping(
            epochs=COUNT | st.none(),
            max_steps=COUNT | st.none(),
            optimizer=mapping(**OPTIMIZER) | a("adam", **OPTIMIZER),
            schedule=st.one_of(
                mapping(warmup=COUNT | WARMUP, cycles=st.integers(1, 100), grow=st.floats(1, 10)),
                a("plateau", patience=COUNT, warmup=WARMUP, floor=PROBABILITY),
                a("step", every=COUNT, after=COUNT | st.none()),
                a("one-cycle", rise=PROBABILITY, shape=st.sampled_from(["cosine", "linear"])),
                a("constant"),
            ),
            early_stop=st.none() | mapping(patience=COUNT),
            device=st.sampled_from(["auto", "cuda:1"]),
            save=mapping(every=COUNT | st.just("epoch")),
        ),
        "sample": mapping(
            seed=ANY_TEXT | st.none(),
            stop=st.lists(ANY_TEXT.filter(bool), max_size=2),
            temperature=TEMPERATURE | st.lists(TEMPERATURE, min_size=1, max_size=3),
            only=ANY_TEXT.filter(bool) | st.none(),
        ),
    },
)


def load_text(text, *overrides):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return load_config(path, overrides)


def as_yaml(value):
    """A value in YAML's flow style, by other means than the package's own."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'
    return "null" if value is None else repr(value)


@given(CONFIG)
def test_a_rendered_config_loads_again_to_the_same(values):
    loaded = load_text(as_yaml(values))
    again = load_text(render(loaded))
    assert again.config == loaded.config
    assert flatten(again.config) == flatten(loaded.config)
    assert "default" not in again.origins.values(), "every value is written out"


@given(CONFIG)
def test_overrides_and_the_file_give_the_same_config(values):
    leaves = [f"{section}={as_yaml(inner)}" for section, inner in values.items() if section != "corpus"]
    source = values["corpus"]["source"]
    rest = [f"corpus.{key}={as_yaml(value)}" for key, value in values["corpus"].items() if key != "source"]
    assert config_from_source(source, [*leaves, *rest]).config == load_text(as_yaml(values)).config


YAML_LIKE = st.text(alphabet="ab1.-:?[]{},#&*!|>'\"%@~ \n\t", max_size=40)
KEYS = st.sampled_from(list(flatten(config_from_source("x").config)))
KEY_LIKE = st.one_of(KEYS, KEYS.map(lambda key: key.rpartition(".")[0]), st.text(max_size=20))


def loads_or_tells(load, *arguments):
    """Whether the arguments are a config; where not, the error is printable lines."""
    try:
        load(*arguments)
    except ConfigError as error:
        return [line for line in error.what.splitlines() if not line.isprintable()] == []
    return True


@given(st.one_of(st.text(), st.binary(), YAML_LIKE))
def test_a_file_with_anything_in_it_raises_nothing_but_a_config_error(content):
    assert loads_or_tells(load_text, content)


@given(KEY_LIKE, YAML_LIKE | st.text(max_size=20))
def test_a_key_with_anything_in_it_raises_nothing_but_a_config_error(key, value):
    *sections, last = key.split(".")
    lines = [*sections, f"{last}: {value}"]
    assert loads_or_tells(load_text, "".join(f"\n{'  ' * i}{line}:" for i, line in enumerate(lines))[:-1])


@given(st.text() | st.builds("{}={}".format, KEY_LIKE, st.text(max_size=30) | YAML_LIKE))
def test_an_override_of_anything_raises_nothing_but_a_config_error(override):
    assert loads_or_tells(config_from_source, "x.txt", [override])
