from __future__ import annotations

import torch

from charrnn.models.norm import SequenceBatchNorm


def test_without_a_mask_it_is_torchs_batchnorm() -> None:
    ours, theirs = SequenceBatchNorm(6).double(), torch.nn.BatchNorm1d(6).double()
    for step in range(3):
        x_BTD = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(step)).double() * 3 + 1
        y = theirs(x_BTD.flatten(0, 1)).view(4, 5, 6)
        torch.testing.assert_close(ours(x_BTD), y, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.running_var, theirs.running_var, atol=1e-12, rtol=0)
    x_BTD = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(9)).double()
    expected = theirs.eval()(x_BTD.flatten(0, 1)).view(2, 3, 6)
    torch.testing.assert_close(ours.eval()(x_BTD), expected, atol=1e-12, rtol=0)


def test_masked_positions_count_for_nothing() -> None:
    x_BTD = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(1)).double()
    mask_BT = torch.arange(5) < torch.tensor([5, 3, 0, 1])[:, None]
    garbage = torch.where(mask_BT[..., None], x_BTD, 1e6)
    ours, valid_only = SequenceBatchNorm(6).double(), SequenceBatchNorm(6).double()
    y = ours(garbage, mask_BT)
    expected = valid_only(x_BTD[mask_BT][None])[0]
    torch.testing.assert_close(y[mask_BT], expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.running_mean, valid_only.running_mean, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.running_var, valid_only.running_var, atol=1e-12, rtol=0)
