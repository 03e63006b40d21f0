"""A trained network as the few tables that another program needs to run it, whatever it was trained with.

BatchNorm is folded into the rows of the embedding, weights that dropout or an average once touched are plain numbers,
and a core is known by one word. All matrices are (outputs, inputs): a row for each number that comes out.

Shapes: V vocabulary, D input features, F numbers that a layer puts out, G = gates × H, O output features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from charrnn.checkpoint.read import Checkpoint
from charrnn.config.schema import Windows
from charrnn.config.schema import model as schema
from charrnn.runs.use import OpenModel, stepper
from charrnn.sample.decode import Stepper
from charrnn.scratch.cells import State
from charrnn.scratch.kinds import cell_of
from charrnn.scratch.network import initial_states, input_rows

_PROJECTIONS = frozenset(("weight_ih", "weight_hh", "bias_ih", "bias_hh"))


@dataclass(frozen=True)
class LayerTables:
    """One recurrent layer.

    Attributes:
        input_GD: what the input is multiplied by.
        input_bias_G: what is added to that.
        hidden_GF: what is fed back is multiplied by this; it has no rows in a cell that feeds nothing back.
        hidden_bias_G: what is added to that.
        more: the tensors that the step itself uses: gains and offsets of norms, the output matrix of a Jordan layer.
    """

    input_GD: np.ndarray
    input_bias_G: np.ndarray
    hidden_GF: np.ndarray
    hidden_bias_G: np.ndarray
    more: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Tables:
    """A whole network.

    Attributes:
        step: which step its layers do: `lstm`, `gru`, `elman-tanh`, …
        rows_VD: what the first layer sees of each symbol; None where that is a one-hot vector.
        layers: the recurrent layers, from below.
        dense: matrix and offset of each ReLU layer of the head, (O, F) and (O,).
        output_VO: the last matrix; `rows_VD` itself where the two are tied.
        output_bias_V: what is added to that.
        initial: what each tensor of the state begins with, named `<layer>.<name>`; the first of a layer is fed back.
        window: the symbols that one prediction sees, read anew from `initial`; None where the state is carried on.
    """

    step: str
    rows_VD: np.ndarray | None
    layers: tuple[LayerTables, ...]
    dense: tuple[tuple[np.ndarray, np.ndarray], ...]
    output_VO: np.ndarray
    output_bias_V: np.ndarray
    initial: State
    window: int | None

    @property
    def vocabulary(self) -> int:
        """V."""
        return len(self.output_bias_V)

    @property
    def tied(self) -> bool:
        """Whether the rows of the symbols are the output matrix too, as they stand."""
        return self.output_VO is self.rows_VD

    def gates_VG(self) -> np.ndarray:
        """What the first layer adds up for each symbol, (V, G): its input then costs a look-up."""
        first = self.layers[0]
        one_hot_VG = first.input_GD.T
        brought_VG: np.ndarray = one_hot_VG if self.rows_VD is None else self.rows_VD @ one_hot_VG
        gates_VG: np.ndarray = brought_VG + first.input_bias_G
        return gates_VG

    def named(self) -> Iterator[tuple[str, np.ndarray]]:
        """All tensors, each once, with its name; a tied output matrix is `rows` and not named again."""
        if self.rows_VD is not None:
            yield "rows", self.rows_VD
        for i, layer in enumerate(self.layers):
            yield f"layers.{i}.input", layer.input_GD
            yield f"layers.{i}.input_bias", layer.input_bias_G
            yield f"layers.{i}.hidden", layer.hidden_GF
            yield f"layers.{i}.hidden_bias", layer.hidden_bias_G
            for name, array in layer.more.items():
                yield f"layers.{i}.{name}", array
        for i, (weight, bias) in enumerate(self.dense):
            yield f"dense.{i}.weight", weight
            yield f"dense.{i}.bias", bias
        if not self.tied:
            yield "output.weight", self.output_VO
        yield "output.bias", self.output_bias_V
        for name, start in self.initial.items():
            yield f"initial.{name}", start


def tables_of(model: OpenModel) -> Tables:
    """The tables of a model, in fp32.

    Raises:
        CheckpointError: its checkpoint is not what it was when the model was opened.
    """
    stream = model.config.stream
    tables = _tables(model.config.model, _single(Checkpoint.open(model.folder).tensors("model")))
    return replace(tables, window=stream.length if isinstance(stream, Windows) else None)


def with_weights(model: OpenModel, change: Callable[[np.ndarray], np.ndarray]) -> Stepper:
    """The same model after `change` has been done to every tensor of it: what a narrower type does to it, for one."""
    arrays = Checkpoint.open(model.folder).tensors("model")
    return stepper(model.config, {name: change(array) for name, array in arrays.items()})


def _single(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.astype(np.float32) for name, array in arrays.items() if array.dtype.kind == "f"}


def _tables(config: schema.Network, arrays: dict[str, np.ndarray]) -> Tables:
    rows_VD = None if isinstance(config.input, schema.OneHotInput) else input_rows(config, arrays)
    dense = [f"head.dense.{i}." for i in range(len(config.head.hidden))]
    return Tables(
        step_word(config.core),
        rows_VD,
        tuple(_layer(config.core, arrays, i) for i in range(config.core.layers)),
        tuple((arrays[name + "weight"], arrays[name + "bias"]) for name in dense),
        arrays["input.table" if config.head.tie else "head.output.weight"],
        arrays["head.output.bias"],
        initial_states(config.core, arrays),
        None,
    )


def _layer(config: schema.Core, arrays: Mapping[str, np.ndarray], number: int) -> LayerTables:
    cell, prefix = cell_of(config), f"layers.{number}."
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    used = _PROJECTIONS if cell.biased else frozenset(("weight_ih", "weight_hh"))
    more = {name: array for name, array in own.items() if name not in used and not name.startswith("initial_")}
    return LayerTables(*cell.projections(own, config.features), more)


def step_word(config: schema.Core) -> str:
    """What the steps of a core are called here; a nonlinearity that can be chosen is part of the name."""
    if isinstance(config, schema.ElmanCore | schema.WindowCore):
        return f"{config.kind}-{config.nonlinearity}"
    return config.kind
