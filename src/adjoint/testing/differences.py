"""Derivatives by differences: the outside witness of every rule.

Central differences are extrapolated to step 0 (Richardson 1911), and of the table's entries the one
that changed least is taken (Ridders, *Advances in Engineering Software* 1982), which reaches about
ten digits without a step to choose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Difference(NamedTuple):
    """A derivative by differences, and how far it is trusted.

    >>> found = extrapolated_difference(lambda t: t * t + 3 * t)
    >>> bool(abs(found.value - 3.0) <= 1e-9 + found.error)
    True
    """

    value: Any
    error: float


def extrapolated_difference(
    f: Callable[[float], Any], step: float = 2.0**-5, levels: int = 9
) -> Difference:
    """d/dt f(t) at t = 0, from 2·levels evaluations of f.

    >>> import numpy as np
    >>> found = extrapolated_difference(lambda t: np.exp(np.array([1.0, 2.0]) * t))
    >>> bool(np.allclose(found.value, [1.0, 2.0], rtol=1e-11))
    True
    """
    rows: list[list[Any]] = []
    best: Any = None
    smallest = np.inf
    with np.errstate(all="ignore"):
        for i in range(levels):
            h = step / 2**i
            row = [(_wide(f(h)) - _wide(f(-h))) / (2 * h)]
            for j in range(1, i + 1):
                row.append(row[j - 1] + (row[j - 1] - rows[i - 1][j - 1]) / (4.0**j - 1))
            rows.append(row)
            if i == 0:
                best = row[0]
                continue
            for j in range(1, i + 1):
                change = max(_size(row[j] - row[j - 1]), _size(row[j] - rows[i - 1][j - 1]))
                if change < smallest:
                    best, smallest = row[j], change
    return Difference(best, float(smallest))


def complex_step(f: Callable[[complex], Any], step: float = 1e-30) -> Any:
    """d/dt f(t) at t = 0 as Im f(i·step)/step: no cancellation, so all digits (Squire and Trapp,
    *SIAM Review* 1998).  Right only if f is made of holomorphic functions.

    >>> import numpy as np
    >>> float(complex_step(lambda t: np.sin(1.0 + t)) - np.cos(1.0))
    0.0
    """
    with np.errstate(all="ignore"):
        return np.imag(f(1j * step)) / step


def one_sided(f: Callable[[float], Any], step: float = 1e-7) -> tuple[Any, Any]:
    """The slopes of f to the left and to the right of t = 0; at a kink they differ.

    >>> left, right = one_sided(lambda t: abs(t))
    >>> float(left), float(right)
    (-1.0, 1.0)
    """
    with np.errstate(all="ignore"):
        middle = _wide(f(0.0))
        return (middle - _wide(f(-step))) / step, (_wide(f(step)) - middle) / step


def kink(f: Callable[[float], Any], step: float = 1e-7) -> tuple[float, float] | None:
    """The interval of slopes where a real f has a kink at t = 0, a little widened; else None.

    >>> kink(lambda t: abs(t)) is None, kink(lambda t: t**2) is None
    (False, True)
    """
    jumps = []
    for h in (8 * step, step):
        left, right = (float(np.real(s)) for s in one_sided(f, h))
        jumps.append(abs(right - left))
    margin = 1e-4 * (1.0 + max(abs(left), abs(right)))
    if not (jumps[1] > 10 * margin and jumps[1] > 0.5 * jumps[0]):
        return None
    return min(left, right) - margin, max(left, right) + margin


def _wide(value: Any) -> Any:
    value = np.asarray(value)
    return value.astype(np.float64) if value.dtype.kind in "iub" else value


def _size(value: Any) -> float:
    """The largest entry; what is not a number counts as far away."""
    if not np.size(value):
        return 0.0
    size = float(np.max(np.abs(value)))
    return np.inf if np.isnan(size) else size


__all__ = ["Difference", "complex_step", "extrapolated_difference", "kink", "one_sided"]
