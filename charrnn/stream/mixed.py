"""Lanes of other texts in every batch, below those of the main text.

The chunks are the main text's. Every other text is cut into lanes of its own, and all lanes of a batch move on by the
same number of columns. So how far another text has been read is known from the step alone: it is a ring for each of its
lanes, and begins again wherever it ends, in the middle of a chunk too, with a state that begins anew there.

Where steps read older tokens again, the main text has fewer of them at the beginning of its epochs. Its new tokens
stand in the same columns as everybody's; the columns in front of them are empty, and its state begins anew behind
those.

Shapes: B rows (lanes; of one text or of all), T columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from charrnn.models.core import State
from charrnn.stream.chance import uniforms
from charrnn.stream.gather import Share, TokenBatch, TokenStream, carried_of, unread, write_rows
from charrnn.stream.lanes import LanePlan, RowPlan, begins_document, by_column
from charrnn.stream.rows import overlap
from charrnn.stream.travel import sent


@dataclass(frozen=True)
class Cells:
    """What the lanes of another text read in one step.

    Attributes:
        position_BT: where in the split each target stands.
        mask_BT: where there is one: a lane may be one token shorter than the longest.
        starts_BT: which of them are the first of a document.
        reset_BT: in front of which of them the state begins anew.
    """

    position_BT: np.ndarray
    mask_BT: np.ndarray
    starts_BT: np.ndarray
    reset_BT: np.ndarray


@dataclass(frozen=True, eq=False)
class Ring:
    """Another text: its tokens and its lanes, which are read over and over.

    Attributes:
        name: tells its chance from that of the other texts.
        tokens: its split.
        cut: its lanes, and what happens to them by chance; the chunks are not its own.
    """

    name: str
    tokens: np.ndarray
    cut: LanePlan

    def cells(self, place: int, width: int, chunks: Sequence[tuple[int, int]]) -> Cells:
        """What the lanes hold in the `width` columns from `place` on, which counts from the beginning of training.

        `chunks` has the column in which each chunk begins, with the step that it is the new one of.
        """
        cut = self.cut
        pass_T, within_T = np.divmod(place + np.arange(width), int(cut.lengths_B[0]))
        first, last = int(pass_T[0]), int(pass_T[-1])
        shift_T = np.array([self._shift(number) for number in range(first, last + 1)])[pass_T - first]
        position_BT = (cut.starts_B[:, None] + (shift_T + within_T)) % cut.tokens
        mask_BT = within_T < cut.lengths_B[:, None]
        starts_BT = begins_document(cut.documents, position_BT) & mask_BT
        reset_BT = starts_BT | (within_T == 0)
        for column, step in chunks if cut.reset_chance else ():
            reset_BT[:, column] |= uniforms(cut.lanes, cut.seed, "reset", self.name, step) < cut.reset_chance
        return Cells(position_BT, mask_BT, starts_BT, reset_BT & mask_BT)

    def _shift(self, number: int) -> int:
        """Where in the split a pass over it begins."""
        if not self.cut.shifted:
            return 0
        return int(uniforms(1, self.cut.seed, "offset", self.name, number)[0] * self.cut.tokens)


@dataclass(frozen=True)
class MixedRows:
    """What all lanes read in one step.

    Attributes:
        main: the rows of the main text.
        indent: in which column those begin.
        others: the rows of each other text.
        width: T.
        past: the first columns, so many, hold tokens that do not count.
        keep: the state after so many columns is what the next step begins with.
    """

    main: RowPlan
    indent: int
    others: Sequence[Cells]
    width: int
    past: int
    keep: int


class MixedStream(TokenStream):
    """Batches of the lanes of several texts. An epoch is a pass over the main text.

    Args:
        tokens: the split of the main text.
        plan: its lanes.
        rings: the other texts, in the order of their rows.
    """

    plan: LanePlan

    def __init__(self, tokens: np.ndarray, plan: LanePlan, rings: Sequence[Ring]) -> None:
        super().__init__(tokens, plan)
        self.rings = rings
        ends = plan.lanes + np.cumsum([ring.cut.lanes for ring in rings])
        self._rows = [slice(int(end) - ring.cut.lanes, int(end)) for end, ring in zip(ends, rings, strict=True)]

    @property
    def rows(self) -> int:
        """B."""
        return self._rows[-1].stop if self._rows else self.plan.lanes

    @property
    def reading(self) -> Mapping[str, int]:
        """The number of lanes of the main text, and of each other."""
        return {**self.plan.reading, **{f"lanes_of_{ring.name}": ring.cut.lanes for ring in self.rings}}

    def lanes(self, step: int) -> MixedRows:
        """The plan of one step, counted from the beginning of training."""
        main, place = self.plan.rows(step), self.plan.place(step)
        older = 0 if self.plan.reach is None else self.plan.reach - self.plan.chunk
        past, new = min(older, place), main.width - main.past
        chunks, begun = [(past, step)], step
        while begun > 0 and (column := past - place + self.plan.place(begun - 1)) >= 0:
            begun -= 1
            chunks.append((column, begun))
        others = [ring.cells(place - past, past + new, chunks) for ring in self.rings]
        return MixedRows(main, past - main.past, others, past + new, past, max(0, past + new - older))

    def batch(self, step: int, device: torch.device, share: Callable[[int], slice] | None = None) -> TokenBatch:
        """The batch of one step, counted from the beginning of training: each text is written into its place in it;
        with `share`, those of its rows alone."""
        rows = self.lanes(step)
        whole = self._outline(rows)
        own = slice(0, self.rows) if share is None else share(self.rows)
        part = whole if share is None else whole.part(own, {})[0]
        x_BT, y_BT = np.zeros((2, part.rows, rows.width), np.int64)
        self._write(rows, own, x_BT, y_BT)
        x, y = (sent(torch.from_numpy(array), device) for array in (x_BT, y_BT))
        mask, counts = sent(part.mask_BT, device), sent(part.counts_BT, device)
        on = {column: sent(rows_B, device) for column, rows_B in part.resets.items()}
        shares = {name: Share(at.rows, {c: on[c][at.rows] for c in at.resets}) for name, at in part.shares.items()}
        known = None if share is None else whole
        return TokenBatch(x, y, mask, counts, on, rows.keep, rows.main.rate, shares, known)

    def carried(self, state: State, rows: slice) -> State:
        """What of `state`, which is carried on for all rows, is that of some."""
        names = [ring.name for ring in self.rings]
        return carried_of(dict(zip(names, self._rows, strict=True)), state, rows)

    def _outline(self, rows: MixedRows) -> TokenBatch:
        """The batch but for its symbols."""
        main, first = rows.main, slice(0, self.plan.lanes)
        mask_BT = np.zeros((self.rows, rows.width), np.bool_)
        mask_BT[first, rows.indent :] = np.arange(main.width) < main.length_B[:, None]
        resets: dict[int, np.ndarray] = {}

        def reset(own: slice, column: int, rows_B: np.ndarray) -> None:
            resets.setdefault(column, np.zeros(self.rows, np.bool_))[own] = rows_B

        for column, rows_B in main.resets.items():
            reset(first, rows.indent + column, rows_B)
        columns = {}
        for ring, own, cells in zip(self.rings, self._rows, rows.others, strict=True):
            mask_BT[own] = cells.mask_BT
            columns[ring.name] = own, by_column(cells.reset_BT)
            for column, rows_B in columns[ring.name][1].items():
                reset(own, column, rows_B)
        bare = unread(mask_BT, rows.past, dict(sorted(resets.items())), rows.keep, main.rate)
        on = bare.resets
        shares = {name: Share(own, {c: on[c][own] for c in found}) for name, (own, found) in columns.items()}
        return replace(bare, shares=shares)

    def _write(self, rows: MixedRows, own: slice, x_BT: np.ndarray, y_BT: np.ndarray) -> None:
        """Put the symbols of some rows of all into the arrays of these."""
        first = slice(0, self.plan.lanes)
        chosen, place = overlap(own, first), overlap(first, own)
        if chosen is not None and place is not None:
            main = rows.main.of(chosen)
            position_BT = (main.start_B[:, None] + np.arange(main.width)) % len(self.tokens)
            mask_BT, at = np.arange(main.width) < main.length_B[:, None], (place, slice(rows.indent, None))
            write_rows(self.tokens, position_BT, mask_BT, main.starts_BT, x_BT[at], y_BT[at])
        for ring, of_ring, cells in zip(self.rings, self._rows, rows.others, strict=True):
            chosen, place = overlap(own, of_ring), overlap(of_ring, own)
            if chosen is not None and place is not None:
                which = cells.position_BT[chosen], cells.mask_BT[chosen], cells.starts_BT[chosen]
                write_rows(ring.tokens, *which, x_BT[place], y_BT[place])
