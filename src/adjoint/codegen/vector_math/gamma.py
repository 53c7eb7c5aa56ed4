"""log |Γ| and ψ, in float64 for both formats.

From 3.5 on by Stirling's series, log Γ(x) = (x − ½)(log x − 1) + log(2π)/2 − ½ + S(1/x²)/x and
ψ(x) = log x − 1/(2x) − Q(1/x²)/x² (Abramowitz & Stegun 6.1.40, 6.3.18). Below, x is moved to
[3/2, 5/2) or [1, 2) by the recurrences log Γ(x + 1) = log Γ(x) + log x and ψ(x + 1) = ψ(x) + 1/x,
and there log Γ(2 + u) = u ψ(2) + u² P(u) and ψ(x) = (x − r) R(x) with the root r in two parts. So
the zeros at 1, 2 and 1.4616… keep their relative accuracy.

Arguments below −½ (ψ: below 0) are rare and go to the reflection formulas 6.1.17 and 6.3.7 by
`Repair`; near the zeros there, all but the first of ψ, the error is that of the largest term.
"""

from __future__ import annotations

from collections.abc import Callable

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.definitions import SLOW_ATTRIBUTES, Definition, Repair, build
from adjoint.codegen.vector_math.ir_helpers import (
    INFINITY,
    NAN,
    Arithmetic,
    Format,
    Number,
    in_float64,
)
from adjoint.codegen.vector_math.logarithm import log_of_sum
from adjoint.codegen.vector_math.trigonometric import sine_and_cosine_of_half_turns

_HIGHEST = 1e306  # log Γ overflows a little before
_LOWEST_RECIPROCAL = 1e-300


def _slow(name: str, body: Callable[..., Number]) -> Callable[[Format], Definition]:
    def definition(kind: Format) -> Definition:
        label = f"adjoint.{name}.slow.{kind.name}"
        return build(label, kind, 1, in_float64(body), SLOW_ATTRIBUTES, "linkonce_odr hidden")

    return definition


def _product_of_steps(math: Arithmetic, x: Number, n: Number) -> tuple[Number, Number]:
    """Γ(x)/Γ(x − n), or its inverse for n < 0, as a sum of two numbers, for −2 ≤ n ≤ 1."""
    size = abs(x)
    product, product_low = math.two_product(size, x)
    below, below_low = math.fast_two_sum(size, product)
    value = math.select(n < -0.5, x, math.select(n > 0.5, x - 1.0, 1.0))
    low = math.select(n < -1.5, below_low + product_low, 0.0)
    return math.select(n < -1.5, below, value), low


def _gammaln_parts(math: Arithmetic, x: Number) -> tuple[Number, Number]:
    """log |Γ(x)| as a sum of two numbers, for −½ ≤ x < 1e306 but 0."""
    n = math.intrinsic("floor", x - 1.5)
    u = x - (n + 2.0)
    far = x >= c.GAMMA_FAR
    product, product_low = _product_of_steps(math, x, n)
    log, log_low = log_of_sum(
        math, math.select(far, x, product), math.select(far, 0.0, product_low)
    )
    # u ψ(2) + u² P(u) ± log of the product
    slope, slope_low, _ = parts(math, "psi(2)")
    near, near_low = math.two_product(u, slope)
    near_low = math.fma(u, slope_low, near_low)
    square, square_low = math.two_product(u, u)
    value, value_low = math.fast_two_sum(
        c.GAMMALN_F64[0], u * math.polynomial(u, c.GAMMALN_F64[1:])
    )
    curved, rounding = math.two_product(square, value)
    rounding = math.fma(square, value_low, math.fma(square_low, value, rounding))
    near, error = math.fast_two_sum(near, curved)
    error = error + (near_low + rounding)
    sign = math.select(n < -0.5, -1.0, 1.0)
    total, rounding = math.two_sum(near, sign * log)
    total_low = rounding + math.fma(sign, log_low, error)
    # (x − ½)(log x − 1) + constant + S/x
    half = x - 0.5
    factor, factor_low = math.fast_two_sum(log, -1.0)
    leading, leading_low = math.two_product(half, factor)
    leading_low = math.fma(half, factor_low + log_low, leading_low)
    constant, constant_low, _ = parts(math, "log(2 pi)/2 - 1/2")
    leading, rounding = math.fast_two_sum(leading, constant)
    inverse = 1.0 / x
    series = math.polynomial(inverse * inverse, c.STIRLING_F64) * inverse
    leading_low = leading_low + (rounding + (series + constant_low))
    return math.select(far, leading, total), math.select(far, leading_low, total_low)


def _gammaln_reflected(math: Arithmetic, x: Number) -> Number:
    """log(π / |x sin πx|) − log Γ(−x), for x < −½"""
    positive = -x
    bounded = math.smaller(positive, 1e17)
    (sine, sine_low), _ = sine_and_cosine_of_half_turns(math, positive)
    product, rounding = math.two_product(bounded, sine)
    rounding = math.fma(bounded, sine_low, rounding)
    pi, pi_low, _ = parts(math, "pi")
    ratio, low = math.two_quotient(math.constant(pi), pi_low, product, rounding)
    log, log_low = log_of_sum(math, math.select(sine > 0.0, ratio, 1.0), low)
    other, other_low = _gammaln_parts(math, bounded)
    total, error = math.two_sum(log, -other)
    value = total + (error + (log_low - other_low))
    value = math.select(sine > 0.0, value, INFINITY)
    return math.select(x > -INFINITY, value, x)


_GAMMALN_REPAIR = Repair("gammaln", _slow("gammaln", _gammaln_reflected), lambda kind: 0.5)


def _gammaln(math: Arithmetic, x: Number) -> Number:
    """log |Γ(x)|; SciPy has −∞ at −∞ and ∞ at the poles."""
    ordinary = math.select((x < _HIGHEST) & (x >= -0.5), x, 1.0)
    high, low = _gammaln_parts(math, ordinary)
    # The product of huge factors overflows to ∞ with an error that is no number.
    value = math.select(high < INFINITY, high + low, high)
    value = math.select(x.equals(0.0) | (x >= _HIGHEST), INFINITY, value)
    value = math.select(x.is_nan(), x, value)
    return _GAMMALN_REPAIR(value, -x, x)


def _psi_of_positive(math: Arithmetic, x: Number) -> Number:
    """ψ(x) for x > 0"""
    n = math.intrinsic("floor", math.smaller(x, 4.0) - 1.0)
    root, root_low, _ = parts(math, "root of psi")
    below = n < 0.0
    distance = math.select(below, x - (root - 1.0), (x - n) - root)
    distance, distance_low = math.fast_two_sum(distance, math.constant(-root_low))
    t = x - (n + 1.5)
    quotient, quotient_low = math.fast_two_sum(c.PSI_F64[0], t * math.polynomial(t, c.PSI_F64[1:]))
    near, near_low = math.two_product(distance, quotient)
    near_low = math.fma(distance, quotient_low, math.fma(distance_low, quotient, near_low))
    steps, steps_low = _reciprocal_steps(math, x, n)
    total, rounding = math.two_sum(near, steps)
    near = total + (rounding + (near_low + steps_low))
    log, log_low = log_of_sum(math, math.select(x < INFINITY, x, 1.0))
    inverse = 1.0 / x
    w = inverse * inverse
    far = log + (log_low - math.fma(w, math.polynomial(w, c.PSI_FAR_F64), 0.5 * inverse))
    value = math.select(x >= c.GAMMA_FAR, far, near)
    value = math.select(x < _LOWEST_RECIPROCAL, -inverse, value)
    return math.select(x < INFINITY, value, x)


def _reciprocal_steps(math: Arithmetic, x: Number, n: Number) -> tuple[Number, Number]:
    """ψ(x) − ψ(x − n) for −1 ≤ n ≤ 2: −1/x, 0, 1/(x − 1) or 1/(x − 1) + 1/(x − 2)."""
    first = x - 1.0
    product, rounding = math.two_product(first, x - 2.0)
    two, one, below = n > 1.5, n > 0.5, n < -0.5
    top = math.select(two, x + x - 3.0, math.select(one, 1.0, math.select(below, -1.0, 0.0)))
    bottom = math.select(two, product, math.select(one, first, math.select(below, x, 1.0)))
    return math.two_quotient(top, 0.0, bottom, math.select(two, rounding, 0.0))


def _psi_reflected(math: Arithmetic, x: Number) -> Number:
    """ψ(1 − x) − π cot πx, and by its root near −½, for x < 0"""
    root, root_low, _ = parts(math, "left root of psi")
    distance = (x - root) - root_low
    near = distance * math.polynomial(math.clamp(x + 0.5, -0.25, 0.25), c.PSI_LEFT_F64)
    pi, pi_low, _ = parts(math, "pi")
    (sine, sine_low), (cosine, cosine_low) = sine_and_cosine_of_half_turns(math, -x)
    numerator, rounding = math.two_product(cosine, pi)
    rounding = math.fma(cosine, pi_low, math.fma(cosine_low, pi, rounding))
    cotangent, low = math.two_quotient(numerator, rounding, sine, sine_low)
    # cot πx is odd, and both were taken at −x up to the sign of the half turn they lie in.
    far = (_psi_of_positive(math, 1.0 - x) + cotangent) + low
    far = math.select((x > -INFINITY) & ~sine.equals(0.0), far, NAN)
    # Just below 0 the cotangent overflows together with −1/x.
    far = math.select(x > -1e-100, -1.0 / x, far)
    return math.select((x > -0.75) & (x < -0.25), near, far)


_PSI_REPAIR = Repair("psi", _slow("psi", _psi_reflected), lambda kind: 0.0)


def _psi(math: Arithmetic, x: Number) -> Number:
    """ψ(x); ∓∞ at ±0, NaN at the other poles"""
    value = _psi_of_positive(math, math.select(x > 0.0, x, 1.0))
    value = math.select(x.equals(0.0), -math.copysign(INFINITY, x), value)
    value = math.select(x.is_nan(), x, value)
    return _PSI_REPAIR(value, -x, x)


gammaln = in_float64(_gammaln)
psi = in_float64(_psi)
