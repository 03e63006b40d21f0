"""What a training over a terabyte on 256 GPUs would take: measured here as far as it can be, and drawn as a plan.

    scripts/terabyte.py                 measure, record in docs/scaling.json, draw the section of docs/scaling.md
    scripts/terabyte.py --draw          draw it again from the record
    scripts/terabyte.py --text-mb 1     … of a smaller text, and with --hidden of smaller networks

Every figure of the plan is one of these measurements times a model that stands beside it (terabyte_page.py), or an
assumption that is named as such. Everything runs on one thread, but for what two processes do together.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import recording
import scaling
import terabyte_page
import terabyte_pair
from contests import Size
from measure_prepare import write_text as write_some_text
from recording import ROOT
from terabyte_pair import KIB, timed

RECORD = ROOT / "docs" / "scaling.json"
PAGE = ROOT / "docs" / "scaling.md"
MB = 10**6
LEFT = 10_000
"""Characters of validation: every run ends with one, and that is not what is measured."""
PARTS = 200
"""Files that the tokens are written in."""
MESSAGES_KIB = (1, 16, 256, 1 * KIB, 4 * KIB, 16 * KIB, 64 * KIB)
CONFIG = """\
corpus: {{source: text.txt, unit: char, split: [rest, {left}, {left}]}}
stream: {{lanes: {lanes}, chunk: 40}}
model: {{input: {{size: 64}}, core: {{kind: lstm, hidden: {hidden}, layers: 2}}}}
train: {{max_steps: {steps}, device: cpu, threads: 1, tensorboard: false}}
evaluate: {{every: 1000000}}
sample: {{length: 1}}
"""


def measured(folder: Path, text_mb: float, hidden: int, kib: tuple[int, ...] = MESSAGES_KIB) -> dict[str, Any]:
    """All measurements.

    Args:
        folder: an empty one.
        text_mb: how much text is prepared.
        hidden: units of the network that is trained; checkpoints are of this one and of one with half as many.
        kib: the sizes of what two processes add up.
    """
    write_some_text(folder / "text.txt", int(text_mb * MB), one_line=False)
    return {
        "prepare": preparing(folder, text_mb),
        "map": mapping(folder),
        "batch": batches(folder, hidden),
        "checkpoint": checkpoint(folder, hidden),
        "train": training(folder, hidden),
        "all_reduce": all_reduces(folder, kib),
    }


def preparing(folder: Path, mb: float) -> dict[str, float]:
    """`prepare` of a text: seconds of the processor, and what lies on the disk."""
    from charrnn.corpus.prepare import prepare

    each = max(1, int(mb * MB) // PARTS // 4) * 4
    settings = loaded(folder, lanes=1, hidden=1, steps=1).config.corpus.model_copy(update={"part_bytes": each})
    began, busy = time.perf_counter(), _busy()
    corpus = prepare(settings, base=folder, corpora=folder / "corpora").corpus
    found = {"mb": mb, "seconds": time.perf_counter() - began, "cpu_seconds": _busy() - busy}
    size = sum(path.stat().st_size for path in corpus.folder.rglob("*") if path.is_file())
    return found | {"tokens": len(corpus.tokens), "bytes_on_disk": size}


def _busy() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def mapping(folder: Path) -> dict[str, float]:
    """The parts of a corpus, each mapped for the first of its tokens; how many files stay open for each."""
    from charrnn.corpus.parts import PartedTokens
    from charrnn.corpus.tokens import TokenCorpus

    tokens = TokenCorpus.open(next((folder / "corpora").glob("text*"))).tokens
    before, seconds = len(os.listdir("/proc/self/fd")), []
    for number in range(PARTS):
        began = time.perf_counter()
        assert tokens[number * (len(tokens) // PARTS)] >= 0
        seconds.append(time.perf_counter() - began)
    assert isinstance(tokens, PartedTokens)
    parts = len(tokens.mapped)
    files = len(os.listdir("/proc/self/fd")) - before
    return {"seconds": statistics.median(seconds), "descriptors": files / parts, "times": parts}


def loaded(folder: Path, lanes: int, hidden: int, steps: int) -> Any:
    """A small training over the text."""
    from charrnn.config.load import load_config

    config = folder / f"lanes-{lanes}-hidden-{hidden}.yaml"
    config.write_text(CONFIG.format(left=LEFT, lanes=lanes, hidden=hidden, steps=steps), encoding="utf-8")
    return load_config(config)


def batches(folder: Path, hidden: int) -> dict[str, float]:
    """How long a process works on its rows of a batch, one of as many as the plan has, at two numbers of lanes."""
    import torch

    from charrnn.corpus.tokens import TokenCorpus
    from charrnn.tasks.language import LanguageTask

    def own(rows: int) -> slice:
        return slice(0, max(1, rows // terabyte_page.Plan().ranks))

    corpus = TokenCorpus.open(next((folder / "corpora").glob("text*")))
    found: dict[str, float] = {}
    for name, lanes in (("few", 64), ("many", 1024)):
        stream = LanguageTask(loaded(folder, lanes, hidden, 1).config, corpus, {}).stream("train")
        assert stream is not None
        seconds = timed(_nth(lambda step, of=stream: of.batch(step % of.steps_per_epoch, torch.device("cpu"), own)))
        found |= {f"{name}_tokens": lanes * 40, f"{name}_seconds": seconds}
    return found


def _nth(work: Callable[[int], Any]) -> Callable[[], Any]:
    """A function that counts its calls."""
    steps = iter(range(sys.maxsize))
    return lambda: work(next(steps))


def checkpoint(folder: Path, hidden: int) -> list[dict[str, float]]:
    """The checkpoints of two runs, one of them larger in everything: their bytes, and the seconds to write it again."""
    from charrnn.checkpoint.layout import TENSORS
    from charrnn.checkpoint.read import Checkpoint
    from charrnn.checkpoint.write import write_checkpoint
    from charrnn.logs.console import Console
    from charrnn.models.build import parameters_of
    from charrnn.runs.start import train_run
    from charrnn.runs.task import task_of
    from charrnn.train.interrupt import Interrupt

    found = []
    for lanes, units in ((16, hidden // 2), (64, hidden)):
        given, run = loaded(folder, lanes, units, 1), folder / f"run-{lanes}"
        with Console(quiet=True) as console:
            train_run(given, run, "new", folder / "corpora", console, Interrupt())
            task = task_of(given, folder / "corpora", console, Interrupt().check)
        saved = Checkpoint.open(run / "checkpoints/step-00000001")
        groups = {name.removesuffix(TENSORS): saved.tensors(name.removesuffix(TENSORS)) for name in _tensors(saved)}
        again = iter(range(sys.maxsize))
        seconds = timed(lambda: write_checkpoint(folder / f"again-{lanes}", next(again), groups, {}), 3)  # noqa: B023
        sizes = {name.removesuffix(TENSORS): (saved.folder / name).stat().st_size for name in _tensors(saved)}
        found.append(
            {
                "parameters": parameters_of(task.model()),
                "units": lanes * units * 2,
                "model_bytes": sizes["model"],
                "optimizer_bytes": sizes["optimizer"],
                "lanes_bytes": sizes["lanes"],
                "seconds_to_write": seconds,
            }
        )
    return found


def _tensors(saved: Any) -> Iterator[str]:
    from charrnn.checkpoint.layout import TENSORS

    return (name for name in saved.files if name.endswith(TENSORS))


def training(folder: Path, hidden: int) -> dict[str, float]:
    """Tokens per second of one process, and of two together; what they add up at an update; a product of matrices."""
    import torch

    both, alone = scaling.training(folder, Size(hidden=hidden))
    found = {"alone_tokens_per_second": alone(), "two_tokens_per_second": both()}
    torch.set_num_threads(1)
    side = 1024
    a, b = torch.randn(side, side), torch.randn(side, side)
    place = folder / f"scaling-{scaling.LANES}"
    matrix, every = sum_of_sizes(place / "by-1")
    found |= {"matrix_parameters": matrix, "product_flops": 2 * side**3 / timed(lambda: a @ b)}
    counts = [terabyte_pair.ask(folder, "count", place / "train.yaml", steps) for steps in (3, 5)]
    for name in ("messages", "bytes"):
        found[f"{name}_per_update"] = (counts[1][name] - counts[0][name]) / 2
    return found | {"parameters": every}


def sum_of_sizes(run: Path) -> tuple[int, int]:
    """Of a run's model the weights in matrices that every token goes through, and all weights."""
    from charrnn.checkpoint.layout import checkpoints
    from charrnn.checkpoint.read import Checkpoint

    arrays = Checkpoint.open(checkpoints(run / "checkpoints")[-1]).tensors("model")
    matrices = [array.size for name, array in arrays.items() if array.ndim == 2 and "embedding" not in name]
    return sum(matrices), sum(array.size for array in arrays.values())


def all_reduces(folder: Path, kib: tuple[int, ...]) -> list[list[float]]:
    """Seconds in which two processes add up so many bytes, by gloo over the loopback."""
    found: list[list[float]] = terabyte_pair.ask(folder, "add-up", *kib)["pairs"]
    return found


def draw(record: dict[str, Any]) -> None:
    """Put the plan into docs/scaling.md."""
    PAGE.write_text(terabyte_page.placed(PAGE.read_text(encoding="utf-8"), record), encoding="utf-8")


def main() -> None:
    """Read the options; measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw the section again")
    parser.add_argument("--text-mb", type=float, default=200.0, help="text to be prepared (default: %(default)s)")
    parser.add_argument("--hidden", type=int, default=512, help="units of the network (default: %(default)s)")
    given = parser.parse_args()
    if not given.draw:
        commit = recording.current_commit()
        os.environ["OMP_NUM_THREADS"] = "1"
        with tempfile.TemporaryDirectory() as folder:
            found = measured(Path(folder), given.text_mb, given.hidden)
        command = f"scripts/terabyte.py --text-mb {given.text_mb:g} --hidden {given.hidden}"
        about = {"commit": commit, "machine": recording.machine(), "processor": processor(), "command": command}
        recording.write(RECORD, {"about": about, **found})
    draw(recording.read(RECORD))


def processor() -> str:
    """What the machine calls its processor."""
    from charrnn.config.schema import Train
    from charrnn.runs.plan import make_plan

    return make_plan(Train(device="cpu", threads=1)).device_name


if __name__ == "__main__":
    main()
