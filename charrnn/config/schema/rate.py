"""`task: rate`: how users rate items, learned from a table of ratings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from charrnn.config.schema.base import AsTuple, Column, Count, Fraction, Section, default_kind
from charrnn.config.schema.corpus import Source
from charrnn.config.schema.mix import RatingMix

Weight = Annotated[float, Field(ge=0.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Columns(Section):
    """Where a row has its user, its item and its rating: names in the header line, or numbers from 1 in a table that
    has no such line."""

    user: Column = "userId"
    item: Column = "movieId"
    rating: Column = "rating"

    @model_validator(mode="after")
    def _one_way_and_distinct(self) -> Columns:
        columns = (self.user, self.item, self.rating)
        if len({type(column) for column in columns}) > 1:
            raise ValueError("columns go by name, or by number where there is no header line: not both")
        if len(set(columns)) < len(columns):
            raise ValueError("user, item and rating are three columns")
        return self


class Names(Section):
    """What items are called, for people; their ids stay beside the names."""

    source: Annotated[str, Field(min_length=1)]
    """A table like that of the ratings, with a header line: a path relative to the folder that the ratings lie in, or
    `named:movielens-latest-small-2016/movies`."""

    item: Annotated[str, Field(min_length=1)] = "movieId"
    """The column with the items' ids."""

    name: Annotated[str, Field(min_length=1)] = "title"
    """The column with their names."""


class SharesSplit(Section):
    """Every rating goes to one of the splits by chance: a function of the seed and of its place in the table."""

    kind: Literal["shares"] = "shares"

    shares: Annotated[tuple[Share, ...], Field(min_length=3, max_length=3), AsTuple] = (0.8, 0.1, 0.1)
    """Train, validation, test; together 1."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Another seed, another split."""

    @field_validator("shares")
    @classmethod
    def _the_whole(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(shares) - 1.0) > 1e-9:
            raise ValueError("shares must sum to 1")
        return shares


class MaskSplit(Section):
    """The split of a published comparison: a rating is trained on where `numpy.random.default_rng(seed).random(n)` is
    less than `share`, n being all ratings in the order of the table, and is scored elsewhere."""

    kind: Literal["mask"]

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The seed of the generator."""

    share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """What is not scored."""

    held_out: Fraction = 0.1
    """The share of the training part that is kept from training, for validation: where the next n numbers of the same
    generator are less than this. The rest of all, `test`, has no say in anything."""


Split = Annotated[SharesSplit | MaskSplit, Field(discriminator="kind"), default_kind("shares")]


class Ratings(Source):
    """A table of ratings. The ids of users and items are texts, and stay what they are in every output."""

    source: Annotated[str, Field(min_length=1)]
    """A table (plain or .gz), `-` for standard input, `https://…` (with `sha256`), or
    `named:movielens-latest-small-2016`. Relative to the config's folder."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The SHA-256 that the source must have; required for a URL."""

    encoding: str = "utf-8"
    """The encoding of the bytes; any codec that Python knows by name."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """What stands between two fields: "," or "\\t", quoted doubly. Fields may be quoted as in CSV."""

    columns: Columns = Columns()
    split: Split = SharesSplit()

    names: Names | None = None
    """`null` shows the ids alone."""

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, delimiter: str) -> str:
        if delimiter in '"\r\n':
            raise ValueError("neither a quote nor the end of a line stands between fields")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)  # unlike `codecs.lookup`, refuses what is no encoding of text
        except (LookupError, ValueError):
            raise ValueError(f"Python knows no encoding named {encoding!r}") from None
        return encoding


class RatingBatches(Section):
    """Ratings in batches, in another order in every epoch; validation reads its ratings once, in order."""

    batch: Count = 1024
    """Ratings per update, besides those of `mix`."""

    mix: RatingMix = None
    """More ratings for every batch, each source under a name of your own; by it the records tell the mean squared error
    of its rows. Training loss, validation and epochs are those of the training split alone."""


class Range(Section):
    """Predictions go through a sigmoid and can only lie between two numbers."""

    low: float = 0.0
    """What no prediction falls below."""

    high: float = 5.5
    """What no prediction rises above: a little more than the best rating, which would else lie at infinity."""

    @model_validator(mode="after")
    def _some_room(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"`low` should be less than `high`, not {self.low:g} and {self.high:g}")
        return self


class _Vectors(Section):
    size: Count = 50
    """The length of a vector: of each user's and of each item's."""

    scale: Annotated[float, Field(gt=0.0)] = 0.03
    """The standard deviation of the fresh vectors."""

    l2: Weight = 1e-4
    """Training adds this times the sum of the squares of all vectors to the mean squared error."""

    dropout: Fraction = 0.0
    """How often a coordinate of a product of vectors is dropped in training."""


class Factors(_Vectors):
    """A rating is the product of the user's vector and the item's, with or without biases (Koren, Bell, Volinsky
    2009)."""

    kind: Literal["factors"] = "factors"

    biases: bool = True
    """A number for each user and each item, added to the product."""

    bias_l2: Weight = 5e-5
    """The same as `l2`, for the biases."""

    mean: bool = True
    """Begin with the mean rating of the training split, so that all else are differences from it; `false` begins at 0,
    or in the middle of the range."""

    range: Range | None = None
    """`null` lets predictions be any number in training; figures and recommendations keep to the ratings that occur."""

    @model_validator(mode="after")
    def _holds_what_there_is(self) -> Factors:
        if not self.biases and self.bias_l2 != Factors.model_fields["bias_l2"].default:
            raise ValueError("there are no biases for `bias_l2` to hold: remove it, or set `biases: true`")
        return self


class Histories(_Vectors):
    """Biases, and on top of them what a user's other ratings and an item's other ratings tell: in place of a vector
    of its own a user has the sum of vectors of the items that it rated, each times how far the rating is from what the
    biases expect (asymmetric factors: Koren 2008, section 5), and items likewise. A rating is never predicted from
    itself."""

    kind: Literal["histories"]

    bias_l2: Weight = 5e-5
    """The same as `l2`, for the biases."""

    sides: Literal["users", "items", "both"] = "both"
    """Whose other ratings are looked at."""

    exponent: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """A sum over n ratings is divided by n to this power."""

    implicit: bool = True
    """That something was rated tells, too, however it was rated: a second vector is added for it, as in SVD++."""


class RatingsNetwork(Section):
    """A dense network reads the user's vector and the item's, side by side."""

    kind: Literal["ratings-network"]

    users: Count = 50
    """The length of a user's vector."""

    items: Count = 50
    """The length of an item's vector."""

    scale: Annotated[float, Field(gt=0.0)] = 0.03
    """The standard deviation of the fresh vectors."""

    l2: Weight = 1e-4
    """Training adds this times the sum of the squares of all vectors to the mean squared error."""

    hidden: Annotated[tuple[Count, ...], AsTuple] = (70,)
    """The units of each hidden layer, which are rectified; an empty list is a linear model."""

    input_dropout: Fraction = 0.3
    """How often a coordinate of the vectors is dropped in training."""

    dropout: Fraction = 0.75
    """How often a unit of a hidden layer is dropped in training."""


RatingModel = Annotated[Factors | Histories | RatingsNetwork, Field(discriminator="kind"), default_kind("factors")]
