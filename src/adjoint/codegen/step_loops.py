"""The loops of one step: fused groups with their sums, contractions, and writes into parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.body import Body, named_index
from adjoint.codegen.clearing import clear, is_zeros
from adjoint.codegen.control import work
from adjoint.codegen.elements import I64, cast
from adjoint.codegen.folds import folding, plus, scan_loops
from adjoint.codegen.loopnest import View, contiguous_strides, nest
from adjoint.codegen.patterns import (
    REDUCTIONS,
    SCANS,
    is_contraction,
    loop_letters,
    op_extents,
    terms_of,
)
from adjoint.codegen.program import Op
from adjoint.codegen.steps import Group, Loop, Step
from adjoint.codegen.strided import sliced
from adjoint.primitives.indexing import HOLE, selection_shape


def can_be_cut(group: Group) -> bool:
    """Whether parts of a group's outermost axis can run at the same time."""
    if group.chunk or not group.shape:
        return False
    return all(not _is_sum(r) or (not r.shape and r.kind in _JOINABLE) for r in group.roots)


_JOINABLE = frozenset(("einsum", "max", "min", "prod"))
"""Reductions whose results of parts are reduced in the same way."""


def is_total(op: Op) -> bool:
    """Whether an operation reduces everything to one number."""
    return _is_sum(op) and not op.shape


def volume(step: Step) -> int:
    """How often the body of a step's loops runs."""
    if isinstance(step, Loop):
        return work(step.op)
    shape = step.shape if isinstance(step, Group) else step.op.shape
    return int(np.prod(shape, dtype=np.int64))


def is_flat(group: Group, views: dict[Op, View]) -> bool:
    """Whether every array in a group is contiguous and has the shape of the loop, or one element:
    then one loop over all elements does."""
    shape = group.shape
    stack, seen = list(group.roots), set()
    while stack:
        op = stack.pop()
        if op in seen:
            continue
        seen.add(op)
        if op.shape != shape and op.size != 1:
            return False
        if op in views and op not in group.roots:
            if op.shape == shape and views[op].strides != contiguous_strides(shape):
                return False
            continue
        if is_contraction(op):
            terms, result = terms_of(op)
            if any(t not in (result, "") for t in terms) or set(result) - set("".join(terms)):
                return False
            if len(set(result)) < len(result):  # zero off the diagonal, whatever the operands are
                return False
        elif op.kind in ("reshape", "getitem"):
            return False
        stack.extend(op.inputs)
    return True


def group_loops(
    builder: Any,
    group: Group,
    inline: list[Op],
    views: dict[Op, View],
    fault: Any,
    calls: bool = False,
    span: Any = None,
) -> None:
    """The loop of a group: elements in registers, stored roots, and sums."""
    flat = group.shape if is_flat(group, views) else None
    sums = [r for r in group.roots if _is_sum(r)]
    totals = {r: _Total(builder, r, views[r]) for r in sums}
    shape = (volume(group),) if flat is not None else group.shape
    body = Body(builder, _Except(views, group.roots), flat=flat, fault=fault, calls=calls)
    with nest(builder, shape, span) as index:
        for root in sorted([*inline, *group.roots], key=lambda op: op.number):
            if root in totals:
                totals[root].add(body, index)
                continue
            if root not in views:
                body.element(root, index)
                continue
            value = body.compute(root, index)
            body.remember(root, index, value)
            target = views[root]
            if flat is not None:
                target = View(target.pointer, shape, (1,), target.dtype, target.start)
            target.store(builder, index, value)
    for total in totals.values():
        total.finish()


class _Except(dict[Op, View]):
    """Views of what is in memory before the loop: not the roots of the loop itself."""

    def __init__(self, views: dict[Op, View], roots: list[Op]) -> None:
        super().__init__({op: v for op, v in views.items() if op not in roots})


def _is_sum(op: Op) -> bool:
    if not is_contraction(op):
        return False
    terms, result = terms_of(op)
    return op.kind in REDUCTIONS or bool(set("".join(terms)) - set(result))


class _Total:
    """A reduction: in a register if the reduced axes are all of the loop, else in the result's
    memory."""

    def __init__(self, builder: Any, op: Op, target: View) -> None:
        self.builder, self.op, self.target = builder, op, target
        self.fold = folding(op)
        zero = self.fold.start
        self.register = builder.alloca(zero.type) if not op.shape else None
        if self.register is not None:
            builder.store(zero, self.register)
        else:
            with nest(builder, op.shape) as index:
                target.store(builder, index, zero)

    def add(self, body: Body, index: Any) -> None:
        b, op = self.builder, self.op
        if body.flat is not None:
            value = body._product(op, index)
            place: dict[str, Any] = {}
        else:
            place = named_index(op, index)
            value = body.factors(op, place)
        result = terms_of(op)[1]
        if self.register is not None:
            total = b.load(self.register, typ=self.fold.start.type)
            b.store(self.fold.add(b, total, value), self.register)
            return
        at = tuple(place[c] for c in result)
        total = self.target.load(b, at)
        self.target.store(b, at, self.fold.add(b, total, value))

    def finish(self) -> None:
        if self.register is not None:
            value = self.builder.load(self.register, typ=self.fold.start.type)
            self.target.store(self.builder, (), value)


def contraction_loops(builder: Any, op: Op, views: dict[Op, View], fault: Any) -> None:
    """A product summed by loops, for what is too small or too odd for BLAS."""
    extents = op_extents(op)
    total = _Total(builder, op, views[op])
    body = Body(builder, _Except(views, [op]), fault=fault)
    with nest(builder, [extents[c] for c in loop_letters(op)]) as index:
        total.add(body, index)
    total.finish()


def write_loops(builder: Any, op: Op, views: dict[Op, View], fault: Any) -> None:
    """setitem, scatter_add, concatenate and stack: one loop per part of the result."""
    target = views[op]
    before = _Except(views, [op])
    if op.kind == "einsum":
        _diagonal(builder, op, target, before, fault)
        return
    if op.kind in SCANS:
        scan_loops(builder, op, target, before, fault)
        return
    if op.kind in ("concatenate", "stack"):
        axis, start = op.params["axis"], 0
        for operand in op.inputs:
            stop = start + (operand.shape[axis] if op.kind == "concatenate" else 1)
            at: Any = slice(start, stop) if op.kind == "concatenate" else start
            part = sliced(builder, target, (slice(None),) * axis + (at,))
            _copy(builder, part, operand, before, fault)
            start = stop
        return
    x, value, *arrays = op.inputs
    if is_zeros(x):
        clear(builder, target.pointer, op.size * op.dtype.itemsize)
    else:
        _copy(builder, target, x, before, fault)
    template = op.params["template"]
    if HOLE in template:
        _scatter(builder, op, target, value, tuple(arrays), before, fault)
        return
    part = sliced(builder, target, template)
    _copy(builder, part, value, before, fault, add=op.kind == "scatter_add")


def _diagonal(builder: Any, op: Op, target: View, views: Any, fault: Any) -> None:
    """Zeros, and then the elements at which indices of one name are equal."""
    clear(builder, target.pointer, op.size * op.dtype.itemsize)
    body = Body(builder, views, fault=fault)
    _, result = terms_of(op)
    extents = op_extents(op)
    names = "".join(dict.fromkeys(result))
    with nest(builder, [extents[c] for c in names]) as index:
        place = dict(zip(names, index, strict=True))
        target.store(builder, tuple(place[c] for c in result), body.factors(op, place))


def _copy(
    builder: Any, target: View, source: Op, views: Any, fault: Any, add: bool = False
) -> None:
    if 0 in target.shape:
        return
    body = Body(builder, views, fault=fault)
    with nest(builder, target.shape) as index:
        value = body.element(source, _broadcast(index, target.shape, source.shape))
        value = cast(builder, value, source.dtype, target.dtype)
        if add:
            value = plus(builder, target.load(builder, index), value)
        target.store(builder, index, value)


def _broadcast(index: Any, shape: tuple[int, ...], operand: tuple[int, ...]) -> Any:
    zero = ir.Constant(I64, 0)
    tail = index[len(index) - len(operand) :]
    wide = shape[len(shape) - len(operand) :]
    return tuple(i if n == m else zero for i, n, m in zip(tail, operand, wide, strict=True))


def _scatter(
    builder: Any, op: Op, target: View, value: Op, arrays: tuple[Op, ...], views: Any, fault: Any
) -> None:
    shape = selection_shape(target.shape, op.params["template"], arrays)
    if 0 in shape:
        return
    body = Body(builder, views, fault=fault)
    with nest(builder, shape) as index:
        new = body.element(value, _broadcast(index, shape, value.shape))
        new = cast(builder, new, value.dtype, target.dtype)
        at = body.source_index(target.shape, op.params["template"], arrays, index)
        if op.kind == "scatter_add":
            new = plus(builder, target.load(builder, at), new)
        target.store(builder, at, new)
