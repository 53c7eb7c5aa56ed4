"""x modulo π/2 for any finite float64, by multiplying with the right window of 2/π.

x = M 2ᴱ with a 53-bit integer M. Of the binary digits of 2/π, those that make multiples of 4 in
x · 2/π are skipped, the next 192 are multiplied by M, and what is kept modulo 2¹⁹² holds the
quadrant in two bits and its fraction in 190: enough, since no float64 comes nearer to a multiple of
π/2 than 2⁻⁶². (Payne & Hanek, "Radian reduction for trigonometric functions", SIGNUM 1983.)
"""

from __future__ import annotations

from llvmlite import ir

from adjoint.codegen.vector_math.constants import parts
from adjoint.codegen.vector_math.ir_helpers import Arithmetic, Bits, Number

_I64 = ir.IntType(64)
_I192 = ir.IntType(192)
_I256 = ir.IntType(256)
_TABLE = "adjoint.two_over_pi"
# 64 zeros, then the first 1216 binary digits of 2/π.
_TWO_OVER_PI = (
    0x0000000000000000,
    0xA2F9836E4E441529,
    0xFC2757D1F534DDC0,
    0xDB6295993C439041,
    0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0,
    0x06492EEA09D1921C,
    0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484,
    0xE99C7026B45F7E41,
    0x3991D639835339F4,
    0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F,
    0xEF2F118B5A0A6D1F,
    0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B,
    0x3D0739F78A5292EA,
    0x6BFB5FB11F8D5D08,
    0x56033046FC7B6BAB,
)


def reduced_large(math: Arithmetic, x: Number) -> tuple[Bits, Number, Number]:
    """Quadrant (low two bits) and remainder as a sum of two numbers, for 2⁴⁰ ≤ x < ∞ in float64."""
    builder = math.builder
    pattern = x.bits()
    exponent = pattern >> 52
    mantissa = (pattern & ((1 << 52) - 1)) | (1 << 52)
    # E = exponent − 1075; the digits of weight 2^(2−E) and above are skipped.
    window = _window(builder, (exponent - (1075 + 2 - 64)).value)
    product = builder.mul(window, builder.zext(mantissa.value, _I192))
    half = ir.Constant(_I192, 1 << 189)
    quadrant = builder.lshr(builder.add(product, half), ir.Constant(_I192, 190))
    bits = Bits(math, builder.trunc(quadrant, _I64))
    return bits, *_radians(math, builder.shl(product, ir.Constant(_I192, 2)))


def _window(builder: ir.IRBuilder, first: ir.Value) -> ir.Value:
    """192 digits of the table from the digit `first` on."""
    table = _table(builder.module)
    word = builder.lshr(first, ir.Constant(_I64, 6))
    joined = ir.Constant(_I256, 0)
    for i in range(4):
        index = builder.add(word, ir.Constant(_I64, i))
        place = builder.gep(table, [ir.Constant(_I64, 0), index], inbounds=True)
        loaded = builder.zext(builder.load(place), _I256)
        joined = builder.or_(builder.shl(joined, ir.Constant(_I256, 64)), loaded)
    shift = builder.zext(builder.and_(first, ir.Constant(_I64, 63)), _I256)
    moved = builder.lshr(builder.shl(joined, shift), ir.Constant(_I256, 64))
    return builder.trunc(moved, _I192)


def _radians(math: Arithmetic, fraction: ir.Value) -> tuple[Number, Number]:
    """π/2 · fraction / 2¹⁹², the fraction being a signed integer of 192 bits."""
    builder = math.builder
    zero = ir.Constant(_I192, 0)
    negative = builder.icmp_signed("<", fraction, zero)
    magnitude = builder.select(negative, builder.sub(zero, fraction), fraction)
    zeros = builder.ctlz(magnitude, ir.Constant(ir.IntType(1), 0))
    digits = builder.shl(magnitude, zeros)
    top = builder.trunc(builder.lshr(digits, ir.Constant(_I192, 139)), _I64)
    rest = builder.trunc(builder.lshr(digits, ir.Constant(_I192, 76)), _I64)
    rest = builder.and_(rest, ir.Constant(_I64, (1 << 63) - 1))
    kind = math.format.float_type
    scale = math.power_of_two(Bits(math, builder.neg(builder.trunc(zeros, _I64))))
    scale = Number(math, builder.select(negative, (-scale).value, scale.value))
    high = Number(math, builder.uitofp(top, kind)) * 2.0**-53 * scale
    low = Number(math, builder.uitofp(rest, kind)) * 2.0**-116 * scale
    first, second, _ = parts(math, "pi/2")
    product, rounding = math.two_product(high, first)
    correction = math.fma(low, first, math.fma(high, second, rounding))
    return math.fast_two_sum(product, correction)


def _table(module: ir.Module) -> ir.GlobalVariable:
    kind = ir.ArrayType(_I64, len(_TWO_OVER_PI))
    table = ir.GlobalVariable(module, kind, _TABLE)
    table.linkage = "private"
    table.global_constant = True
    table.initializer = ir.Constant(kind, list(_TWO_OVER_PI))
    return table
