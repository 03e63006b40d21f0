"""What the sampling rows of `scripts/bench.py` time: texts from one network, by our sampler and by `torch.nn`."""

from __future__ import annotations

from pathlib import Path

from contests import TEMPERATURE, Contest, Sides, Size, check_same, per_second, trained


def sampling(kind: str, streams: int = 1, onednn: bool = True) -> Contest:
    """Characters per second, in all, of texts side by side: by our sampler, and by `torch.nn`, one step at a time.

    Args:
        kind: `lstm` or `gru`.
        streams: how many texts.
        onednn: whether PyTorch may leave an LSTM on a CPU to oneDNN, as it does by itself.
    """

    def contest(folder: Path, size: Size) -> Sides:
        import torch
        from peers import PlainTorch

        from charrnn.checkpoint.read import Checkpoint
        from charrnn.runs.on_device import open_on

        torch.set_num_threads(1)
        model = open_on(trained(folder, kind, size), folder, size.device)
        peer = PlainTorch(kind, Checkpoint.open(model.folder).tensors("model"), onednn)
        if size.device == "cpu":
            check_same(model.network, peer, model.vocabulary.size)
        peer.to(size.device)
        length = size.characters if streams == 1 else max(1, size.characters // SHORTER)
        options = model.options({"length": length})

        def ours() -> int:
            return sum(1 for _ in model.samples(options, range(streams)))

        def other() -> int:
            return sum(map(len, peer.write(streams, length, TEMPERATURE)))

        return lambda: per_second(ours), lambda: per_second(other)

    return contest


SHORTER = 3
"""Of several texts each is so much shorter."""
