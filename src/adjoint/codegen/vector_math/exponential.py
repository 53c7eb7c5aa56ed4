"""exp, exp2, exp10, expm1 and the logistic function.

exp x = 2ⁿ exp r with n = rint(x / ln 2) and |r| ≤ ln 2 / 2 (Cody & Waite 1980), and
exp r = 1 + r + r² E(r). The product with ln 2 is taken off in two parts; the first difference is
exact with a fused multiply-add.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.ir_helpers import INFINITY, Arithmetic, Bits, Number


def reduced(math: Arithmetic, x: Number) -> tuple[Number, Bits, Number]:
    """n (as number and bits), and exp r − 1 for the remainder r = x − n ln 2."""
    n, bits = math.nearest_integer(x, parts(math, "log2(e)")[0])
    high, low, _ = parts(math, "ln2")
    r = math.fma(n, -low, math.fma(n, -high, x))
    return n, bits, math.fma(r * r, _quadratic(math, r), r)


def _quadratic(math: Arithmetic, r: Number) -> Number:
    """E(r) = (exp r − 1 − r) / r²"""
    return math.polynomial(r, c.EXP_F64 if math.double else c.EXP_F32)


def scaled_by_power(
    math: Arithmetic, value: Number, n: Number, bits: Bits, less: int = 0
) -> Number:
    """value · 2^(n − less) for ½ < value < 2, rounded once also where it is subnormal or overflows.

    The first factor is 2^(n − 1), and 2^(n + 60) where that would be subnormal; another power of
    two does the rest. So n − less must not be above the largest exponent plus one.
    """
    low = n < float(less + 3 - math.format.bias)
    places = math.format.mantissa_bits
    bias = math.format.bias - less
    offset = math.select_bits(low, (bias + 60) << places, (bias - 1) << places)
    scale = ((bits << places) + offset).number()
    return value * scale * math.select(low, 2.0**-60, 2.0)


def exp(math: Arithmetic, x: Number) -> Number:
    """eˣ"""
    low, high = math.choose(-746.0, -104.0), math.choose(710.0, 88.8)
    n, bits, near = reduced(math, math.clamp(x, low, high))
    return scaled_by_power(math, 1.0 + near, n, bits)


def half_exp(math: Arithmetic, x: Number) -> Number:
    """eˣ / 2 for x ≥ 0, finite wherever sinh and cosh are."""
    n, bits, near = reduced(math, math.smaller(math.choose(710.6, 89.5), x))
    return scaled_by_power(math, 1.0 + near, n, bits, less=1)


def exp_of_sum(math: Arithmetic, x: Number, tail: Number) -> tuple[Number, Number]:
    """exp(x + tail) as a sum of two numbers, for x ≤ 0 and a tail below its last place."""
    x = math.larger(math.choose(-746.0, -104.0), x)
    n, bits, r, square = reduced_with_tail(math, x)
    first, error = math.fast_two_sum(1.0, r)
    high, low = math.fast_two_sum(first, square + error)
    low = math.fma(high, tail, low)
    return scaled_by_power(math, high, n, bits), scaled_by_power(math, low, n, bits)


def exp2(math: Arithmetic, x: Number) -> Number:
    """2ˣ"""
    x = math.clamp(x, math.choose(-1080.0, -155.0), math.choose(1024.0, 128.0))
    n, bits = math.nearest_integer(x)
    return exp2_of_sum(math, n, bits, x - n, None)


def exp2_of_sum(math: Arithmetic, n: Number, bits: Bits, f: Number, tail: Number | None) -> Number:
    """2^(n + f + tail) for |f| ≤ 1/2 and a tail below the last place of f."""
    high, low, _ = parts(math, "ln2")
    r = f * high
    error = math.fma(f, high, -r) + f * low
    square = r * r * _quadratic(math, r)
    if tail is not None:
        error = math.fma(tail, high, error)
        error = math.fma(error, r + square, error)
    return scaled_by_power(math, 1.0 + (r + (square + error)), n, bits)


def reduced_with_tail(math: Arithmetic, x: Number) -> tuple[Number, Bits, Number, Number]:
    """n (as number and bits), r, and exp(x − n ln 2) − 1 − r including what r lacks by rounding."""
    n, bits = math.nearest_integer(x, parts(math, "log2(e)")[0])
    high, low, _ = parts(math, "ln2")
    exact = math.fma(n, -high, x)
    r = math.fma(n, -low, exact)
    missing = math.fma(n, -low, exact - r)
    return n, bits, r, math.fma(r * r, _quadratic(math, r), missing)


def expm1(math: Arithmetic, x: Number) -> Number:
    """eˣ − 1, with full precision near 0."""
    clamped = math.clamp(x, -60.0, math.choose(710.0, 89.0))
    n, bits, r, square = reduced_with_tail(math, clamped)
    near, near_low = math.fast_two_sum(r, square)
    # 2ⁿ overflows one step before the result does, so half of everything is computed.
    scale = math.power_of_two(bits - 1)
    high, low = math.fast_two_sum(scale - 0.5, scale * near)
    low = math.fma(scale, near_low, low)
    far = (high + low) * 2.0
    far = math.select(x > limits_of_overflow(math), INFINITY, far)
    # With n = 0 the halves of subnormal numbers would be inexact; −0 stays −0.
    return math.copysign(math.select(n.equals(0.0), near, far), x)


def limits_of_overflow(math: Arithmetic) -> float:
    """The largest x with a finite exponential."""
    return math.choose(709.782712893384, 88.72283172607422)


def logistic(math: Arithmetic, x: Number) -> Number:
    """1 / (1 + e⁻ˣ): e^−|x| never overflows, and its subnormal values stay right."""
    e = exp(math, -abs(x))
    denominator, error = math.fast_two_sum(1.0, e)
    inverse = 1.0 / denominator
    numerator = math.select(x < 0.0, e, 1.0)
    quotient = numerator * inverse
    rest = math.fma(-quotient, denominator, numerator) - quotient * error
    return math.fma(rest, inverse, quotient)


def exp10(math: Arithmetic, x: Number) -> Number:
    """10ˣ, from 2^(x log₂ 10) in two parts."""
    x = math.clamp(x, math.choose(-325.0, -46.0), math.choose(308.3, 38.55))
    high, low, _ = parts(math, "log2(10)")
    product, error = math.two_product(x, high)
    error = math.fma(x, low, error)
    n, bits = math.nearest_integer(product)
    return exp2_of_sum(math, n, bits, product - n, error)
