"""Functions that need a few instructions: rounding, signs, extrema, remainders, arithmetic.

NaN and ties as in NumPy: `minimum` and `maximum` give NaN where an operand is NaN, `fmin` and
`fmax` the other operand; `sign` of NaN is NaN.
"""

from __future__ import annotations

from llvmlite import ir

from adjoint.codegen.vector_math.definitions import (
    SLOW_ATTRIBUTES,
    Body,
    Definition,
    Repair,
    build,
)
from adjoint.codegen.vector_math.ir_helpers import INFINITY, NAN, Arithmetic, Format, Number


def intrinsic(name: str) -> Body:
    """The function that LLVM calls llvm.<name>."""

    def body(math: Arithmetic, *operands: Number) -> Number:
        return math.intrinsic(name, *operands)

    return body


def library(symbol: str) -> Body:
    """A call of the C library: `symbol` for float64, with an f appended for float32."""

    def body(math: Arithmetic, *operands: Number) -> Number:
        kind = math.format.float_type
        name = symbol if math.double else symbol + "f"
        signature = ir.FunctionType(kind, [kind] * len(operands))
        function = ir.Function(math.builder.module, signature, name)
        return Number(math, math.builder.call(function, [n.value for n in operands]))

    return body


def sign(math: Arithmetic, x: Number) -> Number:
    """−1, 0 or 1; NaN of NaN"""
    return math.select(x > 0.0, 1.0, math.select(x < 0.0, -1.0, math.select(x.is_nan(), x, 0.0)))


def minimum(math: Arithmetic, a: Number, b: Number) -> Number:
    """The smaller, NaN where either is NaN"""
    return math.select(a.is_nan(), a, math.smaller(a, b))


def maximum(math: Arithmetic, a: Number, b: Number) -> Number:
    """The larger, NaN where either is NaN"""
    return math.select(a.is_nan(), a, math.larger(a, b))


def fmin(math: Arithmetic, a: Number, b: Number) -> Number:
    """The smaller, ignoring a NaN"""
    return math.select(b.is_nan(), a, math.smaller(a, b))


def fmax(math: Arithmetic, a: Number, b: Number) -> Number:
    """The larger, ignoring a NaN"""
    return math.select(b.is_nan(), a, math.larger(a, b))


def _slow_fmod(math: Arithmetic, x: Number, y: Number) -> Number:
    return math.binary("frem", x, y)


def _slow_fmod_definition(kind: Format) -> Definition:
    name = f"adjoint.fmod.slow.{kind.name}"
    return build(name, kind, 2, _slow_fmod, SLOW_ATTRIBUTES, "linkonce_odr hidden")


_FMOD_REPAIR = Repair(
    "fmod", _slow_fmod_definition, lambda kind: float(2.0 ** (kind.precision - 1)), arity=2
)


def fmod(math: Arithmetic, x: Number, y: Number) -> Number:
    """The remainder of C, with the sign of x.

    x − ⌊x/y⌋ y is exact in one fused multiply-add while the quotient is an exact integer; a
    quotient rounded up to the next integer is noticed by the sign. Larger quotients are repaired.
    """
    a, b = abs(x), abs(y)
    ratio = a / b
    rest = math.fma(-math.intrinsic("trunc", ratio), b, a)
    rest = math.select(rest < 0.0, rest + b, rest)
    rest = math.select(b > a, a, rest)
    # 0/0 and the like are NaN of themselves; a/0 is an infinite ratio whose remainder is NaN.
    return _FMOD_REPAIR(math.copysign(rest, x), ratio, x, y)


def remainder(math: Arithmetic, x: Number, y: Number) -> Number:
    """The remainder of Python, with the sign of y."""
    rest = fmod(math, x, y)
    opposite = (rest < 0.0) ^ (y < 0.0)
    moved = math.select(opposite, rest + y, rest)
    return math.select(rest.equals(0.0), math.copysign(0.0, y), moved)


def floor_divide(math: Arithmetic, x: Number, y: Number) -> Number:
    """⌊x/y⌋ as NumPy computes it: from the remainder, then rounded to an integer."""
    rest = fmod(math, x, y)
    quotient = (x - rest) / y
    opposite = ((rest < 0.0) ^ (y < 0.0)) & ~rest.equals(0.0)
    quotient = math.select(opposite, quotient - 1.0, quotient)
    floor = math.intrinsic("floor", quotient)
    floor = math.select(quotient - floor > 0.5, floor + 1.0, floor)
    floor = math.select(quotient.equals(0.0), math.copysign(0.0, x / y), floor)
    return math.select(y.equals(0.0), x / y, floor)


def spacing(math: Arithmetic, x: Number) -> Number:
    """The distance to the next number away from zero, with the sign of x.

    The number whose last bit differs lies in the same binade, so the difference is exact.
    """
    positive = abs(x)
    gap = abs((positive.bits() ^ 1).number() - positive)
    return math.copysign(math.select(positive < INFINITY, gap, NAN), x)


def xdivy(math: Arithmetic, x: Number, y: Number) -> Number:
    """x / y, 0 where both are 0"""
    return math.select(x.equals(0.0) & y.equals(0.0), 0.0, x / y)


def huber(math: Arithmetic, delta: Number, r: Number) -> Number:
    """r²/2 for |r| ≤ δ, δ (|r| − δ/2) beyond, ∞ for δ < 0"""
    size = abs(r)
    value = math.select(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta))
    return math.select(delta < 0.0, INFINITY, value)


def reciprocal(math: Arithmetic, x: Number) -> Number:
    """1 / x"""
    return 1.0 / x


def square(math: Arithmetic, x: Number) -> Number:
    """x²"""
    return x * x


def negative(math: Arithmetic, x: Number) -> Number:
    """−x"""
    return -x


def positive(math: Arithmetic, x: Number) -> Number:
    """x"""
    return x


def heaviside(math: Arithmetic, x: Number, at_zero: Number) -> Number:
    """0 below 0, 1 above, `at_zero` at 0"""
    side = math.select(x < 0.0, 0.0, math.select(x > 0.0, 1.0, at_zero))
    return math.select(x.is_nan(), NAN, side)


def scaled(factor: float) -> Body:
    """x times a constant"""

    def body(math: Arithmetic, x: Number) -> Number:
        return x * factor

    return body


def operator(name: str) -> Body:
    """The instruction `name` of LLVM."""

    def body(math: Arithmetic, a: Number, b: Number) -> Number:
        return math.binary(name, a, b)

    return body
