"""`charrnn config`: what a config says, and what it may say."""

from __future__ import annotations

import typer

from charrnn.cli import common

app = typer.Typer(help="Show a config, or the schema of all configs.", no_args_is_help=True)


@app.command()
def show(path: common.ConfigFile, overrides: common.Overrides = None) -> None:
    """Print the resolved config: every key, its value, and where the value came from."""
    from charrnn.config.render import render
    from charrnn.logs.console import Console

    with Console() as console:
        loaded = common.load(path, overrides, console)
    common.write(render(loaded))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    import json

    from charrnn.config.render import json_schema

    common.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
