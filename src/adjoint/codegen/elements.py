"""One element of an operation as LLVM IR: the table of what can stand inside a fused loop."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.program import Op
from adjoint.codegen.special_symbols import special_call, special_name
from adjoint.codegen.support import call_scalar, is_dear
from adjoint.codegen.vector_math import scalar_function
from adjoint.codegen.vector_math.definitions import Attributes
from adjoint.graph.primitive import Primitive
from adjoint.primitives.selection import clip
from adjoint.primitives.special.function import SpecialFunction

I1, I8, I32, I64 = (ir.IntType(n) for n in (1, 8, 32, 64))
DOUBLE, FLOAT = ir.DoubleType(), ir.FloatType()

_TYPES: dict[np.dtype[Any], Any] = {
    np.dtype(np.float64): DOUBLE, np.dtype(np.float32): FLOAT, np.dtype(np.bool_): I1,
    **{np.dtype(f"int{n}"): ir.IntType(n) for n in (8, 16, 32, 64)},
}  # fmt: skip

_INT64 = np.dtype(np.int64)

NATIVE_DTYPES = frozenset(_TYPES)
"""What compiled loops compute with; other dtypes are left to NumPy."""

Emit = Callable[..., Any]

_COMPARE = {
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}  # fmt: skip

_LOGIC = {
    "logical_and": "and_", "logical_or": "or_", "logical_xor": "xor",
    "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor",
}  # fmt: skip

_FLOAT = {
    "add": "fadd", "subtract": "fsub", "multiply": "fmul", "divide": "fdiv", "true_divide": "fdiv",
}  # fmt: skip

_INTEGER = {"add": "add", "subtract": "sub", "multiply": "mul"}

_RENAMED = {"root_of_squares": "sqrt"}


def register_type(dtype: np.dtype[Any]) -> Any:
    """The LLVM type of a value of this dtype in a register."""
    return _TYPES[dtype]


def memory_type(dtype: np.dtype[Any]) -> Any:
    """The LLVM type of a value of this dtype in memory; a bool takes a byte."""
    return I8 if dtype == np.bool_ else _TYPES[dtype]


def literal(value: Any, dtype: np.dtype[Any]) -> Any:
    """A constant in a register."""
    kind = register_type(dtype)
    if dtype.kind == "f":
        return ir.Constant(kind, float(dtype.type(value)))
    return ir.Constant(kind, int(value))


def cast(builder: Any, value: Any, source: np.dtype[Any], target: np.dtype[Any]) -> Any:
    """A value of one dtype as another, as NumPy's astype does it."""
    if source == target:
        return value
    kind = register_type(target)
    if source.kind == "f" and target.kind == "f":
        return builder.fpext(value, kind) if target.itemsize > 4 else builder.fptrunc(value, kind)
    if source == np.bool_:
        return builder.uitofp(value, kind) if target.kind == "f" else builder.zext(value, kind)
    if target == np.bool_:
        zero = literal(0, source)
        compare = builder.fcmp_unordered if source.kind == "f" else builder.icmp_signed
        return compare("!=", value, zero)
    if source.kind == "i" and target.kind == "f":
        return builder.sitofp(value, kind)
    if source.kind == "f":
        return _truncated(builder, value, kind)
    if target.itemsize > source.itemsize:
        return builder.sext(value, kind)
    return builder.trunc(value, kind)


def _truncated(builder: Any, value: Any, kind: Any) -> Any:
    """A float as an integer; NaN and what does not fit become the smallest one, as on x86."""
    limit = ir.Constant(value.type, 2.0 ** (kind.width - 1))
    fits = builder.and_(
        builder.fcmp_ordered("<", value, limit),
        builder.fcmp_ordered(">=", value, builder.fneg(limit)),
    )
    safe = builder.select(fits, value, ir.Constant(value.type, 0.0))
    return builder.select(
        fits, builder.fptosi(safe, kind), ir.Constant(kind, -(1 << (kind.width - 1)))
    )


def emitter(op: Op, calls: bool = False) -> Emit | None:
    """What emits one element of this elementwise operation; None if it is left to NumPy.

    With ``calls``, functions of many instructions are called rather than inlined.
    """
    operands = tuple([(i.dtype, is_weak(i)) for i in op.inputs])
    if op.kind == "round" and op.dtype.kind == "f" and op.dtype == op.inputs[0].dtype:
        return _rounded_to(op.params["decimals"]) if op.dtype in NATIVE_DTYPES else None
    if _is_cube(op):
        source, dtype = op.inputs[0].dtype, op.dtype
        return lambda b, x, _: _cube(b, cast(b, x, source, dtype))
    return _emitter(op.kind, op.primitive, op.dtype, operands, calls)


def _cube(builder: Any, x: Any) -> Any:
    return builder.fmul(builder.fmul(x, x), x)


def _is_cube(op: Op) -> bool:
    """Whether an operation is x³ in floats: two products are within 2 ulp of it for every x."""
    if (
        op.kind != "power"
        or op.dtype.kind != "f"
        or not NATIVE_DTYPES.issuperset(i.dtype for i in op.inputs)
    ):
        return False
    return op.inputs[1].kind == "literal" and bool(op.inputs[1].value == 3)


def is_weak(op: Op) -> bool:
    """Whether this is a Python number, which takes the dtype of what it is combined with."""
    return bool((op.kind == "literal" and op.params["weak"]) or (op.kind == "input" and op.value))


Operands = tuple[tuple[np.dtype[Any], bool], ...]
"""The dtypes of operands, and whether they are Python numbers."""


@functools.lru_cache(maxsize=4096)
def _emitter(
    kind: str, primitive: Any, dtype: np.dtype[Any], operands: Operands, calls: bool
) -> Emit | None:
    if not operands or not NATIVE_DTYPES.issuperset((dtype, *(d for d, _ in operands))):
        return None
    if kind == "where":
        return _emit_where
    if kind == "convert":
        return _emit_convert
    dtypes = _loop_dtypes(getattr(primitive, "ufunc", None), dtype, operands)
    if dtypes is None or not NATIVE_DTYPES.issuperset(dtypes):
        return None
    body, taken, made = _own_body(kind, primitive, dtypes, calls), dtypes, dtype
    if body is None:
        found = special_call(primitive, dtypes)
        if found is None:
            return None
        body, taken, made = found
    given = [d for d, _ in operands]
    if all(a == b for a, b in zip(given, taken, strict=True)) and made == dtype:
        return body

    def emit(builder: Any, *values: Any) -> Any:
        pairs = zip(values, given, taken, strict=True)
        result = body(builder, *(cast(builder, v, a, b) for v, a, b in pairs))
        return cast(builder, result, made, dtype)

    return emit


def _loop_dtypes(
    ufunc: Any, dtype: np.dtype[Any], operands: Operands
) -> tuple[np.dtype[Any], ...] | None:
    """The dtypes in which NumPy's ufunc computes an operation, or None if loops cannot."""
    if not isinstance(ufunc, np.ufunc):
        return (dtype,) * len(operands)
    python = {"f": float, "i": int, "b": bool}
    kinds = [python[d.kind] if weak else d for d, weak in operands]
    try:
        return tuple(ufunc.resolve_dtypes((*kinds, None)))[: len(kinds)]
    except TypeError:
        return None


def is_outside_call(op: Op) -> bool:
    """Whether an element of this operation is a call of another library, which is never SIMD."""
    if not isinstance(op.primitive, SpecialFunction) or not op.inputs:
        return False
    operands = tuple([(i.dtype, is_weak(i)) for i in op.inputs])
    dtypes = _loop_dtypes(op.primitive.ufunc, op.dtype, operands)
    if dtypes is None or _own_body(op.kind, op.primitive, dtypes, False) is not None:
        return False
    return emitter(op) is not None


def _own_body(
    kind: str, primitive: Any, dtypes: tuple[np.dtype[Any], ...], calls: bool
) -> Emit | None:
    """The function as instructions of our own."""
    if kind == "ldexp" and dtypes[0].kind == "f" and dtypes[1].kind == "i":
        return _ldexp
    if len(set(dtypes)) > 1 or not _is_what_it_is_called(primitive):
        return None
    name = kind.removeprefix("scipy.") if isinstance(primitive, SpecialFunction) else kind
    name = _RENAMED.get(name, name)
    if calls and dtypes[0].kind == "f" and is_dear(name):
        return lambda b, *values: call_scalar(b, name, *values)
    return _float_body(name) if dtypes[0].kind == "f" else _integer_body(name, dtypes[0])


def _is_what_it_is_called(primitive: Primitive | None) -> bool:
    """Whether the name of a primitive says what it computes: a row of the user's may have the
    name of another library's function."""
    function = getattr(primitive, "ufunc", None)
    if not isinstance(function, np.ufunc):
        return function is None or (function.__module__ or "").startswith("adjoint.")
    if isinstance(primitive, SpecialFunction):
        return bool(special_name(primitive)[0])
    return function is getattr(np, function.__name__, None) or function is clip.ufunc


def _float_body(name: str) -> Emit | None:
    if name in _FLOAT:
        instruction = _FLOAT[name]
        return lambda b, x, y: getattr(b, instruction)(x, y)
    if name == "negative":
        return lambda b, x: b.fneg(x)
    if name == "square":
        return lambda b, x: b.fmul(x, x)
    if name in _COMPARE:
        sign = _COMPARE[name]
        if name == "not_equal":
            return lambda b, x, y: b.fcmp_unordered(sign, x, y)
        return lambda b, x, y: b.fcmp_ordered(sign, x, y)
    if name in _LOGIC and name.startswith("logical"):
        method = _LOGIC[name]
        return lambda b, x, y: getattr(b, method)(_truth(b, x), _truth(b, y))
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    return scalar_function(name)


def _integer_body(name: str, dtype: np.dtype[Any]) -> Emit | None:
    if name in _COMPARE:
        sign = _COMPARE[name]
        signed = dtype.kind == "i"
        return lambda b, x, y: (b.icmp_signed if signed else b.icmp_unsigned)(sign, x, y)
    if name in _LOGIC and (dtype == np.bool_ or name.startswith("bitwise")):
        method = _LOGIC[name]
        return lambda b, x, y: getattr(b, method)(x, y)
    if name in _LOGIC:  # logical_and of integers
        method = _LOGIC[name]
        return lambda b, x, y: getattr(b, method)(_nonzero(b, x), _nonzero(b, y))
    if name == "logical_not":
        return lambda b, x: b.not_(_nonzero(b, x))
    if name == "invert":
        return lambda b, x: b.not_(x)
    if name in ("isnan", "isinf"):
        return lambda b, x: ir.Constant(I1, 0)
    if name == "isfinite":
        return lambda b, x: ir.Constant(I1, 1)
    return _BOOLEAN.get(name) if dtype == np.bool_ else _signed_body(name)


def _nonzero(builder: Any, x: Any) -> Any:
    return x if x.type == I1 else builder.icmp_signed("!=", x, ir.Constant(x.type, 0))


_BOOLEAN: dict[str, Emit] = {
    "add": lambda b, x, y: b.or_(x, y),
    "multiply": lambda b, x, y: b.and_(x, y),
    "maximum": lambda b, x, y: b.or_(x, y),
    "minimum": lambda b, x, y: b.and_(x, y),
    "absolute": lambda b, x: x,
}


def _ldexp(builder: Any, x: Any, exponent: Any) -> Any:
    """x · 2ⁿ by the C library, whose exponent has 32 bits: beyond ±10000 nothing changes."""
    n = cast(builder, exponent, np.dtype(f"int{exponent.type.width}"), _INT64)
    most = ir.Constant(I64, 10_000)
    n = builder.select(builder.icmp_signed(">", n, most), most, n)
    least = ir.Constant(I64, -10_000)
    n = builder.trunc(builder.select(builder.icmp_signed("<", n, least), least, n), I32)
    name = "ldexp" if x.type == DOUBLE else "ldexpf"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(x.type, [x.type, I32]), name)
        function.attributes = Attributes(("nounwind", "willreturn", "memory(none)"))
    return builder.call(function, [x, n])


def _rounded_to(decimals: int) -> Emit:
    """Rounding to decimals as NumPy does it: scaled, rounded, and scaled back."""

    def emit(builder: Any, x: Any) -> Any:
        if decimals == 0:
            return _named("rint")(builder, x)
        power = literal(10.0 ** abs(decimals), _dtype(x))
        up, down = (builder.fmul, builder.fdiv) if decimals > 0 else (builder.fdiv, builder.fmul)
        return down(_named("rint")(builder, up(x, power)), power)

    return emit


def _shift(method: str) -> Emit:
    """A shift as NumPy has it: by the width or more, or by a negative number, nothing is left but
    the sign."""

    def emit(builder: Any, x: Any, count: Any) -> Any:
        zero, width = ir.Constant(x.type, 0), ir.Constant(x.type, x.type.width)
        inside = builder.icmp_unsigned("<", count, width)
        moved = getattr(builder, method)(x, builder.select(inside, count, zero))
        sign = builder.ashr(x, ir.Constant(x.type, x.type.width - 1))
        return builder.select(inside, moved, zero if method == "shl" else sign)

    return emit


def _signed_body(name: str) -> Emit | None:
    if name in _INTEGER:
        method = _INTEGER[name]
        return lambda b, x, y: getattr(b, method)(x, y)
    return _SIGNED.get(name)


def _integer_sign(builder: Any, x: Any) -> Any:
    zero = ir.Constant(x.type, 0)
    positive = builder.zext(builder.icmp_signed(">", x, zero), x.type)
    return builder.sub(positive, builder.zext(builder.icmp_signed("<", x, zero), x.type))


def _floored(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Quotient and remainder as NumPy has them: rounded down, and 0 where the divisor is 0."""
    zero, one = ir.Constant(x.type, 0), ir.Constant(x.type, 1)
    by_zero = builder.icmp_signed("==", y, zero)
    minus = builder.icmp_signed("==", y, ir.Constant(x.type, -1))
    safe = builder.select(builder.or_(by_zero, minus), one, y)
    quotient, rest = builder.sdiv(x, safe), builder.srem(x, safe)
    opposite = builder.icmp_signed("<", builder.xor(rest, safe), zero)
    off = builder.and_(builder.icmp_signed("!=", rest, zero), opposite)
    quotient = builder.select(off, builder.sub(quotient, one), quotient)
    rest = builder.select(off, builder.add(rest, safe), rest)
    # The smallest integer divided by -1 overflows, which only NumPy's wrapping negation survives.
    quotient = builder.select(minus, builder.neg(x), quotient)
    return builder.select(by_zero, zero, quotient), builder.select(by_zero, zero, rest)


_SIGNED: dict[str, Emit] = {
    "negative": lambda b, x: b.neg(x),
    "positive": lambda b, x: x,
    "square": lambda b, x: b.mul(x, x),
    "absolute": lambda b, x: b.select(b.icmp_signed("<", x, ir.Constant(x.type, 0)), b.neg(x), x),
    "maximum": lambda b, x, y: b.select(b.icmp_signed(">", x, y), x, y),
    "minimum": lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y),
    "fmax": lambda b, x, y: b.select(b.icmp_signed(">", x, y), x, y),
    "fmin": lambda b, x, y: b.select(b.icmp_signed("<", x, y), x, y),
    "sign": _integer_sign,
    "left_shift": _shift("shl"),
    "right_shift": _shift("ashr"),
    "floor_divide": lambda b, x, y: _floored(b, x, y)[0],
    "remainder": lambda b, x, y: _floored(b, x, y)[1],
    "floor": lambda b, x: x,
    "ceil": lambda b, x: x,
    "trunc": lambda b, x: x,
    "rint": lambda b, x: x,
}


def _truth(builder: Any, x: Any) -> Any:
    return builder.fcmp_unordered("!=", x, ir.Constant(x.type, 0.0))


def _named(name: str) -> Emit:
    found = scalar_function(name)
    assert found is not None, name
    return found


def _magnitude(builder: Any, x: Any) -> Any:
    return _named("absolute")(builder, x)


def _dtype(x: Any) -> np.dtype[Any]:
    return np.dtype(np.float64 if x.type == DOUBLE else np.float32)


def _clip(builder: Any, x: Any, low: Any, high: Any) -> Any:
    return _named("minimum")(builder, _named("maximum")(builder, x, low), high)


_SPECIAL: dict[str, Emit] = {
    "isnan": lambda b, x: b.fcmp_unordered("uno", x, x),
    "isinf": lambda b, x: b.fcmp_ordered("==", _magnitude(b, x), ir.Constant(x.type, float("inf"))),
    "isfinite": lambda b, x: b.fcmp_ordered(
        "<", _magnitude(b, x), ir.Constant(x.type, float("inf"))
    ),
    "logical_not": lambda b, x: b.not_(_truth(b, x)),
    "clip": _clip,
    "within_unit": lambda b, x: _clip(b, x, literal(-1.0, _dtype(x)), literal(1.0, _dtype(x))),
    "x_log_x": lambda b, x: b.fmul(x, _named("log")(b, x)),
    "signbit": lambda b, x: b.icmp_signed(
        "<",
        b.bitcast(x, I64 if x.type == DOUBLE else I32),
        ir.Constant(I64 if x.type == DOUBLE else I32, 0),
    ),
}


def _emit_where(builder: Any, condition: Any, a: Any, b: Any) -> Any:
    return builder.select(condition, a, b)


def _emit_convert(builder: Any, value: Any) -> Any:
    return value
