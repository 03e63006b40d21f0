"""The page in a real browser: its numbers against ours, its symbols against ours, and what a reader sees and does."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Seen, needs_browser, visit
from exporting import CASES, CORES, LETTERS, network, saved, told_by, with_script

from charrnn.config.schema.corpus import Corpus
from charrnn.export import web
from charrnn.export.tables import tables_of
from charrnn.export.web import page
from charrnn.runs.use import OpenModel
from charrnn.sample.reading import nats_of
from charrnn.text.normal import normalised_text
from charrnn.text.vocabulary import Vocabulary

pytestmark = [needs_browser, pytest.mark.slow]

TELL = "document.body.dataset.told = JSON.stringify"
WORDS = Vocabulary("word", tuple(range(256)), tuple(sorted((" ", ",", ".", "the", "then", "there", "cat", "sat", "ü"))))
BYTES = Vocabulary("byte", tuple(range(256)), ())
SPELLED = Vocabulary("char", tuple(range(256)), tuple(" abcdehst"))


def seen(folder: Path, html: str, script: str = "", milliseconds: int = 5000) -> Seen:
    (folder / "page.html").write_text(with_script(html, script), encoding="utf-8")
    found = visit(folder / "page.html", milliseconds)
    assert found.console == []
    return found


def nats(model: OpenModel, ids: np.ndarray) -> np.ndarray:
    return nats_of(model.network, ids[None])[0]


def in_page(model: OpenModel, half: bool = False) -> dict[str, Any]:
    """What the page is given of a model."""
    tables = tables_of(model)
    weights = base64.b64encode(web._weights(tables, half)).decode()
    return {"about": web._about(model, tables, half), "weights": weights}


SCORES = """
const nats = [];
for (const { about, weights, ids } of %s) {
  let whole = new Network(about, weights);
  if (about.window) whole = new WindowNetwork(whole, about.window);
  const reader = new Reader(whole);
  reader.follow(ids);
  reader.work(Infinity);
  nats.push(reader.nats);
}
"""


def test_every_core_computes_what_we_compute_over_a_carried_sequence(tmp_path: Path) -> None:
    cases, expected = [], []
    for number, (core, body) in enumerate(CASES):
        model = saved(tmp_path / str(number), network(core, body))
        ids = np.random.default_rng(number).integers(1, LETTERS.size, 200)
        cases.append({**in_page(model), "ids": ids.tolist()})
        expected.append(nats(model, ids))
    told = told_by(seen(tmp_path, page(model), SCORES % json.dumps(cases) + f"{TELL}(nats)").dom)
    for case, ours, theirs in zip(CASES, expected, told, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0.0, atol=1e-4, err_msg=str(case))


def test_windows_half_floats_and_a_table_that_is_not_folded(tmp_path: Path) -> None:
    ids = np.random.default_rng(1).integers(1, LETTERS.size, 60)
    windows = saved(tmp_path / "windows", network("window-tanh"), stream={"kind": "windows", "length": 5})
    small = saved(tmp_path / "half", network("gru"))
    cases = [{**in_page(windows), "ids": ids.tolist()}, {**in_page(small, half=True), "ids": ids.tolist()}]
    html = page(windows).replace("const LARGEST_TABLE = 1 << 22", "const LARGEST_TABLE = 0")
    told = told_by(seen(tmp_path, html, SCORES % json.dumps(cases) + f"{TELL}(nats)").dom)
    np.testing.assert_allclose(told[0], nats(windows, ids), rtol=0.0, atol=1e-4)
    gaps = np.abs(told[1] - nats(small, ids))
    assert 1e-5 < gaps.max() < 0.02  # rounded, and by no more than that


TEXTS = [
    "\ufeff",
    "the cat sat, then.",
    "Über den\r\nΣίσυφος 中文 \U0001f600\t_x1",
    "a\u0301 \u202e</script>",
    "x" * 70 + " the",
]
FORMS: list[dict[str, Any]] = [
    {},
    {"case": "lower", "normal_form": "NFC"},
    {"newlines": "keep", "normal_form": "NFKD", "bom": "keep"},
]


@pytest.mark.parametrize("vocabulary", [LETTERS, SPELLED, WORDS, BYTES], ids=["char", "spelled", "word", "byte"])
def test_texts_become_the_same_symbols_and_the_same_text_again(tmp_path: Path, vocabulary: Vocabulary) -> None:
    model = saved(tmp_path, network("mingru"), vocabulary)
    forms = [
        Corpus(source="text.txt", unit=vocabulary.unit, **form)
        for form in (FORMS[:1] if vocabulary is BYTES else FORMS)
    ]
    script = f"const forms = {json.dumps([form.model_dump(mode='json') for form in forms])};"
    script += f"const texts = {json.dumps(TEXTS)};"
    script += """
      const told = forms.map((form) => texts.map((text) => {
        const alphabet = new Alphabet(about.vocabulary, form);
        const ids = alphabet.pieces(alphabet.formed(text)).flatMap((piece) => piece.ids);
        return [ids, textOf(ids, alphabet)];
      }));
    """
    told = told_by(seen(tmp_path, page(model), script + f"{TELL}(told)").dom)
    for form, rows in zip(forms, told, strict=True):
        for text, (ids, again) in zip(TEXTS, rows, strict=True):
            expected = vocabulary.encode(normalised_text(text, form), unknown="skip")
            assert ids == expected.tolist(), (form, text)
            assert again == vocabulary.decode(expected)


def test_what_scripts_may_use(tmp_path: Path) -> None:
    model = saved(tmp_path, network("lstm"))
    script = f"""
      const score = charrnn.score("abX ji"), once = charrnn.step(3, charrnn.start().state);
      const fixed = {{ seed: "ab", count: 30, temperature: 0.5, random: () => 0.5 }};
      {TELL}([score, Array.from(once.scores), charrnn.write(fixed), charrnn.write(fixed), charrnn.words("ab c", 3)])
    """
    score, scores, one, two, words = told_by(seen(tmp_path, page(model), script).dom)
    ids = LETTERS.encode("ab ji")
    assert score["ids"] == ids.tolist()
    assert score["unknown"] == ["X"]
    np.testing.assert_allclose(score["nats"], nats(model, ids), rtol=0.0, atol=1e-4)
    _, state = model.network.step(np.array([0]), model.network.initial_state(1))
    np.testing.assert_allclose(scores, model.network.step(np.array([3]), state)[0][0], rtol=0.0, atol=1e-4)
    assert one == two
    assert len(one) == 30
    assert len(words) == 3
    assert [each["probability"] for each in words] == sorted((each["probability"] for each in words), reverse=True)


def test_the_probability_of_a_word_is_that_of_its_letters_and_of_any_end(tmp_path: Path) -> None:
    model = saved(tmp_path, network("gru"))
    (first, *_) = told_by(seen(tmp_path, page(model), f"{TELL}(charrnn.words('abc '))").dom)
    ids = LETTERS.encode("abc " + first["text"])
    letters = nats(model, ids)[4:].sum()
    state = model.network.initial_state(1)
    for id_ in (0, *ids):
        scores, state = model.network.step(np.array([id_]), state)
    shares = np.exp(scores[0] - scores[0].max()) / np.exp(scores[0] - scores[0].max()).sum()
    ends = shares[LETTERS.encode(" ")[0]] + shares[0]
    assert first["probability"] == pytest.approx(float(np.exp(-letters) * ends), rel=1e-3)


def test_a_word_is_offered_once_however_many_spaces_may_stand_before_it(tmp_path: Path) -> None:
    model = saved(tmp_path, network("gru"), Vocabulary("char", (), (" ", "a", "b")))
    found = told_by(seen(tmp_path, page(model), f"{TELL}(charrnn.words('ab ', 20))").dom)
    words = [each["text"].strip() for each in found]
    assert len(words) == len(set(words)) > 9


def test_words_are_completed_by_whole_words_that_begin_so(tmp_path: Path) -> None:
    model = saved(tmp_path, network("gru"), WORDS)
    found = told_by(seen(tmp_path, page(model), f"{TELL}(charrnn.words('cat the', 9))").dom)
    assert sorted(each["text"] for each in found) == ["n", "re"]
    assert sum(each["probability"] for each in found) == pytest.approx(1.0)


def field_told(script: str) -> str:
    """Do `script` when the page has come to rest, and tell afterwards what it shows."""
    return f"""
      setTimeout(() => {{ {script} }}, 500);
      setTimeout(() => {TELL}({{ text: byId("text").value, told: byId("told").textContent,
        place: byId("place").textContent, button: byId("write").textContent,
        bars: Array.from(document.querySelectorAll("#bars b"), (b) => b.textContent),
        words: Array.from(document.querySelectorAll("#words button"), (b) => b.firstChild.textContent),
        marks: Array.from(document.querySelectorAll("#shade .unknown"), (b) => b.textContent),
        shade: byId("shade").textContent }}), 4000);
    """


def type_in(text: str) -> str:
    return f'byId("text").value = {json.dumps(text)}; byId("text").dispatchEvent(new Event("input"));'


def test_typing_is_read_marked_and_followed_by_suggestions(tmp_path: Path) -> None:
    html = page(saved(tmp_path, network("lstm")))
    shown = told_by(seen(tmp_path, html, field_told(type_in("abc XY def"))).dom)
    assert shown["marks"] == ["XY"]
    assert shown["shade"] == "abc XY def\u200b"
    assert re.match(r"8 characters, \d\.\d\d bits each · 2 that the model does not know", shown["told"])
    assert len(shown["bars"]) == 10
    assert len(shown["words"]) == 5
    assert shown["place"] == "at the end of the text"


def test_a_place_in_the_middle_tells_what_was_expected_there(tmp_path: Path) -> None:
    model = saved(tmp_path, network("lstm"), scale=2.0)
    text = "abcdefghij" * 4
    script = type_in(text) + 'byId("text").setSelectionRange(37, 37); byId("text").dispatchEvent(new Event("select"));'
    shown = told_by(seen(tmp_path, page(model), field_told(script)).dom)
    share = float(np.exp(-nats(model, LETTERS.encode(text))[37]))
    found = re.fullmatch(r"at the caret; the text goes on with h: ([\d.]+) %, number \d+", shown["place"])
    assert found is not None
    assert float(found[1]) == pytest.approx(100 * share, abs=0.051)


@pytest.mark.parametrize("vocabulary", [LETTERS, SPELLED, WORDS, BYTES], ids=["char", "spelled", "word", "byte"])
def test_it_writes_at_its_speed_and_stops(tmp_path: Path, vocabulary: Vocabulary) -> None:
    script = type_in("") + 'byId("speed").value = 2; byId("write").click();'
    script += 'setTimeout(() => byId("write").click(), 2000);'
    shown = told_by(seen(tmp_path, page(saved(tmp_path, network("gru"), vocabulary)), field_told(script)).dom)
    assert shown["button"] == "Write"
    if vocabulary is LETTERS:
        assert 35 <= len(shown["text"]) <= 45  # 20 a second for two seconds
    else:
        assert len(shown["text"]) > 5
    assert shown["shade"] == shown["text"] + "\u200b"


def test_carriage_returns_are_coloured_where_the_field_shows_them(tmp_path: Path) -> None:
    html = page(saved(tmp_path, network("gru"), Vocabulary("char", (), ("\n", "\r", "a")), corpus={"newlines": "keep"}))
    script = type_in("") + 'byId("speed").value = 4; byId("write").click();'
    shown = told_by(seen(tmp_path, html, field_told(script)).dom)
    assert len(shown["text"]) > 200
    assert "\r" not in shown["text"]
    assert shown["shade"] == shown["text"] + "\u200b"


def test_a_suggestion_is_put_into_the_text_at_the_caret(tmp_path: Path) -> None:
    html = page(saved(tmp_path, network("lstm")))
    script = (
        type_in("abc def") + 'byId("text").setSelectionRange(4, 4); byId("text").dispatchEvent(new Event("select"));'
    )
    script += 'setTimeout(() => document.querySelector("#bars button").click(), 1000);'
    shown = told_by(seen(tmp_path, html, field_told(script)).dom)
    assert re.fullmatch(r"abc [ a-j]def", shown["text"])


def test_text_is_brought_into_the_form_of_the_corpus(tmp_path: Path) -> None:
    html = page(saved(tmp_path, network("lstm"), corpus={"case": "lower"}))
    shown = told_by(seen(tmp_path, html, field_told(type_in("ABC"))).dom)
    assert shown["text"] == "abc"
    assert shown["marks"] == []


def test_nothing_of_a_vocabulary_or_a_name_becomes_html(tmp_path: Path) -> None:
    nasty = tuple(sorted("<>&'\"/!=() -scriptmgonexl\x00\x01\n\r\t\x85\u2028\u2029\u202e\u2066\ufeff\u0301"))
    run = tmp_path / "<img src=x onerror=document.title=1>"
    html = page(saved(run, network("gru"), Vocabulary("char", (), nasty)))
    found = seen(tmp_path, html, field_told(type_in("<img src=x onerror=document.title=1></script><!--")))
    assert unescape(re.search(r"<title>(.*?)</title>", found.dom)[1]) == run.name  # type: ignore[index]
    assert "<img" not in re.sub(r"<script.*?</script>", "", found.dom, flags=re.DOTALL)
    shown = told_by(found.dom)
    assert all(label.isprintable() for label in shown["bars"])
    assert shown["shade"].startswith("<img src=x onerror=document.title=1></script><!--")


def test_all_cores_are_here() -> None:
    assert {core for core, _ in CASES} == set(CORES) == set(web_steps())


def web_steps() -> list[str]:
    source = (Path(web.__file__).parent / "page" / "engine.js").read_text()
    table = source[source.index("const STEPS") : source.index("/** A number of 16 bits")]
    return re.findall(r'^  "?([a-z-]+)"?[:(]', table, re.MULTILINE)
