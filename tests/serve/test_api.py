"""The API as a client meets it, without a network."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from serving import ABOUT, HOST, PAGE, Answer, Gated, Served, ask, served, small
from smallmodel import Small

from charrnn.runs.scoring import score_text
from charrnn.runs.suggesting import suggest
from charrnn.scratch.cells import State
from charrnn.serve.limits import Limits

LIMITS = Limits(length=200, samples=4, characters=400, streams=4, waiting=2, body=2000)


@pytest.fixture
def server() -> Iterator[Served]:
    made = served(small(), LIMITS)
    yield made
    made.worker.stop()
    made.worker.join()


def written(server: Served, count: int, **given: Any) -> list[str]:
    """What `charrnn sample` writes."""
    options, texts = server.model.options(given), [""] * count
    for drawn in server.model.samples(options, range(count)):
        texts[drawn.stream] += drawn.piece
    return texts


def test_it_tells_of_the_model(server: Served) -> None:
    answer = server.ask("GET", "/api/model")
    assert (answer.status, answer.json) == (200, {"schema_version": 1, **ABOUT})


def test_samples_are_those_of_the_command(server: Served) -> None:
    given = {"seed": "ab", "length": 30, "random_seed": 7, "temperature": [2.0, 0.5], "stop": ["hh"], "top_p": 0.9}
    answer = server.ask("POST", "/api/sample", {**given, "count": 3})
    assert answer.status == 200
    assert answer.json["samples"] == written(server, 3, **given)
    assert answer.json["options"] == server.model.options(given).model_dump(mode="json")
    assert len(answer.json["ended"]) == 3


def test_streamed_samples_come_line_by_line_and_are_the_same(server: Served) -> None:
    given = {"seed": "ab", "length": 30, "random_seed": 7}
    answer = server.ask("POST", "/api/sample", {**given, "count": 2, "stream": True})
    assert answer.headers["content-type"] == "application/x-ndjson"
    first, *rest = answer.lines
    assert first == {"schema_version": 1, "options": server.model.options(given).model_dump(mode="json")}
    texts = ["".join(line["piece"] for line in rest if line["sample"] == sample) for sample in range(2)]
    assert texts == written(server, 2, **given)
    assert sorted((line["sample"], line["ended"]) for line in rest if "ended" in line) == [(0, "length"), (1, "length")]


def test_a_score_is_that_of_the_command(server: Served) -> None:
    text = "abc\nhead\n"
    told = server.ask("POST", "/api/score", {"text": text, "pieces": True}).json
    lines, whole = score_text(server.model, text)
    assert {name: told[name] for name in whole.figures()} == whole.figures()
    assert (told["lines"], told["perplexity"]) == (2, whole.perplexity)
    assert "".join(piece for piece, _ in told["pieces"]) == text
    assert [nats for _, nats in told["pieces"]] == [nats for line in lines for nats in line.surprise.nats]
    skipped = server.ask("POST", "/api/score", {"text": "abc\nhexad\n", "unknown": "skip"}).json
    assert (skipped["lines_with_unknown_symbols"], skipped["symbols"]) == (1, 9)
    assert "pieces" not in skipped


def test_suggestions_are_those_of_the_command(server: Served) -> None:
    told = server.ask("POST", "/api/suggest", {"seed": "a be", "k": 3}).json
    found = suggest(server.model, "a be", 3)
    assert [(one["text"], one["word"], one["probability"]) for one in told["words"]] == [
        (one.text, one.word, one.probability) for one in found.words
    ]
    assert [one["text"] for one in told["characters"]] == [one.text for one in found.symbols]
    assert (told["seed"], told["complete"]) == ("a be", found.complete)
    assert len(server.ask("POST", "/api/suggest", {}).json["characters"]) == 5


@pytest.mark.parametrize("stream", [False, True])
def test_many_clients_at_once_get_their_own_texts(server: Served, stream: bool) -> None:
    async def all_at_once() -> list[Answer]:
        bodies = [{"seed": "a", "length": 40, "random_seed": n, "stream": stream} for n in range(2)]
        others = [("/api/score", {"text": "abc" * 50}), ("/api/suggest", {"seed": "a"})]
        asked = [("/api/sample", body) for body in bodies] + others
        return await asyncio.gather(*(ask(server.app, "POST", path, body) for path, body in asked))

    server.worker.stop()
    server.worker.join()
    server = served(small(), Limits())
    answers = asyncio.run(all_at_once())
    server.worker.stop()
    assert [answer.status for answer in answers] == [200] * 4
    texts = [
        "".join(line.get("piece", "") for line in answer.lines) if stream else answer.json["samples"][0]
        for answer in answers[:2]
    ]
    assert texts == [written(server, 1, seed="a", length=40, random_seed=n)[0] for n in range(2)]


@pytest.mark.parametrize(
    ("path", "body", "status", "what"),
    [
        ("/api/sample", b"{", 400, "not JSON"),
        ("/api/sample", b"\xff", 400, "not JSON"),
        ("/api/sample", b"[" * 1000, 400, "not JSON"),
        ("/api/sample", b"[]", 400, "not a JSON object"),
        ("/api/sample", {"lenght": 3}, 400, "lenght: "),
        ("/api/sample", {"length": 3, "count": 0}, 400, "count: "),
        ("/api/sample", {"length": "3"}, 400, "length: "),
        ("/api/sample", b'{"temperature": NaN}', 400, "temperature"),
        ("/api/sample", {"length": 201}, 413, "201 is more than this server does: 200 symbols"),
        ("/api/sample", {"count": 5}, 413, "5 is more than this server does: 4 samples"),
        ("/api/sample", {"beam": 5}, 413, "5 is more than this server does: 4 samples"),
        ("/api/sample", {"seed": "a" * 300, "stop": ["b" * 101]}, 413, "401 is more"),
        ("/api/sample", {"stop": ["a"] * 33}, 413, "33 texts to look for"),
        ("/api/sample", {"temperature": [1] * 401, "seed": ""}, 413, "401 is more"),
        ("/api/sample", {}, 413, "320 is more than this server does"),  # the default of a config
        ("/api/sample", {"seed": "x", "length": 5}, 400, "the vocabulary lacks 1 symbol"),
        ("/api/sample", {"seed": "x", "length": 5, "stream": True}, 400, "the vocabulary lacks 1 symbol"),
        ("/api/sample", {"beam": 2, "greedy": True}, 400, "`beam` searches and draws nothing"),
        ("/api/sample", b'{"seed": "\\ud800", "length": 5}', 400, "half of a surrogate pair"),
        ("/api/score", b'{"text": "\xed\xa0\x80"}', 400, "half of a surrogate pair"),
        ("/api/score", {}, 400, "text: "),
        ("/api/score", {"text": ""}, 400, "there is nothing to score"),
        ("/api/score", {"text": "ab\nax"}, 400, "the vocabulary lacks 1 symbol"),
        ("/api/score", {"text": "a" * 401}, 413, "401 is more"),
        ("/api/suggest", {"k": 101}, 400, "k: "),
        ("/api/suggest", {"seed": "a" * 401}, 413, "401 is more"),
        ("/api/score", b" " * 2001, 413, "too large: 2,000 bytes"),
    ],
)
def test_what_cannot_be_answered_is_said_as_json(server: Served, path: str, body: Any, status: int, what: str) -> None:
    answer = server.ask("POST", path, body)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert what in answer.json["error"]["what"]
    assert server.said[0].startswith(f"POST {path} {status} ")


def test_the_place_of_an_unknown_symbol_is_told(server: Served) -> None:
    error = server.ask("POST", "/api/score", {"text": "ab\nax"}).json["error"]
    assert (error["exit_code"], error["where"]) == (3, "text:2:2")


def test_a_body_that_is_larger_than_it_said_is_refused(server: Served) -> None:
    answer = server.ask("POST", "/api/score", b" " * 2001, {"content-length": "1"})
    assert answer.status == 413
    assert server.ask("POST", "/api/score", b"{}", {"content-length": "9" * 30}).status == 413


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/none", 404), ("GET", "/api/score", 405)])
def test_other_places_and_methods_do_not_exist(server: Served, method: str, path: str, status: int) -> None:
    answer = server.ask(method, path)
    assert (answer.status, answer.json["error"]["where"]) == (status, path)


def test_a_bug_is_answered_and_raised_for_the_log(server: Served) -> None:
    class Faulty(Small):
        def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
            raise ZeroDivisionError

    other = served(small(Faulty(server.model.vocabulary)))
    with pytest.raises(ZeroDivisionError):
        other.ask("POST", "/api/score", {"text": "a"})
    assert other.said[0].startswith("POST /api/score 500 ")
    other.worker.stop()
    other.worker.join()


@pytest.mark.parametrize("stream", [False, True])
def test_the_work_for_a_client_that_leaves_is_dropped(stream: bool) -> None:
    gate = Gated()
    server = served(small(gate), LIMITS)

    async def leaves() -> Answer:
        leave = asyncio.Event()
        asked = asyncio.ensure_future(
            ask(server.app, "POST", "/api/sample", {"length": 150, "count": 3, "stream": stream}, leave=leave)
        )
        await asyncio.to_thread(gate.arrived)
        await asyncio.to_thread(gate.let, 2)
        leave.set()
        return await asked

    answer = asyncio.run(leaves())
    gate.let_all()
    other = server.ask("POST", "/api/sample", {"length": 5})
    server.worker.stop()
    server.worker.join()
    assert other.status == 200
    assert sum(gate.rows) < 3 * 10 + 5
    assert (answer.status, len(answer.lines)) == ((200, 1) if stream else (499, 0))


def test_when_all_places_are_taken_a_client_is_told_to_come_again() -> None:
    gate = Gated()
    server = served(small(gate), LIMITS)

    async def many() -> list[Answer]:
        body = {"length": 9, "count": 4}
        asked = [asyncio.ensure_future(ask(server.app, "POST", "/api/sample", body))]
        await asyncio.to_thread(gate.arrived)
        for _ in range(3):
            asked.append(asyncio.ensure_future(ask(server.app, "POST", "/api/sample", body)))
            await asyncio.sleep(0)
        refused = await asked[-1]
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        gate.let_all()
        return await asyncio.gather(*asked)

    answers = asyncio.run(many())
    server.worker.stop()
    server.worker.join()
    assert [answer.status for answer in answers] == [200, 200, 200, 503]


def test_a_stream_is_told_when_the_server_stops() -> None:
    gate = Gated()
    server = served(small(gate), LIMITS)

    async def stops() -> Answer:
        asked = asyncio.ensure_future(ask(server.app, "POST", "/api/sample", {"length": 150, "stream": True}))
        await asyncio.to_thread(gate.arrived)
        await asyncio.to_thread(gate.let, 2)
        server.worker.stop()
        gate.let_all()
        return await asked

    answer = asyncio.run(stops())
    server.worker.join()
    assert answer.status == 200
    assert answer.lines[-1]["error"]["what"] == "the server is stopping"


def test_the_page_is_sent_once_and_compressed_where_that_is_understood(server: Served) -> None:
    plain = server.ask("GET", "/")
    packed = server.ask("GET", "/", headers={"accept-encoding": "br, gzip;q=0.5"})
    refusing = server.ask("GET", "/", headers={"accept-encoding": "gzip;q=0.0, br"})
    assert plain.body.decode() == gzip.decompress(packed.body).decode() == refusing.body.decode() == PAGE
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
    again = server.ask("GET", "/", headers={"if-none-match": f'"other", {plain.headers["etag"]}'})
    assert (again.status, again.body) == (304, b"")
    assert server.ask("GET", "/", headers={"if-none-match": '"other"'}).status == 200


def test_other_names_and_other_sites_are_turned_away(server: Served) -> None:
    def status(**headers: str) -> int:
        return server.ask("POST", "/api/suggest", {}, headers).status

    assert status(host="evil.example:8000") == 403
    assert status(host="127.0.0.1") == 403
    assert status(host="") == 403
    assert status(origin=f"http://{HOST}") == 200
    assert status(origin="http://evil.example") == 403
    assert status(origin="http://127.0.0.1:9999") == 403
    assert status(origin="null") == 403
    assert status(origin="http://[") == 403
    assert server.ask("GET", "/", headers={"host": "evil.example"}).status == 403


def test_on_an_address_for_others_any_name_will_do_but_no_other_site() -> None:
    server = served(small(), hosts=None)
    assert server.ask("POST", "/api/suggest", {}, {"host": "box.local:8000"}).status == 200
    headers = {"host": "box.local:8000", "origin": "http://evil.example"}
    assert server.ask("POST", "/api/suggest", {}, headers).status == 403
    server.worker.stop()


def test_no_other_site_may_read_or_frame_an_answer(server: Served) -> None:
    for answer in (server.ask("GET", "/"), server.ask("GET", "/none"), server.ask("GET", "/", headers={"host": "x"})):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_line_of_the_log_is_one_line(server: Served) -> None:
    server.ask("GET", "/a\nb\t" + "c" * 200)
    assert server.said[0].split(" ")[:3] == ["GET", "/a", "b"]
    assert "\n" not in server.said[0]
    assert len(server.said[0]) < 130


def test_text_is_sent_as_it_is(server: Served) -> None:
    answer = server.ask("POST", "/api/sample", {"seed": "é", "length": 5})
    assert "é" in answer.body.decode()
    assert json.loads(answer.body)["error"]["exit_code"] == 3
