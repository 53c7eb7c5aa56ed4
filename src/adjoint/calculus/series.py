"""Taylor polynomials of functions of one or several variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.calculus.approximation import Approximation
from adjoint.calculus.coefficients import (
    added,
    divided,
    horner,
    multiplied,
    subtracted,
    total,
)
from adjoint.calculus.jets import coefficients_along
from adjoint.calculus.matrices import derivative_tensor, jacobian
from adjoint.calculus.monomials import polynomial_text
from adjoint.calculus.scalars import derivative
from adjoint.calculus.vectorize import vmap
from adjoint.errors import AbstractValueError, ArgumentError, ArgumentValueError, ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import differentiable, require_callable

Function = Callable[[Any], Any]

_WRITTEN_OUT = 20  # the highest degree that a repr writes out


def taylor(f: Function, x0: Any, order: int) -> TaylorPolynomial:
    """The Taylor polynomial of f at x0, of any degree.

    T(x) = Σₖ₌₀ⁿ Dᵏf(x0)[δ, …, δ]/k! with δ = x − x0; at x0 = 0 the Maclaurin polynomial, of degree
    1 the linearisation.

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
    called = "taylor(f, x0, order)"
    require_callable(f, called)
    if isinstance(order, bool) or not isinstance(order, int | np.integer):
        raise ArgumentError(f"{called} needs an integer order; got {order!r}.")
    if order < 0:
        raise ArgumentValueError(f"{called} needs an order of at least 0; got {order}.")
    return TaylorPolynomial(f, differentiable(x0, called, "x0"), int(order))


class TaylorPolynomial(Approximation):
    """A Taylor polynomial: made by `taylor`.

    Evaluating it at points in several variables contracts the derivatives with the displacement
    along the line to each point; the tensors are formed only if they are asked for.

    Attributes
    ----------
    function: what it approximates; None for an integral, whose function is not known.
    center, order: x0 and the degree n.

    Notes
    -----
    ``p + q``, ``-``, ``*``, ``/`` and integer powers are those of series: the result is the
    polynomial of the sum, product, … of the functions, of the smaller of both degrees.

    >>> import numpy as np, adjoint as ad
    >>> sin, cos = ad.taylor(np.sin, 0.0, 5), ad.taylor(np.cos, 0.0, 5)
    >>> (sin / cos).formula()
    'x + 0.333333 x³ + 0.133333 x⁵'
    >>> cos.derivative().formula(), sin.truncate(2).formula()
    ('-x + 0.166667 x³', 'x')
    """

    def __init__(
        self, function: Function | None, center: Any, order: int,
        coefficients: list[Any] | None = None,
    ) -> None:  # fmt: skip
        self.function = function
        self.center = center
        self.order = order
        self._coefficients = coefficients
        self._tensors: list[Any] | None = None

    # -- what it is made of ----------------------------------------------------------------------

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
                hint="use .tensors for the derivatives Dᵏf, .along(v) for those along a line.",
            )
        if self._coefficients is None:
            self._coefficients = self._terms(np.ones((), self.center.dtype)[()])
        return list(self._coefficients)

    @property
    def tensors(self) -> list[Any]:
        """Dᵏf(x0) for k = 0 … n, of shape ``f.shape + x0.shape * k`` each."""
        if self._tensors is None:
            if self.one_variable:
                found = [c * math.factorial(k) for k, c in enumerate(self.coefficients)]
            else:
                f = self._function("tensors")
                found = [derivative_tensor(f, k)(self.center) for k in range(self.order + 1)]
            self._tensors = found
        return list(self._tensors)

    def along(self, direction: Any) -> list[Any]:
        """Dᵏf(x0)[v, …, v]/k! for k = 0 … n: the coefficients of f on the line x0 + t v.

        The tensors are not formed: the cost is that of a series in one variable.
        """
        v = differentiable(direction, "along(direction)", "the direction")
        if np.shape(v) != np.shape(self.center):
            raise ShapeMismatchError(
                f"along(direction) needs the shape of the centre, {describe(self.center)}; "
                f"got {describe(v)}."
            )
        if self.one_variable:
            return [c * v**k for k, c in enumerate(self.coefficients)]
        return self._terms(v)

    def _terms(self, v: Any, order: int | None = None) -> list[Any]:
        f, called = self._function("the coefficients"), "taylor(f, x0, order)"
        found = coefficients_along(f, self.center, v, self.order if order is None else order,
                                   called)  # fmt: skip
        if isinstance(found[0], list | tuple | dict):
            raise ArgumentError(
                f"{called} needs f to return one array; it returned {describe(found[0])}.",
                hint="np.stack(...) in f, or jet(f, (x0,), (series,)) for containers.",
            )
        return found

    def _function(self, what: str) -> Function:
        if self.function is None:
            raise ArgumentError(
                f"{what} of this TaylorPolynomial needs the function it approximates; an integral "
                "is known by its coefficients only."
            )
        return self.function

    # -- evaluation --------------------------------------------------------------------------------

    def __call__(self, x: Any) -> Any:
        """The polynomial at a point, or at an array of points (points along the first axes)."""
        delta = self._displacement(x, "the polynomial")
        if self.one_variable:
            return horner(self.coefficients, delta)
        return self._each(lambda d: total(self._terms(d)), delta)

    def _displacement(self, x: Any, what: str) -> Any:
        own = type(x) in (int, float)  # a Python number takes the precision of the centre
        point = self.center.dtype.type(x) if own else differentiable(x, what, "x")
        shape = np.shape(self.center)
        if shape and np.shape(point)[np.ndim(point) - len(shape) :] != shape:
            raise ShapeMismatchError(
                f"{what} needs points of shape {shape}, or an array of such points; "
                f"got {describe(point)}."
            )
        return point - self.center

    def _each(self, function: Function, deltas: Any) -> Any:
        """A function of one displacement for all of them."""
        shape = np.shape(self.center)
        lead = np.shape(deltas)[: np.ndim(deltas) - len(shape)]
        if not lead:
            return function(deltas)
        flat = np.reshape(deltas, (-1, *shape))
        if not flat.shape[0]:
            empty = np.asarray(function(np.zeros(shape, flat.dtype)))
            return np.zeros((*lead, *empty.shape), empty.dtype)
        try:
            found = vmap(function)(flat)
        except AbstractValueError:
            found = np.stack([function(flat[i]) for i in range(flat.shape[0])])
        return np.reshape(found, lead + found.shape[1:])

    def plot_data(
        self, low: float | None = None, high: float | None = None, count: int = 201
    ) -> tuple[Any, Any, Any]:
        """``(x, f(x), T(x))`` at equidistant points, for a picture of one variable.

        >>> import numpy as np, adjoint as ad
        >>> x, f, p = ad.taylor(np.exp, 0.0, 3).plot_data(-1.0, 1.0, 5)
        >>> np.round(f - p, 3)
        array([0.035, 0.002, 0.   , 0.003, 0.052])
        """
        if not self.one_variable:
            raise ArgumentError(
                f"plot_data needs a function of one number; the centre is {describe(self.center)}.",
                hint="taylor(lambda t: f(x0 + t * v), 0.0, n).plot_data()",
            )
        f, middle = self._function("plot_data"), float(self.center)
        ends = middle - 3 if low is None else low, middle + 3 if high is None else high
        x = np.linspace(*ends, count)
        return x, np.stack([np.asarray(f(t)) for t in x]), self(x)

    # -- arithmetic --------------------------------------------------------------------------------

    def _combine(
        self, other: Any, op: Callable[[Any, Any], Any], symbol: str,
        on_series: Callable[[list[Any], list[Any]], list[Any]],
    ) -> TaylorPolynomial:  # fmt: skip
        order = self.order
        g: Function | None
        if isinstance(other, TaylorPolynomial):
            self._require_same_center(other, symbol)
            g, order = other.function, min(order, other.order)
        elif isinstance(other, int | float | complex | np.ndarray | np.generic | Tracer):
            g = lambda x: other  # noqa: E731
        else:
            return NotImplemented  # type: ignore[no-any-return]
        f, both = self.function, None
        if f is not None and g is not None:
            both = lambda x: op(f(x), g(x))  # noqa: E731
        if not self.one_variable:
            if symbol == "/":  # the same complaint as of series, where the coefficients are formed
                on_series([self(self.center)], [_value(other, self.center)])
            return TaylorPolynomial(both, self.center, order)
        left = self.coefficients[: order + 1]
        if isinstance(other, TaylorPolynomial):
            right = other.coefficients[: order + 1]
        else:
            right = [other, *[0.0 * other] * order]
        return TaylorPolynomial(both, self.center, order, on_series(left, right))

    def _require_same_center(self, other: TaylorPolynomial, symbol: str) -> None:
        same = np.shape(self.center) == np.shape(other.center)
        if same and not isinstance(self.center, Tracer) and not isinstance(other.center, Tracer):
            same = np.array_equal(self.center, other.center)
        if not same:
            raise ArgumentValueError(
                f"p {symbol} q needs polynomials with one centre; got {self.center} and "
                f"{other.center}.",
                hint="taylor(q.function, p.center, q.order)",
            )

    def __add__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a + b, "+", added)

    def __sub__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a - b, "-", subtracted)

    def __rsub__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: b - a, "-", lambda a, b: subtracted(b, a))

    def __mul__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a * b, "*", multiplied)

    def __truediv__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: a / b, "/", divided)

    def __rtruediv__(self, other: Any) -> TaylorPolynomial:
        return self._combine(other, lambda a, b: b / a, "/", lambda a, b: divided(b, a))

    __radd__, __rmul__ = __add__, __mul__
    __array_ufunc__ = None  # an array on the left leaves the operation to the polynomial

    def __neg__(self) -> TaylorPolynomial:
        return self * -1.0

    def __pow__(self, exponent: int) -> TaylorPolynomial:
        if isinstance(exponent, bool) or not isinstance(exponent, int | np.integer):
            raise ArgumentError(
                f"p ** n needs an integer n; got {exponent!r}.",
                hint=f"taylor(lambda x: f(x) ** {exponent!r}, x0, n)",
            )
        if exponent < 0:
            return 1.0 / self**-exponent
        result = 0.0 * self + 1.0
        for _ in range(exponent):
            result = result * self
        return result

    def truncate(self, order: int) -> TaylorPolynomial:
        """The polynomial of a lower degree at the same centre."""
        if isinstance(order, bool) or not isinstance(order, int | np.integer):
            raise ArgumentError(f"truncate(order) needs an integer degree; got {order!r}.")
        if not 0 <= order <= self.order:
            raise ArgumentValueError(
                f"truncate(order) needs a degree of 0 to {self.order}; got {order}.",
                hint="taylor(p.function, p.center, n) for a higher degree.",
            )
        known = None if self._coefficients is None else self._coefficients[: order + 1]
        shorter = TaylorPolynomial(self.function, self.center, int(order), known)
        shorter._tensors = None if self._tensors is None else self._tensors[: order + 1]
        return shorter

    def derivative(self) -> TaylorPolynomial:
        """The polynomial of f′, or of the Jacobian in several variables: of one degree less."""
        if not self.one_variable:
            if not self.order:
                raise ArgumentValueError("derivative() needs a polynomial of degree 1 at least.")
            f = self._function("derivative()")
            return TaylorPolynomial(jacobian(f), self.center, self.order - 1)
        found = [k * c for k, c in enumerate(self.coefficients)]
        slope = None if self.function is None else derivative(self.function)
        return TaylorPolynomial(
            slope, self.center, max(self.order - 1, 0), found[1:] if self.order else found
        )

    def integral(self, constant: Any = 0.0) -> TaylorPolynomial:
        """The polynomial of ∫ f from x0 on, of one degree more, in one variable.

        >>> import numpy as np, adjoint as ad
        >>> ad.taylor(lambda x: np.exp(-(x**2)), 0.0, 4).integral().formula()
        'x - 0.333333 x³ + 0.1 x⁵'
        """
        found = [c / (k + 1) for k, c in enumerate(self.coefficients)]
        first = constant + 0 * found[0]
        return TaylorPolynomial(None, self.center, self.order + 1, [first, *found])

    # -- as text -----------------------------------------------------------------------------------

    def formula(self, variable: str | Sequence[str] = "x", digits: int = 6) -> str:
        """The polynomial written out, in powers of the displacement from the centre.

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
        terms = self.coefficients if self.one_variable and self.order <= _WRITTEN_OUT else []
        if terms and not any(isinstance(t, Tracer) or np.ndim(t) or np.iscomplexobj(t)
                             for t in terms):  # fmt: skip
            return f"TaylorPolynomial({self.formula()})"
        return f"TaylorPolynomial(order={self.order}, center={describe(self.center)})"


def _value(other: Any, center: Any) -> Any:
    """The value at the centre of a polynomial, or of what stands for a constant one."""
    return other(center) if isinstance(other, TaylorPolynomial) else other


__all__ = ["TaylorPolynomial", "taylor"]
