"""`stream.mix:` of language models: lanes of other texts in every batch, and lanes that learn from a teacher."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from charrnn.config.schema.base import AsTuple, Count, Section
from charrnn.config.schema.corpus import Corpus, Documents, Part, Source, known_encoding, whole
from charrnn.config.schema.mix import check_names

_TEMPERATURE = 2.0


class OtherCorpus(Source):
    """Another text. It is taken apart as the main one is (`unit`, `case`, `newlines`, `normal_form`), into the symbols
    of the main one's vocabulary."""

    source: Annotated[str, Field(min_length=1)]
    """A file (plain or .gz), a folder, a glob, `https://…` (with `sha256`), `named:…` or `builtin:…`, as for
    `corpus.source`. Relative to the config's folder."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The SHA-256 that the source must have where it is a single file; required for a URL."""

    encoding: str = "utf-8"
    """The encoding of the bytes; any codec that Python knows by name."""

    errors: Literal["strict", "replace"] = "strict"
    """What a wrong byte does: `strict` is an error that names the place, `replace` puts U+FFFD and counts."""

    bom: Literal["strip", "keep"] = "strip"
    """What happens to a byte order mark at the beginning of a file; unit `byte` keeps it."""

    unknown: Literal["error", "skip", "replace"] = "error"
    """What becomes of symbols that the main text does not have and its vocabulary cannot spell: `error` names them,
    `skip` leaves them out, `replace` puts what is most like them. With `corpus.min_count` of 2 or more there are none:
    such a vocabulary spells everything by its bytes."""

    split: Annotated[tuple[Part, ...], Field(min_length=3, max_length=3), AsTuple] = (1.0, 0.0, 0.0)
    """Train, validation, test, as in `corpus.split`. Only the first part is read: by default all of the text."""

    documents: Documents | None = None
    """Where documents begin, for states that begin anew there; see `corpus.documents`."""

    @field_validator("split")
    @classmethod
    def _splits_the_whole(cls, split: tuple[Part, ...]) -> tuple[Part, ...]:
        return whole(split, "tokens")

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        return known_encoding(encoding)

    def within(self, main: Corpus) -> Corpus:
        """How this text is prepared, beside that of `main`."""
        return main.model_copy(update=self.model_dump(exclude={"unknown", "documents"}) | {"documents": self.documents})


class MixedText(Section):
    """Lanes beside those of the main text. They are read over and over on their own, and their states begin anew
    whenever their text does."""

    corpus: OtherCorpus | None = None
    """The text of these lanes; `null` reads the training split of the main text, in lanes of its own."""

    lanes: Count = 16
    """How many lanes, on top of `stream.lanes`. Chunks, reach, offset and the chance of a reset are the stream's."""

    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """How much each of their targets counts in what training lowers, where a target of the main text counts 1."""

    teacher: Annotated[str, Field(min_length=1)] | None = None
    """A run's folder, or a checkpoint's, of a language model over the same vocabulary: what it predicts are the targets
    of these lanes, in place of the symbols of the text (Hinton, Vinyals, Dean 2015). Of a run it is the best
    checkpoint, else the last. Relative to the config's folder."""

    temperature: Annotated[float, Field(gt=0.0)] = _TEMPERATURE
    """What the scores of the teacher and of the model are divided by before they are compared; the loss is multiplied
    by its square."""

    @model_validator(mode="after")
    def _has_something_to_learn(self) -> MixedText:
        if self.corpus is None and self.teacher is None:
            raise ValueError("these lanes need a `corpus`, a `teacher`, or both")
        if self.teacher is None and self.temperature != _TEMPERATURE:
            raise ValueError("`temperature` is for what a teacher says: name a `teacher`, or remove it")
        return self


def _named(mix: dict[str, MixedText] | None) -> dict[str, MixedText] | None:
    check_names(mix or ())
    return mix or None


TextMix = Annotated[dict[str, MixedText] | None, AfterValidator(_named)]
