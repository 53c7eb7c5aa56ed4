"""Taylor polynomials of functions of one or several variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.calculus.jets import jet
from adjoint.calculus.matrices import derivative_tensor
from adjoint.calculus.monomials import polynomial_text
from adjoint.calculus.scalars import derivative
from adjoint.errors import ArgumentError, ArgumentValueError, ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.graph.tracing import differentiable, require_callable

_WRITTEN_OUT = 20  # the highest degree that a repr writes out


def taylor(f: Callable[[Any], Any], x0: Any, order: int) -> TaylorPolynomial:
    """The Taylor polynomial of f at x0, of any degree.

    T(x) = Σₖ₌₀ⁿ Dᵏf(x0)[δ, …, δ]/k! with δ = x − x0; at x0 = 0 the Maclaurin polynomial.

    Parameters
    ----------
    f: a function of one number or of one array; its result may be an array.
    x0: the centre.
    order: the degree n.

    Returns
    -------
    A `TaylorPolynomial`: callable, with ``.coefficients`` f⁽ᵏ⁾(x0)/k! in one variable and
    ``.tensors`` Dᵏf in several.

    >>> import numpy as np, adjoint as ad
    >>> p = ad.taylor(lambda x: np.sin(x) + np.cos(x), 0.0, 5)
    >>> [round(float(c) * f, 12) for c, f in zip(p.coefficients, (1, 1, 2, 6, 24, 120))]
    [1.0, 1.0, -1.0, -1.0, 1.0, 1.0]
    """
    require_callable(f, "taylor(f, x0, order)")
    if isinstance(order, bool) or not isinstance(order, int | np.integer):
        raise ArgumentError(f"taylor(f, x0, order) needs an integer order; got {order!r}.")
    if order < 0:
        raise ArgumentValueError(f"taylor(f, x0, order) needs an order of at least 0; got {order}.")
    return TaylorPolynomial(f, differentiable(x0, "taylor(f, x0, order)", "x0"), int(order))


class TaylorPolynomial:
    """A Taylor polynomial: made by `taylor`.

    Evaluating it at a point in several variables contracts the derivatives with the displacement
    along the line to the point; the tensors are formed only if they are asked for.

    >>> import numpy as np, adjoint as ad
    >>> p = ad.taylor(lambda v: v[0] ** 2 + 2 * v[0] * v[1] + v[1] ** 3, np.array([1.0, 2.0]), 3)
    >>> float(p(np.array([1.0, 2.0]))), p.tensors[1]
    (13.0, array([ 6., 14.]))
    """

    def __init__(self, f: Callable[[Any], Any], center: Any, order: int) -> None:
        self.function = f
        self.center = center
        self.order = order
        self._tensors: list[Any] | None = None
        self._coefficients: list[Any] | None = None

    @property
    def one_variable(self) -> bool:
        """Whether the centre is a number."""
        return not np.shape(self.center)

    @property
    def coefficients(self) -> list[Any]:
        """f⁽ᵏ⁾(x0)/k! for k = 0 … n, in one variable."""
        if not self.one_variable:
            raise ArgumentError(
                f"coefficients needs a function of one number; the centre is "
                f"{describe(self.center)}.",
                hint="use .tensors for the derivatives Dᵏf.",
            )
        if self._coefficients is None:
            self._coefficients = self.along(np.ones_like(self.center)[()])
        return self._coefficients

    @property
    def tensors(self) -> list[Any]:
        """Dᵏf(x0) for k = 0 … n, of shape ``f.shape + x.shape * k``, not divided by k!."""
        if self._tensors is None:
            self._tensors = [
                derivative_tensor(self.function, k)(self.center) for k in range(self.order + 1)
            ]
        return self._tensors

    def along(self, direction: Any) -> list[Any]:
        """Dᵏf(x0)[v, …, v]/k! for k = 0 … n: the coefficients of f on the line x0 + t v."""
        v = np.asarray(direction, np.result_type(self.center))
        if v.shape != np.shape(self.center):
            raise ShapeMismatchError(
                f"a direction needs the shape of the centre, {describe(self.center)}; "
                f"got {describe(v)}."
            )
        zero = np.zeros_like(v)
        steps = [v[()]] + [zero[()]] * (self.order - 1)
        value, terms = jet(self.function, (self.center,), (steps[: self.order],))
        return [value] + [t / math.factorial(k) for k, t in enumerate(terms, 1)]

    def __call__(self, x: Any) -> Any:
        """The polynomial at a point, or at an array of points (points along the first axes)."""
        x = np.asarray(x, np.result_type(self.center, np.float64))
        if self.one_variable:
            return _horner(self.coefficients, x - self.center)
        shape = np.shape(self.center)
        if x.shape[x.ndim - len(shape) :] != shape:
            raise ShapeMismatchError(
                f"the polynomial needs points of shape {shape}; got {describe(x)}."
            )
        points = x.reshape((-1, *shape))
        values = [np.sum(np.stack(self.along(p - self.center)), axis=0) for p in points]
        found = np.stack(values)
        return found.reshape(x.shape[: x.ndim - len(shape)] + found.shape[1:])[()]

    # -- arithmetic ------------------------------------------------------------------------------

    def _combine(self, other: Any, op: Callable[[Any, Any], Any], symbol: str) -> TaylorPolynomial:
        if not isinstance(other, TaylorPolynomial):
            g: Callable[[Any], Any] = lambda x: other  # noqa: E731
            order = self.order
        else:
            if not np.array_equal(self.center, other.center):
                raise ArgumentValueError(
                    f"p {symbol} q needs polynomials with one centre; got {self.center} and "
                    f"{other.center}."
                )
            g, order = other.function, min(self.order, other.order)
        f = self.function
        return TaylorPolynomial(lambda x: op(f(x), g(x)), self.center, order)

    def __add__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a + b, "+")

    def __sub__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a - b, "-")

    def __mul__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a * b, "*")

    def __truediv__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a / b, "/")

    __radd__, __rmul__ = __add__, __mul__

    def truncate(self, order: int) -> TaylorPolynomial:
        """The polynomial of a lower degree at the same centre."""
        if not 0 <= order <= self.order:
            raise ArgumentValueError(f"truncate needs a degree of 0 to {self.order}; got {order}.")
        return TaylorPolynomial(self.function, self.center, order)

    # -- how good it is --------------------------------------------------------------------------

    def remainder_estimate(self, x: Any) -> Any:
        """The first omitted term, |Dⁿ⁺¹f(x0)[δ, …, δ]|/(n+1)!: the error where it is small."""
        longer = TaylorPolynomial(self.function, self.center, self.order + 1)
        return np.abs(longer.along(np.asarray(x) - self.center)[-1])

    def remainder_bound(self, x: Any, samples: int = 65) -> Any:
        """Lagrange's remainder: max |f⁽ⁿ⁺¹⁾(ξ)| · |δ|ⁿ⁺¹/(n+1)! over ξ between x0 and x.

        The maximum is taken over ``samples`` Chebyshev points and the ends, so it is a bound up to
        the variation of the derivative between them.  One variable only.
        """
        if not self.one_variable:
            raise ArgumentError("remainder_bound needs a function of one number.")
        delta = float(x) - float(self.center)
        angles = np.cos(np.linspace(0.0, np.pi, max(3, samples)))
        points = float(self.center) + delta * (1 + angles) / 2
        slopes = np.abs(derivative(self.function, self.order + 1)(points))
        top = np.max(slopes, axis=0)
        return top * abs(delta) ** (self.order + 1) / math.factorial(self.order + 1)

    def convergence_order(self, direction: Any = None, steps: Any = None) -> float:
        """The slope of log error against log step along a direction: about n + 1.

        Errors at the level of rounding are left out; an exact polynomial gives ``inf``.
        """
        v = np.ones_like(self.center) if direction is None else np.asarray(direction)
        h = np.asarray([2.0**-k for k in range(1, 8)] if steps is None else steps)
        errors = np.array([
            np.max(np.abs(self.function(self.center + t * v) - self(self.center + t * v)))
            for t in h
        ])  # fmt: skip
        floor = 1e3 * np.finfo(float).eps * np.max(np.abs(self.function(self.center + h[0] * v)))
        clear = errors > floor
        if np.count_nonzero(clear) < 2:
            return math.inf
        return float(np.polyfit(np.log(h[clear]), np.log(errors[clear]), 1)[0])

    def formula(self, variable: str | Sequence[str] = "x", digits: int = 6) -> str:
        """The polynomial written out.

        ``variable`` names the variable, or all of them; of a vector called x they are x1, x2, ….

        Raises
        ------
        NotScalarError: f returns more than one number.
        ArgumentValueError: the polynomial has more than 400 terms, or the names are too few.

        >>> import numpy as np, adjoint as ad
        >>> ad.taylor(lambda x: x**4, 1.0, 4).formula()
        '1 + 4 (x - 1) + 6 (x - 1)² + 4 (x - 1)³ + (x - 1)⁴'
        >>> ad.taylor(lambda v: v[0] ** 2 * v[1], np.array([0.0, 1.0]), 3).formula()
        'x1² + x1² (x2 - 1)'
        """
        if self.one_variable:
            terms = self.coefficients
        else:
            terms = [t / math.factorial(k) for k, t in enumerate(self.tensors)]
        return polynomial_text(terms, self.center, self._names(variable), digits)

    def _names(self, variable: str | Sequence[str]) -> list[str]:
        if not isinstance(variable, str):
            names = list(variable)
        elif self.one_variable:
            names = [variable]
        else:
            indices = np.ndindex(np.shape(self.center))
            names = [variable + "".join(str(i + 1) for i in index) for index in indices]
        if len(names) != np.size(self.center):
            raise ArgumentValueError(
                f"formula(variable) needs one name for each of the {np.size(self.center)} "
                f"variables; got {len(names)}."
            )
        return names

    def __repr__(self) -> str:
        written = self.one_variable and self.order <= _WRITTEN_OUT
        if written and not np.ndim(self.coefficients[0]) and np.isrealobj(self.coefficients[0]):
            return f"TaylorPolynomial({self.formula()})"
        return f"TaylorPolynomial(order={self.order}, center={describe(self.center)})"


def _horner(coefficients: list[Any], delta: Any) -> Any:
    extra = (1,) * np.ndim(coefficients[0])
    delta = np.reshape(delta, np.shape(delta) + extra)
    total = coefficients[-1] + 0.0 * delta
    for c in reversed(coefficients[:-1]):
        total = total * delta + c
    return total[()] if isinstance(total, np.ndarray) else total
