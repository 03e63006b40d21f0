import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.config import yaml12
from charrnn.config.tree import Place

START = Place(0, 1, 1, "f.yaml")


def read(text):
    tree, problems = yaml12.parse(text, START)
    return None if tree is None else tree.plain(), [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1E+2", -100.0),
        ("010", 10),
        ("+7", 7),
        ("0x1f", 31),
        ("0o17", 15),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-.inf", -math.inf),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30:00", "12:30:00"),
        ("2001-01-01", "2001-01-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("-0x1f", "-0x1f"),
        ("1e", "1e"),
        (".", "."),
        ("<<", "<<"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text, value):
    assert yaml12.scalar(text) == value
    assert type(yaml12.scalar(text)) is type(value)
    assert read(f"a: {text}") == ({"a": value}, [])


def test_nan_is_a_number():
    assert math.isnan(yaml12.scalar(".nan"))


@pytest.mark.parametrize("text", ["'1'", '"1"', "|-\n  1", ">-\n  1"])
def test_a_quoted_scalar_is_a_text(text):
    assert read(f"a: {text}") == ({"a": "1"}, [])


@given(st.integers(-(10**30), 10**30))
def test_every_whole_number_is_read_back(number):
    assert yaml12.scalar(str(number)) == number


@given(st.floats(allow_nan=False))
def test_every_float_is_read_back(number):
    text = repr(number).replace("inf", ".inf")
    value = yaml12.scalar(text)
    assert isinstance(value, float)
    assert value == number


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n\tb: 1", "f.yaml:2:1: a tab cannot indent here: use spaces"),
        ("a: b: c", "f.yaml:1:5: a `key: value` cannot stand here: mend the indentation, or quote the text"),
        ("a: [1, 2", "f.yaml:1:9: a `,` or the closing `]` is missing"),
        ("b: 1\na: 'x", "f.yaml:2:4: the quoted text that begins here never ends"),
        ("a: @x", "f.yaml:1:4: a value cannot begin with `@`: put it in quotes"),
        ("a: 1\n- b", "f.yaml:2:1: this does not continue the lines above: mend the indentation"),
        ('a: "\\z"', "f.yaml:1:6: there is no escape `\\z` in double quotes: use single quotes"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a config is a single document: remove the `---`"),
        ("a: &x 1", "f.yaml:1:4: anchors (`&x`) are not allowed: write the value out"),
        ("a: *x", "f.yaml:1:4: aliases (`*x`) are not allowed: write the value out"),
        ("a: !!int 1", "f.yaml:1:4: tags (`tag:yaml.org,2002:int`) are not allowed: a config holds plain values"),
        ("a: ! 1", "f.yaml:1:4: tags (`!`) are not allowed: a config holds plain values"),
        ("ab\ncd: \x07", "f.yaml:2:5: the character U+0007 cannot stand in a config"),
        ('a: "\\U00110000"', "f.yaml:1:7: this escape names no character"),
        ('a: "\\UFFFFFFFF"', "f.yaml:1:7: this escape names no character"),
    ],
)
def test_what_ends_the_reading_is_told_with_its_place(text, line):
    assert read(text) == (None, [line])


def test_python_tags_name_no_class():
    assert read("a: !!python/object/apply:os.system [id]")[0] is None


def test_a_key_given_twice_is_told_with_both_places():
    value, problems = read("a:\n  b: 1\n  c: 2\n  b: 3\nd: 1\nd: 2\nd: 2")
    assert value == {"a": {"b": 3, "c": 2}, "d": 2}
    assert problems == [
        "f.yaml:4:3: a.b: given twice, first at f.yaml:2:3",
        "f.yaml:6:1: d: given twice, first at f.yaml:5:1",
        "f.yaml:7:1: d: given twice, first at f.yaml:5:1",
    ]


def test_keys_that_are_no_words_are_told_and_left_out():
    value, problems = read('? [1]\n: 1\n"\\ud800": 2\nc: 3')
    assert value == {"c": 3}
    assert [problem.partition(": ")[0] for problem in problems] == ["f.yaml:1:3", "f.yaml:3:1"]


def test_nesting_is_capped():
    deep = "[" * yaml12.MAX_DEPTH + "]" * yaml12.MAX_DEPTH
    assert read(deep)[1] == []
    assert read(f"[{deep}]")[1] == ["f.yaml:1:33: nested deeper than 32 levels"]
    assert read("[" * 100_000)[1] == ["f.yaml:1:33: nested deeper than 32 levels"]


def test_places_are_those_of_the_keys():
    tree, _ = yaml12.parse("a:\n  b:\n    [1,\n     2]\n", START)
    node = tree.at(("a", "b"))
    assert str(node.place) == "f.yaml:2:3"
    assert [str(item.place) for item in node.value] == ["f.yaml:3:6", "f.yaml:4:6"]


YAML_LIKE = st.text(alphabet="ab1.-:?[]{},#&*!|>'\"%@`\\xuU~ \n\t\r\0\ufeff\x85\u2028é", max_size=60)


@given(st.one_of(st.text(max_size=60), YAML_LIKE))
def test_arbitrary_text_gives_places_within_it_and_no_exception(text):
    tree, problems = yaml12.parse(text, START)
    lines = len(text.splitlines()) + 1
    assert all(1 <= problem.place.line <= lines for problem in problems)
    assert tree is None or 1 <= tree.place.line <= lines
