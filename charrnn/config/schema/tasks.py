"""The config of every task, and which class a mapping of values is meant for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from charrnn.config.schema.base import Count, Section
from charrnn.config.schema.classifier import ClassifierModel, RecurrentClassifier, ValuesInput
from charrnn.config.schema.corpus import Corpus, Source
from charrnn.config.schema.engine import check_engine
from charrnn.config.schema.labelled import Images, Labelled
from charrnn.config.schema.mix import ItemMix
from charrnn.config.schema.model import EmbeddingInput, Network
from charrnn.config.schema.pseudo import Pseudo
from charrnn.config.schema.pseudo_ratings import RatingRounds
from charrnn.config.schema.pseudo_texts import TextRounds
from charrnn.config.schema.rate import Factors, RatingBatches, RatingModel, Ratings
from charrnn.config.schema.stream import Lanes, Stream, Windows
from charrnn.config.schema.train import ClassifierTrain, LanguageTrain, Train
from charrnn.config.schema.tune import Tune
from charrnn.config.schema.use import Evaluate, LanguageEvaluate, Sample
from charrnn.config.schema.vectors import Contexts, SkipGram, WordCorpus, WordModel


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
    """For `charrnn tune` only; a single run does not look at it."""

    @model_validator(mode="after")
    def _statistics_are_of_whole_batches(self) -> Config:
        parts, entry = self.train.micro_batches, getattr(self.model, "input", None)
        if parts > 1 and getattr(entry, "batchnorm", False):
            raise ValueError(
                f"train.micro_batches ({parts}) and model.input.batchnorm exclude one another: in training BatchNorm "
                "needs the statistics of the whole batch; set train.micro_batches to 1, or batchnorm to false"
            )
        return self


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

    pseudo: RatingRounds | None = None
    """For `charrnn pseudolabel` only; a single run does not look at it."""


class VectorsConfig(Config):
    """One run, from the text to the vectors of its words."""

    task: Literal["vectors"]
    """What is trained: `vectors` learns vectors of words from the words around them (word2vec)."""

    corpus: WordCorpus
    stream: Contexts = Contexts()
    model: WordModel = SkipGram()


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
