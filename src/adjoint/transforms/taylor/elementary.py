"""Recurrences of scalar functions (Griewank and Walther 2008, tables 13.1 and 13.2).

Each is the general rule, k·yₖ = Σⱼ j·xⱼ·dₖ₋ⱼ, for a function that satisfies a differential equation
with few terms.  They save the graph of the partial derivative and much of the arithmetic; where a
constant power or a linear map has exact coefficients, these are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.ir import Node
from adjoint.graph.tracer import Tracer
from adjoint.primitives.arithmetic import constant_value
from adjoint.primitives.elementwise import expit
from adjoint.primitives.scalar import Elementwise
from adjoint.transforms.taylor.series import (
    LATE_RULES,
    RULES,
    Coefficient,
    Series,
    cauchy,
    defined,
    divided,
    fitted,
    minus,
    scaled,
    self_cauchy,
    total,
    weighted,
)

Inputs = list[Series]

# -- linear maps and choices ----------------------------------------------------------------------


def _signed(*signs: int) -> Callable[[Node, Any, Inputs], Series]:
    """A sum of operands with signs: exact in every coefficient."""

    def rule(node: Node, out: Any, inputs: Inputs) -> Series:
        def coefficient(k: int) -> Coefficient:
            found = None
            for sign, x in zip(signs, inputs, strict=True):
                term = x[k]
                if term is not None:
                    if found is None:
                        found = term if sign > 0 else -term
                    else:
                        found = found + term if sign > 0 else found - term
            return fitted(found, out)

        return Series(out, coefficient)

    return rule


def _homogeneous(node: Node, out: Any, inputs: Inputs) -> Series:
    """A linear map of one operand, applied to each coefficient."""
    x, primitive = inputs[0], node.primitive
    return Series(out, lambda k: None if x[k] is None else primitive(x[k]))


def _choice(node: Node, out: Any, inputs: Inputs) -> Series:
    """A choice between operands: the partials are constants, and where one is 0 nothing flows."""
    primitive = node.primitive
    assert isinstance(primitive, Elementwise)
    values = tuple(x[0] for x in inputs)
    slopes = [
        None if x.constant else primitive.partial(i, values, out) for i, x in enumerate(inputs)
    ]

    def coefficient(k: int) -> Coefficient:
        found = None
        for x, slope in zip(inputs, slopes, strict=True):
            if slope is not None and x[k] is not None:
                term = np.where(slope != 0, x[k] * slope, 0.0)
                found = term if found is None else found + term
        return fitted(found, out)

    return Series(out, coefficient)


def _modulus(node: Node, out: Any, inputs: Inputs) -> Series | None:
    """|x| of a real x; at 0 its derivatives are 0."""
    (x,) = inputs
    if node.inputs[0].type.dtype.kind != "f":
        return None
    sign = np.sign(x[0])
    return Series(out, lambda k: scaled(x[k], sign))


# -- products, quotients and powers ---------------------------------------------------------------


def times(a: Series, b: Series, out: Any) -> Series:
    """a·b."""
    if b.constant:
        a, b = b, a
    if a.constant:
        factor = a[0]
        return Series(out, lambda k: scaled(b[k], factor))
    if a is b:
        return Series(out, lambda k: self_cauchy(a, k))
    return Series(out, lambda k: cauchy(a, b, k))


def over(a: Series, b: Series, out: Any) -> Series:
    """a/b: yₖ = (aₖ − Σⱼ bⱼ yₖ₋ⱼ)/b₀ over j ≥ 1."""
    if b.constant:
        return Series(out, lambda k: divided(a[k], b[0]))
    return defined(out, lambda y, k: divided(minus(a[k], cauchy(b, y, k, 1)), b[0]))


def _reciprocal(node: Node, out: Any, inputs: Inputs) -> Series:
    (x,) = inputs
    return defined(out, lambda y, k: scaled(cauchy(x, y, k, 1), -out))


def root(x: Series, out: Any) -> Series:
    """√x: 2 y₀ yₖ = xₖ − Σⱼ yⱼ yₖ₋ⱼ over 0 < j < k."""
    double = 2 * out
    return defined(out, lambda y, k: divided(minus(x[k], self_cauchy(y, k, 1)), double))


def _root_of_squares(node: Node, out: Any, inputs: Inputs) -> Series:
    """As √x, but at 0 its derivatives are 0, and NaN where the squares overflow."""
    (x,) = inputs
    kink = out == 0
    safe = np.where(kink, 1.0, np.where(out == np.inf, np.nan, 2 * out))

    def coefficient(y: Series, k: int) -> Coefficient:
        found = divided(minus(x[k], self_cauchy(y, k, 1)), safe)
        return None if found is None else fitted(np.where(kink, 0.0, found), out)

    return defined(out, coefficient)


def _power(node: Node, out: Any, inputs: Inputs) -> Series | None:
    """xⁿ for a constant number n: products for a small integer, else x y′ = n y x′."""
    x, exponent = inputs
    n = None if isinstance(exponent[0], Tracer) else constant_value(exponent[0])
    if not exponent.constant or n is None or isinstance(n, complex) or n != n:
        return None
    if node.type.dtype != node.inputs[0].type.dtype:
        return None
    if abs(n) < 2**31 and n == int(n):
        return _integer_power(x, int(n), out)
    return _fractional_power(x, n, out, powers=2)


def _integer_power(x: Series, n: int, out: Any) -> Series | None:
    """Products only, so that it is exact where x is 0 too."""
    if n < 0:
        return _negative_power(x, n, out)
    if n == 0:
        return Series(out)
    result: Series | None = None
    factor, first = x, x[0]
    while True:
        if n % 2:
            result = factor if result is None else times(result, factor, result[0] * first)
        n //= 2
        if not n:
            break
        first = first * first
        factor = times(factor, factor, first)
    assert result is not None
    # The value is that of NumPy's own power, which rounds differently.
    return Series(out, lambda k: fitted(result[k], out))


def _negative_power(x: Series, n: int, out: Any) -> Series:
    """1/x⁻ⁿ; along a line the binomial series, which has the pole's infinities at x₀ = 0, where
    the quotient of two series is 0/0."""
    below = _integer_power(x, -n, x[0] ** -n)
    assert below is not None

    def coefficient(y: Series, k: int) -> Coefficient:
        found = _along_line(x, n, out, k)
        if found is not None:
            return found
        return divided(scaled(cauchy(below, y, k, 1), -1), below[0])

    return defined(out, coefficient)


def _binomial(n: float, k: int) -> float:
    """n (n − 1) … (n − k + 1)/k!."""
    found = 1.0
    for j in range(k):
        found *= (n - j) / (j + 1)
    return found


def _along_line(x: Series, n: float, out: Any, k: int) -> Coefficient:
    """The binomial series, where x is x₀ + x₁ t as far as order k."""
    if x[1] is None or any(x[j] is not None for j in range(2, k + 1)):
        return None
    return fitted(_binomial(n, k) * x[1] ** k * x[0] ** (n - k), out)


def _fractional_power(x: Series, n: float, out: Any, powers: int = 0) -> Series:
    """k x₀ yₖ = Σⱼ (n j − (k − j)) xⱼ yₖ₋ⱼ; at x₀ = 0 the leading term of each derivative.

    Along a line the first coefficients are ``powers`` of their own: x₀ⁿ may overflow, or vanish,
    where x₀ⁿ⁻ᵏ does not."""
    base = x[0]
    vanishes = base == 0
    anywhere = isinstance(base, Tracer) or bool(np.any(vanishes))
    safe = np.where(vanishes, 1.0, base) if anywhere else base

    def coefficient(y: Series, k: int) -> Coefficient:
        found = _along_line(x, n, out, k) if k <= powers else None
        if found is not None:
            return found
        products = ((j, x[j], y[k - j]) for j in range(1, k + 1))
        regular = total(
            _times_weight(p * q, n, j, k) for j, p, q in products if p is not None and q is not None
        )
        regular = divided(regular, k * safe)
        if not anywhere or regular is None:
            return fitted(regular, out)
        return fitted(np.where(vanishes, _at_zero(x[1], n, k), regular), out)

    return defined(out, coefficient)


def _times_weight(product: Any, n: float, j: int, k: int) -> Any:
    """(n j − (k − j))·product, as one number times it unless rounding shows in that number."""
    weight = n * j - (k - j)
    if abs(weight) < abs(n * j) / 2 and n * 2**20 % 1:
        return n * j * product - (k - j) * product
    return weight * product


def _at_zero(slope: Coefficient, n: float, k: int) -> Any:
    """The coefficient of tᵏ in (x₁ t)ⁿ as far as it exists: 0 for k < n, and infinite beyond."""
    if k < n or slope is None:
        return 0.0 if k < n else np.nan
    return _binomial(n, k) * np.inf * slope**k


def _cube_root(node: Node, out: Any, inputs: Inputs) -> Series:
    return _fractional_power(inputs[0], 1 / 3, out)


# -- exponentials and logarithms ------------------------------------------------------------------


def _exponential(shift: float = 0.0, rate: float = 1.0) -> Callable[[Node, Any, Inputs], Series]:
    """y with y′ = rate·(y + shift)·x′."""

    def rule(node: Node, out: Any, inputs: Inputs) -> Series:
        (x,) = inputs
        grown = np.exp(x[0]) if shift else out  # y + 1 has no digits left where y is near −1

        def coefficient(y: Series, k: int) -> Coefficient:
            found = cauchy(weighted(x), y, k, 1, 1)
            last = scaled(weighted(x)[k], grown)
            if last is not None:
                found = last if found is None else found + last
            return divided(scaled(found, rate) if rate != 1.0 else found, k)

        return defined(out, coefficient)

    return rule


def _logarithm(scale: float = 1.0, shift: float = 0.0) -> Callable[[Node, Any, Inputs], Series]:
    """y with y′ = x′/(scale·(x + shift))."""

    def rule(node: Node, out: Any, inputs: Inputs) -> Series:
        (x,) = inputs
        base = scale * (x[0] + shift) if scale != 1.0 or shift else x[0]

        def coefficient(y: Series, k: int) -> Coefficient:
            inner = cauchy(weighted(y), x, k, 1, 1)
            inner = divided(inner, k)
            if inner is not None and scale != 1.0:
                inner = inner * scale
            return divided(minus(x[k], inner), base)

        return defined(out, coefficient)

    return rule


# -- functions given by their derivative ----------------------------------------------------------


def _grows(x: Series, slope: Series, sign: int = 1, out: Any = None) -> Series:
    """y with y′ = sign·slope·x′."""

    def coefficient(k: int) -> Coefficient:
        found = divided(cauchy(weighted(x), slope, k, 1), k)
        return found if sign > 0 or found is None else -found

    return Series(out, coefficient)


def _inverse(
    base: Callable[[Series], Series], sign: int = 1
) -> Callable[[Node, Any, Inputs], Series]:
    """y with y′ = x′/d for the series d = base(x): k yₖ d₀ = k xₖ − Σⱼ j yⱼ dₖ₋ⱼ over 0 < j < k."""

    def rule(node: Node, out: Any, inputs: Inputs) -> Series:
        (x,) = inputs
        d = base(x)

        def coefficient(y: Series, k: int) -> Coefficient:
            own = x[k] if sign > 0 else scaled(x[k], -1)
            return divided(minus(own, divided(cauchy(weighted(y), d, k, 1, 1), k)), d[0])

        return defined(out, coefficient)

    return rule


def _shifted(x: Series, c: float, sign: int = 1) -> Series:
    """c + sign·x."""
    return Series(c + sign * x[0], lambda k: x[k] if sign > 0 else scaled(x[k], -1))


def _one_plus_square(x: Series) -> Series:
    return _shifted(times(x, x, x[0] * x[0]), 1.0)


def _one_minus_square(x: Series) -> Series:
    # (1 − x)(1 + x) keeps its digits near ±1.
    first = (1 - x[0]) * (1 + x[0])
    return Series(first, lambda k: scaled(self_cauchy(x, k), -1))


def _root_of_one_minus_square(x: Series) -> Series:
    inner = _one_minus_square(x)
    return root(inner, np.sqrt(inner[0]))


def _root_of_one_plus_square(x: Series) -> Series:
    return root(_one_plus_square(x), np.hypot(1.0, x[0]))


def _two_roots(x: Series) -> Series:
    """√(x − 1)·√(x + 1)."""
    below, above = _shifted(x, -1.0), _shifted(x, 1.0)
    left, right = root(below, np.sqrt(below[0])), root(above, np.sqrt(above[0]))
    return times(left, right, left[0] * right[0])


def _with_own_square(sign: int) -> Callable[[Node, Any, Inputs], Series]:
    """y with y′ = (1 + sign·y²)·x′: tan and tanh."""

    def rule(node: Node, out: Any, inputs: Inputs) -> Series:
        (x,) = inputs
        y = Series(out)
        slope = Series(1 + sign * (out * out), lambda k: scaled(self_cauchy(y, k), sign))
        y.rule = _grows(x, slope).rule
        return y

    return rule


def _pair(
    names: tuple[str, str], functions: tuple[Any, Any], sign: int
) -> Callable[[Node, Any, Inputs], Series]:
    """y′ = z·x′ and z′ = sign·y·x′; the same two series serve both functions of x."""

    def rule(node: Node, out: Any, inputs: Inputs) -> Series:
        (x,) = inputs
        place = names.index(node.primitive.name)

        def make() -> tuple[Series, Series]:
            firsts = [out if i == place else f(x[0]) for i, f in enumerate(functions)]
            y, z = Series(firsts[0]), Series(firsts[1])
            y.rule, z.rule = _grows(x, z).rule, _grows(x, y, sign).rule
            return y, z

        pair: tuple[Series, Series] = x.partner(names[0], make)
        return pair[place]

    return rule


def _logistic(node: Node, out: Any, inputs: Inputs) -> Series:
    """y = σ(x) and z = σ(−x), neither of which is 1 minus the other where that loses digits:
    y′ = y z x′ = −z′."""
    (x,) = inputs
    y, z = Series(out), Series(expit(-x[0]))
    slope = Series(out * z[0], lambda k: cauchy(y, z, k))
    y.rule, z.rule = _grows(x, slope).rule, lambda k: scaled(y[k], -1)
    return y


def _softplus(node: Node, out: Any, inputs: Inputs) -> Series:
    (x,) = inputs
    return _grows(x, _logistic(node, expit(x[0]), inputs), out=out)


RULES.update({
    "add": _signed(1, 1),
    "subtract": _signed(1, -1),
    "negative": _signed(-1),
    "positive": _signed(1),
    "deg2rad": _homogeneous, "rad2deg": _homogeneous, "radians": _homogeneous,
    "degrees": _homogeneous,
    "maximum": _choice, "minimum": _choice, "fmax": _choice, "fmin": _choice, "clip": _choice,
    "absolute": _modulus, "fabs": _modulus,
    "multiply": lambda node, out, inputs: times(inputs[0], inputs[1], out),
    "square": lambda node, out, inputs: times(inputs[0], inputs[0], out),
    "divide": lambda node, out, inputs: over(inputs[0], inputs[1], out),
    "reciprocal": _reciprocal,
    "sqrt": lambda node, out, inputs: root(inputs[0], out),
    "root_of_squares": _root_of_squares,
    "cbrt": _cube_root,
    "power": _power, "float_power": _power,
    "exp": _exponential(),
    "exp2": _exponential(rate=float(np.log(2.0))),
    "expm1": _exponential(shift=1.0),
    "log": _logarithm(),
    "log2": _logarithm(scale=float(np.log(2.0))),
    "log10": _logarithm(scale=float(np.log(10.0))),
    "log1p": _logarithm(shift=1.0),
    "sin": _pair(("sin", "cos"), (np.sin, np.cos), -1),
    "cos": _pair(("sin", "cos"), (np.sin, np.cos), -1),
    "sinh": _pair(("sinh", "cosh"), (np.sinh, np.cosh), 1),
    "cosh": _pair(("sinh", "cosh"), (np.sinh, np.cosh), 1),
    "tan": _with_own_square(1), "tanh": _with_own_square(-1),
    "arctan": _inverse(_one_plus_square), "arctanh": _inverse(_one_minus_square),
    "arcsin": _inverse(_root_of_one_minus_square),
    "arccos": _inverse(_root_of_one_minus_square, -1),
    "arcsinh": _inverse(_root_of_one_plus_square), "arccosh": _inverse(_two_roots),
    "expit": _logistic, "softplus": _softplus,
})  # fmt: skip

_FOLDER = __package__ or ""
LATE_RULES.update(
    dict.fromkeys(
        ("solve", "solve_triangular", "lstsq", "inv", "solve_sylvester", "solve_discrete_lyapunov",
         "difference_quotient", "pulled_quotient", "matrix_function", "det", "cofactor"),
        f"{_FOLDER}.linear_algebra",
    )
    | dict.fromkeys(
        ("scan", "while_loop", "while_pullback", "cond", "checkpoint"), f"{_FOLDER}.control"
    )
)  # fmt: skip
