"""Standard output, where results go: what goes wrong there is an error of ours, whoever writes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from charrnn.errors import CharRnnError, StorageError


class ReaderLeft(CharRnnError):
    """Whoever read standard output has gone, as `head` does; 141 is what a shell shows for SIGPIPE."""

    exit_code = 141


class Output:
    """Standard output for the whole program, its pages of help too.

    The library that prints those would end the program in a way of its own, with exit code 1, where nobody reads any
    more; it knows nothing of our errors and lets them pass.

    Args:
        stream: the true one; None where the program was started without.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream or io.StringIO()
        self._closed = stream is None

    def write(self, text: str) -> int:
        """Put text on standard output.

        Raises:
            ReaderLeft: nobody reads any more.
            StorageError: the system refused, as a full disk does.
        """
        with self._errors():
            return self._stream.write(text)

    def flush(self) -> None:
        """Let what was written be seen; errors as those of `write`."""
        with self._errors():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self._closed:
            raise ReaderLeft("standard output is closed")
        try:
            yield
        except OSError as error:
            # Python flushes standard output once more when it ends, and must find nothing to complain of.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if isinstance(error, BrokenPipeError):
                raise ReaderLeft("the reader of standard output has left") from None
            raise StorageError("cannot write", where="standard output", why=error.strerror) from error
