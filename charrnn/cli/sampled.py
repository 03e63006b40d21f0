"""What `charrnn sample` tells: the texts as they come, how likely their symbols were, what they copy, what units do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from charrnn.cli import common
from charrnn.errors import UsageError

if TYPE_CHECKING:
    from charrnn.config.schema import Sample
    from charrnn.corpus.tokens import TokenCorpus
    from charrnn.logs.console import Console
    from charrnn.runs.use import OpenModel
    from charrnn.sample.odds import Odds
    from charrnn.sample.stream import Drawn
    from charrnn.text.encode import Unknown
    from charrnn.text.vocabulary import Vocabulary
    from charrnn.train.interrupt import Interrupt

LEAST, TRACED = 20, 20_000


@dataclass(frozen=True)
class Wanted:
    """What to make besides what `sample:` says.

    Attributes:
        count: samples.
        unknown: what becomes of symbols of the seed that the model does not know.
        odds: how many alternatives stand beside each symbol's probabilities; None: no probabilities.
        memorized: whether to look for what is copied.
        memorized_min: the characters of the shortest copy; None: `LEAST`.
        trace: the file for the states.
        trace_text: the text that is traced; None: the sample.
        trace_length: the symbols of a split that are traced; None: `TRACED`.
        picture: the file for the picture.
    """

    count: int
    unknown: Unknown
    odds: int | None
    memorized: bool
    memorized_min: int | None
    trace: Path | None
    trace_text: Literal["sample", "valid", "test", "train"] | None
    trace_length: int | None
    picture: Path | None

    @property
    def traces(self) -> bool:
        """Whether the states of units are asked for."""
        return self.trace is not None or self.picture is not None or self.trace_text is not None

    @property
    def split(self) -> str | None:
        """The split that is traced; None where it is the sample."""
        return None if self.trace_text in (None, "sample") else self.trace_text


@dataclass
class Made:
    """A sample as it is made.

    Attributes:
        pieces: its text, without the seed.
        symbols: what was drawn.
        odds: how likely each was, where that was asked for.
        ended: what has ended it.
    """

    pieces: list[str] = field(default_factory=list)
    symbols: list[int] = field(default_factory=list)
    odds: list[Odds] = field(default_factory=list)
    ended: str | None = None

    @property
    def text(self) -> str:
        """The whole text, without the seed."""
        return "".join(self.pieces)

    def take(self, drawn: Drawn) -> None:
        """Take one more symbol."""
        self.pieces.append(drawn.piece)
        self.symbols.append(drawn.symbol)
        self.ended = drawn.ended
        if drawn.odds is not None:
            self.odds.append(drawn.odds)


def checked(wanted: Wanted, as_json: bool) -> None:
    """Raise a UsageError for options that would do nothing, or could not be carried out after all the work."""
    if wanted.odds is not None and not as_json:
        raise UsageError("--probabilities goes with --json")
    if wanted.memorized_min is not None and not wanted.memorized:
        raise UsageError("--memorized-min goes with --memorized")
    if wanted.trace_length is not None and wanted.split is None:
        raise UsageError("--trace-length goes with --trace-text valid, test or train")
    if wanted.traces and wanted.split is None and wanted.count > 1:
        raise UsageError("one sample is traced at a time", hint="leave --count out, or trace --trace-text valid")
    if wanted.trace is not None:
        from charrnn.sample.trace import check_trace

        check_trace(wanted.trace)
    if wanted.picture is not None:
        from charrnn.report.picture import check_picture

        check_picture(wanted.picture)


def tell(
    model: OpenModel, options: Sample, wanted: Wanted, as_json: bool, console: Console, interrupt: Interrupt
) -> None:
    """Make the samples, and print them with what else is wanted."""
    from charrnn.cli.sampled_copies import copied, copies_table
    from charrnn.cli.sampled_units import traced, units_table
    from charrnn.runs.trained_text import trained_text

    corpus: TokenCorpus | None = None
    if wanted.memorized or wanted.split is not None:
        corpus = trained_text(model, common.CORPORA)
    drawn = model.samples(options, range(wanted.count), wanted.unknown, interrupt.check, wanted.odds)
    made = [Made() for _ in range(wanted.count)]
    for piece in _in_order(drawn, made, options.seed or "", console):
        if not as_json:
            common.write(piece)
    result: dict[str, Any] = {
        "checkpoint": str(model.folder),
        "options": options.model_dump(mode="json"),
        "samples": [one.text for one in made],
        "ended": [one.ended for one in made],
    }
    if wanted.odds is not None:
        result["symbols"] = [list(_symbols(one, model.vocabulary)) for one in made]
    tables: list[Iterable[str]] = []
    if wanted.memorized:
        assert corpus is not None, "opened above"
        least = LEAST if wanted.memorized_min is None else wanted.memorized_min
        result["memorized"] = copied(made, corpus, least, console, interrupt)
        tables.append(copies_table(result["memorized"], wanted.count))
    if wanted.traces:
        prompt = model.prompt(options, wanted.unknown)
        result["units"] = traced(model, prompt, made[0], wanted, corpus, console, interrupt)
        tables.append(units_table(result["units"]))
    if as_json:
        common.write_json(result)
        return
    for table in tables:
        common.write("".join(f"{line}\n" for line in ["", *table]))


def _in_order(drawn: Iterable[Drawn], made: Sequence[Made], seed: str, console: Console) -> Iterator[str]:
    """What to print as it comes: the first sample symbol by symbol, then each of the others as far as it has come."""
    shown = 0
    if len(made) > 1:
        console.note(f"--- 1 of {len(made)}")
    yield seed
    for one in drawn:
        made[one.stream].take(one)
        if one.stream == shown and one.piece:
            yield one.piece
        while shown < len(made) and made[shown].ended is not None:
            yield "\n"
            shown += 1
            if shown < len(made):
                console.note(f"--- {shown + 1} of {len(made)}")
                yield seed + made[shown].text


def _symbols(made: Made, vocabulary: Vocabulary) -> Iterator[dict[str, Any]]:
    """Each symbol that was drawn, those of the stop string included; the texts, joined, are all of them decoded."""
    from charrnn.sample.text import pieces_of

    pieces = pieces_of(made.symbols, vocabulary)
    for symbol, text, odds in zip(made.symbols, pieces, made.odds, strict=True):
        yield {
            "symbol": vocabulary.symbol(symbol),
            "text": text,
            "probability": _finite(odds.drawn),
            "model_probability": _finite(odds.model),
            "alternatives": [[vocabulary.symbol(id_), _finite(p)] for id_, p in odds.alternatives],
        }


def _finite(value: float | None) -> float | None:
    """A diverged model has probabilities that are no numbers, and JSON has none of those."""
    return value if value is not None and math.isfinite(value) else None
