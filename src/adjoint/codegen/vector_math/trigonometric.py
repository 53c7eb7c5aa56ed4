"""sin, cos, tan.

x = q π/2 + r with |r| ≤ π/4: π/2 in three parts (Cody & Waite 1980). With a fused multiply-add the
first difference x − q P₁ is exact for every q, since both are multiples of P₁'s last place; so two
further parts reach far, to q < 2⁴⁰ in float64. Larger arguments are rare and go to the reduction of
Payne & Hanek (`argument_reduction`) by `Repair`.

sin x and cos x of one x share the reduction and both polynomials: LLVM merges equal expressions.
"""

from __future__ import annotations

from collections.abc import Callable

from adjoint.codegen.vector_math import coefficients as c
from adjoint.codegen.vector_math.argument_reduction import reduced_large
from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.definitions import SLOW_ATTRIBUTES, Definition, Repair, build
from adjoint.codegen.vector_math.ir_helpers import (
    INFINITY,
    NAN,
    Arithmetic,
    Bits,
    Format,
    Number,
)

Reduction = tuple[Bits, Number, Number]


def limit(kind: Format) -> float:
    """Up to this magnitude the reduction by three parts of π/2 is accurate."""
    return 2.0**40 if kind.precision == 53 else 2.0**17


def reduced(math: Arithmetic, x: Number) -> tuple[Bits, Number, Number]:
    """The quadrant (low two bits), and the remainder as a sum of two numbers."""
    q, bits = math.nearest_integer(x, math.choose(0.6366197723675814, 0.6366197466850281))
    first, second, third = parts(math, "pi/2")
    exact = math.fma(q, -first, x)
    product = q * second
    rounding = math.fma(q, second, -product)
    # `exact` is a multiple of the last place of `product`, hence a sum of Dekker's kind.
    high, low = math.fast_two_sum(exact, -product)
    return bits, high, math.fma(q, -third, low - rounding)


def sine_term(math: Arithmetic, r: Number, z: Number, tail: Number) -> Number:
    """sin(r + tail) − r up to an eighth of the last place, with z = r²."""
    # The tail counts cos r times, but that matters only where the last place of the sine is large.
    return math.fma(r * z, math.polynomial(z, c.SIN_F64 if math.double else c.SIN_F32), tail)


def cosine_terms(math: Arithmetic, r: Number, z: Number, tail: Number) -> tuple[Number, Number]:
    """cos(r + tail) as a sum of two numbers, with z = r²."""
    high, low = math.fast_two_sum(1.0, z * -0.5)
    quartic = math.polynomial(z, c.COS_F64 if math.double else c.COS_F32)
    return high, math.fma(z * z, quartic, math.fma(r, -tail, low))


def _sine_or_cosine(math: Arithmetic, reduction: Reduction, use_cosine: int) -> Number:
    """sin r or cos r: the one whose quadrants have the parity `use_cosine` takes the cosine."""
    bits, r, tail = reduction
    z = r * r
    sine = r + sine_term(math, r, z, tail)
    high, low = cosine_terms(math, r, z, tail)
    return math.select((bits & 1).equals(use_cosine), high + low, sine)


def sin_of_reduced(math: Arithmetic, x: Number, reduction: Reduction) -> Number:
    """sin x from |x| reduced: odd by construction, so that −0 and subnormal numbers stay right."""
    value = _sine_or_cosine(math, reduction, 1)
    sign = ((reduction[0] & 2) << (math.format.width - 2)) ^ _sign(math, x)
    return (value.bits() ^ sign).number()


def cos_of_reduced(math: Arithmetic, x: Number, reduction: Reduction) -> Number:
    """cos x from |x| reduced."""
    value = _sine_or_cosine(math, reduction, 0)
    sign = ((reduction[0] + 1) & 2) << (math.format.width - 2)
    return (value.bits() ^ sign).number()


def tan_of_reduced(math: Arithmetic, x: Number, reduction: Reduction) -> Number:
    """tan r or −1 / tan r by the quadrant: one division, corrected by its remainder."""
    bits, r, tail = reduction
    z = r * r
    sine = math.fast_two_sum(r, sine_term(math, r, z, tail))
    cosine = math.fast_two_sum(*cosine_terms(math, r, z, tail))
    odd = (bits & 1).equals(1)
    n_high, n_low = (math.select(odd, -b, a) for a, b in zip(sine, cosine, strict=True))
    d_high, d_low = (math.select(odd, a, b) for a, b in zip(sine, cosine, strict=True))
    inverse = 1.0 / d_high
    quotient = n_high * inverse
    rest = math.fma(-quotient, d_high, n_high) + math.fma(-quotient, d_low, n_low)
    value = math.fma(rest, inverse, quotient)
    # Below this size tan x rounds to x; the correction above is not exact for subnormal numbers.
    tiny = abs(x) < 2.0 ** -(math.format.precision // 2 + 1)
    return (math.select(tiny, abs(x), value).bits() ^ _sign(math, x)).number()


def _sign(math: Arithmetic, x: Number) -> Bits:
    return x.bits() & math.format.sign_mask


class _Trigonometric:
    """A function given by what it does with a reduced argument: fast path, slow path and repair."""

    def __init__(
        self, name: str, of_reduced: Callable[[Arithmetic, Number, Reduction], Number]
    ) -> None:
        self.name = name
        self.of_reduced = of_reduced
        self.repair = Repair(name, self.slow_definition, limit)

    def __call__(self, math: Arithmetic, x: Number) -> Number:
        positive = abs(x)
        fast = self.of_reduced(math, x, reduced(math, positive))
        return self.repair(fast, positive, x)

    def slow(self, math: Arithmetic, x: Number) -> Number:
        """The function for 2⁴⁰ ≤ |x| ≤ ∞, and for such float32 numbers as the fast path leaves."""
        wide = x if math.double else math.widen(x)
        positive = abs(wide)
        value = self.of_reduced(wide.math, wide, reduced_large(wide.math, positive))
        value = wide.math.select(positive < INFINITY, value, NAN)
        return value if math.double else math.narrow(value)

    def slow_definition(self, kind: Format) -> Definition:
        """The slow path as a function."""
        name = f"adjoint.{self.name}.slow.{kind.name}"
        return build(name, kind, 1, self.slow, SLOW_ATTRIBUTES, "linkonce_odr hidden")


sin = _Trigonometric("sin", sin_of_reduced)
cos = _Trigonometric("cos", cos_of_reduced)
tan = _Trigonometric("tan", tan_of_reduced)


def _half_turns(math: Arithmetic, positive: Number) -> Reduction:
    """π x reduced for x ≥ 0: whole turns are taken off before π comes in."""
    turn = positive - 2.0 * math.intrinsic("rint", positive * 0.5)
    q, bits = math.nearest_integer(turn, 2.0)
    first, second, _ = parts(math, "pi")
    fraction = math.fma(q, -0.5, turn)
    r, rounding = math.two_product(fraction, first)
    return bits, r, math.fma(fraction, second, rounding)


def sine_and_cosine_of_half_turns(
    math: Arithmetic, positive: Number
) -> tuple[tuple[Number, Number], tuple[Number, Number]]:
    """|sin πx|, and cos πx with the sign of the cotangent, each as a sum of two numbers, for
    x ≥ 0."""
    bits, r, tail = _half_turns(math, positive)
    z = r * r
    sine, sine_low = math.fast_two_sum(r, sine_term(math, r, z, tail))
    cosine, cosine_low = math.fast_two_sum(*cosine_terms(math, r, z, tail))
    # In odd quarters sin(r + π/2) = cos r and cos(r + π/2) = −sin r.
    odd = (bits & 1).equals(1)
    top, top_low = math.select(odd, cosine, sine), math.select(odd, cosine_low, sine_low)
    side, side_low = math.select(odd, -sine, cosine), math.select(odd, -sine_low, cosine_low)
    sign = math.copysign(1.0, top)
    return (top * sign, top_low * sign), (side * sign, side_low * sign)


def sinpi(math: Arithmetic, x: Number) -> Number:
    """sin(π x), zero at every integer"""
    value = sin_of_reduced(math, x, _half_turns(math, abs(x)))
    # π x of a subnormal number is inexact twice.
    near = x * parts(math, "pi")[0]
    value = math.select(abs(x) < 16.0 * math.format.smallest_normal, near, value)
    return math.select(abs(x) < INFINITY, value, x - x)


def cospi(math: Arithmetic, x: Number) -> Number:
    """cos(π x), zero halfway between integers"""
    positive = abs(x)
    value = cos_of_reduced(math, positive, _half_turns(math, positive))
    value = math.select(value.equals(0.0), 0.0, value)
    return math.select(positive < INFINITY, value, x - x)


def sinc(math: Arithmetic, x: Number) -> Number:
    """sin(π x) / (π x), 1 at 0; zero at other integers, as x is reduced before π comes in."""
    positive = abs(x)
    # From here on all numbers are even integers; π x might overflow.
    huge = 2.0 ** (math.format.precision + 1)
    sine = sin_of_reduced(math, positive, _half_turns(math, positive))
    first, second, _ = parts(math, "pi")
    denominator, low = math.two_product(positive, first)
    low = math.fma(positive, second, low)
    inverse = 1.0 / denominator
    quotient = sine * inverse
    rest = math.fma(-quotient, denominator, sine) - quotient * low
    quotient = math.select(positive > huge, 0.0, math.fma(rest, inverse, quotient))
    result = math.select(positive < INFINITY, quotient, x - x)
    return math.select(positive < math.format.smallest_normal, 1.0, result)
