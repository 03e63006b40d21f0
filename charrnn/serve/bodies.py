"""What the bodies of requests hold: JSON objects, an unknown key is an error."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from charrnn.config.schema import Sample
from charrnn.config.schema.base import Count, Section
from charrnn.serve.limits import Limits, Refused
from charrnn.text.encode import Unknown

_MOST_TEXTS = 32  # each of them is looked for behind every symbol


class SampleBody(Sample):
    """`POST /api/sample`: options of a config's `sample:` section, and these."""

    count: Count = 1
    """Samples: those that `charrnn sample --count` would write."""

    stream: bool = False
    """Answer line by line, as the symbols are drawn."""

    unknown: Unknown = "error"
    """What becomes of symbols of the seed that the vocabulary lacks: `error`, `skip` or `replace`."""

    def given(self) -> dict[str, Any]:
        """The options of the section that the request names."""
        return {name: getattr(self, name) for name in Sample.model_fields if name in self.model_fields_set}

    def refuse_beyond(self, limits: Limits) -> None:
        """Raise where it asks for more than is done."""
        limits.refuse_samples(self.count, "count")
        limits.refuse_samples(self.beam or 0, "beam")
        if "length" in self.model_fields_set:
            limits.refuse_length(self.length)
        texts = (*self.stop, *self.require)
        if len(texts) > _MOST_TEXTS:
            raise Refused(413, f"{len(texts)} texts to look for; {_MOST_TEXTS} are the most", where="stop, require")
        points = 0 if isinstance(self.temperature, float | int) else len(self.temperature)
        others = (self.seed or "", self.ban, self.only or "", *texts)
        limits.refuse_characters(points + sum(map(len, others)), "seed and others")


class ScoreBody(Section):
    """`POST /api/score`."""

    text: str
    """The text; it begins with no text in front of it."""

    pieces: bool = False
    """Tell the nats of each character too."""

    unknown: Unknown = "error"
    """What becomes of symbols that the vocabulary lacks: `error`, `skip` or `replace`."""

    def refuse_beyond(self, limits: Limits) -> None:
        """Raise where it asks for more than is done."""
        limits.refuse_characters(len(self.text), "text")


class SuggestBody(Section):
    """`POST /api/suggest`."""

    seed: str = ""
    """The text so far."""

    k: Annotated[int, Field(ge=1, le=100)] = 5
    """How many symbols and words."""

    unknown: Unknown = "error"
    """What becomes of symbols that the vocabulary lacks: `error`, `skip` or `replace`."""

    def refuse_beyond(self, limits: Limits) -> None:
        """Raise where it asks for more than is done."""
        limits.refuse_characters(len(self.seed), "seed")


Body = TypeVar("Body", SampleBody, ScoreBody, SuggestBody)


def parsed(kind: type[Body], data: bytes, limits: Limits) -> Body:
    """The body of a request.

    Raises:
        Refused: it is not such an object, or asks for too much.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body of the request is not JSON", why=str(error)) from error
    if not isinstance(value, dict):
        raise Refused(400, "the body of the request is not a JSON object")
    _refuse_broken(value)
    try:
        body = kind.model_validate(value)
    except ValidationError as error:
        raise Refused(400, "\n".join(_said(error))) from error
    body.refuse_beyond(limits)
    return body


def _refuse_broken(value: dict[str, Any]) -> None:
    """Raise for a half of a surrogate pair, which JSON can spell and which is no text."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Refused(400, "a text of the request has a half of a surrogate pair") from None


def _said(error: ValidationError) -> list[str]:
    """A line for each key."""
    by_key = {".".join(map(str, one["loc"])): one["msg"] for one in error.errors(include_url=False)}
    return [f"{key}: {said}" if key else said for key, said in by_key.items()]
