"""How every picture is written; matplotlib is imported only where something is drawn.

Nothing of matplotlib's global state is left changed, a user's `matplotlibrc` changes nothing, no display is needed, and
the same data give the same bytes under the same version of matplotlib.
"""

from __future__ import annotations

import importlib.util
import io
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charrnn.errors import MissingExtraError, UsageError
from charrnn.files.atomic import make_folder, write_bytes

_METADATA = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}
_DPI = 150
# The palette of Okabe and Ito (2008), which colour-blind eyes tell apart, without its yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
"""Those of lines, in their order."""

_STYLE = {
    "svg.hashsalt": "charrnn",  # without it the names inside an SVG are drawn by chance
    "svg.fonttype": "none",  # text stays text: small files, and letters that DejaVu lacks
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it along; an SVG names any sans-serif as the second choice
    "font.size": 9.0,
    "text.color": "#222222",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#444444",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    **{f"{axis}tick.{size}.size": 0.0 for axis in "xy" for size in ("major", "minor")},  # the grid is there
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8e8e8",
    "lines.linewidth": 1.6,
    "figure.constrained_layout.hspace": 0.08,
    "figure.constrained_layout.wspace": 0.06,
}
# matplotlib's settings are global: one thread at a time may change them, and puts them back.
_DRAWING = threading.Lock()


def write_figure(path: Path, draw: Callable[[Any], None], size: tuple[float, float]) -> None:
    """Let `draw` fill a figure of `size` inches, and write it; whole or not at all.

    Args:
        path: the picture, `.svg` or `.png`; its folder is made.
        draw: is given the figure.
        size: width and height.

    Raises:
        UsageError: the name of the picture has another suffix.
        MissingExtraError: matplotlib is not installed.
        StorageError: the picture cannot be written.
    """
    suffix = check_picture(path)
    data = figure_bytes(draw, size, suffix)
    make_folder(path.parent)
    write_bytes(path, data)


def figure_bytes(draw: Callable[[Any], None], size: tuple[float, float], suffix: str) -> bytes:
    """What a picture comes to as a file; arguments as those of `write_figure`, `suffix` is `.svg` or `.png`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_matplotlib()
    buffer = io.BytesIO()
    with _DRAWING, _style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format=suffix[1:], dpi=_DPI, metadata=_METADATA[suffix])
    return _unindented(buffer.getvalue()) if suffix == ".svg" else buffer.getvalue()


def can_draw() -> bool:
    """Whether matplotlib is installed; does not load it."""
    return importlib.util.find_spec("matplotlib") is not None


def check_picture(path: Path) -> str:
    """The suffix of a picture that can be drawn: for a caller with long work to do before it draws.

    Raises:
        UsageError: the name of the picture has another suffix.
        MissingExtraError: matplotlib is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise UsageError(
            f"a picture is {' or '.join(_METADATA)}, not `{path.suffix}`",
            where=path,
            hint=f"name it {path.stem}.svg",
        )
    check_matplotlib()
    return suffix


def check_matplotlib() -> None:
    """Raise `MissingExtraError` where matplotlib is not installed."""
    if not can_draw():
        raise MissingExtraError("matplotlib is not installed, and it draws", hint="pip install 'charrnn[plots]'")


def plain(text: str, most: int) -> str:
    """`text` on one line, without what an XML file cannot hold; a long one loses its middle."""
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[half - most + 1 :]}"


@contextmanager
def _style() -> Iterator[None]:
    from matplotlib import style

    with style.context(["default", _STYLE]), warnings.catch_warnings():
        # Letters that the font lacks (an SVG leaves them to the reader's fonts, a PNG shows boxes), axes of one point.
        warnings.simplefilter("ignore", UserWarning)
        yield


def _unindented(svg: bytes) -> bytes:
    """An SVG without the indentation, which is a tenth of it; texts hold no line breaks."""
    return re.sub(rb"\n +", b"\n", svg)
