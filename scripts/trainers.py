"""Trains a network as the users of its framework write it, on weights and batches that it is handed; tells how fast.

    python trainers.py PEER GIVEN.npz ANSWER.json

The peers are those of `PEERS`. GIVEN holds the batches of S updates, x_SBT and y_SBT, the initial weights under the
names that they have in a checkpoint of charrnn, and the settings. The answer holds the loss of every update, and the
seconds that the second half of them took. Another Python than that of charrnn may run this: all it needs is NumPy and
the framework of the peer.

Shapes: S updates, B rows, T steps, D input features, H hidden units, G = gates × H, V vocabulary.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Given = dict[str, Any]
Step = Callable[[np.ndarray, np.ndarray], float]
TENSORS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def layers(given: Given) -> int:
    return sum(name.endswith(".weight_hh") for name in given)


class TorchLoop:
    """`torch.nn.LSTM` (or `RNN`), or `LSTMCell` step by step, with Adam, as most scripts have it.

    Args:
        given: what was handed over.
        autocast: in bfloat16, by `torch.autocast`.
        cells: step by step.
    """

    def __init__(self, given: Given, autocast: bool = False, cells: bool = False) -> None:
        import torch

        torch.set_num_threads(int(given["threads"]))
        self.device, self.autocast, self.clip_norm = str(given["device"]), autocast, float(given["clip_norm"])
        self.model = torch_model(given, cells).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), float(given["lr"]))
        self.state: Any = None

    def __call__(self, x_BT: np.ndarray, y_BT: np.ndarray) -> float:
        """One update; its loss."""
        from torch import nn

        self.optimizer.zero_grad()
        logits_BTV, state = self.forward(x_BT, self.state)
        loss = nn.functional.cross_entropy(logits_BTV.float().flatten(0, 1), self.tensor(y_BT).flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        self.state = detached(state)
        return float(loss.item())

    def evaluate(self, x_BT: np.ndarray, y_BT: np.ndarray, counts_BT: np.ndarray) -> float:
        """The mean loss of the targets that count, the state begun anew."""
        import torch

        with torch.no_grad():
            logits_BTV, _ = self.forward(x_BT, None)
            nats = torch.nn.functional.cross_entropy(
                logits_BTV.float().flatten(0, 1), self.tensor(y_BT).flatten(), reduction="none"
            )
        return float(nats[self.tensor(counts_BT).flatten()].mean())

    def forward(self, x_BT: np.ndarray, state: Any) -> tuple[Any, Any]:
        """The scores, and the state after."""
        import torch

        with torch.autocast(self.device, torch.bfloat16, enabled=self.autocast):
            return self.model(self.tensor(x_BT), state)

    def tensor(self, array: np.ndarray) -> Any:
        """An array on the device."""
        import torch

        return torch.from_numpy(array).to(self.device)


def detached(state: Any) -> Any:
    """A state without its history, whatever tuples and lists it is made of."""
    return state.detach() if hasattr(state, "detach") else type(state)(detached(part) for part in state)


def torch_model(given: Given, cells: bool) -> Any:
    """Embedding, layers and output of PyTorch's own modules, with the weights that were handed over."""
    import torch
    from torch import nn

    weights = {name: torch.tensor(given[name]) for name in given if "." in name}
    (vocabulary, embedding), hidden = weights["input.table"].shape, weights["head.output.weight"].shape[1]
    depth, elman = layers(given), str(given["kind"]) == "elman"

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, embedding)
            if cells:
                self.cells = nn.ModuleList(nn.LSTMCell(hidden if i else embedding, hidden) for i in range(depth))
            elif elman:
                self.core = nn.RNN(embedding, hidden, depth, nonlinearity="relu", batch_first=True)
            else:
                self.core = nn.LSTM(embedding, hidden, depth, batch_first=True)
            self.output = nn.Linear(hidden, vocabulary)

        def forward(self, x_BT: Any, state: Any) -> tuple[Any, Any]:
            x_BTD = self.embedding(x_BT)
            y_BTH, state = self.stepwise(x_BTD, state) if cells else self.core(x_BTD, state)
            return self.output(y_BTH), state

        def stepwise(self, x_BTD: Any, state: Any) -> tuple[Any, Any]:
            state, outputs = list(state or [None] * depth), []
            for y_BH in x_BTD.unbind(1):
                for i, cell in enumerate(self.cells):
                    state[i] = cell(y_BH, state[i])
                    y_BH = state[i][0]
                outputs.append(y_BH)
            return torch.stack(outputs, 1), state

    model = Model()
    model.embedding.load_state_dict({"weight": weights["input.table"]})
    model.output.load_state_dict({t: weights[f"head.output.{t}"] for t in ("weight", "bias")})
    for i in range(depth):
        for t in TENSORS:
            own = getattr(model.cells[i], t) if cells else getattr(model.core, f"{t}_l{i}")
            own.data.copy_(weights[f"layers.{i}.{t}"])
    return model


def jax_scan(given: Given) -> Step:
    """`jax.lax.scan` over the steps, the whole update compiled."""
    import jax
    import jax.numpy as jnp

    depth, lr, clip = layers(given), float(given["lr"]), float(given["clip_norm"])
    weights = {name: jnp.asarray(given[name]) for name in given if "." in name}
    rows, hidden = given["x"].shape[1], weights["head.output.weight"].shape[1]

    def layer(w: list[Any], state: Any, x_TBD: Any) -> tuple[Any, Any]:
        x_TBG = x_TBD @ w[0].T + w[2] + w[3]

        def cell(carried: Any, x_BG: Any) -> tuple[Any, Any]:
            h_BH, c_BH = carried
            i, f, g, o = jnp.split(x_BG + h_BH @ w[1].T, 4, axis=1)
            c_BH = jax.nn.sigmoid(f) * c_BH + jax.nn.sigmoid(i) * jnp.tanh(g)
            h_BH = jax.nn.sigmoid(o) * jnp.tanh(c_BH)
            return (h_BH, c_BH), h_BH

        return jax.lax.scan(cell, state, x_TBG)

    def loss(weights: Any, state: Any, x_BT: Any, y_BT: Any) -> tuple[Any, Any]:
        y_TBH, after = weights["input.table"][x_BT.T], []
        for i in range(depth):
            own, y_TBH = layer([weights[f"layers.{i}.{t}"] for t in TENSORS], state[i], y_TBH)
            after.append(own)
        logits_TBV = y_TBH @ weights["head.output.weight"].T + weights["head.output.bias"]
        likely_TB = jnp.take_along_axis(jax.nn.log_softmax(logits_TBV), y_BT.T[..., None], 2)
        return -likely_TB.mean(), after

    @jax.jit
    def update(weights: Any, moments: Any, t: Any, state: Any, x_BT: Any, y_BT: Any) -> Any:
        (found, state), grads = jax.value_and_grad(loss, has_aux=True)(weights, state, x_BT, y_BT)
        norm = jnp.sqrt(sum(jnp.sum(g * g) for g in grads.values()))
        new, means = {}, {}
        for name, grad in grads.items():
            grad = grad * jnp.minimum(1.0, clip / (norm + 1e-6))
            m, v = moments[name]
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad * grad
            new[name] = weights[name] - lr * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
            means[name] = (m, v)
        return new, means, state, found

    zero = jnp.zeros((rows, hidden))
    kept = [weights, {name: (w * 0, w * 0) for name, w in weights.items()}, 0.0, [(zero, zero)] * depth]

    def step(x_BT: np.ndarray, y_BT: np.ndarray) -> float:
        kept[2] += 1.0
        kept[0], kept[1], kept[3], found = update(*kept, x_BT, y_BT)
        return float(found)

    return step


def keras_fit(given: Given) -> Step:
    """Stateful `keras.layers.LSTM`, one `train_on_batch` for each update, on the backend that KERAS_BACKEND names."""
    import keras

    depth, (_, rows, columns) = layers(given), given["x"].shape
    (vocabulary, embedding), hidden = given["input.table"].shape, given["head.output.weight"].shape[1]
    inputs = keras.Input(batch_shape=(rows, columns), dtype="int32")
    table = keras.layers.Embedding(vocabulary, embedding)
    cores = [keras.layers.LSTM(hidden, return_sequences=True, stateful=True) for _ in range(depth)]
    output = keras.layers.Dense(vocabulary)
    y = table(inputs)
    for core in cores:
        y = core(y)
    model = keras.Model(inputs, output(y))
    table.set_weights([given["input.table"]])
    for i, core in enumerate(cores):
        ih, hh, b_ih, b_hh = (given[f"layers.{i}.{t}"] for t in TENSORS)
        core.set_weights([ih.T, hh.T, b_ih + b_hh])  # Keras has the gates in the same order, and one bias
    output.set_weights([given["head.output.weight"].T, given["head.output.bias"]])
    model.compile(
        keras.optimizers.Adam(float(given["lr"]), epsilon=1e-8, global_clipnorm=float(given["clip_norm"])),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def step(x_BT: np.ndarray, y_BT: np.ndarray) -> float:
        model.reset_metrics()  # what is returned is a mean since the last reset
        found = model.train_on_batch(x_BT, y_BT)
        return float(found[0] if isinstance(found, list) else found)

    return step


def bare_kernel(given: Given) -> Step:
    """PyTorch's recurrent kernels forward and backward on numbers that do not change, and nothing else: what an update
    cannot be faster than as long as it uses them."""
    import torch
    from torch import nn

    torch.set_num_threads(int(given["threads"]))
    device = str(given["device"])
    (_, rows, columns), embedding = given["x"].shape, given["input.table"].shape[1]
    hidden, elman = given["head.output.weight"].shape[1], str(given["kind"]) == "elman"
    core = nn.RNN if elman else nn.LSTM
    half = {"dtype": torch.float16} if device != "cpu" else {}  # on CUDA the fastest there is: single layers in fp16
    sizes = [embedding, *[hidden] * layers(given)]
    cores = [core(i, hidden, batch_first=True, device=device, **half) for i in sizes[:-1]]
    x_BTD = torch.randn(rows, columns, embedding, device=device, requires_grad=True, **half)

    def step(x_BT: np.ndarray, y_BT: np.ndarray) -> float:
        y_BTH = x_BTD
        for layer in cores:
            y_BTH, _ = layer(y_BTH)
        y_BTH.backward(y_BTH.detach())
        if device != "cpu":
            torch.cuda.synchronize()
        return float("nan")

    return step


def matrix_products(given: Given) -> Step:
    """The matrix products of an update and nothing else, each of its own shape, one after the other."""
    import torch

    torch.set_num_threads(int(given["threads"]))
    device = str(given["device"])
    (_, rows, columns), embedding = given["x"].shape, given["input.table"].shape[1]
    vocabulary, hidden = given["head.output.weight"].shape
    gates, all_rows = len(given["layers.0.weight_hh"]), rows * columns
    products = [(1, all_rows, hidden, vocabulary), (1, all_rows, vocabulary, hidden), (1, vocabulary, all_rows, hidden)]
    for inputs in (embedding, *[hidden] * (layers(given) - 1)):
        products += [(1, all_rows, inputs, gates), (columns, rows, hidden, gates)]  # forward
        products += [(columns, rows, gates, hidden), (1, all_rows, gates, inputs)]  # to what went in
        products += [(1, gates, all_rows, inputs), (1, gates, all_rows, hidden)]  # to the weights
    made = [(times, torch.randn(m, k, device=device), torch.randn(k, n, device=device)) for times, m, k, n in products]

    def step(x_BT: np.ndarray, y_BT: np.ndarray) -> float:
        for times, left, right in made:
            for _ in range(times):
                left @ right
        if device != "cpu":
            torch.cuda.synchronize()
        return float("nan")

    return step


PEERS: dict[str, Callable[[Given], Step]] = {
    "torch": TorchLoop,
    "torch-autocast": lambda given: TorchLoop(given, autocast=True),
    "torch-cells": lambda given: TorchLoop(given, cells=True),
    "jax": jax_scan,
    "keras": keras_fit,
    "kernel": bare_kernel,
    "products": matrix_products,
}


def train(step: Step, x_SBT: np.ndarray, y_SBT: np.ndarray) -> dict[str, Any]:
    """The loss of every update; how long those of the second half took, and how many characters these read."""
    losses, half, began = [], len(x_SBT) // 2, 0.0
    for k, (x_BT, y_BT) in enumerate(zip(x_SBT, y_SBT, strict=True)):
        if k == half:
            began = time.perf_counter()
        losses.append(step(x_BT, y_BT))
    return {"losses": losses, "seconds": time.perf_counter() - began, "characters": x_SBT[half:].size}


def main(peer: str, given_at: str, answer_at: str) -> None:
    with np.load(given_at) as file:
        given = dict(file)
    step = PEERS[peer](given)
    answer = train(step, given["x"], given["y"])
    if isinstance(step, TorchLoop):
        answer["valid"] = step.evaluate(*(given[f"valid_{name}"] for name in ("x", "y", "counts")))
    with open(answer_at, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
