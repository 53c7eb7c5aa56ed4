"""SciPy's functions that NumPy's protocols cannot hand over, under the same names.

``adjoint.scipy.linalg`` takes what ``scipy.linalg`` takes.  Plain values go straight to SciPy;
traced values are differentiated.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["linalg", "special"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
