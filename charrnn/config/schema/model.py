"""`model:` the network, from the input to the output."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from charrnn.config.schema.base import AsTuple, Count, Fraction, Section, default_kind

BATCHNORM_EPS = 1e-5
"""Added to the variance; the same for training and for the sampler that folds BatchNorm away."""

LAYERNORM_EPS = 1e-5
"""Added to the variance; the same for training and for the sampler."""


class EmbeddingInput(Section):
    """Each symbol is looked up in a table of vectors."""

    kind: Literal["embedding"] = "embedding"

    size: Count = 64
    """Factors per symbol."""

    std: Annotated[float, Field(gt=0.0)] | None = None
    """The standard deviation of fresh vectors. `null` is 1, and size^-½ where the table is the output matrix too. With
    words that training meets a few times, small vectors (0.1) keep a classifier from learning their noise by heart."""

    pretrained: Annotated[str, Field(min_length=1)] | None = None
    """A file of vectors, word2vec's text or GloVe's, plain or .gz, that the vectors of its symbols begin with; the
    others begin fresh. Relative to the config's folder."""

    frozen: bool = False
    """Leave the table as it begins; needs `pretrained`."""

    batchnorm: bool = False
    """BatchNorm over all rows and times of the batch (Ioffe and Szegedy 2015); running statistics in
    evaluation."""

    dropout: Fraction = 0.0
    """Dropout on the input of the first layer."""

    @model_validator(mode="after")
    def _frozen_is_not_random(self) -> EmbeddingInput:
        if self.frozen and self.pretrained is None:
            raise ValueError("`frozen` keeps the vectors that the table begins with: give `pretrained` too")
        return self


class OneHotInput(Section):
    """Each symbol is a one-hot vector; computed as a gather, never as a product."""

    kind: Literal["one-hot"]

    dropout: Fraction = 0.0
    """Dropout on the input of the first layer."""


class WeightDrop(Section):
    """DropConnect on the hidden-to-hidden matrix, one mask per chunk (Merity, Keskar, Socher 2017, section
    2)."""

    kind: Literal["weight"] = "weight"

    p: Fraction
    """The share of weights dropped."""


class StateDrop(Section):
    """One mask on the hidden state for all steps of a chunk (Gal and Ghahramani 2016); slower: it runs step
    by step."""

    kind: Literal["state"]

    p: Fraction
    """The share of units dropped."""


RecurrentDropout = Annotated[WeightDrop | StateDrop, Field(discriminator="kind"), default_kind("weight")]


class LayersCore(Section):
    """What every recurrent stack has."""

    hidden: Count = 256
    """Hidden units per layer."""

    layers: Count = 1
    """Layers stacked on one another."""

    dropout: Fraction = 0.0
    """Dropout between layers."""

    initial_state: Literal["zeros", "trained"] = "zeros"
    """What a state begins with; `trained` learns it, from zeros, wherever states begin anew in training: with lanes
    that begin anew only once per epoch it learns little (see `stream.reset_chance` and `corpus.documents`)."""

    @property
    def features(self) -> int:
        """How many numbers a layer puts out at each step."""
        return self.hidden


class GatedCore(LayersCore):
    """A stack whose layers put what they keep through a matrix at every step."""

    recurrent_dropout: Fraction | RecurrentDropout = 0.0
    """Dropout inside the recurrence: a number means weight-drop; `{kind: state, p: 0.2}` the variational
    form."""

    @property
    def recurrent(self) -> WeightDrop | StateDrop:
        """`recurrent_dropout` with a bare number spelled out."""
        value = self.recurrent_dropout
        return WeightDrop(p=value) if isinstance(value, float | int) else value


class LstmCore(GatedCore):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates)."""

    kind: Literal["lstm"] = "lstm"

    forget_bias: float = 1.0
    """Where the bias of the forget gate starts (Jozefowicz, Zaremba, Sutskever 2015)."""


class GruCore(GatedCore):
    """Gated recurrent unit (Cho et al. 2014, in cuDNN's arrangement)."""

    kind: Literal["gru"]


class ElmanCore(GatedCore):
    """The plain recurrent network (Elman 1990)."""

    kind: Literal["elman"]

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """The function applied to the hidden state."""

    init: Literal["orthogonal", "identity"] = "orthogonal"
    """Where the hidden matrix starts; `identity` with `relu` is the IRNN (Le, Jaitly, Hinton 2015)."""


class JordanCore(GatedCore):
    """The plain recurrent network whose output is fed back, not its hidden state (Jordan 1986); it runs step by
    step."""

    kind: Literal["jordan"]

    outputs: Count = 64
    """Output units per layer, all that a layer remembers: they are fed back and are what the next layer, or the
    head, reads."""

    @property
    def features(self) -> int:
        """How many numbers a layer puts out at each step."""
        return self.outputs


class WindowCore(GatedCore):
    """The window model of the course of 2016: input and hidden state each have a matrix and a function of their own,
    and what comes of the two is added. Meant for a `windows` stream of as many symbols as the model should see."""

    kind: Literal["window"]

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """The function of what comes from the hidden state; that of the input is ReLU."""

    init: Literal["orthogonal", "identity"] = "orthogonal"
    """Where the hidden matrix starts."""


class LayerNormLstmCore(GatedCore):
    """LSTM with normalised sums (Ba, Kiros, Hinton 2016); it runs step by step."""

    kind: Literal["ln-lstm"]

    forget_bias: float = 1.0
    """Where the bias of the forget gate starts."""


class ScannedCore(LayersCore):
    """A stack whose layers are linear in their state, so that all steps are computed by a scan. They have no hidden
    matrix, so there is nothing for dropout inside the recurrence to drop."""


class MinGruCore(ScannedCore):
    """minGRU (Feng et al. 2024): a gated recurrent unit whose gate sees the input only."""

    kind: Literal["mingru"]


class MinLstmCore(ScannedCore):
    """minLSTM (Feng et al. 2024): forget and input gate see the input only, and add up to 1."""

    kind: Literal["minlstm"]


Core = Annotated[
    LstmCore | GruCore | ElmanCore | JordanCore | WindowCore | LayerNormLstmCore | MinGruCore | MinLstmCore,
    Field(discriminator="kind"),
    default_kind("lstm"),
]
Input = Annotated[EmbeddingInput | OneHotInput, Field(discriminator="kind"), default_kind("embedding")]


class Head(Section):
    """From the last layer to one score per symbol."""

    hidden: Annotated[tuple[Count, ...], AsTuple] = ()
    """Sizes of dense ReLU layers before the output."""

    dropout: Fraction = 0.0
    """Dropout in front of every dense layer of the head, the output among them."""

    tie: bool = False
    """Use the embedding's table as the output matrix too (Press and Wolf 2017); sizes must agree."""


class Network(Section):
    """input → optional BatchNorm → stacked recurrent layers → optional dense layers → output."""

    kind: Literal["network"] = "network"
    input: Input = EmbeddingInput()
    core: Core = LstmCore()
    head: Head = Head()

    @model_validator(mode="after")
    def _tied_sizes_agree(self) -> Network:
        if self.head.tie:
            if not isinstance(self.input, EmbeddingInput):
                raise ValueError("head.tie needs an embedding as input")
            if self.input.frozen:
                raise ValueError("head.tie trains the table as the output: it cannot be frozen")
            last = self.head.hidden[-1] if self.head.hidden else self.core.features
            if last != self.input.size:
                raise ValueError(
                    f"head.tie needs equal sizes: the embedding has {self.input.size}, "
                    f"the layer before the output {last}"
                )
        return self
