from __future__ import annotations

import pytest
import torch

from charrnn.models.core import Draws, Dropout, generator_for


def test_masks_depend_on_seed_step_and_layer_and_on_nothing_else() -> None:
    like = torch.empty(4, 50)

    def mask(seed: int = 1, step: int = 2, layer: str = "a") -> torch.Tensor:
        return Draws(seed, step, 4).keep_rows(layer, 0.5, like)

    first = mask()
    torch.manual_seed(99)
    torch.rand(7)
    assert torch.equal(first, mask())
    for other in (mask(seed=3), mask(step=3), mask(layer="b")):
        assert not torch.equal(first, other)


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_ranks_and_micro_batches_take_slices_of_one_global_mask(world: int) -> None:
    whole = Draws(1, 2, 12).keep_rows("a", 0.3, torch.empty(12, 5, 6))
    size = 12 // world
    parts = [Draws(1, 2, 12, r * size).keep_rows("a", 0.3, torch.empty(size, 5, 6)) for r in range(world)]
    assert torch.equal(torch.cat(parts), whole)


def test_masks_keep_the_mean() -> None:
    mask = Draws(1, 0, 100).keep_rows("a", 0.25, torch.empty(100, 1000))
    assert mask.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert mask.mean().item() == pytest.approx(1.0, abs=0.01)


def test_dropout_is_the_identity_in_evaluation() -> None:
    layer, x = Dropout(0.5, "a"), torch.randn(3, 4)
    assert layer.eval()(x, None) is x
    assert not torch.equal(layer.train()(x, Draws(1, 0, 3)), x)


def test_training_with_dropout_needs_draws() -> None:
    with pytest.raises(AssertionError, match="draws"):
        Dropout(0.5, "a").train()(torch.ones(2, 2), None)


def test_names_are_kept_apart_in_the_seed() -> None:
    assert generator_for(1, "ab", "c").initial_seed() != generator_for(1, "a", "bc").initial_seed()
