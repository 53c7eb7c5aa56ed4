"""sinh, cosh, tanh and their inverses.

With E = e^|x| / 2, sinh |x| = E − 1/(4E) for |x| ≥ 1 and an odd polynomial below;
cosh x = E + 1/(4E). tanh |x| = N / D with N = e^2|x| − 1 and D = e^2|x| + 1, both from one
exponential and both as sums of two numbers. The inverses are log(1 + …) of a sum of two numbers.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.exponential import half_exp, reduced_with_tail
from adjoint.codegen.vector_math.ir_helpers import INFINITY, NAN, Arithmetic, Number
from adjoint.codegen.vector_math.logarithm import log1p_of_sum


def sinh(math: Arithmetic, x: Number) -> Number:
    """sinh x"""
    positive = abs(x)
    z = x * x
    near = math.fma(positive * z, math.polynomial(z, c.SINH_F64 if math.double else c.SINH_F32),
                    positive)  # fmt: skip
    half = half_exp(math, positive)
    far = half - 0.25 / half
    return math.copysign(math.select(positive < 1.0, near, far), x)


def cosh(math: Arithmetic, x: Number) -> Number:
    """cosh x"""
    half = half_exp(math, abs(x))
    return half + 0.25 / half


def tanh(math: Arithmetic, x: Number) -> Number:
    """tanh x"""
    # From 22 (float64) on, tanh rounds to 1; NaN must stay.
    doubled = math.smaller(44.0, abs(x) * 2.0)
    _, bits, r, square = reduced_with_tail(math, doubled)
    scale = math.power_of_two(bits)
    near, near_low = math.fast_two_sum(r, square)
    n_high, n_low = _scaled_sum(math, scale, near, scale - 1.0)
    d_high, d_low = _scaled_sum(math, scale, near, scale + 1.0)
    inverse = 1.0 / d_high
    quotient = n_high * inverse
    low = math.fma(scale, near_low, n_low) - quotient * math.fma(scale, near_low, d_low)
    value = math.fma(math.fma(-quotient, d_high, n_high) + low, inverse, quotient)
    # scale ± 1 is not exact any more where the result is nearly 1.
    value = math.select(doubled > math.choose(20.0, 9.0), math.fma(inverse, -2.0, 1.0), value)
    tiny = abs(x) < 2.0 ** -(math.format.precision // 2 + 1)
    return math.copysign(math.select(tiny, x, value), x)


def _scaled_sum(math: Arithmetic, scale: Number, a: Number, b: Number) -> tuple[Number, Number]:
    """scale · a + b and its rounding error, the product being exact."""
    return math.two_sum(b, scale * a)


def arcsinh(math: Arithmetic, x: Number) -> Number:
    """arsinh x = sign x · log(1 + |x| + x² / (1 + √(1 + x²)))"""
    positive = abs(x)
    z = x * x
    value, tail = math.fast_two_sum(positive, z / (1.0 + math.sqrt(1.0 + z)))
    result = _log1p_or_log_of_double(math, positive, value, tail)
    result = math.select(positive < INFINITY, result, positive)
    # Below this size arsinh x rounds to x; otherwise subnormal numbers would be rounded twice.
    tiny = positive < 2.0 ** -(math.format.precision // 2 + 2)
    return math.copysign(math.select(tiny, positive, result), x)


def arccosh(math: Arithmetic, x: Number) -> Number:
    """arcosh x = log(1 + t + √(t (2 + t))) with t = x − 1, exact for x ≥ 1"""
    t = x - 1.0
    square, low = math.two_product(t, x + 1.0)
    # The rounding error of x + 1 matters only for small t, where it is at most the last place of 2.
    low = math.fma(t, x - ((x + 1.0) - 1.0), low)
    root = math.sqrt(square)
    missing = (math.fma(-root, root, square) + low) * (0.5 / root)
    value, tail = math.fast_two_sum(root, t)
    result = _log1p_or_log_of_double(math, x, value, tail + missing)
    result = math.select(x < INFINITY, result, x)
    result = math.select(x.equals(1.0), 0.0, result)
    return math.select(x < 1.0, NAN, result)


def _log1p_or_log_of_double(math: Arithmetic, x: Number, value: Number, tail: Number) -> Number:
    """log(1 + value + tail), or log 2x for an x so large that its square could overflow."""
    large = x > 2.0 ** (math.format.precision + 2)
    # log 2x = log(1 + x/2) + 2 log 2 up to rounding, for large x.
    inner = math.select(large, x * 0.5, value)
    return log1p_of_sum(math, inner, math.select(large, 0.0, tail), math.select(large, 2.0, 0.0))


def arctanh(math: Arithmetic, x: Number) -> Number:
    """artanh x = sign x · log(1 + 2|x| / (1 − |x|)) / 2"""
    positive = abs(x)
    denominator, error = math.fast_two_sum(1.0, -positive)
    inverse = 1.0 / denominator
    numerator = positive * 2.0
    value = numerator * inverse
    rest = math.fma(-value, denominator, numerator) - value * error
    result = 0.5 * log1p_of_sum(math, value, rest * inverse)
    result = math.select(positive.equals(1.0), INFINITY, result)
    result = math.select(positive > 1.0, NAN, result)
    tiny = positive < 2.0 ** -(math.format.precision // 2 + 2)
    return math.copysign(math.select(tiny, positive, result), x)
