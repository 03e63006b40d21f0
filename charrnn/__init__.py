"""charrnn trains recurrent character models and embedding models, and makes them useful."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from charrnn.library import load

__all__ = ["__version__", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`load`, which brings in NumPy and half of the package, when it is first asked for."""
    if name == "load":
        from charrnn.library import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
