"""exp, exp2, expm1, the logistic function and log(exp a + exp b).

exp x = 2ⁿ exp r with n = rint(x / ln 2) and |r| ≤ ln 2 / 2 (Cody & Waite 1980); exp r = 1 + r + r² E(r).
The product with ln 2 is taken off in two parts; the first difference is exact with a fused
multiply-add.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.ir_helpers import INFINITY, Arithmetic, Bits, Number

def reduced(math: Arithmetic, x: Number) -> tuple[Number, Bits, Number, Number]:
    """n (as number and bits), the remainder r = x − n ln 2, and r² E(r) = exp r − 1 − r."""
    n, bits = math.nearest_integer(x, parts(math, "log2(e)")[0])
    high, low, _ = parts(math, "ln2")
    r = math.fma(n, -low, math.fma(n, -high, x))
    return n, bits, r, square_term(math, r)


def square_term(math: Arithmetic, r: Number) -> Number:
    """exp r − 1 − r."""
    return r * r * math.polynomial(r, c.EXP_F64 if math.double else c.EXP_F32)


def scaled_by_power(
    math: Arithmetic, value: Number, n: Number, bits: Bits, less: int = 0
) -> Number:
    """value · 2^(n − less), rounded once also where the result is subnormal or overflows.

    Two factors, each a normal number, for n within twice the exponents of the format.
    """
    _, half = math.nearest_integer(n, 0.5)
    other = bits - half
    if less:
        other = other - less
    return value * math.power_of_two(half) * math.power_of_two(other)


def limits(math: Arithmetic) -> tuple[float, float]:
    """Beyond these, exp is 0 or infinite, and the two factors of the scaling still exist."""
    return (-800.0, 800.0) if math.double else (-110.0, 110.0)


def exp(math: Arithmetic, x: Number) -> Number:
    """eˣ"""
    n, bits, r, square = reduced(math, math.clamp(x, *limits(math)))
    return scaled_by_power(math, 1.0 + (r + square), n, bits)


def half_exp(math: Arithmetic, x: Number) -> Number:
    """eˣ / 2, finite wherever sinh and cosh are."""
    n, bits, r, square = reduced(math, math.clamp(x, *limits(math)))
    return scaled_by_power(math, 1.0 + (r + square), n, bits, less=1)


def exp2(math: Arithmetic, x: Number) -> Number:
    """2ˣ"""
    bound = math.choose(1100.0, 160.0)
    x = math.clamp(x, -bound, bound)
    n, bits = math.nearest_integer(x)
    return exp2_of_sum(math, n, bits, x - n, None)


def exp2_of_sum(math: Arithmetic, n: Number, bits: Bits, f: Number, tail: Number | None) -> Number:
    """2^(n + f + tail) for |f| ≤ 1/2 and a tail below the last place of f."""
    high, low, _ = parts(math, "ln2")
    r = f * high
    error = math.fma(f, high, -r) + f * low
    if tail is not None:
        error = math.fma(tail, high, error)
    total = 1.0 + (r + (square_term(math, r) + error))
    return scaled_by_power(math, total, n, bits)


def expm1(math: Arithmetic, x: Number) -> Number:
    """eˣ − 1, with full precision near 0."""
    x_clamped = math.clamp(x, -60.0, limits(math)[1])
    n, bits, r, square = reduced(math, x_clamped)
    near = r + square
    # 2ⁿ overflows one step before the result does, so half of everything is computed.
    half_scale = math.power_of_two(bits - 1)
    far = math.fma(half_scale, near, half_scale - 0.5) * 2.0
    overflow = limits_of_overflow(math)
    far = math.select(x > overflow, INFINITY, far)
    # With n = 0 the halves of subnormal numbers would be inexact; −0 stays −0.
    return math.copysign(math.select(n.equals(0.0), near, far), x)


def limits_of_overflow(math: Arithmetic) -> float:
    """The largest x with a finite exponential."""
    return math.choose(709.782712893384, 88.72283172607422)


def logistic(math: Arithmetic, x: Number) -> Number:
    """1 / (1 + e⁻ˣ): e^−|x| never overflows, and its subnormal values stay right."""
    e = exp(math, -abs(x))
    return math.select(x < 0.0, e, 1.0) / (1.0 + e)


def exp10(math: Arithmetic, x: Number) -> Number:
    """10ˣ, from 2^(x log₂ 10) in two parts."""
    bound = math.choose(330.0, 50.0)
    x = math.clamp(x, -bound, bound)
    high, low, _ = parts(math, "log2(10)")
    product, error = math.two_product(x, high)
    error = math.fma(x, low, error)
    n, bits = math.nearest_integer(product)
    return exp2_of_sum(math, n, bits, product - n, error)

