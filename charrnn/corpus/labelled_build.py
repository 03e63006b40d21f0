"""Makes a labelled corpus: reads the rows once, gives each its part, and has the parts written one after the other."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from charrnn.config.schema.labelled import Folder, Images, Table, TextItems
from charrnn.config.schema.labelled_source import LabelledSource
from charrnn.corpus.allot import PARTS, VALID_PART, allot
from charrnn.corpus.item_images import Idx, image_rows
from charrnn.corpus.item_lines import ItemTexts, Row, line_rows
from charrnn.corpus.item_rows import NO_LABEL, OWN, TEST, UNLABELLED, Collector, Rows
from charrnn.corpus.item_tables import table_rows
from charrnn.corpus.labelled_manifest import InputRecord
from charrnn.corpus.labelled_write import LabelledWriter
from charrnn.errors import DataError
from charrnn.files.atomic import make_folder, new_folder
from charrnn.text.blocks import SourceFile
from charrnn.text.watch import Watch

_SPOOL = "spool"
_ROLES = {"items": OWN, "test": TEST, "unlabelled": UNLABELLED}


@dataclass(frozen=True)
class Input:
    """A file to read.

    Attributes:
        file: where it lies.
        record: what the manifest says about it.
    """

    file: SourceFile
    record: InputRecord


class LabelledBuild:
    """Makes one corpus.

    Args:
        settings: what the items are.
        inputs: the files; one of labels directly follows that of its pictures.
        watch: told about every block.
    """

    def __init__(self, settings: LabelledSource, inputs: list[Input], watch: Watch) -> None:
        self._settings = settings
        self._inputs = inputs
        self._watch = watch
        self._texts = ItemTexts(settings) if isinstance(settings, TextItems) else None
        self._picture: tuple[int, ...] | None = None
        self._done = 0

    def write(self, folder: Path, identity: str) -> None:
        """Put the corpus at `folder`, complete or not at all; `identity` is its digest.

        Raises:
            DataError: the sources are not what the settings say, or too small for them.
            StorageError: a write was refused.
        """
        make_folder(folder.parent)
        with new_folder(folder) as beside:
            spool = beside / _SPOOL
            rows = self._collect(spool)
            allotment = allot(rows, self._settings)
            self._check_labels(rows, allotment.parts_N)
            writer = LabelledWriter(self._settings, beside, rows, allotment, self._watch)
            with spool.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as contents:
                spool.unlink()
                writer.write_items(contents)
            writer.write_arrays()
            records = [given.record for given in self._inputs]
            replaced = self._texts.replaced if self._texts else 0
            writer.write_manifest(identity, records, replaced, self._picture)

    def _collect(self, spool: Path) -> Rows:
        """Read all files."""
        with spool.open("wb") as file:
            collector = Collector(file, self._settings.seed)
            for number, given in enumerate(self._inputs):
                role = _ROLES.get(given.record.role)
                if role is not None and not collector.add(self._rows(number, role), number, role):
                    label = given.record.label
                    raise DataError(
                        "the file has no items" if label is None else f"the label {label!r} has no items",
                        where=given.file.label,
                    )
        rows = collector.rows()
        if len(rows.labels) < 2:
            raise DataError(
                "there is nothing to learn: all items have the same label",
                where=self._settings.source,
                why=f"it is {rows.labels[0]!r}",
            )
        return rows

    def _rows(self, number: int, role: int) -> Iterator[Row]:
        """The rows of the file with this number."""
        settings, given = self._settings, self._inputs[number]
        file, sha256, on_block = given.file, given.record.sha256, self._on_block(given)
        if isinstance(settings, Images):
            return self._pictures(number, role)
        assert self._texts is not None
        lines = role == UNLABELLED and isinstance(settings, Table) and settings.unlabelled_form == "lines"
        if isinstance(settings, Folder) or lines:
            return line_rows(self._texts, file, sha256, given.record.label, on_block)
        assert isinstance(settings, Table)
        return table_rows(self._texts, settings, file, sha256, role != UNLABELLED, on_block)

    def _pictures(self, number: int, role: int) -> Iterator[Row]:
        """The pictures in the file with this number, with the labels in the next one, if they have any."""
        given, labels = self._inputs[number], None
        images = Idx.open(given.file, given.record.sha256, 3, self._on_block(given))
        if self._picture not in (None, images.sizes[1:]):
            raise DataError(
                "the pictures are of another size than those of corpus.source",
                where=given.file.label,
                why=f"{images.sizes[1:]} here, {self._picture} there",
            )
        self._picture = images.sizes[1:]
        if role != UNLABELLED:
            following = self._inputs[number + 1]
            labels = Idx.open(following.file, following.record.sha256, 1, self._on_block(following))
        return image_rows(images, labels)

    def _on_block(self, given: Input) -> Callable[[int], None]:
        total, before = sum(each.record.bytes for each in self._inputs), self._done
        self._done += given.record.bytes
        return lambda done: self._watch.block("read", before + done, total)

    def _check_labels(self, rows: Rows, parts_N: NDArray[np.uint8]) -> None:
        """Refuse a label that is asked about and never taught."""
        taught = np.zeros(len(rows.labels) + 1, bool)
        taught[rows.labels_N[parts_N < VALID_PART]] = True
        taught[NO_LABEL] = True
        unknown = np.flatnonzero(~taught[rows.labels_N])
        if len(unknown):
            row = int(unknown[0])
            raise DataError(
                f"the label {rows.labels[rows.labels_N[row]]!r} occurs in the {PARTS[parts_N[row]]} split and never in"
                " training",
                where=f"{self._inputs[rows.sources_N[row]].file.label}:{rows.lines_N[row]}",
                hint="another corpus.seed or a larger share for training may help; so does joining labels",
            )
