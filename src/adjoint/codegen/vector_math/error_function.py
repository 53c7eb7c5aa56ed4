"""erf, erfc, and log(eᵃ + eᵇ).

erfc x = exp(−x²) Q(t) / (1 + 2x) for x ≥ 0 with t = (x − k)/(x + k): Q is nearly constant and one
polynomial fits it on [0, 27.3] (Shepherd & Laframboise, Math. Comp. 36, 1981). x² and the quotient
are sums of two numbers, or the exponential would multiply their rounding errors.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.exponential import exp_of_sum, reduced, scaled_by_power
from adjoint.codegen.vector_math.ir_helpers import INFINITY, NAN, Arithmetic, Number
from adjoint.codegen.vector_math.logarithm import log1p_of_sum


def _erfc_of_positive(math: Arithmetic, x: Number) -> Number:
    """erfc x for x ≥ 0"""
    x = math.smaller(math.choose(27.3, 10.2), x)
    centre = c.ERFC_CENTRE_F64 if math.double else c.ERFC_CENTRE_F32
    coefficients = c.ERFC_F64 if math.double else c.ERFC_F32
    t = (x - centre) / (x + centre)
    slope = math.polynomial(t, coefficients[1:])
    p, p_low = math.fast_two_sum(coefficients[0], slope * t)
    square, square_low = math.two_product(x, x)
    n, bits, near = reduced(math, -square)
    e, e_low = math.fast_two_sum(1.0, near)
    # (p + p_low) (e + e_low) (1 − square_low) / (1 + 2x), one rounding at the end
    product, rounding = math.two_product(p, e)
    low = math.fma(p, math.fma(e, -square_low, e_low), math.fma(p_low, e, rounding))
    denominator, error = math.two_sum(1.0, x * 2.0)
    inverse = 1.0 / denominator
    quotient = product * inverse
    rest = math.fma(-quotient, denominator, product) + math.fma(-quotient, error, low)
    return scaled_by_power(math, math.fma(rest, inverse, quotient), n, bits)


def _near_zero(math: Arithmetic, x: Number) -> Number:
    """erf x − x for |x| ≤ 0.65"""
    return x * math.polynomial(x * x, c.ERF_F64 if math.double else c.ERF_F32)


def erfc(math: Arithmetic, x: Number) -> Number:
    """erfc x = 1 − erf x"""
    high, low = math.fast_two_sum(1.0, -x)
    near = high + (low - _near_zero(math, x))
    value = _erfc_of_positive(math, abs(x))
    far = math.select(x < 0.0, 2.0 - value, value)
    return math.select(abs(x) < 0.65, near, far)


def erf(math: Arithmetic, x: Number) -> Number:
    """erf x: x + x P(x²) up to 0.65, beyond it 1 − erfc |x|"""
    positive = abs(x)
    near = positive + _near_zero(math, positive)
    far = 1.0 - _erfc_of_positive(math, positive)
    return math.copysign(math.select(positive < 0.65, near, far), x)


def _log1p_of_exp(math: Arithmetic, x: Number, tail: Number) -> Number:
    """log(1 + exp(x + tail)) for x ≤ 0"""
    e, e_tail = exp_of_sum(math, x, tail)
    result = log1p_of_sum(math, e, e_tail)
    result = math.select(e < 2.0 ** -(math.format.precision + 1), e, result)
    return math.select(x.is_nan(), x, result)


def _difference(math: Arithmetic, a: Number, b: Number) -> tuple[Number, Number, Number]:
    """max(a, b), and −|a − b| as a sum of two numbers"""
    largest = math.select(a > b, a, b)
    smallest = math.select(a > b, b, a)
    difference, error = math.two_sum(smallest, -largest)
    # Equal infinities have no difference; the rounding error of an infinite one is no number.
    difference = math.select(a.equals(b), 0.0, difference)
    error = math.select(difference > -INFINITY, error, 0.0)
    return largest, difference, math.select(a.equals(b), 0.0, error)


def logaddexp(math: Arithmetic, a: Number, b: Number) -> Number:
    """log(eᵃ + eᵇ) = max + log(1 + e^−|a − b|)"""
    largest, difference, error = _difference(math, a, b)
    result = largest + _log1p_of_exp(math, difference, error)
    return math.select(a.is_nan() | b.is_nan(), NAN, result)


def logaddexp2(math: Arithmetic, a: Number, b: Number) -> Number:
    """log₂(2ᵃ + 2ᵇ) = max + log(1 + e^−|a − b| ln 2) / ln 2"""
    largest, difference, error = _difference(math, a, b)
    ln2, ln2_low, _ = parts(math, "ln2")
    exponent, rounding = math.two_product(
        math.larger(math.choose(-1100.0, -160.0), difference), ln2
    )
    tail = math.fma(difference, ln2_low, math.fma(error, ln2, rounding))
    tail = math.select(difference > math.choose(-1100.0, -160.0), tail, 0.0)
    logarithm = _log1p_of_exp(math, exponent, tail)
    result = largest + logarithm * parts(math, "log2(e)")[0]
    return math.select(a.is_nan() | b.is_nan(), NAN, result)


def softplus(math: Arithmetic, x: Number) -> Number:
    """log(1 + eˣ) = logaddexp(0, x)"""
    return math.larger(x, 0.0) + _log1p_of_exp(math, -abs(x), math.constant(0.0))
