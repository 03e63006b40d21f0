"""A true server on a true socket, in a thread of this process."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from browser import needs_browser, visit
from exporting import network, saved

from charrnn.errors import Interrupted
from charrnn.runs.use import OpenModel
from charrnn.serve.address import Listening, listen
from charrnn.serve.limits import Limits
from charrnn.serve.server import serve


@dataclass
class Running:
    """A server that answers."""

    model: OpenModel
    place: Listening
    said: list[str]

    @property
    def port(self) -> int:
        return int(self.place.url.rsplit(":")[-1].strip("/"))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        connection = self.connect()
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        told = answer.status, answer.read()
        connection.close()
        return told


class Server:
    """A server in a thread; `stop` is a signal to it."""

    def __init__(self, model: OpenModel, limits: Limits) -> None:
        self.running = Running(model, listen("127.0.0.1", 0), [])
        self.raised: BaseException | None = None
        self._ready, self._signal = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(model, limits))
        self._thread.start()
        assert self._ready.wait(60.0), self.raised

    def _serve(self, model: OpenModel, limits: Limits) -> None:
        try:
            serve(model, self.running.place, limits, self._check, self._ready.set, self.running.said.append)
        except BaseException as error:
            self.raised = error

    def _check(self) -> None:
        if self._signal.is_set():
            raise Interrupted(2)

    def stop(self) -> None:
        self._signal.set()
        self._thread.join(30.0)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> OpenModel:
    return saved(tmp_path_factory.mktemp("run"), network("gru"), sample={"length": 40, "seed": "abc"})


@pytest.fixture
def server(model: OpenModel) -> Iterator[Server]:
    made = Server(model, Limits(length=100_000, characters=5000))
    yield made
    made.stop()


def test_the_page_and_the_api_are_there(server: Server) -> None:
    running = server.running
    status, page = running.ask("GET", "/")
    assert (status, page[:15]) == (200, b"<!doctype html>")
    status, told = running.ask("GET", "/api/model")
    about = json.loads(told)
    assert (about["core"], about["vocabulary"], about["step"]) == ("gru", 12, 7)
    assert about["limits"]["length"] == 100_000
    assert len(about["config_sha256"]) == len(about["weights_sha256"]) == 64
    assert running.ask("HEAD", "/") == (200, b"")


def test_clients_side_by_side_get_the_texts_of_the_command(server: Server) -> None:
    running, answers = server.running, dict[int, Any]()

    def client(number: int) -> None:
        body = {"length": 60, "random_seed": number, "count": 2}
        answers[number] = json.loads(running.ask("POST", "/api/sample", body)[1])["samples"]

    threads = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        options = running.model.options({"length": 60, "random_seed": number})
        texts = ["", ""]
        for drawn in running.model.samples(options, range(2)):
            texts[drawn.stream] += drawn.piece
        assert answers[number] == texts


def test_a_stream_arrives_while_it_is_drawn_and_ends_with_its_client(server: Server) -> None:
    connection = server.running.connect()
    connection.request("POST", "/api/sample", json.dumps({"length": 100_000, "stream": True}))
    answer = connection.getresponse()
    assert json.loads(answer.readline())["options"]["length"] == 100_000
    assert json.loads(answer.readline())["sample"] == 0
    connection.sock.close()
    answer.close()
    status, _ = server.running.ask("POST", "/api/suggest", {"seed": "ab"})
    assert status == 200


def test_a_client_that_leaves_in_the_midst_of_its_request_is_no_fault(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    running = server.running
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(f"POST /api/score HTTP/1.1\r\nHost: localhost:{running.port}\r\n".encode())
        client.sendall(b"Content-Length: 9\r\n\r\n{")
    assert running.ask("GET", "/none")[0] == 404  # by then the server knows
    server.stop()
    assert "POST /api/score 499" in [line.rsplit(" ", 2)[0] for line in running.said]
    assert caplog.text == ""


def test_a_signal_ends_a_stream_with_a_word_and_the_server_with_its_error(model: OpenModel) -> None:
    server = Server(model, Limits(length=100_000))
    connection = server.running.connect()
    connection.request("POST", "/api/sample", json.dumps({"length": 100_000, "stream": True}))
    answer = connection.getresponse()
    answer.readline()
    server.stop()
    last = json.loads(answer.read().splitlines()[-1])
    connection.close()
    assert last["error"]["what"] == "the server is stopping"
    assert isinstance(server.raised, Interrupted)
    assert server.raised.exit_code == 130
    with pytest.raises(ConnectionRefusedError):
        server.running.ask("GET", "/")


def test_a_signal_while_the_page_is_made_ends_it_too(model: OpenModel) -> None:
    place = listen("127.0.0.1", 0)

    def check() -> None:
        raise Interrupted(15)

    with pytest.raises(Interrupted):
        serve(model, place, Limits(), check, lambda: None, lambda line: None)
    assert place.socket.fileno() == -1


def test_what_goes_wrong_when_it_is_ready_ends_it(model: OpenModel) -> None:
    place = listen("127.0.0.1", 0)

    def ready() -> None:
        raise BrokenPipeError("nobody reads the address")

    with pytest.raises(BrokenPipeError):
        serve(model, place, Limits(), lambda: None, ready, lambda line: None)
    assert place.socket.fileno() == -1


@needs_browser
def test_a_browser_shows_the_page_and_has_nothing_to_complain_of(server: Server) -> None:
    seen = visit(server.running.place.url)
    assert seen.console == []
    assert "A recurrent network (GRU" in seen.dom
    assert [line.split()[:3] for line in server.running.said] == [["GET", "/", "200"]]
