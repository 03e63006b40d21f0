"""The journal of a study: one file that several processes, on one machine or on many, append to.

It is Optuna's format. The lock is ours, a claim (`files/claims.py`). Optuna's own locks for shared file systems, a
symlink or a file made by open(O_EXCL), would serve while all goes well; but they are broken after thirty seconds even
where their owner lives and is slow, a killed process delays all others for as long, and whoever breaks one may break
the next one's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from charrnn.errors import DataError
from charrnn.files.claims import held
from charrnn.files.refusals import storage_errors
from charrnn.runs.folder import STUDY
from charrnn.tune.extra import optuna

JOURNAL = STUDY
_BLOCK = 1 << 16


class JournalLock:
    """What Optuna's journal asks of a lock.

    Args:
        journal: the file that it guards.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._held = ExitStack()

    def acquire(self) -> bool:
        """Wait for the lock, and remove what a writer left half written."""
        self._held.enter_context(held(self._journal.with_name(self._journal.name + ".claim")))
        drop_half_line(self._journal)
        return True

    def release(self) -> None:
        """Let the next one write."""
        self._held.close()


def drop_half_line(path: Path) -> None:
    """Cut a file back to its last whole line: a kill or a full disk can leave half of one behind.

    Raises:
        StorageError: the system refused.
    """
    with storage_errors(path), path.open("r+b") as file:
        end = size = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            newline = file.read(end - begin).rfind(b"\n")
            end = begin + newline + 1
            if newline >= 0:
                break
        if end < size:
            file.truncate(end)


def open_journal(path: Path) -> Any:
    """Optuna's storage over the journal at `path`, which need not exist.

    Raises:
        DataError: it is not a journal.
        StorageError: the system refused.
    """
    storages = optuna().storages
    with journal_errors(path):
        return storages.JournalStorage(storages.journal.JournalFileBackend(str(path), lock_obj=JournalLock(path)))


@contextmanager
def journal_errors(path: Path) -> Iterator[None]:
    """Turn what Optuna raises over a damaged journal into a `DataError`, and the system's refusals into their own."""
    with storage_errors(path):
        try:
            yield
        except (ValueError, LookupError, TypeError, AssertionError) as error:
            raise DataError(
                "the journal of the study cannot be read",
                where=path,
                why=str(error) or None,
                hint="begin anew with --out DIR; the trials are runs of their own, and stay",
            ) from error
