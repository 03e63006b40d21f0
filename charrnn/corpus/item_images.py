"""Pictures and their labels in idx files: a header that says type and sizes, then one unsigned byte per value."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from charrnn.corpus.item_lines import OnBlock, Row
from charrnn.errors import DataError, MissingExtraError
from charrnn.text.blocks import SourceFile, read_blocks

_UNSIGNED_BYTES = 8
_MOST_VALUES = 1 << 40
_LARGEST_PICTURE = 1 << 26
_HEADERS = {3: "pictures", 1: "labels"}


@dataclass(frozen=True)
class Idx:
    """An idx file, opened: its header is read.

    Attributes:
        file: where it lies.
        sizes: how many values it has along each dimension; the first counts the items.
    """

    file: SourceFile
    sizes: tuple[int, ...]
    _blocks: Iterator[bytes]
    _first: bytes

    @classmethod
    def open(cls, file: SourceFile, sha256: str, dimensions: int, on_block: OnBlock) -> Idx:
        """The file of pictures (3 dimensions) or labels (1).

        Raises:
            DataError: it is no such file, or it is damaged.
        """
        blocks = read_blocks(file, sha256, on_block)
        length = 4 + 4 * dimensions
        data = b""
        while len(data) < length and (block := next(blocks, b"")):
            data += block
        expected = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
        if data[:4] != expected:
            raise DataError(
                f"this is not an idx file of {_HEADERS[dimensions]}",
                where=file.label,
                why=f"it begins with {data[:4].hex(' ') or 'nothing'}, and such a file with {expected.hex(' ')}",
            )
        if len(data) < length:
            raise _cut_short(file, f"its header has {len(data)} bytes of {length}")
        sizes = struct.unpack(f">{dimensions}I", data[4:length])
        if 0 in sizes or prod(sizes) > _MOST_VALUES or prod(sizes[1:]) > _LARGEST_PICTURE:
            raise DataError("the idx file is empty or impossibly large", where=file.label, why=f"its sizes are {sizes}")
        return cls(file, sizes, blocks, data[length:])

    def items(self) -> Iterator[bytes]:
        """The values of each item.

        Raises:
            DataError: there are fewer or more than the header says, or the file was changed.
        """
        width, total, seen, held = prod(self.sizes[1:]), prod(self.sizes), 0, b""
        data = self._first
        while True:
            seen += len(data)
            if seen > total:
                raise DataError("the idx file holds more than its header says", where=self.file.label)
            held += data
            whole = len(held) - len(held) % width
            for start in range(0, whole, width):
                yield held[start : start + width]
            held = held[whole:]
            following = next(self._blocks, None)
            if following is None:
                break
            data = following
        if seen < total:
            raise _cut_short(self.file, f"it holds {seen:,} values, its header says {total:,}")


def image_rows(images: Idx, labels: Idx | None) -> Iterator[Row]:
    """A row for every picture, in order, with the number that is its label.

    Raises:
        DataError: the files are damaged, or do not have equally many items.
    """
    if labels is not None and labels.sizes != images.sizes[:1]:
        raise DataError(
            "pictures and labels do not belong together",
            where=f"{images.file.label}\n{labels.file.label}",
            why=f"there are {images.sizes[0]:,} pictures and {labels.sizes[0]:,} labels",
        )
    names = [str(value) for value in range(256)]
    if labels is None:
        for number, content in enumerate(images.items(), 1):
            yield Row(content, None, number)
        return
    numbers = labels.items()
    for number, content in enumerate(images.items(), 1):
        yield Row(content, names[next(numbers)[0]], number)
    next(numbers, None)  # behind the last label its file is checked to its end


def digits() -> tuple[bytes, bytes]:
    """The pictures of digits that scikit-learn carries, and their labels, each as the bytes of an idx file.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise MissingExtraError(
            "`builtin:digits` needs scikit-learn, which is not installed", hint="pip install 'charrnn[labels]'"
        ) from error
    bunch = load_digits()
    return _idx(np.asarray(bunch.images)), _idx(np.asarray(bunch.target))


def _idx(values: np.ndarray) -> bytes:
    """An array of small whole numbers as the bytes of an idx file."""
    header = bytes([0, 0, _UNSIGNED_BYTES, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def _cut_short(file: SourceFile, why: str) -> DataError:
    return DataError("the idx file is cut short", where=file.label, why=why, hint="fetch it again")
