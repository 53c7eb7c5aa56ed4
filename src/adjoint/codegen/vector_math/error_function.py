"""erf, erfc, and log(eᵃ + eᵇ).

erfc x = exp(−x²) Q(t) / (1 + 2x) for x ≥ 0 with t = (x − k)/(x + k): Q is nearly constant and one
polynomial fits it on [0, 27.3] (Shepherd & Laframboise, Math. Comp. 36, 1981). x² and the quotient
are sums of two numbers, or the exponential would multiply their rounding errors.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.exponential import exp, reduced, scaled_by_power
from adjoint.codegen.vector_math.ir_helpers import INFINITY, Arithmetic, Number
from adjoint.codegen.vector_math.logarithm import log1p


def _erfc_of_positive(math: Arithmetic, x: Number) -> Number:
    """erfc x for x ≥ 0"""
    x = math.smaller(math.choose(28.0, 11.0), x)
    centre = c.ERFC_CENTRE_F64 if math.double else c.ERFC_CENTRE_F32
    coefficients = c.ERFC_F64 if math.double else c.ERFC_F32
    t = (x - centre) / (x + centre)
    slope = math.polynomial(t, coefficients[1:])
    p, p_low = math.fast_two_sum(coefficients[0], slope * t)
    square, square_low = math.two_product(x, x)
    n, bits, r, second = reduced(math, -square)
    e, e_low = math.fast_two_sum(1.0, r + second)
    # (p + p_low) (e + e_low) (1 − square_low) / (1 + 2x), one rounding at the end
    product, rounding = math.two_product(p, e)
    low = math.fma(p, math.fma(e, -square_low, e_low), math.fma(p_low, e, rounding))
    denominator, error = math.two_sum(1.0, x * 2.0)
    inverse = 1.0 / denominator
    quotient = product * inverse
    rest = math.fma(-quotient, denominator, product) + math.fma(-quotient, error, low)
    return scaled_by_power(math, math.fma(rest, inverse, quotient), n, bits)


def erfc(math: Arithmetic, x: Number) -> Number:
    """erfc x = 1 − erf x"""
    value = _erfc_of_positive(math, abs(x))
    return math.select(x < 0.0, 2.0 - value, value)


def erf(math: Arithmetic, x: Number) -> Number:
    """erf x: x + x P(x²) up to 0.65, beyond it 1 − erfc |x|"""
    positive = abs(x)
    z = x * x
    near = math.fma(positive, math.polynomial(z, c.ERF_F64 if math.double else c.ERF_F32), positive)
    far = 1.0 - _erfc_of_positive(math, positive)
    return math.copysign(math.select(positive < 0.65, near, far), x)


def logaddexp(math: Arithmetic, a: Number, b: Number) -> Number:
    """log(eᵃ + eᵇ) = max + log(1 + e^−|a − b|)"""
    largest = math.select(a > b, a, b)
    difference = abs(a - b)
    # Equal infinities have no difference.
    difference = math.select(a.equals(b), 0.0, difference)
    result = largest + log1p(math, exp(math, -difference))
    return math.select(largest.equals(INFINITY) & ~(a.is_nan() | b.is_nan()), INFINITY, result)


def softplus(math: Arithmetic, x: Number) -> Number:
    """log(1 + eˣ) = logaddexp(0, x)"""
    return math.larger(x, 0.0) + log1p(math, exp(math, -abs(x)))
