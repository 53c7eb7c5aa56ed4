"""Straight-line floating-point code in LLVM IR, written like the formulas it computes.

A `Number` wraps one LLVM value of float type and has Python's operators; an `Arithmetic` holds the
builder and the format (float64 or float32) and makes constants, fused multiply-adds, selections and
operations on the bits. No fast-math flag is ever set: NaN, infinities and signed zeros keep their
meaning, and fusion happens only where `fma` is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llvmlite import ir

Operand: TypeAlias = "Number | float"


@dataclass(frozen=True)
class Format:
    """A binary floating-point format: its LLVM types and the constants that bit tricks need."""

    name: str
    float_type: ir.Type
    int_type: ir.IntType
    precision: int
    mantissa_bits: int
    bias: int

    @property
    def round_shift(self) -> float:
        """1.5·2^mantissa_bits: added to a small number, leaves its nearest integer in low bits."""
        return 1.5 * 2.0**self.mantissa_bits

    @property
    def smallest_normal(self) -> float:
        return float(2.0 ** (1 - self.bias))

    @property
    def sign_mask(self) -> int:
        return 1 << (self.width - 1)

    @property
    def width(self) -> int:
        return int(self.int_type.width)


F64 = Format("f64", ir.DoubleType(), ir.IntType(64), 53, 52, 1023)
F32 = Format("f32", ir.FloatType(), ir.IntType(32), 24, 23, 127)
_FORMATS = {"double": F64, "float": F32}
INFINITY = float("inf")
NAN = float("nan")


def format_of(value: ir.Value) -> Format:
    """The format of an LLVM value; TypeError where it is no float64 or float32."""
    found = _FORMATS.get(str(value.type))
    if found is None:
        raise TypeError(f"vector mathematics needs float64 or float32 values, got {value.type}")
    return found


class Flag:
    """A truth value (i1) with the operators & | ~ ^."""

    __slots__ = ("math", "value")

    def __init__(self, math: Arithmetic, value: ir.Value) -> None:
        self.math = math
        self.value = value

    def __and__(self, other: Flag) -> Flag:
        return Flag(self.math, self.math.builder.and_(self.value, other.value))

    def __or__(self, other: Flag) -> Flag:
        return Flag(self.math, self.math.builder.or_(self.value, other.value))

    def __xor__(self, other: Flag) -> Flag:
        return Flag(self.math, self.math.builder.xor(self.value, other.value))

    def __invert__(self) -> Flag:
        return Flag(self.math, self.math.builder.not_(self.value))


class Bits:
    """The bit pattern of a `Number`: an integer of the same width, shifts are logical."""

    __slots__ = ("math", "value")

    def __init__(self, math: Arithmetic, value: ir.Value) -> None:
        self.math = math
        self.value = value

    def _other(self, other: Bits | int) -> ir.Value:
        if isinstance(other, Bits):
            return other.value
        return ir.Constant(self.math.format.int_type, other)

    def __add__(self, other: Bits | int) -> Bits:
        return Bits(self.math, self.math.builder.add(self.value, self._other(other)))

    def __sub__(self, other: Bits | int) -> Bits:
        return Bits(self.math, self.math.builder.sub(self.value, self._other(other)))

    def __and__(self, other: Bits | int) -> Bits:
        return Bits(self.math, self.math.builder.and_(self.value, self._other(other)))

    def __or__(self, other: Bits | int) -> Bits:
        return Bits(self.math, self.math.builder.or_(self.value, self._other(other)))

    def __xor__(self, other: Bits | int) -> Bits:
        return Bits(self.math, self.math.builder.xor(self.value, self._other(other)))

    def __lshift__(self, other: int) -> Bits:
        return Bits(self.math, self.math.builder.shl(self.value, self._other(other)))

    def __rshift__(self, other: int) -> Bits:
        return Bits(self.math, self.math.builder.lshr(self.value, self._other(other)))

    def equals(self, other: Bits | int) -> Flag:
        return Flag(self.math, self.math.builder.icmp_signed("==", self.value, self._other(other)))

    def number(self) -> Number:
        """The float with this bit pattern."""
        builder = self.math.builder
        return Number(self.math, builder.bitcast(self.value, self.math.format.float_type))


class Number:
    """One float in LLVM IR; comparisons are ordered (false when an operand is NaN)."""

    __slots__ = ("math", "value")

    def __init__(self, math: Arithmetic, value: ir.Value) -> None:
        self.math = math
        self.value = value

    def __add__(self, other: Operand) -> Number:
        return self.math.binary("fadd", self, other)

    def __radd__(self, other: Operand) -> Number:
        return self.math.binary("fadd", other, self)

    def __sub__(self, other: Operand) -> Number:
        return self.math.binary("fsub", self, other)

    def __rsub__(self, other: Operand) -> Number:
        return self.math.binary("fsub", other, self)

    def __mul__(self, other: Operand) -> Number:
        return self.math.binary("fmul", self, other)

    def __rmul__(self, other: Operand) -> Number:
        return self.math.binary("fmul", other, self)

    def __truediv__(self, other: Operand) -> Number:
        return self.math.binary("fdiv", self, other)

    def __rtruediv__(self, other: Operand) -> Number:
        return self.math.binary("fdiv", other, self)

    def __neg__(self) -> Number:
        return Number(self.math, self.math.builder.fneg(self.value))

    def __abs__(self) -> Number:
        return self.math.intrinsic("fabs", self)

    def __lt__(self, other: Operand) -> Flag:
        return self.math.compare("<", self, other)

    def __le__(self, other: Operand) -> Flag:
        return self.math.compare("<=", self, other)

    def __gt__(self, other: Operand) -> Flag:
        return self.math.compare(">", self, other)

    def __ge__(self, other: Operand) -> Flag:
        return self.math.compare(">=", self, other)

    def equals(self, other: Operand) -> Flag:
        return self.math.compare("==", self, other)

    def is_nan(self) -> Flag:
        return Flag(self.math, self.math.builder.fcmp_unordered("uno", self.value, self.value))

    def bits(self) -> Bits:
        builder = self.math.builder
        return Bits(self.math, builder.bitcast(self.value, self.math.format.int_type))


class Arithmetic:
    """Builds operations of one format at the end of one builder's block."""

    __slots__ = ("builder", "format")

    def __init__(self, builder: ir.IRBuilder, format: Format) -> None:
        self.builder = builder
        self.format = format

    @property
    def double(self) -> bool:
        return self.format is F64

    def constant(self, value: float) -> Number:
        return Number(self, ir.Constant(self.format.float_type, value))

    def number(self, value: Operand) -> Number:
        return value if isinstance(value, Number) else self.constant(value)

    def choose(self, wide: float, narrow: float) -> float:
        """`wide` in float64, `narrow` in float32."""
        return wide if self.double else narrow

    def binary(self, operation: str, a: Operand, b: Operand) -> Number:
        x, y = self.number(a).value, self.number(b).value
        return Number(self, getattr(self.builder, operation)(x, y))

    def compare(self, relation: str, a: Operand, b: Operand) -> Flag:
        x, y = self.number(a).value, self.number(b).value
        return Flag(self, self.builder.fcmp_ordered(relation, x, y))

    def intrinsic(self, name: str, *operands: Operand) -> Number:
        """Call llvm.<name>; all those used here exist as vector instructions or expand to such."""
        numbers = [self.number(operand).value for operand in operands]
        kind = self.format.float_type
        signature = ir.FunctionType(kind, [kind] * len(numbers))
        function = self.builder.module.declare_intrinsic(f"llvm.{name}", (kind,), signature)
        return Number(self, self.builder.call(function, numbers))

    def fma(self, a: Operand, b: Operand, c: Operand) -> Number:
        """a·b + c, rounded once."""
        return self.intrinsic("fma", a, b, c)

    def sqrt(self, a: Number) -> Number:
        return self.intrinsic("sqrt", a)

    def copysign(self, magnitude: Operand, sign: Number) -> Number:
        return self.intrinsic("copysign", magnitude, sign)

    def select(self, condition: Flag, yes: Operand, no: Operand) -> Number:
        x, y = self.number(yes).value, self.number(no).value
        return Number(self, self.builder.select(condition.value, x, y))

    def select_bits(self, condition: Flag, yes: int, no: int) -> Bits:
        kind = self.format.int_type
        x, y = ir.Constant(kind, yes), ir.Constant(kind, no)
        return Bits(self, self.builder.select(condition.value, x, y))

    def smaller(self, a: Operand, b: Operand) -> Number:
        """a < b ? a : b, which is one machine instruction; b where either is NaN."""
        return self.select(self.number(a) < b, a, b)

    def larger(self, a: Operand, b: Operand) -> Number:
        """a > b ? a : b; b where either is NaN."""
        return self.select(self.number(a) > b, a, b)

    def clamp(self, a: Number, low: float, high: float) -> Number:
        """a moved into [low, high]; NaN stays NaN."""
        return self.larger(low, self.smaller(high, a))

    def polynomial(self, x: Number, coefficients: Sequence[float]) -> Number:
        """Σ cⱼ xʲ: short ones by Horner's scheme, others as even and odd parts in x².

        Loops are bound by the number of multiplications, hence no deeper splitting.
        """
        if len(coefficients) < 5:
            return self._horner(x, coefficients)
        z = x * x
        return self.fma(x, self._horner(z, coefficients[1::2]), self._horner(z, coefficients[0::2]))

    def _horner(self, x: Number, coefficients: Sequence[float]) -> Number:
        value: Operand = coefficients[-1]
        for coefficient in coefficients[-2::-1]:
            value = self.fma(value, x, coefficient)
        return self.number(value)

    def nearest_integer(self, scaled: Number, factor: float = 1.0) -> tuple[Number, Bits]:
        """The integer nearest to scaled·factor, as a number and in the low bits of a pattern.

        Right for |scaled·factor| < 2^(mantissa_bits − 2): the sum with 1.5·2^mantissa_bits has a
        last place of one. No conversion instruction is needed, which AVX2 lacks for 64 bits.
        """
        shifted = self.fma(scaled, factor, self.format.round_shift)
        return shifted - self.format.round_shift, shifted.bits()

    def power_of_two(self, exponent: Bits) -> Number:
        """2^k for k in the low bits of `exponent`, in the range of normal numbers."""
        return ((exponent + self.format.bias) << self.format.mantissa_bits).number()

    def fast_two_sum(self, a: Operand, b: Operand) -> tuple[Number, Number]:
        """a + b and its rounding error (Dekker 1971).

        For |a| ≥ |b|, or a that is a multiple of b's last place.
        """
        x, y = self.number(a), self.number(b)
        total = x + y
        return total, (x - total) + y

    def two_sum(self, a: Operand, b: Operand) -> tuple[Number, Number]:
        """a + b and its rounding error (Knuth 1969)."""
        x, y = self.number(a), self.number(b)
        total = x + y
        virtual = total - x
        return total, (x - (total - virtual)) + (y - virtual)

    def two_product(self, a: Operand, b: Operand) -> tuple[Number, Number]:
        """a·b and its rounding error."""
        product = self.number(a) * b
        return product, self.fma(a, b, -product)

    def two_quotient(
        self, a: Number, a_low: Operand, b: Number, b_low: Operand
    ) -> tuple[Number, Number]:
        """(a + a_low) / (b + b_low) as a sum of two numbers, for ordinary magnitudes."""
        inverse = 1.0 / b
        quotient = a * inverse
        rest = self.fma(-quotient, b, a) + self.fma(-quotient, b_low, a_low)
        return self.fast_two_sum(quotient, rest * inverse)

    def widen(self, a: Number) -> Number:
        """A float32 as a float64 (in an `Arithmetic` of that format)."""
        wide = Arithmetic(self.builder, F64)
        return Number(wide, self.builder.fpext(a.value, F64.float_type))

    def narrow(self, a: Number) -> Number:
        """A float64 rounded to float32."""
        small = Arithmetic(self.builder, F32)
        return Number(small, self.builder.fptrunc(a.value, F32.float_type))


def in_float64(body: Callable[..., Number]) -> Callable[..., Number]:
    """A body for both formats from one for float64: float32 operands are widened."""

    def wrapped(math: Arithmetic, *operands: Number) -> Number:
        if math.double:
            return body(math, *operands)
        wide = [math.widen(operand) for operand in operands]
        return math.narrow(body(wide[0].math, *wide))

    return wrapped
