"""`charrnn score`: how much a text surprises a model, and which of its lines surprise it beyond what is usual."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from charrnn.cli import common
from charrnn.cli.paint import legend, painted
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.runs.use import OpenModel
    from charrnn.sample.anomalies import Calibration
    from charrnn.sample.lines import LineScore, Score


def score(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run over text, or a checkpoint.")],
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="The text, plain or gzip; - or nothing is standard input.")
    ] = "-",
    lines: Annotated[bool, typer.Option("--lines", help="Show each line with its figures.")] = False,
    characters: Annotated[bool, typer.Option("--characters", help="Show each character with its nats.")] = False,
    color: Annotated[bool, typer.Option("--color", help="Show the text, painted by surprise; piped as well.")] = False,
    anomalies: Annotated[
        str | None,
        typer.Option(
            metavar="Z|auto",
            help="Show the lines whose score is above Z, by what is usual for lines of the run's validation text; "
            "auto: a Z that one in a thousand of those exceeds.",
        ),
    ] = None,
    unknown: Annotated[
        Literal["error", "skip", "replace"],
        typer.Option(help="What to do with symbols that the model does not know."),
    ] = "error",
    config: common.RunConfig = None,
    quiet: common.Quiet = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each line, and one for all.")
    ] = False,
) -> None:
    """Score any text: nats and bits per character and byte, of the whole, of each line, of each character.

    The text is read once, as it comes, with the state carried from its beginning to its end. A line is told as soon as
    it has ended.
    """
    common.one_thread_in_numpy()
    from charrnn.logs.console import Console
    from charrnn.runs.scoring import calibrated, line_reader, refuse_empty, text_of, validation_text
    from charrnn.runs.use import open_model
    from charrnn.sample.lines import Score
    from charrnn.text.watch import Watch
    from charrnn.train.interrupt import listening

    threshold = _threshold(anomalies)
    _refuse(lines=lines, characters=characters, color=color, anomalies=anomalies is not None, as_json=as_json)
    with Console(quiet=quiet) as console, listening() as interrupt:
        model = open_model(run, common.RUNS)
        console.note(f"scoring by {model.label}")
        usual = None
        if threshold is not None:
            split = validation_text(model, config, common.CORPORA, console, interrupt.check)
            usual = _Usual.of(calibrated(model, split, interrupt.check, console.progress), threshold)
            console.note(usual.said())
        progress = console.progress if file != "-" else Watch().progress
        name, text = text_of(model, None if file == "-" else Path(file), Watch(progress, interrupt.check))
        reader = line_reader(model, unknown, name, interrupt.check)
        told = _Told(model, usual, lines=lines, characters=characters, color=color, as_json=as_json)
        whole = Score()
        for line in text:
            scored = reader.score(line)
            whole += scored.score
            told.line(scored)
        refuse_empty(whole, name)
        told.whole(whole)


@dataclass(frozen=True)
class _Usual:
    """What is usual, and what is beyond it."""

    calibration: Calibration
    threshold: float

    @classmethod
    def of(cls, calibration: Calibration, threshold: float | Literal["auto"]) -> _Usual:
        return cls(calibration, calibration.usual() if threshold == "auto" else threshold)

    def said(self) -> str:
        found = self.calibration
        return (
            f"calibrated by {found.lines:,} lines ({found.symbols:,} symbols) of the run's validation text: above Z = "
            f"{self.threshold:.2f} are {found.flagged(self.threshold):,} of them; of a normal distribution it would be "
            f"{found.expected(self.threshold):.2g}"
        )

    def as_json(self) -> dict[str, Any]:
        found = self.calibration
        return {
            "threshold": self.threshold,
            "calibration": {
                "lines": found.lines,
                "symbols": found.symbols,
                "median": found.median,
                "spread": found.spread,
                "above_threshold": found.flagged(self.threshold),
                "above_threshold_if_normal": found.expected(self.threshold),
            },
        }


@dataclass
class _Told:
    """What is shown of a text, line by line."""

    model: OpenModel
    usual: _Usual | None
    lines: bool
    characters: bool
    color: bool
    as_json: bool
    count: int = 0
    unknown: int = 0
    anomalies: int = 0

    def line(self, scored: LineScore) -> None:
        """A line, or a part of one."""
        self.count = scored.line.number
        self.unknown += bool(scored.unknown)
        beyond = self._beyond(scored) if self.usual is not None and len(scored.ids) else {}
        self.anomalies += beyond.get("anomaly", False)
        if self.as_json:
            common.write_json(self._record(scored) | beyond)
        elif self.usual is not None:
            if beyond.get("anomaly"):
                where = f"{scored.line.number}:{beyond['passage']['column']}"
                self._row(f"{where:>10}  {beyond['z']:8.2f}  ", scored)
        elif self.lines:
            figures = scored.score.figures()
            shown = [_number(figures[name]) for name in ("nats", "bits_per_char")]
            self._row(f"{scored.line.number:>6}  {shown[0]}  {shown[1]}  ", scored)
        elif self.characters:
            self._each(scored)
        elif self.color:
            common.write(painted(self._pieces(scored)), painted=True)

    def whole(self, whole: Score) -> None:
        """The whole text, at its end."""
        figures = whole.figures()
        if self.as_json:
            about = {"record": "text", "checkpoint": str(self.model.folder), "lines": self.count}
            more: dict[str, Any] = {"lines_with_unknown_symbols": self.unknown}
            if self.usual is not None:
                more |= {"anomalies": self.anomalies, **self.usual.as_json()}
            perplexity = min(whole.perplexity, 1e300)
            common.write_json(about | figures | {"perplexity": perplexity} | more)
            return
        if self.usual is not None:
            common.write(
                f"{self.anomalies:,} of {self.count:,} lines above {self.usual.threshold:.2f} "
                f"(line:column, score, text)\n"
            )
        elif self.color:
            common.write(legend(), painted=True)
        shown = [_number(figures[name]) for name in ("nats", "bits_per_char", "bits_per_byte")]
        common.write(
            f"{whole.symbols:,} symbols, {whole.characters:,} characters, {whole.bytes:,} bytes, {self.count:,} lines\n"
            f"nats/symbol  bits/char  bits/byte  perplexity\n"
            f"{shown[0]:>11}  {shown[1]:>9}  {shown[2]:>9}  {whole.perplexity:10.6g}\n"
        )

    def _row(self, figures: str, scored: LineScore) -> None:
        common.write(figures)
        if self.color:
            common.write(painted(_without_end(self._pieces(scored))) + "\n", painted=True)
        else:
            common.write(f"{scored.text}\n")

    def _each(self, scored: LineScore) -> None:
        from charrnn.text.labels import label

        column = scored.line.column
        for text, nats in self._pieces(scored):
            common.write(f"{f'{scored.line.number}:{column}':>10}  {nats:8.4f}  {label(text)}\n")
            column += len(text)

    def _pieces(self, scored: LineScore) -> list[tuple[str, float]]:
        from charrnn.sample.lines import pieces

        return pieces(scored, self.model.vocabulary)

    def _record(self, scored: LineScore) -> dict[str, Any]:
        place = {"record": "line", "line": scored.line.number, "column": scored.line.column, "text": scored.text}
        each = {"pieces": self._pieces(scored)} if self.characters else {}
        return {**place, **scored.score.figures(), "unknown": list(scored.unknown), **each}

    def _beyond(self, scored: LineScore) -> dict[str, Any]:
        from charrnn.sample.anomalies import worst

        assert self.usual is not None, "asked only where anomalies are"
        vocabulary, passage = self.model.vocabulary, worst(scored.surprise)
        end = passage.start + passage.length
        column = scored.line.column + int(vocabulary.characters_per_id[scored.ids[: passage.start]].sum())
        z = self.usual.calibration.score(passage)
        return {
            "z": z,
            "anomaly": z > self.usual.threshold,
            "passage": {"column": column, "text": vocabulary.decode(scored.ids[passage.start : end])},
        }


def _without_end(pieces: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """The pieces of a line but for its line feed."""
    return pieces[:-1] if pieces and pieces[-1][0] == "\n" else pieces


def _number(value: float | None) -> str:
    return f"{'—':>8}" if value is None else f"{value:8.4f}"


def _threshold(given: str | None) -> float | Literal["auto"] | None:
    """The Z that was asked for."""
    if given is None or given == "auto":
        return given  # type: ignore[return-value]
    try:
        threshold = float(given)
    except ValueError:
        threshold = float("nan")
    if not -1e9 < threshold < 1e9:
        raise UsageError(f"--anomalies {given}: this is no threshold", hint="give a number, such as 6, or auto")
    return threshold


def _refuse(**asked: bool) -> None:
    """Refuse what cannot be shown at once."""
    if asked.pop("as_json"):
        if asked["color"]:
            raise UsageError("--json and --color exclude one another", hint="choose one of them")
        return
    given = [f"--{name}" for name in ("lines", "characters", "anomalies") if asked[name]]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude one another", hint="choose one of them, or take --json")
    if asked["color"] and asked["characters"]:
        raise UsageError("--color and --characters exclude one another", hint="choose one of them")
