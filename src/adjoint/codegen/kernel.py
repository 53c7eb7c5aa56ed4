"""A schedule as one LLVM function: ``i32 kernel(ptr inputs, ptr outputs, ptr arena)``.

Each loop nest is a function of its own whose pointers are marked ``noalias``: that is how LLVM
learns that the arrays do not overlap and turns the loop into SIMD without checks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen import memory
from adjoint.codegen.blas import emit_product, fits
from adjoint.codegen.body import Body, named_index
from adjoint.codegen.elements import I32, I64, cast, literal, memory_type
from adjoint.codegen.fusion import Group, Product, Schedule, Step, Write
from adjoint.codegen.loopnest import View, contiguous_strides, nest
from adjoint.codegen.patterns import extents_of, loop_letters
from adjoint.codegen.program import Op, Program
from adjoint.codegen.strided import sliced, storage_root, strided_view
from adjoint.codegen.vector_math import prepare
from adjoint.codegen.vector_math.definitions import Attributes
from adjoint.primitives.contraction import parse
from adjoint.primitives.indexing import HOLE

POINTER = ir.PointerType()
FAULT_INDEX = -1
"""The code of a kernel that met an index outside its array; guards return 1, 2, …"""


class Kernel:
    """The LLVM module of one program, its arena size and its record of what it does."""

    def __init__(self, program: Program, name: str = "kernel") -> None:
        self.program = program
        self.schedule = Schedule(program)
        self.name = name
        self.module = ir.Module(name)
        # Without loops no vector variants are needed, and repairs are branches.
        loops = any(isinstance(s, Group | Write) and _volume(s) > 1 for s in self.schedule.steps)
        prepare(self.module, (512, 256, 128) if loops else ())
        self.offsets, self.arena_bytes = self._plan_memory()
        self.loop_count = 0
        self.product_count = 0
        self._emit()

    # -- memory ---------------------------------------------------------------------------------

    def _plan_memory(self) -> tuple[dict[Op, int], int]:
        schedule = self.schedule
        last: dict[Op, int] = dict(schedule.step_of)
        for number, step in enumerate(schedule.steps):
            for op in self._touched(step):
                last[op] = max(last.get(op, 0), number)
        outputs = set(self.program.outputs)
        lives = {
            op: memory.Life(op.size * op.dtype.itemsize, first, last[op])
            for op, first in schedule.step_of.items()
            if op not in outputs
        }
        return memory.plan(lives)

    def _touched(self, step: Step) -> list[Op]:
        """Every stored operation or leaf that a step reads or writes."""
        roots = step.roots if isinstance(step, Group) else [step.op]
        found: dict[Op, None] = dict.fromkeys(roots)
        stack = [i for r in roots for i in r.inputs]
        seen: set[Op] = set()
        while stack:
            op = stack.pop()
            if op in seen:
                continue
            seen.add(op)
            if op in self.schedule.stored or self.schedule.class_of[op] == "leaf":
                found[op] = None
            else:
                stack.extend(op.inputs)
        return [op for op in found if op.kind != "literal"]

    # -- the main function ----------------------------------------------------------------------

    def _emit(self) -> None:
        signature = ir.FunctionType(I32, [POINTER] * 3)
        self.function = ir.Function(self.module, signature, self.name)
        builder = self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        inputs, outputs, arena = self.function.args
        self.fault = builder.alloca(I32, name="fault")
        builder.store(ir.Constant(I32, 0), self.fault)
        self.views: dict[Op, View] = {}
        for op in self.program.inputs:
            index = op.params["index"]
            if op in self.schedule.class_of:
                self.views[op] = _whole(_slot(builder, inputs, index), op)
        for op in self.program.arrays:
            strides = tuple(s // op.dtype.itemsize for s in op.value.strides)
            address = ir.Constant(I64, op.value.ctypes.data).inttoptr(POINTER)
            self.views[op] = View(address, op.shape, strides, op.dtype)
        for number, op in enumerate(self.program.outputs):
            if op not in self.views and op.kind != "literal":
                self.views[op] = _whole(_slot(builder, outputs, number), op)
        for op, offset in self.offsets.items():
            place = builder.gep(arena, [ir.Constant(I64, offset)], source_etype=ir.IntType(8))
            self.views[op] = _whole(place, op)
        self.scalars = Body(builder, _Unwritten(self), fault=self.fault)
        self.guarded = 0
        for position, (op, expected) in enumerate(self.program.guards):
            if op not in self.schedule.step_of:
                self._emit_guard(op, expected, position)  # a decision on an input itself
        for number, step in enumerate(self.schedule.steps):
            self._emit_step(number, step)
        self._copy_outputs(outputs)
        code = builder.select(
            builder.icmp_signed("==", builder.load(self.fault, typ=I32), ir.Constant(I32, 0)),
            ir.Constant(I32, 0),
            ir.Constant(I32, FAULT_INDEX),
        )
        builder.ret(code)

    def _emit_step(self, number: int, step: Step) -> None:
        if isinstance(step, Product):
            self._emit_blas(step)
        elif isinstance(step, Write):
            self._outline(step)
        elif step.shape == ():
            self._emit_scalars(step)
        else:
            self._outline(step)
        for position, (op, expected) in enumerate(self.program.guards):
            if self.schedule.step_of.get(op) == number:
                self._emit_guard(op, expected, position)

    def _emit_scalars(self, group: Group) -> None:
        """Numbers stay in registers for all later steps; memory gets a copy for loops to read."""
        roots = set(group.roots)
        for op in sorted({*self.schedule.aligned(group), *roots}, key=lambda op: op.number):
            if op in roots:
                value = self.scalars.compute(op, ())
                self.scalars.remember(op, (), value)
                self.views[op].store(self.builder, (), value)
            else:
                self.scalars.element(op, ())

    def _emit_guard(self, op: Op, expected: Any, position: int) -> None:
        b = self.builder
        view = self.views[op]
        index = (ir.Constant(I64, 0),) * len(op.shape)
        value = self.scalars.element(op, ()) if op.shape == () else view.load(b, index)
        if isinstance(expected, bool | np.bool_):
            value, wanted = (
                cast(b, value, op.dtype, np.dtype(np.bool_)),
                literal(bool(expected), _BOOL),
            )
            same = b.icmp_signed("==", value, wanted)
        elif op.dtype.kind == "f":
            # int(x): the decision holds for all x with the same integer part.
            whole = b.fptosi(value, I64)
            same = b.icmp_signed("==", whole, ir.Constant(I64, int(expected)))
        else:
            same = b.icmp_signed("==", value, literal(expected, op.dtype))
        leave, stay = b.append_basic_block("leave"), b.append_basic_block("stay")
        b.cbranch(same, stay, leave)
        b.position_at_end(leave)
        b.ret(ir.Constant(I32, position + 1))
        b.position_at_end(stay)

    def _copy_outputs(self, outputs: Any) -> None:
        """Results that are inputs, constants, or a result already written elsewhere."""
        written: set[Op] = set()
        for number, op in enumerate(self.program.outputs):
            own = op in self.schedule.step_of and op not in written
            written.add(op)
            if own:
                continue
            target = _whole(_slot(self.builder, outputs, number), op)
            if op.size == 0:
                continue
            with nest(self.builder, op.shape) as index:
                body = Body(self.builder, self.views)
                target.store(self.builder, index, body.element(op, index))

    def _emit_blas(self, step: Product) -> None:
        a, b = (strided_view(self.builder, i, self.views) for i in step.op.inputs)
        if fits(step.op, step.contraction, a, b):
            self.product_count += 1
            emit_product(self.builder, step.op, step.contraction, a, b, self.views[step.op])
        else:
            self._outline(Group((), [step.op]), contraction=step.op)

    # -- loops as functions of their own ----------------------------------------------------------

    def _outline(self, step: Step, contraction: Op | None = None) -> None:
        if _volume(step) == 0 and not isinstance(step, Write):
            return self._zero_sums(step)
        touched = [op for op in self._touched(step) if op in self.views]
        roots = list(dict.fromkeys(self._memory_of(op) for op in touched))
        signature = ir.FunctionType(ir.VoidType(), [POINTER] * (len(roots) + 1))
        name = f"{self.name}.loop{self.loop_count}"
        self.loop_count += 1
        function = ir.Function(self.module, signature, name)
        function.linkage = "internal"
        function.attributes = Attributes(("nounwind", '"prefer-vector-width"="512"'))
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        for argument in function.args:
            argument.add_attribute("noalias")
        local = {
            op: _moved(self.views[op], arg) for op, arg in zip(roots, function.args, strict=False)
        }
        for op in touched:
            local[op] = _moved(self.views[op], local[self._memory_of(op)].pointer)
        fault = function.args[-1]
        if contraction is not None:
            _contraction_loops(builder, contraction, local, fault)
        elif isinstance(step, Write):
            _write_loops(builder, step.op, local, fault)
        else:
            assert isinstance(step, Group)
            _group_loops(builder, step, self.schedule.aligned(step), local, fault)
        builder.ret_void()
        self.builder.call(function, [*(self.views[op].pointer for op in roots), self.fault])
        return None

    def _memory_of(self, op: Op) -> Op:
        return op

    def _zero_sums(self, step: Step) -> None:
        assert isinstance(step, Group)
        for root in step.roots:
            if root.size:
                with nest(self.builder, root.shape) as index:
                    self.views[root].store(self.builder, index, literal(0, root.dtype))


class _Unwritten(dict[Op, View]):
    """The views that scalar code may read: those of arrays, and of numbers from other steps."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.kernel = kernel

    def __contains__(self, op: object) -> bool:
        kernel = self.kernel
        return op in kernel.views and (op in kernel.schedule.stored or _is_leaf(op))

    def __getitem__(self, op: Op) -> View:
        return self.kernel.views[op]


def _is_leaf(op: Any) -> bool:
    return op.kind in ("input", "array")


_BOOL = np.dtype(np.bool_)


def _slot(builder: Any, table: Any, number: int) -> Any:
    at = builder.gep(table, [ir.Constant(I64, number)], inbounds=True, source_etype=POINTER)
    return builder.load(at, typ=POINTER)


def _whole(pointer: Any, op: Op) -> View:
    return View(pointer, op.shape, contiguous_strides(op.shape), op.dtype)


def _moved(view: View, pointer: Any) -> View:
    return View(pointer, view.shape, view.strides, view.dtype)


def _volume(step: Step) -> int:
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
        if op.kind == "einsum":
            terms, result = parse(op.params["subscripts"])
            if any(t not in (result, "") for t in terms) or set(result) - set("".join(terms)):
                return False
        elif op.kind in ("reshape", "getitem"):
            return False
        stack.extend(op.inputs)
    return True


def _group_loops(
    builder: Any, group: Group, inline: list[Op], views: dict[Op, View], fault: Any
) -> None:
    flat = group.shape if is_flat(group, views) else None
    sums = [r for r in group.roots if _is_sum(r)]
    totals = {r: _Total(builder, r, views[r]) for r in sums}
    shape = (_volume(group),) if flat is not None else group.shape
    body = Body(builder, _Except(views, group.roots), flat=flat, fault=fault)
    with nest(builder, shape) as index:
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
                target = View(target.pointer, shape, (1,), target.dtype)
            target.store(builder, index, value)
    for total in totals.values():
        total.finish()


class _Except(dict[Op, View]):
    """Views of what is in memory before the loop: not the roots of the loop itself."""

    def __init__(self, views: dict[Op, View], roots: list[Op]) -> None:
        super().__init__({op: v for op, v in views.items() if op not in roots})


def _is_sum(op: Op) -> bool:
    if op.kind != "einsum":
        return False
    terms, result = parse(op.params["subscripts"])
    return bool(set("".join(terms)) - set(result))


class _Total:
    """A sum: in a register if the summed axes are all of the loop, else in the result's memory."""

    def __init__(self, builder: Any, op: Op, target: View) -> None:
        self.builder, self.op, self.target = builder, op, target
        self.kind = memory_type(op.dtype)
        zero = ir.Constant(self.kind, 0.0)
        self.register = builder.alloca(self.kind) if not op.shape else None
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
        result = parse(op.params["subscripts"])[1]
        if self.register is not None:
            total = b.load(self.register, typ=self.kind)
            b.store(b.fadd(total, value, flags=["reassoc", "contract"]), self.register)
            return
        at = tuple(place[c] for c in result)
        total = self.target.load(b, at)
        self.target.store(b, at, b.fadd(total, value, flags=["reassoc", "contract"]))

    def finish(self) -> None:
        if self.register is not None:
            value = self.builder.load(self.register, typ=self.kind)
            self.target.store(self.builder, (), value)


def _contraction_loops(builder: Any, op: Op, views: dict[Op, View], fault: Any) -> None:
    extents = extents_of(op)
    total = _Total(builder, op, views[op])
    body = Body(builder, _Except(views, [op]), fault=fault)
    with nest(builder, [extents[c] for c in loop_letters(op)]) as index:
        total.add(body, index)
    total.finish()


def _write_loops(builder: Any, op: Op, views: dict[Op, View], fault: Any) -> None:
    """setitem, scatter_add, concatenate and stack: one loop per part of the result."""
    target = views[op]
    before = _Except(views, [op])
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
    _copy(builder, target, x, before, fault)
    template = op.params["template"]
    if HOLE in template:
        _scatter(builder, op, target, value, tuple(arrays), before, fault)
        return
    part = sliced(builder, target, template)
    _copy(builder, part, value, before, fault, add=op.kind == "scatter_add")


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
            value = builder.fadd(target.load(builder, index), value)
        target.store(builder, index, value)


def _broadcast(index: Any, shape: tuple[int, ...], operand: tuple[int, ...]) -> Any:
    zero = ir.Constant(I64, 0)
    tail = index[len(index) - len(operand) :]
    wide = shape[len(shape) - len(operand) :]
    return tuple(i if n == m else zero for i, n, m in zip(tail, operand, wide, strict=True))


def _scatter(
    builder: Any, op: Op, target: View, value: Op, arrays: tuple[Op, ...], views: Any, fault: Any
) -> None:
    from adjoint.primitives.indexing import _result_shape

    shape = _result_shape(target.shape, op.params["template"], arrays)
    if 0 in shape:
        return
    body = Body(builder, views, fault=fault)
    with nest(builder, shape) as index:
        new = body.element(value, _broadcast(index, shape, value.shape))
        new = cast(builder, new, value.dtype, target.dtype)
        at = body.source_index(target.shape, op.params["template"], arrays, index)
        if op.kind == "scatter_add":
            new = builder.fadd(target.load(builder, at), new)
        target.store(builder, at, new)


__all__ = ["FAULT_INDEX", "Kernel", "storage_root"]
