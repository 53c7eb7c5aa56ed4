"""Loops as LLVM IR, and memory as they see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.elements import I1, I8, I64, memory_type
from adjoint.codegen.program import Op

POINTER = ir.PointerType()

_FRAME_ALIGNMENT = 16

Index = tuple[Any, ...]
"""One LLVM integer per axis."""


class View:
    """Strided memory: a pointer, the place of the first element behind it, and one stride per
    axis (in elements)."""

    __slots__ = ("dtype", "pointer", "shape", "start", "strides")

    def __init__(
        self,
        pointer: Any,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        dtype: Any,
        start: int = 0,
    ) -> None:
        self.pointer = pointer
        self.shape = shape
        self.strides = strides
        self.dtype = np.dtype(dtype)
        self.start = start

    def address(self, builder: Any, index: Index) -> Any:
        """The address of one element."""
        offset = ir.Constant(I64, self.start) if self.start else None
        for position, stride, extent in zip(index, self.strides, self.shape, strict=True):
            if stride == 0 or extent == 1:
                continue
            step = (
                position
                if stride == 1
                else builder.mul(position, ir.Constant(I64, stride), flags=["nsw"])
            )
            offset = step if offset is None else builder.add(offset, step, flags=["nsw"])
        if offset is None:
            return self.pointer
        return builder.gep(
            self.pointer, [offset], inbounds=True, source_etype=memory_type(self.dtype)
        )

    def load(self, builder: Any, index: Index) -> Any:
        place, kind = self.address(builder, index), memory_type(self.dtype)
        value = builder.load(place, align=self.dtype.itemsize, typ=kind)
        return builder.trunc(value, I1) if self.dtype == np.bool_ else value

    def store(self, builder: Any, index: Index, value: Any) -> None:
        if self.dtype == np.bool_:
            value = builder.zext(value, memory_type(self.dtype))
        builder.store(value, self.address(builder, index), align=self.dtype.itemsize)


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a C-contiguous array, in elements."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


@contextmanager
def loop(builder: Any, extent: int, name: str) -> Iterator[Any]:
    """``for i in range(extent)``: inside the block, the builder is at the body."""
    if extent == 1:
        yield ir.Constant(I64, 0)
        return
    function = builder.function
    before = builder.block
    body = function.append_basic_block(f"{name}.body")
    after = ir.Block(function, name=function.scope.deduplicate(f"{name}.end"))
    builder.branch(body)
    builder.position_at_end(body)
    counter = builder.phi(I64, name=name)
    counter.add_incoming(ir.Constant(I64, 0), before)
    yield counter
    step = builder.add(counter, ir.Constant(I64, 1), flags=["nuw", "nsw"])
    again = builder.icmp_unsigned("<", step, ir.Constant(I64, extent))
    counter.add_incoming(step, builder.block)
    function.blocks.append(after)
    builder.cbranch(again, body, after)
    builder.position_at_end(after)


@contextmanager
def part(builder: Any, begin: Any, end: Any) -> Iterator[Any]:
    """``for i in range(begin, end)``, of which there is at least one."""
    before = builder.block
    body = builder.append_basic_block("part.body")
    builder.branch(body)
    builder.position_at_end(body)
    counter = builder.phi(I64, name="part")
    counter.add_incoming(begin, before)
    yield counter
    step = builder.add(counter, ir.Constant(I64, 1), flags=["nuw", "nsw"])
    again = builder.icmp_unsigned("<", step, end)
    counter.add_incoming(step, builder.block)
    after = builder.append_basic_block("part.end")
    builder.cbranch(again, body, after)
    builder.position_at_end(after)


@contextmanager
def nest(builder: Any, shape: Sequence[int], span: Any = None) -> Iterator[Index]:
    """Nested loops over all indices of a shape, the last axis innermost.

    With a ``span`` of two numbers the first axis runs from one to the other.
    """
    with ExitStack() as stack:
        index = []
        for axis, n in enumerate(shape):
            first = span is not None and axis == 0
            counter = part(builder, *span) if first else loop(builder, n, f"i{axis}")
            index.append(stack.enter_context(counter))
        yield tuple(index)


def slot(builder: Any, table: Any, number: int) -> Any:
    """A pointer from a table of them."""
    at = builder.gep(table, [ir.Constant(I64, number)], inbounds=True, source_etype=POINTER)
    return builder.load(at, typ=POINTER)


def advanced(builder: Any, pointer: Any, offset: int) -> Any:
    """A pointer some bytes further."""
    return builder.gep(pointer, [ir.Constant(I64, offset)], source_etype=I8)


def frame_bytes(builder: Any, count: int) -> Any:
    """Memory in the function's own frame, taken once however often the place is passed."""
    with builder.goto_entry_block():
        place = builder.alloca(ir.ArrayType(I8, count))
        place.align = _FRAME_ALIGNMENT
        place.type = POINTER
    return place


def whole(pointer: Any, op: Op) -> View:
    """The contiguous memory of an operation."""
    return View(pointer, op.shape, contiguous_strides(op.shape), op.dtype)


def moved(view: View, pointer: Any) -> View:
    """The same view of other memory."""
    return View(pointer, view.shape, view.strides, view.dtype, view.start)
