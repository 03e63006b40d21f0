"""Loop and tree, two forms of the linear scan, against plain recursion, and how a form is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from charrnn.errors import UsageError
from charrnn.models import scan
from charrnn.models.scan import Form, fastest_form, linear_scan

FORMS: list[Form] = ["loop", "tree"]
CPU = torch.device("cpu")


def example(steps: int, rows: int = 2, units: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(steps)
    a_BTH = torch.rand(rows, steps, units, dtype=torch.float64, generator=generator)
    b_BTH = torch.randn(rows, steps, units, dtype=torch.float64, generator=generator)
    return a_BTH, b_BTH, torch.randn(rows, units, dtype=torch.float64, generator=generator)


def by_hand(a_BTH: Tensor, b_BTH: Tensor, h_BH: Tensor) -> Tensor:
    outputs = []
    for t in range(a_BTH.shape[1]):
        h_BH = a_BTH[:, t] * h_BH + b_BTH[:, t]
        outputs.append(h_BH)
    return torch.stack(outputs, 1)


@pytest.mark.parametrize("form", FORMS)
def test_it_is_the_recursion_at_every_length(form: Form) -> None:
    for steps in [*range(1, 36), 63, 64, 65, 127, 200]:
        terms = example(steps)
        torch.testing.assert_close(linear_scan(*terms, form), by_hand(*terms), atol=1e-13, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_those_of_the_recursion_at_every_length(form: Form) -> None:
    for steps in [*range(1, 36), 63, 64, 65, 127]:
        terms = [term.requires_grad_() for term in example(steps)]
        upstream = torch.randn(2, steps, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        ours = torch.autograd.grad(linear_scan(*terms, form), terms, upstream)
        plain = torch.autograd.grad(by_hand(*terms), terms, upstream)
        for one, other in zip(ours, plain, strict=True):
            torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("steps", [1, 2, 7, 8])
def test_gradients_in_float64(form: Form, steps: int) -> None:
    terms = [term.requires_grad_() for term in example(steps)]
    assert torch.autograd.gradcheck(lambda *t: linear_scan(*t, form), terms)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_given_is_left_as_it_was(form: Form) -> None:
    """With one row, or one unit, a view and its copy are easily taken for one another."""
    for rows, units in [(1, 3), (2, 1), (1, 1)]:
        terms = [term.requires_grad_() for term in example(9, rows, units)]
        upstream = torch.ones(rows, 9, units, dtype=torch.float64)
        before = [term.detach().clone() for term in (*terms, upstream)]
        h_BTH = linear_scan(*terms, form)
        shown = h_BTH.detach().clone()
        torch.autograd.grad(h_BTH, terms, upstream)
        for term, copy in zip((*terms, upstream, h_BTH), (*before, shown), strict=True):
            assert torch.equal(term, copy)


@pytest.mark.parametrize("form", FORMS)
def test_views_and_transposes_are_taken_as_they_are(form: Form) -> None:
    a_BTH, b_BTH, start_BH = example(13, rows=4, units=6)
    expected = by_hand(a_BTH, b_BTH, start_BH)
    turned = [term.transpose(0, 1).contiguous().transpose(0, 1) for term in (a_BTH, b_BTH)]
    torch.testing.assert_close(linear_scan(*turned, start_BH, form), expected, atol=1e-13, rtol=0)
    wide_BTG = torch.cat([a_BTH, b_BTH], -1).requires_grad_()
    h_BTH = linear_scan(*wide_BTG.chunk(2, -1), start_BH[:1].expand(4, -1), form)
    h_BTH.sum().backward()  # the gradient that arrives is one number, expanded
    copy_BTG = wide_BTG.detach().clone().requires_grad_()
    by_hand(*copy_BTG.chunk(2, -1), start_BH[:1].expand(4, -1)).sum().backward()
    torch.testing.assert_close(wide_BTG.grad, copy_BTG.grad, atol=1e-12, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_products_of_many_small_factors_vanish_without_a_trace(form: Form) -> None:
    """In fp32 a product of 1,000 factors of 1e-3 is zero: forms that divide by it, or take its logarithm, break."""
    a_BTH = torch.full((2, 1000, 3), 1e-3).requires_grad_()
    b_BTH, start_BH = torch.ones(2, 1000, 3), torch.full((2, 3), 1e6)
    h_BTH = linear_scan(a_BTH, b_BTH, start_BH, form)
    torch.testing.assert_close(h_BTH[:, 20:], torch.full((2, 980, 3), 1 / 0.999), atol=1e-6, rtol=0)
    zeros = linear_scan(torch.zeros(2, 1000, 3), b_BTH, start_BH, form)
    assert torch.equal(zeros, b_BTH)
    h_BTH.sum().backward()
    assert torch.isfinite(a_BTH.grad).all()


def test_it_has_no_second_gradient() -> None:
    terms = [term.requires_grad_() for term in example(4)]
    (first, *_) = torch.autograd.grad(linear_scan(*terms, "loop").square().sum(), terms, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.parametrize(
    ("loop", "tree", "expected"),
    [
        ([0.001], [0.002], "loop"),
        ([0.002], [0.001], "tree"),
        ([0.3, *[0.001] * 9], [0.002], "loop"),
        ([0.001, 0.001, 0.001, 0.3, 0.001], [0.002], "loop"),  # outliers count for nothing
        ([0.0001] + [0.003, 0.001] * 5, [0.002], "tree"),  # the first turn, which warms up, would tip the scales
    ],
)
def test_the_form_with_the_lower_median_is_chosen(loop: list[float], tree: list[float], expected: str) -> None:
    def looks() -> Iterator[float]:
        """By this clock each form takes the seconds that are listed for it, over and over."""
        now = 0.0
        yield now
        for turn in range(100):
            for seconds in (loop, tree):
                yield now
                now += seconds[turn % len(seconds)]
                yield now
            if turn:
                yield now

    times = looks()
    assert fastest_form(2, 4, 3, CPU, "fp32", lambda: next(times)) == expected


def test_slow_measuring_ends_after_one_turn() -> None:
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return 10.0 * looks

    fastest_form(2, 4, 3, CPU, "fp32", clock)
    assert looks == 1 + 2 * 4 + 1


def test_on_cuda_it_is_the_kernel_where_that_runs_and_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> float:
        raise AssertionError("measured")

    asked: list[tuple[object, ...]] = []
    device = torch.device("cuda:1")
    for there, expected in [(None, "kernel"), (UsageError("not installed"), "tree")]:
        monkeypatch.setattr(scan, "obstacle", lambda *where, found=there: asked.append(where) or found)
        assert fastest_form(2, 4, 3, device, "fp64", never) == expected
    assert asked == [(device, "fp64")] * 2


def test_on_a_cpu_the_kernel_is_no_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def noted(a_BTH: Tensor, b_BTH: Tensor, start_BH: Tensor, form: Form) -> Tensor:
        measured.append(form)
        return linear_scan(a_BTH, b_BTH, start_BH, form)

    monkeypatch.setattr(scan, "linear_scan", noted)
    fastest_form(2, 4, 3, CPU, "fp32", lambda: 0.0)
    assert measured == ["loop", "tree"] * 10
