"""A corpus at its place: the one that is there where it is the same, else a new one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from charrnn.errors import DataError, UsageError
from charrnn.files.atomic import sweep
from charrnn.files.refusals import storage_errors

OTHER_PLACE = "choose another folder with --out"


class _Corpus(Protocol):
    @classmethod
    def open(cls, folder: Path, verify: bool = False) -> Self: ...

    @property
    def digest(self) -> str: ...


C = TypeVar("C", bound=_Corpus)


@dataclass(frozen=True)
class Prepared(Generic[C]):
    """A corpus that is ready.

    Attributes:
        corpus: the corpus.
        fresh: whether it was made now; False if it was there already.
        damage: what was wrong with a corpus that was there, and has been made again; None where nothing was.
        lost: symbols of the text that a vocabulary which was given does not have, and that were left out or replaced;
            known of a fresh one only.
        whole: why a large text was read by one process, though there are more; None where it was not.
    """

    corpus: C
    fresh: bool
    damage: str | None = None
    lost: tuple[str, ...] = ()
    whole: str | None = None


def named_by(corpora: Path, digest: str) -> Path | None:
    """The folder whose name ends with the beginning of this digest, as that of a prepared corpus does; None where there
    is none."""
    return min(corpora.glob(f"*-{digest[:8]}"), default=None)


def found_or_made(
    kind: type[C], folder: Path, identity: str, files: Collection[str], make: Callable[[], None]
) -> Prepared[C]:
    """The corpus in `folder`; made unless it is there, whole, and of the same identity. A damaged one is made again
    from its source, which is the same to the bit, and the result says so.

    Args:
        kind: its class.
        folder: its place; another corpus there is replaced.
        identity: its digest, of its settings and its sources.
        files: all names that files of such a corpus may have.
        make: puts it at `folder`, complete or not at all.

    Raises:
        UsageError: the folder holds something else.
        StorageError: it may not be looked into, or a write was refused.
    """
    sweep(folder.parent)
    damage = None
    try:
        there = kind.open(folder, verify=True)
        if there.digest == identity:
            return Prepared(there, fresh=False)
    except DataError as error:
        with storage_errors(folder):
            if any((folder / name).exists() for name in files):
                damage = f"{error.where}: {error.why or error.what}"
    _refuse_foreign(folder, files)
    make()
    return Prepared(kind.open(folder), fresh=True, damage=damage)


def _refuse_foreign(folder: Path, known: Collection[str]) -> None:
    """Refuse to replace a folder with other files than the `known`."""
    with storage_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise UsageError("this is a file, not a folder", where=folder, hint=OTHER_PLACE)
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = sorted(names - set(known))
    if others:
        raise UsageError(
            "the folder holds other things than a corpus",
            where=folder,
            why=f"for example {others[0]}",
            hint=OTHER_PLACE + ", or empty this one",
        )
