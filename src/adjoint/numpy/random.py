"""np.random, as it is: what it draws does not depend on anything that is differentiated."""

from __future__ import annotations

from typing import Any

import numpy as _np


def __getattr__(name: str) -> Any:
    if hasattr(_np.random, name):
        return getattr(_np.random, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return dir(_np.random)
