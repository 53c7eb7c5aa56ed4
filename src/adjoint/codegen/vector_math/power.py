"""pow, cbrt, hypot.

xʸ = 2^(y log₂ x). An error of the logarithm is multiplied by y log₂ x, up to 1075, so log₂ x is
computed to about 68 bits as a sum of two numbers:
log₂ m = s (2/ln 2 + s² (2/(3 ln 2) + s² T(s²))) with s = (m − 1)/(m + 1), the two leading
coefficients and products kept double (Dekker 1971). float32 powers are computed in float64, where
one number is enough.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.exponential import exp2_of_sum
from adjoint.codegen.vector_math.ir_helpers import INFINITY, NAN, Arithmetic, Flag, Number
from adjoint.codegen.vector_math.logarithm import split


def _log2_of_positive(math: Arithmetic, x: Number) -> tuple[Number, Number]:
    """log₂ x as a sum of two float64 numbers, for finite x > 0."""
    k, m = split(math, x)
    numerator, denominator = m - 1.0, m + 1.0
    error = m - (denominator - 1.0)
    inverse = 1.0 / denominator
    s = numerator * inverse
    s_low = (math.fma(-s, denominator, numerator) - s * error) * inverse
    z, z_low = math.two_product(s, s)
    z_low = math.fma(s + s, s_low, z_low)
    # A = 2/(3 ln 2) + z T(z)
    first, first_low, _ = parts(math, "2/(3 ln2)")
    a, a_low = math.fast_two_sum(first, z * math.polynomial(z, c.POW_F64))
    a_low = a_low + first_low
    # B = 2/ln 2 + z A
    product, product_low = math.two_product(z, a)
    product_low = math.fma(z, a_low, math.fma(z_low, a, product_low))
    leading, leading_low, _ = parts(math, "2/ln2")
    b, b_low = math.fast_two_sum(leading, product)
    b_low = b_low + (leading_low + product_low)
    result, result_low = math.two_product(s, b)
    result_low = math.fma(s, b_low, math.fma(s_low, b, result_low))
    high, low = math.fast_two_sum(k, result)
    return math.fast_two_sum(high, low + result_low)


def _exp2_of_product(math: Arithmetic, y: Number, high: Number, low: Number) -> Number:
    """2^(y (high + low))"""
    product = math.clamp(y * high, -1080.0, 1024.0)
    error = math.fma(y, low, math.fma(y, high, -product))
    # Where the product was clamped, or an operand infinite, the error means nothing.
    error = math.select((product > -1080.0) & (product < 1024.0), error, 0.0)
    n, bits = math.nearest_integer(product)
    return exp2_of_sum(math, n, bits, product - n, error)


def _magnitude(math: Arithmetic, x: Number, y: Number) -> Number:
    """xʸ for x ≥ 0 or NaN, but for 0⁰, ∞⁰ and 1^±∞"""
    high, low = _log2_of_positive(math, x)
    return _exp2_of_product(math, y, _log2_with_edges(math, x, high), low)


def _magnitude_of_float32(math: Arithmetic, x: Number, y: Number) -> Number:
    """The same by float64: a relative error of 2⁻⁴⁰ in log₂ x and 2⁻³² in the power is enough."""
    k, m = split(math, x, subnormal=False)
    s = (m - 1.0) / (m + 1.0)
    leading, first = parts(math, "2/ln2")[0], parts(math, "2/(3 ln2)")[0]
    log2 = math.fma(s, math.polynomial(s * s, (leading, first, *c.POW_F32)), k)
    product = math.clamp(y * _log2_with_edges(math, x, log2), -200.0, 200.0)
    n, bits = math.nearest_integer(product)
    return math.polynomial(product - n, c.EXP2_WIDE_F32) * math.power_of_two(bits)


def _log2_with_edges(math: Arithmetic, x: Number, log2: Number) -> Number:
    """−∞ for x = 0; ∞ and NaN of themselves"""
    return math.select(x.equals(0.0), -INFINITY, math.select(x < INFINITY, log2, x))


def _is_integer(math: Arithmetic, y: Number) -> Flag:
    return math.intrinsic("trunc", y).equals(y)


def pow(math: Arithmetic, x: Number, y: Number) -> Number:
    """xʸ with the special values of C's pow."""
    positive = abs(x)
    if math.double:
        result = _magnitude(math, positive, y)
    else:
        wide = math.widen(positive)
        result = math.narrow(_magnitude_of_float32(wide.math, wide, math.widen(y)))
    integer = _is_integer(math, y)
    # Infinite and huge y count as even integers.
    odd = integer & ~_is_integer(math, y * 0.5)
    result = math.select(odd, math.copysign(result, x), result)
    result = math.select((x < 0.0) & (x > -INFINITY) & ~integer, NAN, result)
    # 1 ** anything, anything ** 0 and (−1) ** ±∞ are 1, even where the other operand is NaN.
    opposite = positive.equals(1.0) & abs(y).equals(INFINITY)
    return math.select(x.equals(1.0) | y.equals(0.0) | opposite, 1.0, result)


def cbrt(math: Arithmetic, x: Number) -> Number:
    """∛x = m r² for r ≈ 1/∛m: a polynomial, one step of third order, one of Newton in two parts."""
    positive = abs(x)
    k, m = split(math, math.select(positive > 0.0, positive, 1.0))
    third = math.intrinsic("floor", (k + 0.5) * (1.0 / 3.0))
    left = k - third * 3.0
    low = m < 1.0
    base = math.select(low, m * 2.0, m)
    r = math.polynomial(base, c.CBRT_F64 if math.double else c.CBRT_F32)
    e = math.fma(-(base * r), r * r, 1.0)
    r = math.fma(r * e, math.fma(e, 2.0 / 9.0, 1.0 / 3.0), r)
    # 2^(−(left − low)/3) for left = 0, 1, 2
    steps = math.select(low, left - 1.0, left)
    r = r * math.select(steps < -0.5, _root(1), math.select(
        steps < 0.5, 1.0, math.select(steps < 1.5, _root(-1), _root(-2))))  # fmt: skip
    cube = m * math.power_of_two(math.nearest_integer(left)[1])
    y = cube * (r * r)
    square, rounding = math.two_product(y, y)
    missing = math.fma(-y, rounding, math.fma(-y, square, cube))
    y = math.fma(missing, r * r * (1.0 / 3.0), y)
    result = y * math.power_of_two(math.nearest_integer(third)[1])
    ordinary = (positive > 0.0) & (positive < INFINITY)
    return math.copysign(math.select(ordinary, result, positive), x)


def _root(power: int) -> float:
    return float(2.0 ** (power / 3.0))


def hypot(math: Arithmetic, x: Number, y: Number) -> Number:
    """√(x² + y²) without overflow or underflow of the squares."""
    ax, ay = abs(x), abs(y)
    infinite = ax.equals(INFINITY) | ay.equals(INFINITY)
    if math.double:
        result = _hypot_scaled(math, ax, ay)
    else:
        a, b = math.widen(ax), math.widen(ay)
        result = math.narrow(a.math.sqrt(a.math.fma(a, a, b * b)))
    return math.select(infinite, INFINITY, result)


def _hypot_scaled(math: Arithmetic, a: Number, b: Number) -> Number:
    swap = a < b
    large, small = math.select(swap, b, a), math.select(swap, a, b)
    huge, tiny = large > 2.0**511, large < 2.0**-459
    down = math.select(huge, 2.0**-600, math.select(tiny, 2.0**600, 1.0))
    up = math.select(huge, 2.0**600, math.select(tiny, 2.0**-600, 1.0))
    large, small = large * down, small * down
    return math.sqrt(math.fma(large, large, small * small)) * up
