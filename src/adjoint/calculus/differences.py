"""Difference quotients, and how they converge to the derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.calculus.scalars import derivative
from adjoint.errors import ArgumentError, ArgumentValueError, NotScalarError
from adjoint.graph.arraytype import describe
from adjoint.graph.tracing import differentiable, require_callable
from adjoint.printing.tables import Table


def difference_quotient(f: Callable[[Any], Any], x: Any, delta: Any) -> Any:
    """The slope of the secant from x to x + δ: (f(x + δ) − f(x))/δ.

    Parameters
    ----------
    f: a function of one number; for arrays of x or δ a function of each of their elements.
    x, delta: numbers, or arrays whose shapes broadcast.

    Raises
    ------
    ArgumentValueError: δ is 0, or so small that x + δ is x: there is no secant.

    Notes
    -----
    Two evaluations of f.  The error is δ f″(x)/2 + O(δ²) by Taylor's theorem, plus rounding of
    about ε |f(x)|/δ (Nocedal and Wright, *Numerical Optimization*, 2006, section 8.1); `derivative`
    has neither.

    >>> import adjoint as ad
    >>> float(ad.difference_quotient(lambda x: x**2, 1, 0.5))
    2.5
    """
    called = "difference_quotient(f, x, delta)"
    require_callable(f, called)
    point = differentiable(x, called, "x")
    step = differentiable(delta, called, "delta")
    moved = point + step
    if np.any(moved == point):
        raise ArgumentValueError(
            f"{called} needs a delta that moves x; got x = {_show(point)}, delta = {_show(step)}.",
            hint="derivative(f)(x) is the limit for delta → 0, exact to rounding.",
        )
    return (_number(f(moved), called) - _number(f(point), called)) / step


def _show(value: Any) -> str:
    return f"{value:g}" if not np.ndim(value) and np.isrealobj(value) else describe(value)


def _number(value: Any, called: str) -> Any:
    if value is None or isinstance(value, tuple | list | dict):
        raise ArgumentError(
            f"{called} needs f to return a number or an array; it returned {describe(value)}."
        )
    return value


def convergence_table(
    f: Callable[[Any], Any], x: Any, deltas: Sequence[float] | None = None
) -> ConvergenceTable:
    """How the difference quotient at x converges to the derivative, and where rounding stops it.

    Parameters
    ----------
    f: a function of one number that returns one number.
    x: the point.
    deltas: the steps; by default 10⁻¹, 10⁻², …, 10⁻¹⁵ times max(1, |x|).

    Returns
    -------
    A `ConvergenceTable`, one row per step; it prints as text, and as HTML in notebooks.

    >>> import numpy as np, adjoint as ad
    >>> print(ad.convergence_table(np.exp, 0.0, [0.1, 0.01, 0.001]))
    f′(x) = 1 at x = 0
        δ  difference quotient      error  error/δ
      0.1             1.051709  5.171e-02   0.5171
     0.01             1.005017  5.017e-03   0.5017
    0.001             1.000500  5.002e-04   0.5002
    """
    called = "convergence_table(f, x)"
    require_callable(f, called)
    point = differentiable(x, called, "x")
    if np.ndim(point):
        raise ArgumentError(
            f"{called} needs one number x; got {describe(point)}.",
            hint="take one component, or a line: convergence_table(lambda t: f(x + t * v), 0.0).",
        )
    slope = derivative(f)(point)
    if np.ndim(slope) or np.iscomplexobj(slope):
        raise NotScalarError(
            f"{called} needs f to return one real number; its derivative is {describe(slope)}.",
            hint="take one component: lambda x: f(x)[0].",
        )
    if deltas is None:
        deltas = [max(1.0, abs(float(point))) * 10.0**-k for k in range(1, 16)]
    if len(deltas) == 0:
        raise ArgumentValueError(f"{called} needs at least one delta; got none.")
    quotients = [float(difference_quotient(f, point, d)) for d in deltas]
    return ConvergenceTable(float(point), float(slope), [float(d) for d in deltas], quotients)


class ConvergenceTable(Table):
    """Difference quotients beside the derivative: made by `convergence_table`.

    ``x`` and ``derivative`` are numbers, ``deltas``, ``quotients`` and ``errors`` arrays.
    """

    headings = ("δ", "difference quotient", "error", "error/δ")
    right = True

    def __init__(
        self, x: float, slope: float, deltas: Sequence[float], quotients: Sequence[float]
    ) -> None:
        self.x = x
        self.derivative = slope
        self.deltas = np.array(deltas)
        self.quotients = np.array(quotients)
        self.errors = np.abs(self.quotients - slope)

    @property
    def best_delta(self) -> float:
        """The step with the smallest error: below it rounding wins, above it curvature."""
        return float(self.deltas[np.argmin(self.errors)])

    @property
    def order(self) -> float:
        """The slope of log error against log δ while the error falls: 1 where f″(x) ≠ 0.

        Steps at or below the best one are left out, since rounding shapes their errors;
        fewer than two others give ``nan``.
        """
        clear = (np.abs(self.deltas) > 10 * abs(self.best_delta)) & (self.errors > 0)
        if np.count_nonzero(clear) < 2:
            return math.nan
        sizes = np.log(np.abs(self.deltas[clear]))
        return float(np.polyfit(sizes, np.log(self.errors[clear]), 1)[0])

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table as text, one tuple per step."""
        return [
            (f"{d:.3g}", f"{q:#.7g}", f"{e:.3e}", f"{e / abs(d):.4g}")
            for d, q, e in zip(self.deltas, self.quotients, self.errors, strict=True)
        ]

    @property
    def title(self) -> str:
        return f"f′(x) = {self.derivative:.10g} at x = {self.x:.6g}"


__all__ = ["ConvergenceTable", "convergence_table", "difference_quotient"]
