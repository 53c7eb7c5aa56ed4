"""What every LAPACK step has: workspace, operands where the routine wants them, stacks, failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from llvmlite import ir

from adjoint.codegen.elements import I1, I32, I64, cast
from adjoint.codegen.faults import note
from adjoint.codegen.fortran import call, routine_name
from adjoint.codegen.loopnest import Index, View, advanced, contiguous_strides, nest
from adjoint.codegen.program import Op

POINTER = ir.PointerType()
INT32 = np.dtype(np.int32)
_ALIGNMENT = 64

FLOAT64 = np.dtype(np.float64)
ZERO = ir.Constant(I64, 0)


@dataclass
class Site:
    """Where one step stands in a kernel: its operands and results in memory, its part of the arena
    and of the arena that it shares with other steps, and the flag that sends a call to NumPy."""

    builder: Any
    operands: list[View]
    results: list[View | None]
    work: Any
    shared: Any
    fault: Any


class LapackCall:
    """One step of a kernel that is done by LAPACK.

    Memory is taken with `take` while the step is made, so the arena can be planned before anything
    is emitted.  Matrices of a stack are done one after the other.
    """

    routines: ClassVar[tuple[str, ...]] = ()

    library: ClassVar[str] = "LAPACK"

    in_double: ClassVar[bool] = True
    """Whether float32 is computed in double precision, as `np.linalg` does it."""

    def __init__(self, op: Op, wanted: tuple[bool, ...]) -> None:
        self.op = op
        self.wanted = wanted
        self.dtype = FLOAT64 if self.in_double else op.inputs[0].dtype
        self.size = 0
        self.info = self.take(1, INT32)
        self.plan()

    def plan(self) -> None:
        """Takes the workspace."""

    def take(self, count: int, dtype: np.dtype[Any]) -> int:
        """Room for some numbers, as an offset into the step's part of the arena."""
        start = self.size
        self.size += -(-max(1, count) * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
        return start

    @property
    def names(self) -> list[str]:
        """The routines, by their full names."""
        return [routine_name(stem, self.dtype) for stem in self.routines]

    # -- emission -----------------------------------------------------------------------------

    def emit(self, site: Site) -> None:
        """All matrices of the stack."""
        self.site, self.b = site, site.builder
        self.prepare()
        with nest(self.b, self.lead) as index:
            self.one(index)

    @property
    def lead(self) -> tuple[int, ...]:
        """The stack."""
        return self.op.inputs[0].shape[:-2]

    def prepare(self) -> None:
        """What is done once for the whole stack."""

    def one(self, index: Index) -> None:
        """One matrix of the stack."""
        raise NotImplementedError

    def place(self, offset: int) -> Any:
        """A pointer into the step's part of the arena."""
        return advanced(self.b, self.site.work, offset)

    def columns(self, offset: int, rows: int, columns: int) -> View:
        """Workspace as a matrix whose columns are contiguous, as LAPACK has them."""
        return View(self.place(offset), (rows, columns), (1, rows), self.dtype)

    def operand(self, number: int, index: Index, rank: int = 2) -> View:
        """One matrix of an operand; a shorter stack is broadcast."""
        return member(self.b, self.site.operands[number], index, rank)

    def result(self, number: int, index: Index, rank: int = 2) -> View | None:
        """Where one matrix of a result goes; None if nobody reads it."""
        view = self.site.results[number]
        return None if view is None else member(self.b, view, index, rank)

    def working(self, target: View, offset: int) -> View:
        """Where a result is computed: in its place, or in workspace if that has another dtype."""
        if target.dtype == self.dtype:
            return target
        return rows(self.place(offset), target.shape, self.dtype)

    def deliver(self, target: View, found: View) -> None:
        """Copies a result to its place, unless it is there."""
        if target is not found:
            copy(self.b, target, found)

    def lapack(self, stem: str, *given: Any) -> None:
        call(self.b, "lapack", stem, self.dtype, *given)

    def blas(self, stem: str, *given: Any) -> None:
        call(self.b, "blas", stem, self.dtype, *given)

    def refuse_unless_done(self) -> None:
        """A routine that did not succeed leaves the call to NumPy, which raises its own error."""
        done = self.b.icmp_signed("==", self.b.load(self.place(self.info), typ=I32), _I32_ZERO)
        self.refuse(self.b.not_(done))

    def refuse(self, condition: Any) -> None:
        """Where the condition holds, the call is evaluated by NumPy."""
        note(self.b, self.site.fault, condition)

    @contextmanager
    def unless_refused(self, condition: Any) -> Iterator[None]:
        """The code for where the condition does not hold; where it does, NumPy evaluates."""
        self.refuse(condition)
        with self.b.if_then(self.b.not_(condition), likely=True):
            yield

    def any_of(self, view: View, test: Callable[[Any], Any]) -> Any:
        """Whether a test holds for any element of a view."""
        flag = variable(self.b, I1)
        self.b.store(ir.Constant(I1, 0), flag)
        with nest(self.b, view.shape) as index:
            found = test(view.load(self.b, index))
            self.b.store(self.b.or_(self.b.load(flag, typ=I1), found), flag)
        return self.b.load(flag, typ=I1)

    def any_infinite(self, view: View) -> Any:
        """Whether there is an infinity or a NaN, which no iteration is given to work on."""
        wide = self.dtype == FLOAT64
        bits = ir.IntType(64 if wide else 32)
        mask = ir.Constant(bits, 0x7FF0 << 48 if wide else 0x7F80 << 16)

        def test(value: Any) -> Any:
            exponent = self.b.and_(self.b.bitcast(value, bits), mask)
            return self.b.icmp_unsigned("==", exponent, mask)

        return self.any_of(view, test)


_I32_ZERO = ir.Constant(I32, 0)


def variable(builder: Any, kind: Any) -> Any:
    """A local variable; never inside a loop, where it would take more of the stack each time."""
    with builder.goto_entry_block():
        made = builder.alloca(kind)
    made.type = POINTER
    return made


def member(builder: Any, view: View, index: Index, rank: int) -> View:
    """One matrix (or vector) of a stack, for the index into the stack it is broadcast to."""
    lead = view.shape[: len(view.shape) - rank]
    tail = index[len(index) - len(lead) :]
    first = tuple(ZERO if n == 1 else i for i, n in zip(tail, lead, strict=True))
    pointer = view.address(builder, (*first, *(ZERO,) * rank))
    cut = len(lead)
    return View(pointer, view.shape[cut:], view.strides[cut:], view.dtype)


def copy(builder: Any, target: View, source: View) -> None:
    """One array into another, in the order in which the target lies in memory."""
    order = sorted(range(len(target.shape)), key=lambda axis: -abs(target.strides[axis]))
    with nest(builder, [target.shape[axis] for axis in order]) as counters:
        at = dict(zip(order, counters, strict=True))
        index = tuple(at[axis] for axis in range(len(order)))
        value = cast(builder, source.load(builder, index), source.dtype, target.dtype)
        target.store(builder, index, value)


def rows(pointer: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> View:
    """Contiguous memory in NumPy's order."""
    return View(pointer, shape, contiguous_strides(shape), dtype)
