"""Sequences in a batch: what a row holds is its item, whatever lies beside it."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from charrnn.stream.sequences import Sequences, filling

CPU = torch.device("cpu")


def symbols(items: list[list[int]], labels: list[int], soft: np.ndarray | None = None) -> Sequences:
    offsets = np.cumsum([0, *map(len, items)]).astype(np.uint64)
    return Sequences(np.concatenate(items).astype(np.uint8), offsets, np.array(labels, np.int32), soft=soft)


ITEMS = st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=9), min_size=1, max_size=12)


@given(one=ITEMS, other=ITEMS, data=st.data())
def test_each_row_is_the_item_of_its_number(one: list[list[int]], other: list[list[int]], data: st.DataObject) -> None:
    sources = {"train": symbols(one, list(range(len(one)))), "pseudo": symbols(other, list(range(len(other))))}
    chosen = [
        np.array(data.draw(st.lists(st.integers(0, len(items) - 1), min_size=1, max_size=6))) for items in (one, other)
    ]
    weight_B = np.arange(sum(map(len, chosen)), dtype=np.float32)
    batch = filling(sources)(chosen, weight_B, CPU)
    rows = [one[i] for i in chosen[0]] + [other[i] for i in chosen[1]]
    assert batch.rows == len(rows)
    assert [x[:length].tolist() for x, length in zip(batch.x, batch.length_B, strict=True)] == rows
    assert batch.x.shape[1] == max(map(len, rows))
    assert batch.y_B.tolist() == [*chosen[0].tolist(), *chosen[1].tolist()]
    assert batch.weight_B.tolist() == weight_B.tolist()
    assert batch.shares == {"pseudo": slice(len(chosen[0]), len(rows))}
    assert (batch.x.dtype, batch.y_B.dtype, batch.soft_BC) == (torch.int64, torch.int64, None)


def test_bytes_of_images_become_numbers_from_0_to_1() -> None:
    steps = np.array([[0, 255], [51, 0], [255, 255]], np.uint8)
    images = Sequences(steps, np.array([0, 2, 3], np.uint64), np.array([4, 5], np.int32))
    batch = filling({"valid": images})([np.array([1, 0])], np.ones(2, np.float32), CPU)
    assert batch.x.shape == (2, 2, 2)
    torch.testing.assert_close(batch.x[0, 0], torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(batch.x[1], torch.tensor([[0.0, 1.0], [0.2, 0.0]]))
    assert batch.y_B.tolist() == [5, 4]


def test_the_highest_value_that_there_can_be_is_1() -> None:
    images = Sequences(np.array([[0, 4], [16, 8]], np.uint8), np.array([0, 2], np.uint64), np.zeros(1, np.int32), 16)
    batch = filling({"valid": images})([np.array([0])], np.ones(1, np.float32), CPU)
    assert batch.x.tolist() == [[[0.0, 0.25], [1.0, 0.5]]]


def test_shares_of_labels_stand_beside_whole_ones() -> None:
    soft = np.array([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]], np.float32)
    sources = {"train": symbols([[1], [2]], [2, 0]), "pseudo": symbols([[3], [4]], [-1, -1], soft)}
    batch = filling(sources)([np.array([1, 0]), np.array([1, 0])], np.ones(4, np.float32), CPU)
    assert batch.soft_BC is not None
    whole = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert batch.soft_BC.tolist() == [*whole, [0.0, 0.5, 0.5], [0.25, 0.75, 0.0]]
