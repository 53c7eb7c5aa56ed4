"""Steps as functions of their own, whose pointers are marked ``noalias``.

That is how LLVM learns that arrays do not overlap and turns a loop into SIMD without checks; and it
is what a thread can be given a part of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir

from adjoint.codegen.builder import Builder
from adjoint.codegen.elements import I32, I64, is_outside_call, literal
from adjoint.codegen.faults import can_fault, note
from adjoint.codegen.folds import folding
from adjoint.codegen.fusion import DEAR_WEIGHT
from adjoint.codegen.loopnest import moved, nest
from adjoint.codegen.program import Op
from adjoint.codegen.step_loops import (
    can_be_cut,
    contraction_loops,
    group_loops,
    is_flat,
    is_total,
    volume,
    write_loops,
)
from adjoint.codegen.steps import Group, Step, Write
from adjoint.codegen.support import is_dear
from adjoint.codegen.threads import ParallelCall
from adjoint.codegen.vector_math.definitions import FULL_WIDTH, Attributes

if TYPE_CHECKING:
    from adjoint.codegen.kernel import Kernel

POINTER = ir.PointerType()

CALL_WEIGHT = 50
"""For how many operations a call of another library counts: ten nanoseconds and more."""


def outline(kernel: Kernel, step: Step, contraction: Op | None = None) -> None:
    """Emits a step as a function of its own, and the call of it."""
    if volume(step) == 0 and not isinstance(step, Write):
        return _zero_sums(kernel, step)
    touched = [op for op in kernel.touched(step) if op in kernel.views]
    roots = list(dict.fromkeys(_memory_of(kernel, op) for op in touched))
    threads = _threads_for(kernel, step) if contraction is None else 1
    span = [I64] * 2 if threads > 1 else []
    signature = ir.FunctionType(ir.VoidType(), [POINTER] * (len(roots) + 1) + span)
    name = f"{kernel.name}.loop{kernel.loop_count}"
    kernel.loop_count += 1
    function = ir.Function(kernel.module, signature, name)
    function.linkage = "internal"
    function.attributes = Attributes(FULL_WIDTH)
    if isinstance(step, Group) and step.chunk:
        function.attributes.add("noinline")
    builder = Builder(function.append_basic_block("entry"))
    pointers, bounds = function.args[: len(roots) + 1], function.args[len(roots) + 1 :]
    for argument in pointers:
        argument.add_attribute("noalias")
    local = {
        op: moved(kernel.views[op], arg) for op, arg in zip(roots, pointers, strict=False)
    }  # of a block of numbers: the view of its first
    for op in touched:
        local[op] = moved(kernel.views[op], local[_memory_of(kernel, op)].pointer)
    fault = pointers[-1]
    if contraction is not None:
        contraction_loops(builder, contraction, local, fault)
    elif isinstance(step, Write):
        write_loops(builder, step.op, local, fault)
    else:
        assert isinstance(step, Group)
        group_loops(builder, step, kernel.schedule.aligned(step), local, fault,
                    kernel.calls[bool(step.shape)], bounds or None)  # fmt: skip
    builder.ret_void()
    places = [*(kernel.views[op].pointer for op in roots), kernel.fault]
    if threads > 1:
        assert isinstance(step, Group)
        kernel.threads_of[kernel.schedule.step_of[step.roots[0]]] = threads
        return _call_in_parts(kernel, step, function, roots, places, threads)
    kernel.builder.call(function, places)
    return None


def _threads_for(kernel: Kernel, step: Step) -> int:
    """How many threads a loop gets."""
    if kernel.threads == 1 or not isinstance(step, Group) or not can_be_cut(step):
        return 1
    ops = kernel.schedule.operations(step)
    cost = sum(_weight(op) for op in ops)
    extent = volume(step) if is_flat(step, kernel.views) else step.shape[0]
    if volume(step) * cost < kernel.worth or extent < 2 * kernel.threads:
        return 1
    return kernel.threads


def _weight(op: Op) -> int:
    """How many operations one stands for."""
    if is_dear(op.kind):
        return DEAR_WEIGHT
    return CALL_WEIGHT if is_outside_call(op) else 1


def _call_in_parts(
    kernel: Kernel, step: Group, function: Any, roots: list[Op], places: list[Any], threads: int
) -> None:
    """One loop on several threads; totals and faults are put together afterwards."""
    b = kernel.builder
    private = [is_total(op) and op in step.roots for op in roots]
    call = ParallelCall(b, function, places, [*private, True])
    extent = volume(step) if is_flat(step, kernel.views) else step.shape[0]
    call.emit(extent, threads, ir.Constant(I64, 0))
    for op, own, slots in zip(roots, private, call.slots, strict=False):
        if own:
            fold = folding(op)
            values = [moved(kernel.views[op], slot).load(b, ()) for slot in slots]
            total = values[0]
            for value in values[1:]:
                total = fold.add(b, total, value)
            kernel.views[op].store(b, (), total)
    for slot in call.slots[-1] if can_fault(function) else ():
        note(b, kernel.fault, b.load(slot, typ=I32))


def _memory_of(kernel: Kernel, op: Op) -> Op:
    base = kernel.number_base
    return base if base is not None and op in kernel.number_place else op


def _zero_sums(kernel: Kernel, step: Step) -> None:
    """Reductions of nothing."""
    assert isinstance(step, Group)
    for root in step.roots:
        if root.size:
            with nest(kernel.builder, root.shape) as index:
                kernel.views[root].store(kernel.builder, index, literal(0, root.dtype))
