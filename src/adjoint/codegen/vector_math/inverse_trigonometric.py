"""arcsin, arccos, arctan, arctan2.

arcsin: an odd polynomial for |x| ≤ ½, beyond it arcsin x = π/2 − 2 arcsin √((1 − x)/2).
arctan of a quotient a/b in [0, 1]: an odd polynomial for a/b ≤ tan π/8, beyond it
arctan(a/b) = π/4 + arctan((a − b)/(a + b)); larger arguments by arctan t = π/2 − arctan 1/t.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.ir_helpers import INFINITY, Arithmetic, Flag, Number


def _arcsine_parts(math: Arithmetic, x: Number) -> tuple[Flag, Number, Number]:
    """Whether |x| > ½, and t + correction = arcsin |x|, or arcsin √((1 − |x|)/2) beyond."""
    positive = abs(x)
    beyond = positive > 0.5
    z = math.select(beyond, math.fma(positive, -0.5, 0.5), x * x)
    t = math.select(beyond, math.sqrt(z), positive)
    return beyond, t, t * z * math.polynomial(z, c.ARCSIN_F64 if math.double else c.ARCSIN_F32)


def arcsin(math: Arithmetic, x: Number) -> Number:
    """arcsin x"""
    beyond, t, correction = _arcsine_parts(math, x)
    high, low, _ = parts(math, "pi/2")
    far, error = math.fast_two_sum(high, t * -2.0)
    far = far + (error + math.fma(correction, -2.0, low))
    return math.copysign(math.select(beyond, far, t + correction), x)


def arccos(math: Arithmetic, x: Number) -> Number:
    """arccos x"""
    beyond, t, correction = _arcsine_parts(math, x)
    negative = x < 0.0
    high, low, _ = parts(math, "pi/2")
    # Near: π/2 ∓ arcsin |x|; far: 2 arcsin √… or π minus that.
    signed = math.select(negative, t, -t)
    signed_correction = math.select(negative, correction, -correction)
    near = high + (signed + (low + signed_correction))
    double = (t + correction) * 2.0
    far = math.select(negative, high * 2.0 - (double - low * 2.0), double)
    return math.select(beyond, far, near)


def _arctan_of_quotient(math: Arithmetic, a: Number, b: Number) -> tuple[Number, Number]:
    """arctan(a/b) for 0 ≤ a ≤ b, b > 0 finite, as a sum of two numbers."""
    beyond = a > b * 0.41421356237309503
    numerator, n_error = math.fast_two_sum(math.select(beyond, -b, 0.0), a)
    denominator, d_error = math.fast_two_sum(b, math.select(beyond, a, 0.0))
    inverse = 1.0 / denominator
    t = numerator * inverse
    rest = math.fma(-t, denominator, numerator) + math.fma(-t, d_error, n_error)
    z = t * t
    cubic = t * z * math.polynomial(z, c.ARCTAN_F64 if math.double else c.ARCTAN_F32)
    # The derivative of arctan is nearly one where the remainder of the quotient counts.
    small = math.fma(rest, inverse, cubic)
    high, low, _ = parts(math, "pi/2")
    total, error = math.fast_two_sum(math.select(beyond, high * 0.5, 0.0), t)
    return total, error + math.select(beyond, small + low * 0.5, small)


def arctan(math: Arithmetic, x: Number) -> Number:
    """arctan x"""
    positive = abs(x)
    inverted = positive > 1.0
    bounded = math.smaller(math.choose(1e300, 1e37), positive)
    angle, error = _arctan_of_quotient(
        math, math.select(inverted, 1.0, bounded), math.select(inverted, bounded, 1.0)
    )
    high, low, _ = parts(math, "pi/2")
    total, rounding = math.fast_two_sum(high, -angle)
    far = total + (rounding + (low - error))
    return math.copysign(math.select(inverted, far, angle + error), x)


def arctan2(math: Arithmetic, y: Number, x: Number) -> Number:
    """The angle of the point (x, y) in (−π, π], with signed zeros and infinities as in C."""
    ay, ax = abs(y), abs(x)
    steep = ay > ax
    small, large = math.select(steep, ax, ay), math.select(steep, ay, ax)
    infinite = large.equals(INFINITY)
    small = math.select(infinite, math.select(small.equals(INFINITY), 1.0, 0.0), small)
    large = math.select(infinite | large.equals(0.0), 1.0, large)
    # The sum and its inverse must be normal numbers; bits that the scaling loses do not count.
    scale = math.select(large > math.choose(2.0**1000, 2.0**110), 2.0**-10, 1.0)
    scale = math.select(large < math.choose(2.0**-900, 2.0**-90), 2.0**60, scale)
    angle, error = _arctan_of_quotient(math, small * scale, large * scale)
    high, low, _ = parts(math, "pi/2")
    # angle, π/2 − angle, π/2 + angle or π − angle, by octant.
    left = (x.bits() & math.format.sign_mask).equals(math.format.sign_mask)
    base = math.select(steep, 1.0, math.select(left, 2.0, 0.0))
    flip = steep ^ left
    angle, error = (math.select(flip, -value, value) for value in (angle, error))
    total, rounding = math.fast_two_sum(base * high, angle)
    turned = total + (rounding + math.fma(base, low, error))
    result = math.select(base.equals(0.0), angle + error, turned)
    result = math.select(ax.is_nan() | ay.is_nan(), x + y, result)
    return math.copysign(result, y)
