"""x log y and its relatives, in float64 for both formats.

The logarithm enters as a sum of two numbers, or the product would add its rounding error to the
own one. Near x = y, where x log(x/y) − x + y cancels, with s = (x − y)/(x + y):
(x + y)(s artanh s + artanh s − s) = (x − y) s (1 + (s² + s) L(s²)).
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.error_function import softplus
from adjoint.codegen.vector_math.ir_helpers import INFINITY, NAN, Arithmetic, Number, in_float64
from adjoint.codegen.vector_math.logarithm import (
    at_the_edges,
    log_of_sum,
    split,
)


def _ordinary(math: Arithmetic, x: Number) -> Number:
    """x where its logarithm is a finite number, else 1"""
    return math.select((x > 0.0) & (x < INFINITY), x, 1.0)


def _times_log(
    math: Arithmetic, x: Number, y: Number, tail: Number | float, edge: Number
) -> Number:
    """x log(y + tail) where y is positive and finite, elsewhere x times the logarithm `edge`; 0
    for x = 0."""
    high, low = log_of_sum(math, _ordinary(math, y), tail)
    inside = (y > 0.0) & (y < INFINITY)
    product = math.select(abs(x) < INFINITY, math.fma(x, high, x * low), x * high)
    value = math.select(inside, product, x * edge)
    return math.select(x.equals(0.0) & ~y.is_nan(), 0.0, value)


def _xlogy(math: Arithmetic, x: Number, y: Number) -> Number:
    return _times_log(math, x, y, 0.0, at_the_edges(math, y, y))


def _xlog1py(math: Arithmetic, x: Number, y: Number) -> Number:
    total, tail = math.two_sum(1.0, math.select(y < INFINITY, y, 1.0))
    edge = at_the_edges(math, 1.0 + y, y)
    value = _times_log(math, x, math.select(y < INFINITY, total, y), tail, edge)
    # Below this size log(1 + y) rounds to y.
    value = math.select(abs(y) < 2.0**-54, x * y, value)
    return math.select(x.equals(0.0) & ~y.is_nan(), 0.0, value)


def _entr(math: Arithmetic, x: Number) -> Number:
    """−x log x, 0 at 0, −∞ below"""
    value = -_times_log(math, x, x, 0.0, x)
    value = math.select(x.equals(0.0), 0.0, value)
    return math.select(x < 0.0, -INFINITY, value)


def _log_of_ratio(math: Arithmetic, x: Number, y: Number) -> tuple[Number, Number]:
    """log(x/y) as a sum of two numbers, for finite positive operands, though x/y overflow."""
    k, m = split(math, x)
    j, n = split(math, y)
    ratio = m / n  # exactly 1 for equal operands
    high, tail = log_of_sum(math, ratio, math.fma(-ratio, n, m) / n)
    difference = k - j
    ln2, ln2_low = 0.693147180559663, 2.8235290563031577e-13  # the first: exact multiples
    total, error = math.two_sum(difference * ln2, high)
    return math.fast_two_sum(total, error + math.fma(difference, ln2_low, tail))


def _rel_entr(math: Arithmetic, x: Number, y: Number) -> Number:
    """x log(x/y), 0 for x = 0 ≤ y, ∞ elsewhere"""
    high, low = _log_of_ratio(math, _ordinary(math, x), _ordinary(math, y))
    positive = (x > 0.0) & (y > 0.0)
    value = math.select(
        (x < INFINITY) & (y < INFINITY), math.fma(x, high, x * low), _edge(math, x, y)
    )
    value = math.select(positive, value, INFINITY)
    value = math.select(x.equals(0.0) & (y >= 0.0), 0.0, value)
    return math.select(x.is_nan() | y.is_nan(), NAN, value)


def _edge(math: Arithmetic, x: Number, y: Number) -> Number:
    """x log(x/y) where an operand is infinite"""
    both = x.equals(INFINITY) & y.equals(INFINITY)
    return math.select(both, NAN, math.select(x < INFINITY, -INFINITY, INFINITY))


def _kl_div(math: Arithmetic, x: Number, y: Number) -> Number:
    """x log(x/y) − x + y, y for x = 0 ≤ y, ∞ elsewhere"""
    a, b = _ordinary(math, x), _ordinary(math, y)
    high, low = _log_of_ratio(math, a, b)
    product, rounding = math.two_product(a, high)
    total, first = math.two_sum(product, -a)
    total, second = math.two_sum(total, b)
    far = total + (math.fma(a, low, rounding) + (first + second))
    far = math.select(abs(product) < INFINITY, far, product)
    # Halved, so that the sum does not overflow; subnormal numbers are left as they are.
    scale = math.select(a > 1.0, 0.5, 1.0)
    difference, (whole, whole_low) = (a - b) * scale, math.two_sum(a * scale, b * scale)
    s, s_low = math.two_quotient(difference, 0.0, whole, whole_low)
    z = s * s
    extra = (z + s) * (math.polynomial(z, c.LOG_WIDE_F64) * 0.5)
    base, error = math.two_product(s, a - b)
    near = math.fma(base, extra, math.fma(s_low, a - b, error)) + base
    value = math.select(abs(s) < 0.31, near, far)
    infinite = x.equals(INFINITY) | y.equals(INFINITY)
    value = math.select(infinite, _edge(math, x, y) - x + y, value)
    value = math.select((x > 0.0) & (y > 0.0), value, INFINITY)
    value = math.select(x.equals(0.0) & (y >= 0.0), y, value)
    return math.select(x.is_nan() | y.is_nan(), NAN, value)


def _logit(math: Arithmetic, p: Number) -> Number:
    """log(p / (1 − p))"""
    inside = (p > 0.0) & (p < 1.0)
    x = math.select(inside, p, 0.5)
    other, other_low = math.fast_two_sum(1.0, -x)
    ratio, low = math.two_quotient(x, 0.0, other, other_low)
    high, tail = log_of_sum(math, ratio, low)
    edge = math.select(p.equals(0.0), -INFINITY, math.select(p.equals(1.0), INFINITY, NAN))
    return math.select(inside, high + tail, edge)


def log_expit(math: Arithmetic, x: Number) -> Number:
    """log(1 / (1 + e⁻ˣ)) = −softplus(−x)"""
    return -softplus(math, -x)


def _pseudo_huber(math: Arithmetic, delta: Number, r: Number) -> Number:
    """δ² (√(1 + (r/δ)²) − 1) = δ r² / (δ + √(δ² + r²)), ∞ for δ < 0"""
    size = abs(r)
    scale = math.select((size > 1e150) | (delta > 1e150), 2.0**-600, 1.0)
    scale = math.select((size < 1e-140) & (delta < 1e-140), 2.0**500, scale)
    a, b = delta * scale, size * scale
    square, square_low = math.two_product(a, a)
    other, other_low = math.two_product(b, b)
    total, error = math.two_sum(square, other)
    root = math.sqrt(total)
    rest = math.fma(-root, root, total) + (error + (square_low + other_low))
    safe = math.select(root > 0.0, root, 1.0)
    whole, whole_low = math.two_sum(a, root)
    whole_low = whole_low + rest / (safe + safe)
    # The larger operand over δ + √…, which lies between 0.4 and 1
    large = math.select(size > delta, b, a)
    ratio, ratio_low = math.two_quotient(large, 0.0, whole, whole_low)
    factor = math.select(size > delta, delta, size)
    product, rounding = math.two_product(size, ratio)
    value = factor * (product + math.fma(size, ratio_low, rounding))
    value = math.select(size.equals(INFINITY) & (delta < INFINITY), INFINITY, value)
    value = math.select(r.equals(0.0) | delta.equals(0.0), 0.0, value)
    return math.select(delta < 0.0, INFINITY, value)


xlogy = in_float64(_xlogy)
xlog1py = in_float64(_xlog1py)
entr = in_float64(_entr)
rel_entr = in_float64(_rel_entr)
kl_div = in_float64(_kl_div)
logit = in_float64(_logit)
pseudo_huber = in_float64(_pseudo_huber)
