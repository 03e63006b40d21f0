"""The scan by a library's kernel against the loop: by a stand-in for the library, and on a CUDA device by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from scanlibrary import ScanLibrary
from torch import Tensor

from charrnn.errors import ConfigError, MissingExtraError
from charrnn.models import kernel
from charrnn.models.kernel import kernel_scan, obstacle
from charrnn.models.scan import Form, linear_scan

CUDA = torch.device("cuda:0")
WHY_NOT = obstacle(CUDA, "fp32") if torch.cuda.is_available() else "there is no CUDA device"


def whole_numbers(steps: int, rows: int, units: int, device: str = "cpu") -> tuple[list[Tensor], Tensor]:
    """Terms and the gradient that arrives, such that nothing is rounded: in whatever order, all forms agree exactly."""
    generator = torch.Generator().manual_seed(steps)

    def draw(most: int, *shape: int) -> Tensor:
        return torch.randint(-most, most + 1, shape, generator=generator).float().to(device)

    terms = [draw(1, rows, steps, units), draw(8, rows, steps, units), draw(8, rows, units)]
    return [term.requires_grad_() for term in terms], draw(4, rows, steps, units)


def all_of(form: Form, terms: list[Tensor], upstream: Tensor) -> list[Tensor]:
    """The scan and its gradients."""
    h_BTH = linear_scan(*terms, form)
    return [h_BTH.detach(), *torch.autograd.grad(h_BTH, terms, upstream)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=some.integers(1, 130), rows=some.integers(1, 3), units=some.integers(1, 3))
def test_it_is_the_loop_to_the_last_bit_with_its_gradients(
    scan_library: ScanLibrary, steps: int, rows: int, units: int
) -> None:
    terms, upstream = whole_numbers(steps, rows, units)
    for ours, theirs in zip(all_of("kernel", terms, upstream), all_of("loop", terms, upstream), strict=True):
        assert torch.equal(ours, theirs)
    assert scan_library.shapes[-2:] == [(rows * units, 1, steps)] * 2


@pytest.mark.parametrize(("rows", "units"), [(4, 6), (1, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize(
    "turn", [lambda t: t.transpose(0, 1).contiguous().transpose(0, 1), lambda t: torch.cat([t, t], -1).chunk(2, -1)[1]]
)
def test_views_are_taken_as_they_are_and_left_as_they_were(
    scan_library: ScanLibrary, rows: int, units: int, turn: Callable[[Tensor], Tensor]
) -> None:
    """With one row, or one unit, a view and its copy are easily taken for one another."""
    (a_BTH, b_BTH, start_BH), upstream = whole_numbers(9, rows, units)
    terms = [turn(a_BTH), turn(b_BTH), start_BH[:1].expand(rows, -1)]
    before = [term.detach().clone() for term in (*terms, upstream)]
    ours, theirs = (all_of(form, terms, turn(upstream)) for form in ("kernel", "loop"))
    for one, other in zip([*ours, *terms, upstream], [*theirs, *before], strict=True):
        assert torch.equal(one, other)
    assert ours[0].is_contiguous()


def test_memory_is_written_before_the_kernel_reads_it(
    scan_library: ScanLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms, upstream = whole_numbers(9, 2, 3)
    expected = all_of("loop", terms, upstream)
    monkeypatch.setattr(Tensor, "new_empty", lambda self, *shape: self.new_full(shape, float("nan")))
    for ours, theirs in zip(all_of("kernel", terms, upstream), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_more_sequences_than_the_kernel_can_count_come_to_it_in_turns(
    scan_library: ScanLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_library.elements = 4 * 13 + 12
    monkeypatch.setattr(kernel, "_ELEMENTS", scan_library.elements)
    terms, upstream = whole_numbers(13, 3, 3)
    for ours, theirs in zip(all_of("kernel", terms, upstream), all_of("loop", terms, upstream), strict=True):
        assert torch.equal(ours, theirs)
    assert scan_library.shapes == [(4, 1, 13), (4, 1, 13), (1, 1, 13)] * 2


def test_the_stand_in_refuses_what_the_library_refuses(scan_library: ScanLibrary) -> None:
    a_BHT = torch.zeros(2, 3, 4)
    for wrong in (torch.zeros(2, 4, 3).transpose(1, 2), torch.zeros(2, 3, 5)):
        with pytest.raises(AssertionError):
            scan_library.scan(a_BHT, wrong)
    with pytest.raises(TypeError, match="fp64"):
        kernel_scan(torch.zeros(2, 3, 4).double(), torch.zeros(2, 4, 4).double(), torch.zeros(2, 4).double(), False)


def test_nothing_is_in_its_way_on_cuda_in_fp32(scan_library: ScanLibrary) -> None:
    assert obstacle(CUDA, "fp32") is None


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize(
    ("device", "precision", "why"), [("cpu", "fp32", "on `cpu`"), ("cuda:1", "fp64", "in fp64, on `cuda:1`")]
)
def test_no_package_helps_on_a_cpu_or_in_fp64(
    scan_library: ScanLibrary, installed: bool, device: str, precision: str, why: str
) -> None:
    if not installed:
        scan_library.remove("accelerated_scan")
    error = obstacle(torch.device(device), precision)
    assert isinstance(error, ConfigError)
    assert error.why == f"this run computes {why}"
    assert "`tree`" in str(error.hint)


@pytest.mark.parametrize(
    ("module", "what", "hint"),
    [
        ("accelerated_scan", "accelerated-scan (0.3 or newer)", "pip install 'charrnn[scan]'"),
        ("accelerated_scan.scalar", "accelerated-scan (0.3 or newer)", "pip install 'charrnn[scan]'"),  # an older one
        ("triton", "Triton", "a CUDA build of PyTorch"),
    ],
)
def test_what_is_missing_is_named_with_a_way_to_it(
    scan_library: ScanLibrary, module: str, what: str, hint: str
) -> None:
    scan_library.remove(module)
    error = obstacle(CUDA, "fp32")
    assert isinstance(error, MissingExtraError)
    assert error.what == f"scans by `kernel` need {what}, which is not installed"
    assert hint in str(error.hint)


@pytest.mark.gpu
@pytest.mark.skipif(WHY_NOT is not None, reason=f"needs the kernel on a CUDA device: {WHY_NOT}")
@pytest.mark.parametrize("steps", [1, 2, 16, 31, 130, 2047, 2048, 2049, 5000])
def test_the_library_s_own_kernel_is_the_loop(steps: int) -> None:
    """It goes by blocks of 2,048 steps. Whole numbers agree exactly, others with the loop in fp64 but for rounding."""
    terms, upstream = whole_numbers(steps, 3, 5, "cuda")
    for ours, theirs in zip(all_of("kernel", terms, upstream), all_of("loop", terms, upstream), strict=True):
        assert torch.equal(ours, theirs)
    generator = torch.Generator("cuda").manual_seed(steps)
    for term, least in zip(terms, (0.9, 0.0, 0.0), strict=True):
        term.data.uniform_(least, 1.0, generator=generator)
    ours = all_of("kernel", terms, upstream)
    theirs = all_of("loop", [term.detach().double().requires_grad_() for term in terms], upstream.double())
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.double(), other, atol=1e-3, rtol=1e-5)
