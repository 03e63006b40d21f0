"""What stands in front of the API: who may ask, how much, and what is said of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from charrnn.errors import CharRnnError
from charrnn.serve.limits import Refused

_BODY_SECONDS = 30.0
_LONGEST_PATH = 100
_HEADERS = {
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Turns away what comes from other sites, adds headers, and tells of each request in a line.

    A browser lets any page send requests to this machine. It does not let the page read the answers, unless a name of
    the page's own site leads here (DNS rebinding); then `Host` is that name. And of a request that a page of another
    site sends, `Origin` is that site.

    Args:
        app: what answers.
        hosts: what `Host` may be; None: anything.
        say: is handed a line for each request.
        clock: seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str] | None,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._hosts, self._say, self._clock = app, hosts, say, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began, status = self._clock(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refused = self._refused(Headers(scope=scope))
        try:
            await (self._app if refused is None else answer(refused))(scope, receive, sending)
        finally:
            path = scope["path"][:_LONGEST_PATH].replace("\n", " ").replace("\t", " ")
            self._say(f"{scope['method']} {path} {status or 'left'} {self._clock() - began:.3f} s")

    def _refused(self, headers: Headers) -> Refused | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._hosts is not None and host.lower() not in self._hosts:
            return Refused(403, f"this server is not called {host!r}", hint=f"ask for {min(self._hosts)}")
        if origin is not None and _place(origin) != host.lower():
            return Refused(403, f"pages of {origin!r} may not ask this server", hint="ask from its own page")
        return None


def _place(origin: str) -> str | None:
    """Host and port of an origin; None where it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def as_json(value: dict[str, Any]) -> bytes:
    """A JSON object on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")


def answered(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON object as an answer."""
    body = as_json({"schema_version": 1, **value}) + b"\n"
    return Response(body, status, headers, "application/json")


def answer(error: CharRnnError) -> Response:
    """An error as an answer."""
    status = error.status if isinstance(error, Refused) else 400 if error.exit_code in (2, 3) else 500
    return answered(error.as_dict(), status, {"retry-after": "1"} if status == 503 else None)


async def body_of(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        Refused: it is too large, or does not come.
    """
    told = request.headers.get("content-length", "0")
    data = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            if not told.isdecimal() or int(told) <= most:
                async for part in request.stream():
                    data += part
                    if len(data) > most:
                        break
                else:
                    return bytes(data)
    except TimeoutError:
        raise Refused(408, f"the body of the request did not come within {_BODY_SECONDS:.0f} s") from None
    raise Refused(413, f"the body of the request is too large: {most:,} bytes are the most")
