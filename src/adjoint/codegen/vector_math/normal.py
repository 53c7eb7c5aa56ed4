"""erfcx, the normal distribution function and its logarithm, in float64 for both formats.

All three come from erfcx z = exp(z²) erfc z for z ≥ 0 as in `error_function`, continued beyond the
range of its polynomial by the asymptotic series (Abramowitz & Stegun 7.1.23). With z = x/√2 the
square x²/2 and the quotients are formed from x, so that the rounding of z does not count.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.exponential import reduced, scaled_by_power
from adjoint.codegen.vector_math.ir_helpers import INFINITY, Arithmetic, Number, in_float64
from adjoint.codegen.vector_math.logarithm import log1p_of_sum, log_of_sum

_ASYMPTOTIC = (-0.5, 0.75, -1.875, 6.5625, -29.53125, 162.421875, -1055.7421875)
"""(−1)ⁿ (2n − 1)!! / 2ⁿ, of erfcx z · z √π − 1 in 1/z²."""

_MIDDLE = 0.9
_TOP = 27.3  # where the polynomial ends


def _scaled(math: Arithmetic, x: Number, root: bool) -> tuple[Number, Number]:
    """erfcx x, or erfcx(x/√2) with `root`, as a sum of two numbers, for x ≥ 0."""
    unit, unit_low, _ = parts(math, "sqrt(2)") if root else (1.0, 0.0, 0.0)
    near = math.smaller(x, _TOP * unit)
    t = (near - c.ERFC_CENTRE_F64 * unit) / (near + c.ERFC_CENTRE_F64 * unit)
    slope = math.polynomial(t, c.ERFC_F64[1:])
    top, top_low = math.fast_two_sum(c.ERFC_F64[0], slope * t)
    if root:
        double, rounding = math.two_product(near, unit)
        rounding = math.fma(near, unit_low, rounding)
    else:
        double, rounding = near * 2.0, math.constant(0.0)
    bottom, bottom_low = math.two_sum(1.0, double)
    value, low = math.two_quotient(top, top_low, bottom, bottom_low + rounding)
    # c/x · (1 + A(1/z²)): beyond the limit only
    factor, factor_low, _ = parts(math, "sqrt(2/pi)" if root else "1/sqrt(pi)")
    # A huge x is lowered, or 1/x would be subnormal here.
    inverse = 1.0 / math.larger(x, 1.0)
    w = inverse * inverse * (2.0 if root else 1.0)
    far = inverse * factor
    rest = math.fma(inverse, factor, -far) + inverse * factor_low
    missing = math.fma(-inverse, math.larger(x, 1.0), 1.0) * far
    missing = math.select(x < 1e300, missing, 0.0)
    rest = rest + missing + far * (w * math.polynomial(w, _ASYMPTOTIC))
    beyond = x > _TOP * unit
    return math.select(beyond, far, value), math.select(beyond, rest, low)


def _erfcx(math: Arithmetic, x: Number) -> Number:
    """exp(x²) erfc x, near 0 as exp(x²) (1 − erf x), below as 2 exp(x²) − erfcx(−x)"""
    high, low = _scaled(math, abs(x), False)
    square, square_low = math.two_product(*(math.larger(x, -27.0),) * 2)
    n, bits, growth = reduced(math, math.smaller(square, 720.0))
    first, error = math.fast_two_sum(1.0, growth)
    error = math.fma(first, square_low, error)
    near, near_low = math.fast_two_sum(1.0, -x)
    near_low = near_low - x * math.polynomial(x * x, c.ERF_F64)
    product, rounding = math.two_product(near, first)
    middle = product + math.fma(near, error, math.fma(near_low, first, rounding))
    # All halved twice against overflow
    grown, grown_low = (4.0 * scaled_by_power(math, e, n, bits, less=3) for e in (first, error))
    halved, rounding = math.fast_two_sum(grown, -0.25 * high)
    negative = 4.0 * (halved + (rounding + (grown_low - 0.25 * low)))
    negative = math.select(x < -26.7, INFINITY, negative)
    value = math.select(x < 0.0, negative, high + low)
    value = math.select(square < 0.34, middle, value)
    return math.select(x.is_nan(), x, value)


def _upper_tail(math: Arithmetic, x: Number) -> tuple[Number, Number, Number]:
    """½ erfc(x/√2) for x ≥ 0, rounded once and as a sum of two numbers."""
    x = math.smaller(x, _TOP * 1.415)
    value, value_low = _scaled(math, x, True)
    square, square_low = math.two_product(x, x)
    n, bits, near = reduced(math, square * -0.5)
    e, e_low = math.fast_two_sum(1.0, near)
    product, rounding = math.two_product(value, e)
    low = math.fma(value, math.fma(e, square_low * -0.5, e_low), math.fma(value_low, e, rounding))

    def scaled(number: Number) -> Number:
        return scaled_by_power(math, number, n, bits, less=1)

    return scaled(product + low), scaled(product), scaled(low)


def _middle(math: Arithmetic, x: Number) -> tuple[Number, Number]:
    """Φ(x) = ½ + x/√8 (1 + P(x²/2)) as a sum of two numbers, for |x| < 0.9."""
    half, half_low, _ = (0.5 * part for part in parts(math, "sqrt(1/2)"))
    step, rounding = math.two_product(x, half)
    slope = math.polynomial(x * x * 0.5, c.ERF_F64)
    value, error = math.fast_two_sum(0.5, step)
    return value, error + math.fma(step, slope, math.fma(x, half_low, rounding))


def _ndtr(math: Arithmetic, x: Number) -> Number:
    """Φ(x) = ½ erfc(−x/√2)"""
    size = abs(x)
    tail, _, _ = _upper_tail(math, size)
    middle, middle_low = _middle(math, x)
    value = math.select(x < 0.0, tail, 1.0 - tail)
    value = math.select(size < _MIDDLE, middle + middle_low, value)
    return math.select(x.is_nan(), x, value)


def _log_ndtr(math: Arithmetic, x: Number) -> Number:
    """log Φ(x): log(½ erfcx(−x/√2)) − x²/2 on the left, log1p(−Φ(−x)) on the right, and the
    logarithm of the power series between"""
    size = abs(x)
    tail, high, low = _upper_tail(math, size)
    above = log1p_of_sum(math, -high, -low)
    above = math.select(tail < 2.0**-60, -tail, above)
    value, value_low = _scaled(math, math.smaller(size, 1e300), True)
    near = size < _MIDDLE
    middle, middle_low = math.fast_two_sum(*_middle(math, math.clamp(x, -1.0, 1.0)))
    log, log_low = log_of_sum(
        math,
        math.select(near, middle, 0.5 * value),
        math.select(near, middle_low, 0.5 * value_low),
    )
    square, square_low = math.two_product(size, size)
    total, error = math.two_sum(square * -0.5, log)
    below = total + (error + (log_low - 0.5 * square_low))
    below = math.select(square < INFINITY, below, -INFINITY)
    value = math.select(x < 0.0, below, math.select(x.is_nan(), x, above))
    return math.select(near, log + log_low, value)


erfcx = in_float64(_erfcx)
ndtr = in_float64(_ndtr)
log_ndtr = in_float64(_log_ndtr)
