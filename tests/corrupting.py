"""What can happen to a file that was whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def swap(path: Path) -> None:
    """Change content with the next file of the folder."""
    other = neighbour(path)
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def neighbour(path: Path) -> Path:
    """The next file of its folder, by name; after the last comes the first."""
    names = sorted(other.name for other in path.parent.iterdir() if other.is_file())
    return path.with_name(names[(names.index(path.name) + 1) % len(names)])


def delete(path: Path) -> None:
    path.unlink()


def link(path: Path) -> None:
    elsewhere = path.parent.parent / f"elsewhere-{path.name}"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: tuple[Damage, ...] = (flip, cut, empty, lengthen, zero, swap, delete, link, loop, pipe, folder_instead)


def name_of(damage: Damage) -> str:
    """For the ids of tests."""
    return damage.__name__
