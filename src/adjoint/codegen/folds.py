"""Reductions and scans: how two elements become one, and what goes along an axis in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.body import Body
from adjoint.codegen.elements import I64, cast, literal, register_type
from adjoint.codegen.loopnest import Index, View, loop, nest
from adjoint.codegen.program import Op

_LOOSE = ["reassoc", "contract"]
_BOOL = np.dtype(np.bool_)


@dataclass(frozen=True)
class Fold:
    """Where a reduction starts, and how it takes in one element."""

    start: Any
    add: Callable[[Any, Any, Any], Any]


def folding(op: Op) -> Fold:
    """The fold of a reduction; sums and products may be taken in any order."""
    dtype, source = op.dtype, op.inputs[0].dtype
    floating = dtype.kind == "f"
    if op.kind == "einsum":
        return Fold(literal(0, dtype), _loose("fadd") if floating else _plain("add"))
    if op.kind == "prod":
        return Fold(literal(1, dtype), _loose("fmul") if floating else _plain("mul"))
    if op.kind in ("max", "min"):
        return Fold(_extreme_start(op.kind, dtype), _extreme(op.kind, dtype))
    if op.kind == "count_nonzero":
        return Fold(literal(0, dtype), lambda b, t, v: b.add(
            t, b.zext(cast(b, v, source, _BOOL), register_type(dtype))))  # fmt: skip
    method = "or_" if op.kind == "any" else "and_"
    return Fold(
        literal(op.kind == "all", _BOOL),
        lambda b, t, v: getattr(b, method)(t, cast(b, v, source, _BOOL)),
    )


def _loose(method: str) -> Callable[[Any, Any, Any], Any]:
    return lambda b, t, v: getattr(b, method)(t, v, flags=_LOOSE)


def _plain(method: str) -> Callable[[Any, Any, Any], Any]:
    return lambda b, t, v: getattr(b, method)(t, v)


def _extreme_start(kind: str, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return literal(-np.inf if kind == "max" else np.inf, dtype)
    if dtype == _BOOL:
        return literal(kind == "min", dtype)
    limits = np.iinfo(dtype)
    return literal(limits.min if kind == "max" else limits.max, dtype)


def _extreme(kind: str, dtype: np.dtype[Any]) -> Callable[[Any, Any, Any], Any]:
    if dtype == _BOOL:
        return _plain("or_" if kind == "max" else "and_")
    sign = ">" if kind == "max" else "<"
    if dtype.kind == "i":
        return lambda b, t, v: b.select(b.icmp_signed(sign, v, t), v, t)

    def fold(b: Any, total: Any, value: Any) -> Any:
        # One that is NaN stays; LLVM knows this reduction and makes SIMD of it.
        kind_of = total.type
        signature = ir.FunctionType(kind_of, [kind_of, kind_of])
        name = "llvm.maximum" if kind == "max" else "llvm.minimum"
        return b.call(b.module.declare_intrinsic(name, (kind_of,), signature), [total, value])

    return fold


def plus(builder: Any, a: Any, b: Any) -> Any:
    """The sum of two numbers of one type; of truth values, whether one holds."""
    if isinstance(a.type, ir.DoubleType | ir.FloatType):
        return builder.fadd(a, b)
    return builder.or_(a, b) if a.type.width == 1 else builder.add(a, b)


def scan_loops(builder: Any, op: Op, target: View, views: Mapping[Op, View], fault: Any) -> None:
    """Cumulative sums, products and extrema, and the places of extrema."""
    body = Body(builder, views, fault=fault)
    if op.kind.startswith("arg"):
        _position(builder, op, target, body)
        return
    (x,), axis = op.inputs, op.params["axis"]
    extent = x.shape[axis]
    combine = _cumulative(op)

    def place(k: Any) -> Any:
        if not op.params.get("reverse"):
            return k
        return builder.sub(ir.Constant(I64, extent - 1), k)

    start = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    with nest(builder, start) as index:
        at = (*index[:axis], place(ir.Constant(I64, 0)), *index[axis + 1 :])
        target.store(builder, at, body.element(x, at))
    if extent == 1:
        return
    with nest(builder, (*x.shape[:axis], extent - 1, *x.shape[axis + 1 :])) as index:
        now = place(builder.add(index[axis], ir.Constant(I64, 1)))
        at = (*index[:axis], now, *index[axis + 1 :])
        before = (*index[:axis], place(index[axis]), *index[axis + 1 :])
        total = target.load(builder, before)
        target.store(builder, at, combine(builder, total, body.element(x, at)))


def _cumulative(op: Op) -> Callable[[Any, Any, Any], Any]:
    if op.kind == "cumsum":
        return plus
    if op.kind == "cumprod":
        return _plain("fmul" if op.dtype.kind == "f" else "mul")
    return _extreme(op.kind.removeprefix("cum"), op.dtype)


def _position(builder: Any, op: Op, target: View, body: Body) -> None:
    """The first extreme element along an axis; the first NaN is more extreme than all."""
    (x,), axis = op.inputs, op.params["axis"]
    rest = (*x.shape[:axis], *x.shape[axis + 1 :])
    best = builder.alloca(register_type(x.dtype))
    where = builder.alloca(I64)

    def at(index: Index, k: Any) -> Index:
        return (*index[:axis], k, *index[axis:])

    with nest(builder, rest) as index:
        zero = ir.Constant(I64, 0)
        builder.store(body.element(x, at(index, zero)), best)
        builder.store(zero, where)
        with loop(builder, x.shape[axis], "k") as k:
            value = body.element(x, at(index, k))
            champion = builder.load(best, typ=register_type(x.dtype))
            wins = _beats(builder, op.kind, x.dtype, value, champion)
            builder.store(builder.select(wins, value, champion), best)
            builder.store(builder.select(wins, k, builder.load(where, typ=I64)), where)
        target.store(builder, index, builder.load(where, typ=I64))


def _beats(builder: Any, kind: str, dtype: np.dtype[Any], value: Any, best: Any) -> Any:
    sign = ">" if kind == "argmax" else "<"
    if dtype == _BOOL:
        return builder.icmp_unsigned(sign, value, best)
    if dtype.kind == "i":
        return builder.icmp_signed(sign, value, best)
    better = builder.fcmp_ordered(sign, value, best)
    new_nan = builder.fcmp_unordered("uno", value, value)
    old_fine = builder.fcmp_ordered("ord", best, best)
    return builder.or_(better, builder.and_(new_nan, old_fine))
