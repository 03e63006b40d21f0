"""A model that sees the last symbols alone, from a cold state."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from charrnn.config.schema import Network, Sample
from charrnn.models.build import build_model
from charrnn.models.core import generator_for
from charrnn.sample.several import several
from charrnn.sample.window import WindowStepper
from charrnn.scratch.network import StepNetwork
from charrnn.text.vocabulary import Vocabulary
from charrnn.train.state import model_arrays

V, H = 9, 6


def pair(core: str) -> tuple[torch.nn.Module, StepNetwork]:
    config = Network.model_validate({"core": {"kind": core, "hidden": H}, "input": {"size": 5}})
    model = build_model(config, V, 1, torch.float64).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator_for(4, "noise")))
    return model, StepNetwork(config, model_arrays(model))


def scores(model: torch.nn.Module, window: list[int]) -> np.ndarray:
    """The scores after a window that begins cold, as training computes them."""
    with torch.no_grad():
        logits_BTV, _ = model(torch.tensor([window]), model.initial_state(1))
    return logits_BTV[0, -1].numpy()


@pytest.mark.parametrize("core", ["window", "elman", "lstm"])
@pytest.mark.parametrize("length", [1, 3, 8])
def test_every_step_is_the_trained_model_on_the_last_symbols(core: str, length: int) -> None:
    model, network = pair(core)
    stepper = WindowStepper(network, length)
    texts = np.random.default_rng(3).integers(0, V, (2, 12))
    state = stepper.initial_state(2)
    for t in range(12):
        logits_BV, state = stepper.step(texts[:, t], state)
        for b in range(2):
            window = texts[b, max(0, t + 1 - length) : t + 1].tolist()
            np.testing.assert_allclose(logits_BV[b], scores(model, window), atol=1e-10, rtol=0)


def test_a_step_leaves_the_state_that_it_was_given() -> None:
    stepper = WindowStepper(pair("gru")[1], 3)
    state = stepper.initial_state(1)
    for symbol in (1, 2, 3, 4):
        _, state = stepper.step(np.array([symbol]), state)
    one, _ = stepper.step(np.array([5]), state)
    again, _ = stepper.step(np.array([5]), state)
    np.testing.assert_array_equal(one, again)
    assert state["window"].tolist() == [[2, 3, 4]]


def test_a_greedy_text_is_the_likeliest_symbol_after_each_window() -> None:
    model, network = pair("window")
    text = [1, 2, 3, 4, 5]
    vocabulary = Vocabulary("char", (), tuple("abcdefgh"))
    told = several(WindowStepper(network, 3), vocabulary, text, Sample(greedy=True, length=10), (0,))
    drawn = [one.symbol for one in told]
    for symbol in drawn:
        expected = scores(model, text[-3:])
        expected[0] = -np.inf  # `<start>` is never drawn
        assert symbol == expected.argmax()
        text.append(symbol)
    assert len(set(drawn)) > 1
