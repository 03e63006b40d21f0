"""What scores and suggestions are answered with."""

from __future__ import annotations

from typing import Any

from charrnn.runs.scoring import score_text
from charrnn.runs.suggesting import suggester
from charrnn.runs.use import OpenModel
from charrnn.sample.lines import pieces
from charrnn.sample.offers import Suggestion
from charrnn.serve.bodies import ScoreBody, SuggestBody
from charrnn.text.normal import normalised_text
from charrnn.text.watch import Check

_LARGEST = 1e300


def score(model: OpenModel, body: ScoreBody, check: Check) -> dict[str, Any]:
    """The figures of a text, as `charrnn score --json` tells them of the whole.

    Raises:
        DataError: the text is empty, or has symbols that the vocabulary lacks.
        DivergedError: the model has no finite scores.
    """
    lines, whole = score_text(model, body.text, body.unknown, check)
    told: dict[str, Any] = {
        "lines": lines[-1].line.number,
        "lines_with_unknown_symbols": sum(bool(line.unknown) for line in lines),
        **whole.figures(),
        "perplexity": min(whole.perplexity, _LARGEST),
    }
    if body.pieces:
        told["pieces"] = [piece for line in lines for piece in pieces(line, model.vocabulary)]
    return told


def suggestions(model: OpenModel, body: SuggestBody, check: Check) -> dict[str, Any]:
    """What may come next, as `charrnn suggest --json` tells it.

    Raises:
        UnknownSymbols: the vocabulary lacks a symbol of the seed.
        DivergedError: the model has no finite scores.
    """
    source = suggester(model, body.unknown, check=check)
    seed = normalised_text(body.seed, model.config.corpus)
    found = source.suggest(source.after(source.start, seed), body.k)
    listed = {"characters": _listed(found.symbols), "words": _listed(found.words)}
    return {"seed": seed, "complete": found.complete, **listed}


def _listed(offers: tuple[Suggestion, ...]) -> list[dict[str, Any]]:
    return [{"text": offer.text, "word": offer.word, "probability": offer.probability} for offer in offers]
