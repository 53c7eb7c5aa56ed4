"""How far a Taylor polynomial can be trusted: its remainder estimated, bounded and measured."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adjoint.errors import ArgumentError, ArgumentValueError, ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.graph.tracer import Tracer


class Approximation:
    """What the remainder of a Taylor polynomial is found from; the polynomial is `TaylorPolynomial`
    in `adjoint.calculus.series`."""

    center: Any
    order: int

    if TYPE_CHECKING:

        @property
        def one_variable(self) -> bool: ...
        def __call__(self, x: Any) -> Any: ...
        def _function(self, what: str) -> Callable[[Any], Any]: ...
        def _terms(self, v: Any, order: int | None = None) -> list[Any]: ...
        def _displacement(self, x: Any, what: str) -> Any: ...
        def _each(self, function: Callable[[Any], Any], deltas: Any) -> Any: ...

    def remainder_estimate(self, x: Any) -> Any:
        """The first omitted term, |Dⁿ⁺¹f(x0)[δ, …, δ]|/(n+1)!: the error where it is small.

        Where that is zero, as in every second degree of an odd or even function, it is the next
        one.  ``x`` may be an array of points.

        >>> import numpy as np, adjoint as ad
        >>> round(float(ad.taylor(np.sin, 0.0, 1).remainder_estimate(0.1)), 9)
        0.000166667
        """
        delta = self._displacement(x, "remainder_estimate(x)")
        if self.one_variable:
            unit = np.ones((), self.center.dtype)[()]
            first, second = self._terms(unit, self.order + 2)[-2:]
            shape = np.shape(delta) + (1,) * np.ndim(first)
            powers = np.reshape(delta, shape) ** (self.order + 1)
            term = np.where(first == 0, second * np.reshape(delta, shape), first) * powers
            return _scalar(np.abs(term))
        return self._each(lambda d: _first(self._terms(d, self.order + 2)[-2:]), delta)

    def remainder_bound(
        self, x: Any = None, *, radius: Any = None, rounding: bool = False, pieces: int = 64
    ) -> Any:
        """A number that |f(x) − T(x)| does not exceed, or inf where none was found.

        f(x) − T(x) = (n + 1) ∫₀¹ (1 − s)ⁿ c(s) ds, where c is the Taylor coefficient of order n + 1
        of s ↦ f(x0 + s (x − x0)).  It is enclosed in interval arithmetic that rounds outward, on
        pieces of the segment: the result is proved, and not larger than Lagrange's bound max |c|,
        in one variable max |f⁽ⁿ⁺¹⁾(ξ)| |x − x0|ⁿ⁺¹/(n + 1)!.

        Parameters
        ----------
        x: a point, or an array of points along the first axes.
        radius: in place of x: the bound for all x with |x − x0| ≤ radius in every variable; one
            number, or one per variable.
        rounding: also count the rounding errors of the computed polynomial: |f(x) − p(x)| for the
            number that ``p(x)`` returns.  Without it the bound is of the exact polynomial.
        pieces: how often a segment is cut at most; more pieces give a smaller bound.

        Returns
        -------
        Of the shape of ``p(x)``; with ``radius`` of that of f.  It is inf where f has a kink, a
        jump, a pole or the edge of its domain between x0 and x, ends included, and where
        overestimation is too large for so many pieces.

        Notes
        -----
        f is the function of real numbers that the code means.  What it computes without x counts as
        exact up to 4 units in the last place.  NumPy's functions are taken to be accurate to 8 such
        units, SciPy's to what `adjoint.enclosure.special` says.

        Raises
        ------
        MissingRuleError: f uses a function without an enclosure.

        >>> import numpy as np, adjoint as ad
        >>> p = ad.taylor(np.exp, 0.0, 3)
        >>> bool(np.exp(1.0) - p(1.0) <= p.remainder_bound(1.0) <= 0.053)
        True
        >>> float(ad.taylor(lambda x: 1 / x, 1.0, 3).remainder_bound(radius=1.0))
        inf
        """
        points = self._points(x, radius, rounding, pieces)
        from adjoint.calculus.remainder import Remainder

        found = Remainder(self._function("remainder_bound(x)"), self.center, self.order)
        if radius is not None:
            return found.bound_in_box(points, int(pieces))[()]
        flat = np.reshape(points, (-1, *np.shape(self.center)))
        computed = np.reshape(self(flat), (-1, *found.shape)) if rounding else None
        bounds = found.bound(flat, int(pieces), computed)
        lead = np.shape(points)[: np.ndim(points) - np.ndim(self.center)]
        return np.reshape(bounds, lead + found.shape)[()]

    def _points(self, x: Any, radius: Any, rounding: bool, pieces: int) -> Any:
        """The points of remainder_bound, or its radius, as plain numbers."""
        called = "remainder_bound(x)"
        if (x is None) == (radius is None) or (rounding and x is None):
            raise ArgumentError(
                f"{called} needs either points x or radius=, and points for rounding=True.",
                hint="p.remainder_bound(x), or p.remainder_bound(radius=0.5).",
            )
        if isinstance(pieces, bool) or not isinstance(pieces, int | np.integer) or pieces < 1:
            raise ArgumentValueError(f"{called} needs at least one piece; got pieces={pieces!r}.")
        delta = self._displacement(self.center + radius if x is None else x, called)
        if isinstance(delta, Tracer) or np.iscomplexobj(delta):
            raise ArgumentError(
                f"{called} needs plain real numbers, which cannot be differentiated or mapped "
                f"over; it got {describe(delta)}.",
                hint="use p.remainder_estimate(x).",
            )
        if x is not None:
            return np.asarray(x, np.float64)
        if np.shape(delta) != np.shape(self.center) or not np.all(np.asarray(radius) >= 0):
            raise ArgumentValueError(
                f"{called} needs a radius ≥ 0, one number or one per variable; got {radius}."
            )
        return np.asarray(radius, np.float64)

    def convergence_order(self, direction: Any = None, steps: Any = None) -> float:
        """The slope of log error against log step along a direction: about n + 1.

        It is fitted to the smaller half of the steps, where the first omitted term leads.  Errors
        at the level of rounding are left out; an exact polynomial gives ``inf``.

        Raises
        ------
        ArgumentValueError: the direction is zero, or at fewer than two of the steps the error is
            more than rounding.
        ShapeMismatchError: the direction has not the shape of the centre.
        """
        called = "convergence_order(direction, steps)"
        f = self._function("convergence_order()")
        v = np.ones_like(self.center) if direction is None else np.asarray(direction)
        if np.shape(v) != np.shape(self.center):
            raise ShapeMismatchError(
                f"{called} needs a direction like the centre, {describe(self.center)}; got "
                f"{describe(v)}."
            )
        if not np.any(v):
            raise ArgumentValueError(f"{called} needs a direction that is not zero.")
        if steps is not None:
            found = self._slope(f, v, np.asarray(steps))
            if found is not None:
                return found
        for largest in (-1, 4):  # of a high degree the error shows at large steps only
            found = self._slope(f, v, np.asarray([2.0**k for k in range(largest, -8, -1)]))
            if found is not None and steps is None:
                return found
        if found is None:
            return math.inf
        raise ArgumentValueError(
            f"{called} needs two steps at which the error is more than rounding; got "
            f"{np.size(steps)} steps, the largest {np.max(np.abs(steps), initial=0.0):g}.",
            hint="give larger ones, or none: p.convergence_order().",
        )

    def _slope(self, f: Callable[[Any], Any], v: Any, h: Any) -> float | None:
        """The slope at these steps; None where fewer than two errors are more than rounding."""
        points = [self.center + t * v for t in h]
        with np.errstate(all="ignore"):
            exact = [np.asarray(f(p)) for p in points]
            pairs = zip(exact, points, strict=True)
            errors = np.array([np.max(np.abs(y - self(p))) for y, p in pairs])
            sizes = np.array([np.max(np.abs(y)) for y in exact])
            clear = (errors > 1e3 * np.finfo(float).eps * sizes) & np.isfinite(errors)
        count = int(np.count_nonzero(clear))
        if count < 2:
            return None
        small = np.flatnonzero(clear)[np.argsort(np.abs(h[clear]))][: max(2, count // 2)]
        return float(np.polyfit(np.log(np.abs(h[small])), np.log(errors[small]), 1)[0])


def _first(terms: list[Any]) -> Any:
    first, second = terms
    return _scalar(np.abs(np.where(first == 0, second, first)))


def _scalar(value: Any) -> Any:
    return value[()] if isinstance(value, np.ndarray) else value
