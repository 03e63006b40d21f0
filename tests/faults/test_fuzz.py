"""Made-up and spoiled input for everything that reads: it is read, or refused by an error of ours; nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hostile import STEERING, altered, ends_well, fuzz, mutated, no_more_than, patience
from hypothesis import example, given
from hypothesis import strategies as st
from labelling import ALL, Workplace, idx
from ledger import Ledger
from ratinglab import table

from charrnn.config.load import config_from_source, flatten, load_config
from charrnn.config.schema import Ratings
from charrnn.config.schema.corpus import Corpus
from charrnn.corpus.given_labels import read_labels
from charrnn.corpus.given_ratings import read_ratings
from charrnn.corpus.rating_tables import prepare_ratings
from charrnn.errors import CharRnnError
from charrnn.text.reader import Reader
from charrnn.text.vectors_file import read_vectors
from charrnn.text.vocabulary import Vocabulary

CONFIGS = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))
MOST_MB = 200

YAML = (
    b"!!python/object/apply:os.system [id]", b"&a [*a]", b"*a", b"<<: *a", b"- ", b"? ", b"{", b"[", b": ", b"\t",
    b"|2\n", b">-\n", b"'", b'"', b"\\U00110000", b"%YAML 1.1\n", b"---\n", b"...\n", b"# ", b"1e999", b".nan",
    b"9" * 70, b"0x", b"null", b"~", b"\xef\xbb\xbf", b"\xc2\x85", b"kind: ", b"extends: ",
    *(text.encode() for text in STEERING),
)  # fmt: skip
KEYS = list(flatten(config_from_source("x").config))
VALUE = st.text(max_size=20) | st.text("ab1.-:?[]{},#&*!|>'\"%@~ \n\t", max_size=40) | st.sampled_from(STEERING)


def test_configs(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("spoiled configs")
    texts = [path.read_bytes() for path in CONFIGS]

    @fuzz(80)
    @given(st.sampled_from(texts).flatmap(lambda text: mutated(text, YAML)))
    def run(data: bytes) -> None:
        (tmp_path / "spoiled.yaml").write_bytes(data)
        ends_well(count, lambda: load_config(tmp_path / "spoiled.yaml"))

    with no_more_than(MOST_MB):
        run()


def test_overrides(ledger: Ledger) -> None:
    count = ledger.fault("spoiled overrides (--set)")
    key = st.one_of(st.sampled_from(KEYS), st.sampled_from(KEYS).map(lambda key: key.rpartition(".")[0]), VALUE)
    dotted = st.builds(lambda key, n, more: ".".join([key] * n) + more, key, st.integers(1, 60), st.just("") | VALUE)

    @fuzz(80)
    @example(["a." * 5000 + "b=1"])
    @given(st.lists(st.builds("{}={}".format, key | dotted, VALUE) | VALUE, min_size=1, max_size=4))
    def run(overrides: list[str]) -> None:
        ends_well(count, lambda: config_from_source("x.txt", overrides))

    run()


def test_vocabularies(ledger: Ledger) -> None:
    count = ledger.fault("spoiled vocabularies")
    whole = [
        Vocabulary("char", (), ("\n", "a", "ä", "漢")),
        Vocabulary("word", tuple(range(256)), ("a", "ab", "b")),
        Vocabulary("byte", (0, 7, 255), ()),
    ]

    def use(value: Any, text: str) -> None:
        found = Vocabulary.from_json(value)
        assert found.to_json() == value
        found.decode(found.encode(text, "replace"))
        found.difference(whole[0])

    @fuzz(100)
    @given(st.sampled_from(whole).flatmap(lambda one: altered(one.to_json())), st.text(max_size=20))
    def run(value: Any, text: str) -> None:
        ends_well(count, lambda: use(value, text))

    run()


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-7", "latin-1", "cp1252", "shift_jis",
             "gb18030", "big5", "iso2022_jp", "hz", "ascii", "koi8_r")  # fmt: skip


def test_every_cut_of_a_text_reads_the_same(ledger: Ledger) -> None:
    count = ledger.fault("texts of any bytes, cut anywhere")
    pieces = st.sampled_from(
        [b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n", b"\r", b"e\xcc\x81", b"\xe6\xbc\xa2", b"\x00", b"ab c"]
    )
    keys = st.fixed_dictionaries(
        {
            "encoding": st.sampled_from(ENCODINGS),
            "errors": st.sampled_from(["strict", "replace"]),
            "unit": st.sampled_from(["char", "word"]),
            "newlines": st.sampled_from(["lf", "keep"]),
            "bom": st.sampled_from(["strip", "keep"]),
            "case": st.sampled_from(["keep", "lower"]),
            "normal_form": st.sampled_from(["none", "NFC", "NFKD"]),
        }
    )

    def read(blocks: list[bytes], settings: Corpus) -> tuple[str, str | None]:
        """The text as far as it goes, and what ended it."""
        parts: list[str] = []
        try:
            parts += map(str, Reader(settings).pieces("file", blocks))
        except CharRnnError as error:
            return "", f"{error.what} {error.where}"
        return "".join(parts), None

    @fuzz(60)
    @given(st.lists(pieces | st.binary(max_size=4), max_size=8).map(b"".join), keys)
    def run(data: bytes, given: dict[str, str]) -> None:
        settings = Corpus(source="x", **given)
        data = "".encode(settings.encoding) + data  # without its mark UTF-16 is wrong in two ways, and either is told
        with count.trial(), patience():
            whole = read([data], settings)
            for cut in range(len(data) + 1):
                assert read([data[:cut], data[cut:]], settings) == whole
            assert read([data[at : at + 1] for at in range(len(data))], settings) == whole

    run()


CELLS = st.one_of(
    st.sampled_from(["train:0", "train:1", "test:0", "valid:0", "unlabelled:3", "train:99999999999999999", "item",
                     "p:a", "label", "digest", "kept", "confidence", "a", "b", "0", "1", "0.5", "nan", "-1", "1e999",
                     "", '"', "'"]),
    st.sampled_from(STEERING),
    st.text(max_size=5),
)  # fmt: skip


def tables(head: str) -> st.SearchStrategy[bytes]:
    """Tables, made up and spoiled."""
    rows = st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=5).map("\n".join)
    return rows.map(lambda text: (head + text).encode("utf-8", "surrogatepass")) | st.binary(max_size=40)


def test_labels_files(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("spoiled files of labels")
    work = Workplace(tmp_path)
    corpus = work.corpus("text,label\na b,a\nb,b\nc d,a\ne,b\n", kind="table", text="text", label="label", split=ALL)

    @fuzz(80)
    @given(tables("item,label\n") | mutated(b"item,label,confidence,p:a,p:b\ntrain:0,a,0.9,0.9,0.1\ntrain:1,b,1,0,1\n"))
    def run(data: bytes) -> None:
        (tmp_path / "labels.csv").write_bytes(data)
        ends_well(count, lambda: read_labels(tmp_path / "labels.csv", corpus))

    run()


def test_tables_of_ratings(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("spoiled tables of ratings")
    whole = table().encode()
    (tmp_path / "whole.csv").write_bytes(whole)
    settings = Ratings.model_validate({"source": "whole.csv"})
    corpus = prepare_ratings(settings, base=tmp_path, corpora=tmp_path / "corpora").corpus
    codes = st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-7", "raw_unicode_escape"])

    @fuzz(40)
    @given(mutated(whole[:300]) | tables("userId,movieId,rating\n") | tables(""), codes)
    def run(data: bytes, encoding: str) -> None:
        (tmp_path / "ratings.csv").write_bytes(data)
        ends_well(count, lambda: read_ratings(tmp_path / "ratings.csv", corpus))
        other = settings.model_copy(update={"source": "ratings.csv", "encoding": encoding})
        out = tmp_path / "out"
        ends_well(
            count, lambda: prepare_ratings(other, base=tmp_path, corpora=tmp_path / "c", out=out).corpus.split("train")
        )

    run()


def test_files_of_vectors(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("spoiled files of vectors")
    number = st.sampled_from(["1", "-0.5", "1e39", "nan", "inf", "x", "9" * 5000, "1_0", "", "\u0661", "0x1"])
    line = st.lists(number | st.sampled_from(["a", "b", "the"]), max_size=5).map(" ".join)
    made = st.lists(line, max_size=5).map("\n".join).map(str.encode)

    @fuzz(80)
    @example(b"9" * 5000 + b" 2\na 1 2\n")
    @given(made | mutated(b"3 2\na 1.5 2\nb 0 -1e-3\nthe 1 1\n") | st.binary(max_size=30).map(b"\x1f\x8b\x08".__add__))
    def run(data: bytes) -> None:
        (tmp_path / "vectors.txt").write_bytes(data)
        ends_well(count, lambda: read_vectors(tmp_path / "vectors.txt", ["a", "b"]))

    with no_more_than(MOST_MB):
        run()


def test_pictures(ledger: Ledger, tmp_path: Path) -> None:
    count = ledger.fault("spoiled pictures (idx)")
    work = Workplace(tmp_path)
    pictures, labels = idx(np.arange(24, dtype=np.uint8).reshape(4, 2, 3)), idx(np.array([1, 2, 1, 2], np.uint8))
    sizes = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x00\x00\x00\x01", b"\x80\x00\x00\x00")

    @fuzz(40)
    @given(mutated(pictures, sizes), st.just(labels) | mutated(labels, sizes))
    def run(x: bytes, y: bytes) -> None:
        work.write("x", x)
        work.write("y", y)
        out = {"out": tmp_path / "out"}
        ends_well(count, lambda: work.prepare(kind="images", source="x", labels="y", split=ALL, given=out))

    with no_more_than(MOST_MB):
        run()
