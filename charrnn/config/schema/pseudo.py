"""`pseudo:` of `task: classify`: the rounds of `charrnn pseudolabel`: what is taken of what a teacher labels, and when
that ends; a single run ignores it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import Count, Fraction, Section, default_kind
from charrnn.config.schema.rounds import Begins, Patience, Positive, RowRounds

Share = Annotated[float, Field(gt=0.0, le=1.0)]


class ConfidenceSelect(Section):
    """Take the items of whose label the teacher is sure (Lee 2013, with a threshold as in Sohn et al. 2020)."""

    kind: Literal["confidence"] = "confidence"

    above: Fraction = 0.9
    """The probability of the called label is more than this."""


class MarginSelect(Section):
    """Take the items whose called label leads the second likeliest."""

    kind: Literal["margin"]

    above: Fraction = 0.5
    """The two probabilities differ by more than this."""


class TopShareSelect(Section):
    """Take of every called label the items of which the teacher is surest: no threshold, so a label that is harder than
    the others is not left out (as in Zou et al. 2018)."""

    kind: Literal["top-share"]

    share: Share = 0.2
    """The share of the items of each called label, rounded up."""


class AgreementSelect(Section):
    """Take the items that several teachers call alike. Their probabilities are the mean of the teachers'."""

    kind: Literal["agreement"]

    teachers: Annotated[int, Field(ge=2)] = 3
    """How many teachers: the student of the round before, and others that were trained as it was from other seeds. Each
    of those costs a training in every round."""

    above: Fraction = 0.5
    """The mean probability of the label that all call is more than this."""


class AllSelect(Section):
    """Take all items, as the course did."""

    kind: Literal["all"]


Select = Annotated[
    ConfidenceSelect | MarginSelect | TopShareSelect | AgreementSelect | AllSelect,
    Field(discriminator="kind"),
    default_kind("confidence"),
]


class Stop(Patience):
    """When the rounds end before their time. The best round by validation is handed back then, and round 0, the teacher
    without pseudo-labels, is one of them."""

    kept_below: Fraction = 0.02
    """Of the unlabelled items a smaller share than this passes `select` (before `balance` and `cap`)."""

    one_label_above: Share = 0.95
    """Of the items that are kept a larger share than this has the same label. 1 lets even that go."""

    better: Literal["accuracy", "macro_f1", "nats"] = "accuracy"
    """The figure of validation that rounds are compared by; of equals the one with fewer nats is better."""


class FineTune(Section):
    """The course's last stage: on from the best round, with validation items and their true labels in every batch."""

    epochs: Count = 1
    """Passes over the labelled training items."""

    rows: Count = 4
    """Rows of validation items in each batch, on top of all others."""


class Pseudo(RowRounds, Begins):
    """Rounds in which a teacher labels the items that have no label, and a student learns from both kinds. Every round
    labels everything anew."""

    targets: Literal["hard", "soft"] = "hard"
    """What a student learns of such a row: the label, or the probabilities of all labels."""

    temperature: Positive = 1.0
    """For `soft` targets: above 1 the teacher's probabilities are softened, and the student's scores divided by it
    (Hinton, Vinyals, Dean 2015)."""

    calibrate: bool = True
    """Divide the scores of every teacher by the temperature under which its probabilities fit the validation items best
    (Guo, Pleiss, Sun, Weinberger 2017), before anything is selected by them."""

    select: Select = ConfidenceSelect()

    balance: Literal["none", "equal", "labelled"] = "none"
    """Take equally many of each label, or as the labelled items have them, of what `select` leaves. A label that
    no item is called has none."""

    cap: Count | None = None
    """At most so many items, in the proportions of `balance`."""

    keep: Literal["surest", "drawn"] = "surest"
    """Which items stay where `balance` or `cap` take less than there are: the surest, or some drawn by chance. A common
    label's surest items are its easiest, and say little; drawn ones are as hard as all that `select` leaves."""

    stop: Stop = Stop()

    transductive: bool = False
    """Let the test items in among those that are labelled and learned from, without their labels, as the course did.
    Figures on such a test are marked wherever they stand: they say nothing of items that come later."""

    finetune: FineTune | None = None
    """A last stage that learns from the validation items too. There is no validation in it; only the figures of the
    test are told."""

    @model_validator(mode="after")
    def _said_where_it_counts(self) -> Pseudo:
        if self.targets == "hard" and self.temperature != 1.0:
            raise ValueError("temperature is for `targets: soft`; with hard ones it would do nothing")
        if self.finetune is not None and self.report == "valid":
            raise ValueError("finetune learns from the validation items: set report to `test`")
        return self

    @property
    def teachers(self) -> int:
        """How many models label together."""
        return self.select.teachers if isinstance(self.select, AgreementSelect) else 1
