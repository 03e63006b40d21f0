"""What a row of `scripts/bench.py` times: 64 texts side by side, ours against `torch.nn`, on one thread.

    PYTHONPATH=. scripts/streams.py                  the ratio by itself: the rounds of scripts/bench.py
    PYTHONPATH=. scripts/streams.py --device cuda    the same on a CUDA device, one text and 64

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from contests import TEMPERATURE, Contest, Sides, Size, check_same, per_second, trained

if TYPE_CHECKING:
    from peers import PlainTorch

STREAMS = 64


def sampling(kind: str, onednn: bool = True, streams: int = STREAMS, device: str = "cpu") -> Contest:
    """Characters per second, in all, of several texts: by our sampler, and by `torch.nn`, one step at a time.

    Args:
        kind: `lstm` or `gru`.
        onednn: whether PyTorch may leave an LSTM on a CPU to oneDNN, as it does by itself.
        streams: B.
        device: where both run; ours is NumPy on a CPU.
    """

    def contest(folder: Path, size: Size) -> Sides:
        import torch
        from peers import PlainTorch

        from charrnn.checkpoint.read import Checkpoint
        from charrnn.runs.on_device import open_on

        torch.set_num_threads(1)
        model = open_on(trained(folder, kind, size), folder, device)
        peer = PlainTorch(kind, Checkpoint.open(model.folder).tensors("model"), onednn)
        if device == "cpu":
            check_same(model.network, peer, model.vocabulary.size)
        for part in (peer.embedding, peer.core, peer.output):
            part.to(device)
        options = model.options({})

        def ours() -> int:
            return sum(1 for _ in model.samples(options, range(streams)))

        def other() -> int:
            return sum(map(len, write_many(peer, streams, size.characters, TEMPERATURE)))

        return lambda: per_second(ours), lambda: per_second(other)

    return contest


def write_many(peer: PlainTorch, rows: int, length: int, temperature: float) -> list[list[int]]:
    """`length` symbols of each of `rows` texts, as a loop over a batch is written; copied to the host once."""
    import torch
    from peers import START

    place = peer.embedding.weight.device
    symbol_B1, state, drawn = torch.full((rows, 1), START, device=place), None, []
    with torch.no_grad(), peer.kernels():
        for _ in range(length):
            y_B1H, state = peer.core(peer.embedding(symbol_B1), state)
            shares_BV = torch.softmax(peer.output(y_B1H)[:, 0] / temperature, 1)
            symbol_B1 = torch.multinomial(shares_BV, 1)
            drawn.append(symbol_B1)
    texts: list[list[int]] = torch.cat(drawn, 1).tolist()
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--characters", type=int, default=100, help="of each text (default: %(default)s)")
    given = parser.parse_args()
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    for streams in (1, STREAMS):
        with tempfile.TemporaryDirectory() as folder:
            contest = sampling("lstm", streams=streams, device=given.device)
            ours, other = contest(Path(folder), Size(characters=given.characters))
            ours(), other()
            pairs = [(ours(), other()) for _ in range(given.rounds)]
        medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
        ratio = statistics.median(one / two for one, two in pairs)
        print(f"{streams:>3} streams on {given.device}: {medians[0]:,.0f} against {medians[1]:,.0f}, {ratio:.2f} times")


if __name__ == "__main__":
    main()
