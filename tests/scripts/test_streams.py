"""The contest of many texts side by side: both sides write what they say, and compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import streams
import torch
from contests import Size
from peers import PlainTorch

from charrnn.config.schema.model import LstmCore, Network
from charrnn.models.build import build_model

TINY = Size(hidden=8, embedding=4, characters=15)


@pytest.mark.slow
def test_both_sides_write_all_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(streams, "per_second", lambda write: written.append(write()) or 1.0)
    for side in streams.sampling("lstm", 7)(tmp_path, TINY):
        assert side() == 1.0
    assert written == [7 * 5, 7 * 5]


def test_a_loop_over_rows_draws_as_the_scores_say() -> None:
    """With a low temperature every row is the likeliest text, which the scores of one row at a time tell too."""
    config = Network(core=LstmCore(kind="lstm", hidden=8, layers=2))
    arrays = {name: t.numpy() for name, t in build_model(config, 7, 1, torch.float32).state_dict().items()}
    peer = PlainTorch("lstm", arrays)
    texts = peer.write(3, 6, 1e-6)
    assert texts == [texts[0]] * 3
    for n, symbol in enumerate(texts[0]):
        assert int(np.argmax(peer.logits([0, *texts[0][:n]])[-1])) == symbol
    assert torch.backends.mkldnn.enabled
