"""Points of the domain of a special function, and differences there as witnesses."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.primitives.special.row import Kernel, SpecialRow

Entry = SpecialRow | Kernel


def function_of(entry: Entry) -> Callable[..., Any]:
    return entry.ufunc() if isinstance(entry, SpecialRow) else entry.evaluate


def sample(entry: Entry, name: str, count: int = 6) -> list[Any]:
    """Points of the declared domain; operands whose interval is a point are whole numbers there."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    points: list[Any] = []
    for lo, hi in entry.domain:
        values = lo + (hi - lo) * random.uniform(0.05, 0.95, count)
        points.append(int(lo) if lo == hi and lo == int(lo) else lo if lo == hi else values)
    return points


def ridders(f: Callable[[Any], Any], x: Any, h: Any) -> tuple[Any, Any]:
    """f'(x) by extrapolated central differences and an estimate of its error (Ridders 1982)."""
    shrink = 1.6
    table: list[list[Any]] = []
    best = error = None
    for i in range(9):
        new = [(f(x + h) - f(x - h)) / (2 * h)]
        for j in range(1, i + 1):
            factor = shrink ** (2 * j)
            new.append((factor * new[j - 1] - table[-1][j - 1]) / (factor - 1))
            guess = np.maximum(abs(new[j] - new[j - 1]), abs(new[j] - table[-1][j - 1]))
            if best is None:
                best, error = new[j], guess
            best, error = np.where(guess < error, new[j], best), np.minimum(guess, error)
        table.append(new)
        h = h / shrink
    return best, error


def step_of(entry: Entry, index: int, x: Any) -> Any:
    lo, hi = entry.domain[index]
    if lo == hi:
        return 0.05 * abs(lo)
    return np.minimum(0.15 * (hi - lo), np.maximum(np.minimum(x - lo, hi - x), 0.02 * (hi - lo)))


def assert_agrees(entry: Entry, index: int, got: Any, f: Callable[[Any], Any], points: list[Any],
                  tolerance: float) -> None:  # fmt: skip
    x = points[index]
    want, error = ridders(f, x, step_of(entry, index, x))
    assert np.all(np.isfinite(got)), (entry.name, points, got)
    lo, hi = entry.domain[index]
    scale = np.abs(want) + 1e-2 * np.abs(f(x)) / max(hi - lo, 0.1 * abs(lo))
    # The witness itself has to be good, as far as SciPy's own digits allow.
    assert np.all(error <= np.maximum(10 * tolerance, 1e4 * entry.accuracy) * scale), (
        f"differences of {entry.name} are no witness: error {error}, scale {scale}"
    )
    gap = np.abs(got - want)
    allowed = (tolerance + 1e3 * entry.accuracy) * scale + 10 * error
    assert np.all(gap <= allowed), (
        f"∂{entry.name}/∂x{index} at {points}: got {got}, differences give {want} ± {error}"
    )


def moved(f: Callable[..., Any], points: list[Any], index: int) -> Callable[[Any], Any]:
    return lambda t: f(*points[:index], t, *points[index + 1 :])
