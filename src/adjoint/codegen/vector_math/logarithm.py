"""log, log2, log10, log1p.

x = 2ᵏ m with √½ ≤ m < √2, f = m − 1 (exact), s = f / (2 + f):
log m = f − (f²/2 − s (f²/2 + R(s²))), R(z) = z (2/3 + 2/5 z + …), the form of fdlibm's e_log.c
(1993), whose rounding errors are those of the small term.
"""

from __future__ import annotations

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.ir_helpers import INFINITY, NAN, Arithmetic, Number


def tail_of_log(math: Arithmetic, f: Number) -> Number:
    """log(1 + f) − f for √½ ≤ 1 + f < √2."""
    s = f / (2.0 + f)
    z = s * s
    remainder = z * math.polynomial(z, c.LOG_F64 if math.double else c.LOG_F32)
    half_square = 0.5 * f * f
    return math.fma(s, half_square + remainder, -half_square)


def split(math: Arithmetic, x: Number, subnormal: bool = True) -> tuple[Number, Number]:
    """k and m with x = 2ᵏ m and √½ ≤ m < √2, for finite x > 0, subnormal ones if so asked.

    The exponent becomes a number by writing it into the last places of 2^mantissa_bits, since AVX2
    has no conversion from 64-bit integers.
    """
    form = math.format
    offset: Number | float = 2.0**form.mantissa_bits + form.bias
    if subnormal:
        small = x < form.smallest_normal
        lift = form.mantissa_bits + 2
        offset = math.select(small, offset + lift, offset)
        x = math.select(small, x * 2.0**lift, x)
    one = form.bias << form.mantissa_bits
    root_half = math.choose(0x3FE6A09E667F3BCD, 0x3F3504F3)
    shifted = x.bits() + (one - int(root_half))
    field = (shifted >> form.mantissa_bits) | _pattern_of_integer(math)
    k = field.number() - offset
    mantissa = (shifted & ((1 << form.mantissa_bits) - 1)) + int(root_half)
    return k, mantissa.number()


def _pattern_of_integer(math: Arithmetic) -> int:
    """The bit pattern of 2^mantissa_bits."""
    return (math.format.bias + math.format.mantissa_bits) << math.format.mantissa_bits


def at_the_edges(math: Arithmetic, x: Number, result: Number) -> Number:
    """`result` for 0 < x < ∞; −∞ at 0, ∞ at ∞, NaN elsewhere."""
    edge = math.select(x.equals(0.0), -INFINITY, math.select(x > 0.0, x, NAN))
    return math.select((x > 0.0) & (x < INFINITY), result, edge)


def log(math: Arithmetic, x: Number) -> Number:
    """ln x"""
    k, m = split(math, x)
    return at_the_edges(math, x, assembled(math, k, m - 1.0, None))


def assembled(math: Arithmetic, k: Number, f: Number, small: Number | None) -> Number:
    """k ln 2 + log(1 + f) + small, the large terms last."""
    tail = tail_of_log(math, f)
    if small is not None:
        tail = tail + small
    high, low = _ln2_with_exact_multiples(math)
    return math.fma(k, high, math.fma(k, low, tail) + f)


def log_of_sum(math: Arithmetic, x: Number, tail: Number | float = 0.0) -> tuple[Number, Number]:
    """log(x + tail) as a sum of two numbers with the error of a quarter of the last place, for
    finite x > 0 and a tail below its last place."""
    k, m = split(math, x)
    f: Number = m - 1.0
    small: Number | float = 0.0
    if isinstance(tail, Number):
        # Where 2⁻ᵏ would be subnormal or infinite, the tail is far below the last place, or 0.
        bound = math.choose(1000.0, 120.0)
        _, exponent = math.nearest_integer(-math.clamp(k, -bound, bound))
        f, small = math.fast_two_sum(f, tail * math.power_of_two(exponent))
    high, low = math.fast_two_sum(f, tail_of_log(math, f))
    ln2, ln2_low = _ln2_with_exact_multiples(math)
    high, error = math.fast_two_sum(k * ln2, high)
    return high, error + math.fma(k, ln2_low, low + small)


def _ln2_with_exact_multiples(math: Arithmetic) -> tuple[float, float]:
    """ln 2 in two parts, the first short enough that its product with any exponent is exact."""
    if math.double:
        return 0.693147180559663, 2.8235290563031577e-13
    return 0.693115234375, 3.194618329871446e-05


def _to_base(math: Arithmetic, x: Number, factor: str) -> tuple[Number, Number, Number]:
    """k, and log(m) · factor as a sum of two numbers."""
    k, m = split(math, x)
    f = m - 1.0
    high, low = math.fast_two_sum(f, tail_of_log(math, f))
    c_high, c_low, _ = parts(math, factor)
    product, error = math.two_product(high, c_high)
    return k, product, math.fma(high, c_low, math.fma(low, c_high, error))


def log2(math: Arithmetic, x: Number) -> Number:
    """log₂ x, exact for powers of two."""
    k, high, low = _to_base(math, x, "log2(e)")
    total, error = math.fast_two_sum(k, high)
    # With k = 0 the sum is exact, so the order of magnitudes does not matter.
    return at_the_edges(math, x, total + (error + low))


def log10(math: Arithmetic, x: Number) -> Number:
    """log₁₀ x"""
    k, high, low = _to_base(math, x, "log10(e)")
    c_high, c_low, _ = parts(math, "log10(2)")
    product, rounding = math.two_product(k, c_high)
    total, error = math.fast_two_sum(product, high)
    return at_the_edges(math, x, total + (error + (low + math.fma(k, c_low, rounding))))


def log1p_of_sum(
    math: Arithmetic, x: Number, tail: Number | None = None, doublings: Number | None = None
) -> Number:
    """log(1 + x + tail) + doublings · log 2, for −1 < x < ∞ and a small tail."""
    u, missing = math.two_sum(1.0, x)
    k, m = split(math, u)
    if tail is not None:
        missing = missing + tail
    # Where 2⁻ᵏ would be subnormal, the missing part is far below the last place.
    _, exponent = math.nearest_integer(-math.smaller(k, math.choose(1000.0, 120.0)))
    scaled = missing * math.power_of_two(exponent)
    f, small = math.fast_two_sum(m - 1.0, scaled)
    return assembled(math, k if doublings is None else k + doublings, f, small)


def log1p(math: Arithmetic, x: Number) -> Number:
    """ln(1 + x)"""
    result = log1p_of_sum(math, x)
    edge = math.select(x.equals(-1.0), -INFINITY, math.select(x > 0.0, x, NAN))
    inner = math.select((x > -1.0) & (x < INFINITY), result, edge)
    # Below this size, log(1 + x) rounds to x, also for −0 and subnormal numbers.
    return math.select(abs(x) < 2.0 ** -(math.format.precision + 1), x, inner)
