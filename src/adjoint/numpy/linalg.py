"""np.linalg, whose functions also take lists of traced values."""

from __future__ import annotations

from typing import Any

import numpy as _np

from adjoint.numpy._wrapping import passed_on


def __getattr__(name: str) -> Any:
    found = globals()[name] = passed_on(_np.linalg, name, __name__)
    return found


def __dir__() -> list[str]:
    return dir(_np.linalg)
