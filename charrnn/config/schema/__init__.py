"""The schema of a config: one file per section, frozen, unions told apart by `kind:`.

The defaults are the documentation: every key has one but `corpus.source`, and a config of three lines trains
a good small model. `identity` keys make a run what it is; a resumed run refuses a change of them. All others
may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from charrnn.config.schema.base import Count, Section
from charrnn.config.schema.classifier import ClassifierModel, RecurrentClassifier, ValuesInput
from charrnn.config.schema.corpus import Corpus, Source
from charrnn.config.schema.engine import check_engine
from charrnn.config.schema.labelled import PLACES, Images, Labelled
from charrnn.config.schema.mix import ItemMix
from charrnn.config.schema.model import EmbeddingInput, Network
from charrnn.config.schema.pseudo import Pseudo
from charrnn.config.schema.pseudo_ratings import RatingRounds
from charrnn.config.schema.pseudo_texts import TextRounds
from charrnn.config.schema.rate import Factors, RatingBatches, RatingModel, Ratings
from charrnn.config.schema.stream import Lanes, Stream, Windows
from charrnn.config.schema.train import ClassifierTrain, LanguageTrain, RecurrentTrain, Train
from charrnn.config.schema.tune import Tune
from charrnn.config.schema.use import Evaluate, LanguageEvaluate, Sample
from charrnn.config.schema.vectors import Contexts, SkipGram, WordCorpus, WordModel

__all__ = [
    "BY_CONTENT",
    "TASKS",
    "Config",
    "Corpus",
    "Evaluate",
    "Lanes",
    "LanguageConfig",
    "Network",
    "Pseudo",
    "RateConfig",
    "RatingRounds",
    "Ratings",
    "RecurrentTrain",
    "Sample",
    "Section",
    "TextRounds",
    "Train",
    "Tune",
    "VectorsConfig",
    "Windows",
    "config_class",
    "config_from",
    "is_by_content",
    "is_identity",
    "is_manner",
]

IDENTITY = (
    "task",
    "corpus",
    "stream",
    "model",
    "train.seed",
    "train.start_from",
    "train.engine",
    "train.optimizer.kind",
    "train.average",
    "train.precision",
    "evaluate.lanes",
)
"""Keys (with all below them) whose change on resume is refused."""

MANNER = (
    "train.device",
    "train.threads",
    "train.scan",
    "train.deterministic",
    "train.log_every",
    "train.tensorboard",
    "train.save",
    "evaluate.chunk",
    "evaluate.dynamic",
    "sample",
    "tune",
    "pseudo",
)
"""Keys (with all below them) that only say how to compute and what to report: a finished run stays finished."""

BY_CONTENT = (
    *(f"corpus.{place}" for place in PLACES),
    "corpus.names.source",
    "model.pretrained",
    "model.input.pretrained",
    "stream.mix.*.source",
    "stream.mix.*.corpus.source",
    "stream.mix.*.corpus.sha256",
    "stream.mix.*.teacher",
)
"""Keys that only say where data, a file of vectors or a teacher lie: on resume the content is compared. A `*` stands
for a name."""


class Config(Section):
    """What the configs of all tasks have in common; each task has a class of its own."""

    FIGURES: ClassVar[tuple[str, str]] = ("nats", "bits_per_char")
    """What its mean loss is called in records, and the figure that users compare."""

    task: str
    corpus: Source
    stream: Section
    model: Section
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    sample: Section | None = None
    tune: Tune | None = None


class LanguageConfig(Config):
    """One run, from the text to the samples."""

    task: Literal["language"] = "language"
    """What is trained: `language` predicts the next symbol."""

    corpus: Corpus
    stream: Stream = Lanes()
    model: Network = Network()
    train: LanguageTrain = LanguageTrain()
    evaluate: LanguageEvaluate = LanguageEvaluate()
    sample: Sample = Sample()

    tune: Tune | None = None
    """For `charrnn tune` only; a single run does not look at it."""

    pseudo: TextRounds | None = None
    """For `charrnn pseudolabel` only; a single run does not look at it."""

    @model_validator(mode="after")
    def _the_engine_can(self) -> LanguageConfig:
        check_engine(self.model, self.train)
        return self

    @model_validator(mode="after")
    def _predictions_have_lanes(self) -> LanguageConfig:
        if self.pseudo is not None and isinstance(self.stream, Windows):
            raise ValueError(
                "pseudo: what a teacher predicts is learned in lanes beside those of the text: set stream.kind to "
                "`lanes`, or remove the section"
            )
        return self

    @model_validator(mode="after")
    def _begins_once(self) -> LanguageConfig:
        given = isinstance(self.model.input, EmbeddingInput) and self.model.input.pretrained is not None
        if given and self.train.start_from is not None:
            raise ValueError(
                "train.start_from and model.input.pretrained would both say what the embedding begins with: "
                "remove one of the two"
            )
        return self

    @model_validator(mode="after")
    def _what_is_drawn_has_been_learned(self) -> LanguageConfig:
        last = isinstance(self.stream, Windows) and self.stream.targets == "last"
        if last and self.train.scheduled_sampling is not None:
            raise ValueError(
                "train.scheduled_sampling draws from the prediction after each symbol of a window, and with "
                "stream.targets `last` only the one after the whole window is trained: remove one of the two"
            )
        return self

    @model_validator(mode="after")
    def _bytes_are_bytes_everywhere(self) -> LanguageConfig:
        mix = self.stream.mix if isinstance(self.stream, Lanes) else None
        for name, part in (mix or {}).items() if self.corpus.unit == "byte" else ():
            changed = part.corpus is not None and (part.corpus.encoding, part.corpus.errors) != ("utf-8", "strict")
            if changed:
                raise ValueError(
                    f"unit `byte` reads bytes as they are: remove encoding and errors from stream.mix.{name}.corpus"
                )
        return self


class ItemBatches(Section):
    """Items in batches: every epoch reads all of them in another order."""

    kind: Literal["items"] = "items"

    batch: Count = 64
    """Items per update: the rows of a batch, besides those of `mix`."""

    mix: ItemMix = None
    """More rows for every batch, from other sources, each under a name of your own; by it the records tell the mean
    loss of its rows. Training loss, validation and epochs are those of the labelled items alone."""


class ClassifyConfig(Config):
    """One run over labelled items."""

    FIGURES: ClassVar[tuple[str, str]] = ("nats", "accuracy")

    task: Literal["classify"]
    """What is trained: `classify` gives every item a label."""

    corpus: Labelled
    stream: ItemBatches = ItemBatches()
    model: ClassifierModel = RecurrentClassifier()
    train: ClassifierTrain = ClassifierTrain()
    evaluate: Evaluate = Evaluate()

    tune: Tune | None = None
    """For `charrnn tune` only; a single run does not look at it."""

    pseudo: Pseudo | None = None
    """For `charrnn pseudolabel` only; a single run does not look at it."""

    @model_validator(mode="after")
    def _items_are_read_as_what_they_are(self) -> ClassifyConfig:
        images, values = isinstance(self.corpus, Images), isinstance(self.model.input, ValuesInput)
        if images and not values:
            raise ValueError("a step of a picture is a vector of numbers: set model.input to {kind: values}")
        if values and not images:
            raise ValueError("a step of a text is a symbol: model.input `values` is for pictures")
        return self


class RateConfig(Config):
    """One run over a table of ratings."""

    FIGURES: ClassVar[tuple[str, str]] = ("mse", "rmse")

    task: Literal["rate"]
    """What is trained: `rate` predicts how a user rates an item."""

    corpus: Ratings
    stream: RatingBatches = RatingBatches()
    model: RatingModel = Factors()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()

    tune: Tune | None = None
    """For `charrnn tune` only; a single run does not look at it."""

    pseudo: RatingRounds | None = None
    """For `charrnn pseudolabel` only; a single run does not look at it."""


class VectorsConfig(Config):
    """One run, from the text to the vectors of its words."""

    task: Literal["vectors"]
    """What is trained: `vectors` learns vectors of words from the words around them (word2vec)."""

    corpus: WordCorpus
    stream: Contexts = Contexts()
    model: WordModel = SkipGram()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()

    tune: Tune | None = None
    """For `charrnn tune` only; a single run does not look at it."""


TASKS: Mapping[str, type[Config]] = {
    "language": LanguageConfig,
    "classify": ClassifyConfig,
    "rate": RateConfig,
    "vectors": VectorsConfig,
}
"""The tasks and their configs; `language` is what a config without `task:` means."""


def config_class(values: Mapping[str, Any]) -> type[Config]:
    """The class that the values of a config are meant for; that of `language` where they name no known task."""
    return TASKS.get(str(values.get("task")), LanguageConfig)


def config_from(values: Mapping[str, Any]) -> Config:
    """A config of the task that the values name.

    Raises:
        ValidationError: they are no such config.
    """
    return config_class(values).model_validate(values)


def is_identity(key: str) -> bool:
    """Whether the dotted `key` belongs to what makes a run what it is."""
    return _below(key, IDENTITY)


def is_by_content(key: str) -> bool:
    """Whether the dotted `key` only says where something lies that is compared by content."""
    return any(fnmatchcase(key, pattern) for pattern in BY_CONTENT)


def is_manner(key: str) -> bool:
    """Whether the dotted `key` leaves what a run comes to as it is."""
    return _below(key, MANNER)


def _below(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(name + ".") for name in names)
