"""A small model that is served, a clock that runs by being looked at, and a client that needs no network."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
from smallmodel import Small, letters
from starlette.types import ASGIApp

from charrnn.config.schema import LanguageConfig
from charrnn.runs.use import OpenModel
from charrnn.sample.decode import Stepper
from charrnn.scratch.cells import State
from charrnn.serve.app import Api
from charrnn.serve.limits import Limits
from charrnn.serve.tickets import Done, Event, Failed, Piece, Ticket
from charrnn.serve.worker import Worker

LETTERS = letters(" abcdefgh\n")
HOST = "127.0.0.1:8000"
PAGE = "<!doctype html><title>a model</title>" + "<p>words, words" * 99
ABOUT = {"run": "small"}
PATIENCE = 20.0


def small(network: Stepper | None = None, **sections: Any) -> OpenModel:
    """A model that nobody has trained."""
    config = LanguageConfig.model_validate({"corpus": {"source": "text.txt"}, **sections})
    return OpenModel(Path("none"), "small", config, LETTERS, network or Small(LETTERS))


class Gated(Small):
    """Each step waits until it is let; `rows` says how many rows each had."""

    def __init__(self) -> None:
        super().__init__(LETTERS)
        self._entered, self._allowed = threading.Semaphore(0), threading.Semaphore(0)
        self.open = False

    def step(self, ids_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        self._entered.release()
        if not self.open:
            assert self._allowed.acquire(timeout=PATIENCE), "nobody let it step"
        return super().step(ids_B, state)

    def arrived(self) -> None:
        """Wait until a step has begun, which then waits."""
        assert self._entered.acquire(timeout=PATIENCE), "no step has begun"

    def let(self, steps: int = 1) -> None:
        """Let it go on until it has begun the step after so many more."""
        for _ in range(steps):
            self._allowed.release()
            self.arrived()

    def let_all(self) -> None:
        """Let it go on for good."""
        self.open = True
        self._allowed.release()


def ticking() -> Any:
    """A clock that is a second later whenever it is looked at."""
    seconds = count()
    return lambda: float(next(seconds))


class Heard:
    """What a ticket tells."""

    def __init__(self) -> None:
        self._queue: Queue[Event] = Queue()
        self.ticket = Ticket(lambda events: [self._queue.put(event) for event in events] and None)
        self.events: list[Event] = []

    def next(self) -> Event:
        """What is told next."""
        self.events.append(self._queue.get(timeout=PATIENCE))
        return self.events[-1]

    def end(self) -> Event:
        """The last that is told."""
        while not isinstance(self.next(), Done | Failed):
            pass
        return self.events[-1]

    def silent(self) -> bool:
        """Whether nothing is told that was not looked at."""
        return self._queue.empty()

    def texts(self) -> list[str]:
        """The samples, when all has been told."""
        end = self.end()
        assert isinstance(end, Done), end
        pieces = [event for event in self.events if isinstance(event, Piece)]
        samples = range(1 + max(piece.sample for piece in pieces))
        return ["".join(piece.text for piece in pieces if piece.sample == sample) for sample in samples]


@dataclass
class Answer:
    """What a client was sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    leave: asyncio.Event | None = None,
) -> Answer:
    """Send a request, as a server would hand it on; the client leaves when `leave` is set.

    A body that is not bytes is sent as JSON.
    """
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {"host": HOST, "content-length": str(len(data))} | dict(headers or {})
    messages = [{"type": "http.request", "body": data, "more_body": False}]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    answer = Answer()

    async def receive() -> Any:
        if messages:
            return messages.pop()
        await (leave or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.parts.append(message.get("body", b""))

    await asyncio.wait_for(app(scope, receive, send), PATIENCE)
    return answer


@dataclass
class Served:
    """An application over a small model; `said` are the lines of its log."""

    model: OpenModel
    worker: Worker
    app: ASGIApp
    said: list[str]

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request by itself."""
        return asyncio.run(ask(self.app, method, path, body, headers))


def served(model: OpenModel, limits: Limits | None = None, hosts: frozenset[str] | None = frozenset({HOST})) -> Served:
    """An application whose worker has been started."""
    limits, said = limits or Limits(), list[str]()
    worker = Worker(model, limits)
    worker.start()
    return Served(model, worker, Api(model, PAGE, ABOUT, limits, worker).app(hosts, said.append), said)
