"""The server from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from charrnn.errors import Interrupted
from charrnn.export.web import page
from charrnn.runs.use import OpenModel
from charrnn.serve.about import about
from charrnn.serve.address import Listening
from charrnn.serve.app import Api
from charrnn.serve.limits import Limits
from charrnn.serve.worker import Worker
from charrnn.text.watch import Check

_LOOK_EVERY = 0.05  # seconds: at signals, and whether it answers by now
_LAST_WORDS = 3  # seconds for answers under way when it stops
_MORE_CONNECTIONS = 64


def serve(
    model: OpenModel,
    listening: Listening,
    limits: Limits,
    check: Check,
    ready: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Answer requests until `check` raises.

    Args:
        model: the model.
        listening: where; it is closed at the end.
        limits: what may be asked for.
        check: called often; it raises to stop. What runs is dropped then, and the clients are told.
        ready: called once, when requests are answered.
        say: is handed a line for each request.

    Raises:
        Interrupted: what `check` raised.
        CheckpointError: the checkpoint is not what it was when the model was opened.
    """
    with listening.socket:
        html = page(model, check=check)
        worker = Worker(model, limits)
        worker.start()
        try:
            app = Api(model, html, about(model, limits), limits, worker).app(listening.hosts, say)
            config = uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=limits.streams + limits.waiting + _MORE_CONNECTIONS,
                timeout_graceful_shutdown=_LAST_WORDS,
            )
            asyncio.run(_run(_Server(config), listening, worker, check, ready))
        finally:
            worker.stop()
            worker.join()


class _Server(uvicorn.Server):
    """One that leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not."""
        yield


async def _run(server: _Server, listening: Listening, worker: Worker, check: Check, ready: Callable[[], None]) -> None:
    serving = asyncio.ensure_future(server.serve([listening.socket]))
    told = False
    stopped: Interrupted | None = None
    while not serving.done():
        if server.started and not told:
            told = True
            ready()
        try:
            check()
        except Interrupted as error:
            stopped = stopped or error
            worker.stop()
            server.should_exit = True
        await asyncio.wait((serving,), timeout=_LOOK_EVERY)
    serving.result()
    if stopped is not None:
        raise stopped
