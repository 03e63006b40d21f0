"""`charrnn serve`: a model's page and an API on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common
from charrnn.cli.opened import Device, opened, say_device


def serve(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run or a checkpoint; default: the newest run in runs/."),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; other machines reach only what you name here.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    max_length: Annotated[int, typer.Option(min=1, help="Symbols of a sample.")] = 10_000,
    max_samples: Annotated[int, typer.Option(min=1, help="Samples of a request, and candidates of a search.")] = 64,
    max_characters: Annotated[int, typer.Option(min=1, help="Characters of a text to score, or of a seed.")] = 50_000,
    max_streams: Annotated[int, typer.Option(min=1, help="Samples that are drawn side by side.")] = 256,
    max_waiting: Annotated[int, typer.Option(min=1, help="Requests that wait for their turn.")] = 64,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.")] = 1 << 20,
    device: Device = "cpu",
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Serve a language model on this machine: its page, and a JSON API for samples, scores and suggestions.

    Needs the extra `serve`. Prints the address when it listens, and stops at Ctrl-C. docs/serve.md tells more.
    """
    common.one_thread_in_numpy()
    from charrnn.logs.console import Console
    from charrnn.serve.extra import check_extra
    from charrnn.serve.limits import Limits
    from charrnn.train.interrupt import listening

    check_extra()
    limits = Limits(max_length, max_samples, max_characters, max_streams, max_waiting, max_body)
    with Console(quiet=quiet) as console, listening() as interrupt:
        model = opened(run, device)
        from charrnn.serve import server
        from charrnn.serve.address import listen

        place = listen(host, port)

        def ready() -> None:
            console.note(f"serving {model.label}; Ctrl-C stops it")
            say_device(model, device, console)
            if not place.loopback:
                console.note("other machines can reach it: there is no password, and nothing is encrypted")
            if as_json:
                common.write_json({"url": place.url, "checkpoint": str(model.folder), "loopback": place.loopback})
            else:
                common.write(f"{place.url}\n")

        server.serve(model, place, limits, interrupt.check, ready, console.note)
