"""`charrnn init`: a short commented config to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from charrnn.cli import common
from charrnn.errors import UsageError

_TEMPLATE = """\
# A character model of {source}. Every key that is not here has a default; see them all with
#   charrnn config show {file}
corpus:
  source: {quoted}    # a file, folder, glob, -, https://…, named:nietzsche, builtin:python-reference
  # split: [0.9, 0.05, 0.05]      # train, validation, test: each one unbroken passage

model:
  core: {{kind: lstm, hidden: 256, layers: 1, recurrent_dropout: 0.25}}     # lstm | gru | elman | mingru | …
  head: {{dropout: 0.25}}          # short texts want dropout; megabytes of text want less

train:
  max_steps: 5000                 # or epochs: 20
  # optimizer: {{kind: adamw, lr: 2e-3}}
"""


def init(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The text.")] = "builtin:python-reference",
    out: Annotated[Path | None, typer.Option(help="The file to write; default: <source's name>.yaml.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a short commented config for a text, and print its path."""
    from charrnn.config.load import config_from_source
    from charrnn.files.atomic import write_text

    path = out or Path(f"{config_from_source(source).name}.yaml")
    if path.exists() and not force:
        raise UsageError("this file exists already", where=path, hint="choose another --out, or --force to replace it")
    # A relative source means one thing to the shell, and to a config in another folder another.
    here = Path(source)
    given = str(here.resolve()) if here.exists() and path.resolve().parent != Path.cwd() else source
    quoted = "'" + given.replace("'", "''") + "'"
    write_text(path, _TEMPLATE.format(source=source, file=path, quoted=quoted))
    common.write(f"{path}\n")
