"""The page and the API as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from charrnn.errors import CharRnnError
from charrnn.runs.use import OpenModel
from charrnn.serve.bodies import SampleBody, ScoreBody, SuggestBody, parsed
from charrnn.serve.calls import score, suggestions
from charrnn.serve.guard import Guard, answer, answered, as_json, body_of
from charrnn.serve.limits import Limits, Refused
from charrnn.serve.page import Page
from charrnn.serve.tickets import Begun, Event, Piece, Ticket
from charrnn.serve.waiting import ClientLeft, events_of, unless_left
from charrnn.serve.worker import Worker
from charrnn.text.watch import Check


class Api:
    """Answers requests about a model.

    Args:
        model: the model.
        page: its page, as HTML.
        about: what is told of the model.
        limits: what may be asked for.
        worker: who carries requests out; it has been started.
    """

    def __init__(self, model: OpenModel, page: str, about: dict[str, Any], limits: Limits, worker: Worker) -> None:
        self._model, self._limits, self._worker = model, limits, worker
        self._page = Page(page)
        self._about = about

    def app(self, hosts: frozenset[str] | None, say: Callable[[str], None]) -> ASGIApp:
        """The application; the arguments are those of `Guard`."""
        routes = [
            Route("/", self._page.answer),
            Route("/api/model", self._tell_about),
            Route("/api/sample", self._sample, methods=["POST"]),
            Route("/api/score", self._score, methods=["POST"]),
            Route("/api/suggest", self._suggest, methods=["POST"]),
        ]
        handlers: dict[Any, Any] = {
            CharRnnError: _answer_error,
            HTTPException: _answer_http,
            ClientLeft: _answer_nobody,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_bug,
        }
        return Guard(Starlette(routes=routes, exception_handlers=handlers), hosts, say)

    async def _tell_about(self, request: Request) -> Response:
        return answered(self._about)

    async def _sample(self, request: Request) -> Response:
        body = parsed(SampleBody, await body_of(request, self._limits.body), self._limits)

        def hand_in(ticket: Ticket) -> None:
            self._worker.sample(ticket, body)

        if body.stream:
            return Lines(self._worker, hand_in)
        return answered(await unless_left(request.receive, _whole(self._worker, hand_in, body.count)))

    async def _score(self, request: Request) -> Response:
        body = parsed(ScoreBody, await body_of(request, self._limits.body), self._limits)
        return await self._call(request, lambda check: score(self._model, body, check))

    async def _suggest(self, request: Request) -> Response:
        body = parsed(SuggestBody, await body_of(request, self._limits.body), self._limits)
        return await self._call(request, lambda check: suggestions(self._model, body, check))

    async def _call(self, request: Request, work: Callable[[Check], Any]) -> Response:
        result = _result(self._worker, lambda ticket: self._worker.call(ticket, work))
        return answered(await unless_left(request.receive, result))


async def _result(worker: Worker, hand_in: Callable[[Ticket], None]) -> Any:
    async with events_of(worker, hand_in) as events:
        *_, done = [event async for event in events]
        return getattr(done, "result", None)


async def _whole(worker: Worker, hand_in: Callable[[Ticket], None], count: int) -> dict[str, Any]:
    """All samples, when the last of them has ended."""
    texts: list[list[str]] = [[] for _ in range(count)]
    ended: list[str | None] = [None] * count
    options: dict[str, Any] = {}
    async with events_of(worker, hand_in) as events:
        async for event in events:
            if isinstance(event, Begun):
                options = event.options
            elif isinstance(event, Piece):
                texts[event.sample].append(event.text)
                ended[event.sample] = event.ended
    return {"options": options, "samples": ["".join(pieces) for pieces in texts], "ended": ended}


class Lines(Response):
    """Samples as lines of JSON, as they are drawn.

    Args:
        worker: who draws them.
        hand_in: hands the request to it.
    """

    def __init__(self, worker: Worker, hand_in: Callable[[Ticket], None]) -> None:
        self._worker, self._hand_in = worker, hand_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them; what fails before the first is an answer of its own."""
        with suppress(ClientLeft):
            await unless_left(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        async with events_of(self._worker, self._hand_in) as events, aclosing(_lines(events)) as lines:
            first = await anext(lines)  # raises what is wrong with the request
            headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            try:
                async for line in lines:
                    await send({"type": "http.response.body", "body": line, "more_body": True})
            except CharRnnError as error:
                await send({"type": "http.response.body", "body": as_json(error.as_dict()) + b"\n", "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _lines(events: AsyncIterator[Event]) -> AsyncGenerator[bytes, None]:
    async for event in events:
        if isinstance(event, Begun):
            yield as_json({"schema_version": 1, "options": event.options}) + b"\n"
        elif isinstance(event, Piece):
            ended = {} if event.ended is None else {"ended": event.ended}
            yield as_json({"sample": event.sample, "piece": event.text, **ended}) + b"\n"


async def _answer_error(request: Request, error: CharRnnError) -> Response:
    return answer(error)


async def _answer_http(request: Request, error: HTTPException) -> Response:
    return answer(Refused(error.status_code, error.detail, where=request.url.path))


async def _answer_nobody(request: Request, error: ClientLeft | ClientDisconnect) -> Response:
    return Response(status_code=499)


async def _answer_bug(request: Request, error: Exception) -> Response:
    return answered({"error": {"exit_code": 1, "what": "a bug in charrnn; its server tells more"}}, 500)
