"""How an answer waits for the worker: until it is done, or the client has left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.types import Receive

from charrnn.serve.tickets import Done, Event, Failed, Ticket
from charrnn.serve.worker import Worker


class ClientLeft(Exception):
    """Nobody is there to answer."""


@asynccontextmanager
async def events_of(worker: Worker, hand_in: Callable[[Ticket], None]) -> AsyncIterator[AsyncIterator[Event]]:
    """What happens to a request that is handed in; when the block ends, so does the work on it.

    The events raise what `Failed` holds.

    Raises:
        Refused: too many requests wait.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[Event, ...]]()

    def tell(events: tuple[Event, ...]) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(queue.put_nowait, events)

    ticket = Ticket(tell)
    hand_in(ticket)
    try:
        yield _until_done(queue)
    finally:
        worker.drop(ticket)


async def _until_done(queue: asyncio.Queue[tuple[Event, ...]]) -> AsyncIterator[Event]:
    while True:
        for event in await queue.get():
            if isinstance(event, Failed):
                raise event.error
            yield event
            if isinstance(event, Done):
                return


async def unless_left(receive: Receive, answer: Coroutine[Any, Any, Any]) -> Any:
    """What `answer` comes to; it is cancelled when the client leaves.

    Args:
        receive: where the client would be heard of; it has sent all of its request.
        answer: the work.

    Raises:
        ClientLeft: it left before.
    """
    work, left = asyncio.ensure_future(answer), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientLeft
        return work.result()
    finally:
        left.cancel()
        work.cancel()
        await asyncio.gather(work, left, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
