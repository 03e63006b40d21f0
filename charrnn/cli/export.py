"""`charrnn export`: a trained model for other programs, and for browsers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli import common
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.runs.use import OpenModel

EXPORTS = Path("exports")


def export(
    form: Annotated[
        Literal["onnx", "web"],
        typer.Option("--format", help="A folder with an ONNX graph, or one HTML file that runs the model."),
    ],
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="A run or a checkpoint; default: the newest run in runs/."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The folder or the file; default: exports/<run>, …<run>.html.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="onnx: a file with 8-bit weights too, and what they cost.")
    ] = False,
    half: Annotated[bool, typer.Option("--half", help="web: 16-bit weights, half the size; what they cost.")] = False,
    text: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure that on this text, and not on the run's validation split."),
    ] = None,
    quiet: common.Quiet = False,
    as_json: common.Json = False,
) -> None:
    """Write a language model in a form that needs no charrnn, after making sure that it computes the same.

    `onnx` needs the extra `export`. What is written appears complete or not at all; an earlier export is replaced.
    """
    common.one_thread_in_numpy()
    from charrnn.logs.console import Console
    from charrnn.runs.use import open_model
    from charrnn.train.interrupt import listening

    _check_options(form, int8, half, text)
    with Console(quiet=quiet) as console, listening() as interrupt:
        model = open_model(run, common.RUNS)
        console.note(f"exporting {model.label}")
        report = _written(model, form, out, int8 or half, text, interrupt.check)
    if as_json:
        common.write_json({"checkpoint": str(model.folder), "format": form, **report})
    else:
        common.write("".join(f"{line}\n" for line in (_web_lines if form == "web" else _onnx_lines)(report)))


def _check_options(form: str, int8: bool, half: bool, text: Path | None) -> None:
    if int8 and form == "web":
        raise UsageError("--int8 is for --format onnx", hint="a page can hold its weights in 16 bits: --half")
    if half and form == "onnx":
        raise UsageError("--half is for --format web", hint="a graph can have its weights in 8 bits: --int8")
    if text is not None and not (int8 or half):
        raise UsageError("--text is what a loss is measured on", hint="it belongs to --int8 or --half")


def _written(model: OpenModel, form: str, out: Path | None, narrow: bool, text: Path | None, check: Any) -> Any:
    from charrnn.export.heldout import Measure
    from charrnn.export.interface import run_name

    measure = Measure(common.CORPORA, text) if narrow else None
    if form == "web":
        from charrnn.export.web import export_web

        return export_web(model, out or EXPORTS / f"{run_name(model)}.html", measure, check)
    from charrnn.export.onnx_folder import export_onnx

    return export_onnx(model, out or EXPORTS / run_name(model), measure, check)


def _onnx_lines(report: dict[str, Any]) -> Iterator[str]:
    yield report["folder"]
    width = max(map(len, report["files"]))
    yield from (f"  {name:<{width}}  {size:>12,} bytes" for name, size in report["files"].items())
    yield f"largest difference of a score in onnxruntime: {report['largest_difference']:.1e} ({report['compared']})"
    if report["int8"] is not None:
        yield _cost(report["int8"], "int8")
        kept = report["int8"]["kept_fp32"]
        if kept:
            yield f"not in 8 bits, for the quantiser does not know how: {', '.join(kept)}"


def _web_lines(report: dict[str, Any]) -> Iterator[str]:
    yield report["file"]
    yield f"  {report['bytes']:,} bytes"
    if report["fp16"] is not None:
        yield _cost(report["fp16"], "fp16")


def _cost(cost: dict[str, Any], word: str) -> str:
    lost, narrow = cost["lost_nats"], cost[f"{word}_nats"]
    return f"nats per symbol: fp32 {cost['fp32_nats']:.4f}, {word} {narrow:.4f} ({lost:+.4f}), on {cost['text']}"
