"""A schedule as one LLVM function: ``i32 kernel(ptr inputs, ptr outputs, ptr arena)``.

The body of a loop or branch has one pointer per input and output in place of the two tables.

Each loop nest is a function of its own whose pointers are marked ``noalias``: that is how LLVM
learns that the arrays do not overlap and turns the loop into SIMD without checks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen import memory
from adjoint.codegen.blas import emit_product
from adjoint.codegen.body import Body
from adjoint.codegen.builder import Builder
from adjoint.codegen.control import layout, programs
from adjoint.codegen.control_loops import Control
from adjoint.codegen.elements import I32, I64, cast, literal, memory_type
from adjoint.codegen.faults import can_fault, note
from adjoint.codegen.fusion import Schedule
from adjoint.codegen.lapack.call import Site
from adjoint.codegen.lapack.factor import Factored, share_factors
from adjoint.codegen.loopnest import POINTER, View, advanced, frame_bytes, nest, slot, whole
from adjoint.codegen.outline import outline
from adjoint.codegen.products import fits
from adjoint.codegen.program import EVALUATE, Op, Program
from adjoint.codegen.reverse_loops import Sweep
from adjoint.codegen.step_loops import volume
from adjoint.codegen.steps import Group, Loop, Product, Routine, Step, Write
from adjoint.codegen.strided import strided_view
from adjoint.codegen.support import is_dear, provide
from adjoint.codegen.threads import WORTH, WORTH_IF_ASKED, available
from adjoint.codegen.vector_math import SCALAR_FUNCTIONS, prepare

FAULT = -1
"""The code of a kernel that met what it leaves to evaluation: an index outside its array, a matrix
without an inverse, a derivative that does not exist.  Guards return 1, 2, …"""


MANY_DEAR = 24
"""Scalar functions outside loops above which they are called rather than inlined."""

MANY_DEAR_IN_LOOPS = 120
"""The same inside loops, where a call also means that there is no SIMD."""


_NUMBER_BYTES = 8

_LOCAL_BYTES = 64
_MOST_IN_FRAME = 100


class Kernel:
    """The LLVM module of one program, its arena size and its record of what it does."""

    def __init__(
        self,
        program: Program,
        name: str = "kernel",
        module: Any = None,
        parallel: bool | None = False,
    ) -> None:
        self.program = program
        self.threads = 1 if parallel is False else available()
        self.worth = WORTH_IF_ASKED if parallel else WORTH
        self.schedule = Schedule(program)
        self.name = name
        self.module = ir.Module(name) if module is None else module
        self.is_body = module is not None
        if module is None:
            # Without loops no vector variants are needed, and repairs are branches.
            loops = any(volume(s) > 1 for s in self.schedule.steps)
            prepare(self.module, (512, 256, 128) if loops else (), shared=True)
        self.inner = self._build_inner()
        self.layouts = {
            op: layout(op, max(k.arena_bytes for k in kernels))
            for op, kernels in self.inner.items()
        }
        self.offsets, total = self._plan_memory()
        self.arena_bytes: int = total
        self.loop_count: int = sum(k.loop_count for ks in self.inner.values() for k in ks)
        self.threads_of: dict[int, int] = {}
        self._emit()
        if module is None:
            self.can_fail = bool(program.guards) or any(map(can_fault, self.module.functions))
            provide(self.module.globals)
        else:
            # Operands and results of a body do not overlap, and nothing else reaches them.
            self.function.linkage = "internal"
            for argument in self.function.args:
                argument.add_attribute("noalias")

    def forget_ir(self) -> None:
        """Drops what only emitting needed, once the module has been compiled: an object for every
        instruction, in cycles that would keep the garbage collector busy."""
        for function in self.module.functions:
            for block in function.blocks:
                block.instructions.clear()
        self._forget()

    def _forget(self) -> None:
        for name in ("module", "function", "builder", "views", "scalars", "fault"):
            delattr(self, name)
        for kernels in self.inner.values():
            for kernel in kernels:
                kernel._forget()

    def _build_inner(self) -> dict[Op, list[Kernel]]:
        """Kernels of the bodies of loops and branches."""
        found: dict[Op, list[Kernel]] = {}
        for step in self.schedule.steps:
            if isinstance(step, Loop):
                found[step.op] = [
                    Kernel(part, f"{self.name}.body{len(found)}.{k}", self.module)
                    for k, part in enumerate(programs(step.op))
                ]
        return found

    # -- memory ---------------------------------------------------------------------------------

    def _plan_memory(self) -> tuple[dict[Any, int], int]:
        schedule = self.schedule
        self.factors = share_factors(
            (k, step.call) for k, step in enumerate(schedule.steps) if isinstance(step, Routine)
        )
        last: dict[Op, int] = dict(schedule.step_of)
        for number, step in enumerate(schedule.steps):
            for op in self.touched(step):
                last[op] = max(last.get(op, 0), number)
        outputs = set(schedule.written)
        # Numbers that cross from one part of a long program to another share one block, so that
        # the parts need one pointer and not hundreds.
        numbers = [op for op in schedule.chunk if op in last and op.size == 1 and op not in outputs]
        self.number_base = numbers[0] if numbers else None
        self.number_place = {op: _NUMBER_BYTES * i for i, op in enumerate(numbers)}
        lives: dict[Any, memory.Life] = {
            op: memory.Life(op.size * op.dtype.itemsize, first, last[op])
            for op, first in schedule.step_of.items()
            if op not in outputs and op not in self.number_place
        }
        for op, plan in self.layouts.items():
            number = schedule.step_of[op]
            lives[op] = memory.Life(plan.size, number, number)
        for number, step in enumerate(schedule.steps):
            if isinstance(step, Routine):
                lives[step.call] = memory.Life(step.call.size, number, number)
        for factor, (begin, end) in self.factors.items():
            lives[factor] = memory.Life(factor.size, begin, end)
        if self.number_base is not None:
            size = _NUMBER_BYTES * len(numbers)
            lives[self.number_base] = memory.Life(size, 0, len(schedule.steps))
        offsets, total = memory.plan(lives)
        return offsets, total

    def touched(self, step: Step) -> list[Op]:
        """Every stored operation or leaf that a step reads or writes."""
        roots = step.roots if isinstance(step, Group) else [step.op]
        written = roots if isinstance(step, Group) else self.schedule.results(step.op)
        found: dict[Op, None] = dict.fromkeys(written)
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
        program = self.program
        given, made = len(program.inputs), len(program.outputs)
        signature = ir.FunctionType(I32, [POINTER] * (given + made + 1 if self.is_body else 3))
        self.function = ir.Function(self.module, signature, self.name)
        builder = self.builder = Builder(self.function.append_basic_block("entry"))
        self.arguments = self.function.args
        arena = self.arguments[-1]
        self.calls = self._choose_calls()
        self.fault = builder.alloca(I32, name="fault")
        self.fault.type = POINTER
        builder.store(ir.Constant(I32, 0), self.fault)
        self.views: dict[Op, View] = {}
        for op in self.program.inputs:
            index = op.params["index"]
            if op in self.schedule.class_of:
                self.views[op] = whole(self._argument(0, index), op)
        self._read_captured()
        for number, op in enumerate(self.schedule.written):
            if op not in self.views and op.kind != "literal":
                self.views[op] = whole(self._argument(1, number), op)
        self.workspaces: dict[Any, Any] = {}
        in_frame = self._in_frame()
        for op, offset in self.offsets.items():
            if op in in_frame:
                self.views[op] = whole(frame_bytes(builder, _LOCAL_BYTES), op)
            elif isinstance(op, Op):
                self.views[op] = whole(advanced(builder, arena, offset), op)
            else:
                self.workspaces[op] = advanced(builder, arena, offset)
        for op, place in self.number_place.items():
            assert self.number_base is not None
            base = self.views[self.number_base].pointer
            self.views[op] = View(base, op.shape, (0,) * len(op.shape), op.dtype,
                                  place // op.dtype.itemsize)  # fmt: skip
        self.scalars = Body(builder, _Unwritten(self), fault=self.fault, calls=self.calls[False])
        self.guarded = 0
        for position, (op, expected) in enumerate(self.program.guards):
            if op not in self.schedule.step_of:
                self._emit_guard(op, expected, position)  # a decision on an input itself
        for number, step in enumerate(self.schedule.steps):
            self._emit_step(number, step)
        self._copy_outputs()
        code = builder.select(
            builder.icmp_signed("==", builder.load(self.fault, typ=I32), ir.Constant(I32, 0)),
            ir.Constant(I32, 0),
            ir.Constant(I32, FAULT),
        )
        builder.ret(code)

    def _argument(self, kind: int, number: int) -> Any:
        """A pointer to an input (kind 0) or output (1): from a table, or an argument of a body."""
        if self.is_body:
            return self.arguments[kind * len(self.program.inputs) + number]
        return slot(self.builder, self.arguments[kind], number)

    def _in_frame(self) -> set[Op]:
        """Small intermediate values of a body, kept where LLVM can make registers of them."""
        if not self.is_body:
            return set()
        small = [
            op
            for op in self.offsets
            if isinstance(op, Op)
            and op not in self.layouts
            and op is not self.number_base
            and op.size * op.dtype.itemsize <= _LOCAL_BYTES
        ]
        return set(small[:_MOST_IN_FRAME])

    def _read_captured(self) -> None:
        """Arrays that the function closes over: their addresses are in a table outside."""
        arrays = self.program.arrays
        self.captured = [op.value for op in arrays]
        if not arrays:
            return
        table = ir.GlobalVariable(self.module, ir.ArrayType(POINTER, len(arrays)), "captured")
        for number, op in enumerate(arrays):
            strides = tuple(s // op.dtype.itemsize for s in op.value.strides)
            pointer = slot(self.builder, table, number)
            self.views[op] = View(pointer, op.shape, strides, op.dtype)

    def _choose_calls(self) -> dict[bool, bool]:
        """Whether to call scalar functions, as inlining all of them would take long to compile:
        for numbers, and in loops."""
        dear = [bool(op.shape) for op in self.program.ops if is_dear(op.kind)]
        return {False: dear.count(False) > MANY_DEAR, True: dear.count(True) > MANY_DEAR_IN_LOOPS}

    def _emit_step(self, number: int, step: Step) -> None:
        if isinstance(step, Product):
            self._emit_blas(step)
        elif isinstance(step, Loop):
            self._emit_loop(step.op)
        elif isinstance(step, Routine):
            self._emit_routine(step)
        elif isinstance(step, Write):
            outline(self, step)
        elif step.shape == () and not step.chunk:
            self._emit_scalars(step)
        else:
            outline(self, step)
        for position, (op, expected) in enumerate(self.program.guards):
            if self.schedule.step_of.get(op) == number:
                self._emit_guard(op, expected, position)

    def _emit_loop(self, op: Op) -> None:
        count = len(programs(op)[-1].outputs)
        results: list[Any] = [None] * count
        for part in self.schedule.users[op]:
            results[part.params["index"]] = strided_view(self.builder, part, self.views).pointer
        emission = Sweep if op.kind == "while_pullback" else Control
        emission(
            self.builder,
            op,
            [self._pointer(i, op) for i in op.inputs],
            results,
            self.views[op].pointer,
            [k.function for k in self.inner[op]],
            self.layouts[op],
            self.fault,
        ).emit()

    def _pointer(self, op: Op, loop: Op) -> Any:
        """Where an operand is in memory, contiguous; numbers from the text are put there."""
        copies = self.layouts[loop].copies
        if op in copies:
            target = whole(advanced(self.builder, self.views[loop].pointer, copies[op]), op)
            if op.size:
                with nest(self.builder, op.shape) as index:
                    value = self.views[op].load(self.builder, index)
                    target.store(self.builder, index, value)
            return target.pointer
        if op.kind != "literal":
            return strided_view(self.builder, op, self.views).pointer
        place = frame_bytes(self.builder, op.dtype.itemsize)
        value = ir.Constant(memory_type(op.dtype), literal(op.value, op.dtype).constant)
        self.builder.store(value, place)
        return place

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
        if expected is EVALUATE:
            # Noted only: if a later guard fails, the call belongs to another path.
            note(b, self.fault, value)
            return
        if isinstance(expected, bool | np.bool_):
            value, wanted = (
                cast(b, value, op.dtype, np.dtype(np.bool_)),
                literal(bool(expected), _BOOL),
            )
            same = b.icmp_signed("==", value, wanted)
        elif op.dtype.kind == "f" and isinstance(expected, int):
            # int(x): the decision holds for all x with the same integer part.
            trunc = SCALAR_FUNCTIONS["trunc"]
            same = b.fcmp_ordered("==", trunc(b, value), literal(expected, op.dtype))
        elif op.dtype.kind == "f":
            same = b.fcmp_ordered("==", value, literal(expected, op.dtype))
        else:
            same = b.icmp_signed("==", value, literal(expected, op.dtype))
        leave, stay = b.append_basic_block("leave"), b.append_basic_block("stay")
        b.cbranch(same, stay, leave)
        b.position_at_end(leave)
        b.ret(ir.Constant(I32, position + 1))
        b.position_at_end(stay)

    def _copy_outputs(self) -> None:
        """Results that are inputs, constants, or a result already written elsewhere."""
        written: set[Op] = set()
        for number, op in enumerate(self.program.outputs):
            result = self.schedule.written[number]
            own = result in self.schedule.step_of and result not in written
            written.add(result)
            if own:
                continue
            target = whole(self._argument(1, number), op)
            if op.size == 0:
                continue
            with nest(self.builder, op.shape) as index:
                body = Body(self.builder, self.views)
                target.store(self.builder, index, body.element(op, index))

    def _emit_routine(self, step: Routine) -> None:
        call, count = step.call, len(step.call.wanted)
        results: list[View | None] = [None] * count
        for op in self.schedule.results(step.op):
            results[op.params["index"] if count > 1 else 0] = self.views[op]
        operands = [strided_view(self.builder, i, self.views) for i in step.op.inputs]
        shared = self.workspaces[call.factor] if isinstance(call, Factored) else None
        call.emit(Site(self.builder, operands, results, self.workspaces[call], shared, self.fault))

    def _emit_blas(self, step: Product) -> None:
        a, b = (strided_view(self.builder, i, self.views) for i in step.op.inputs)
        if fits(step.op, step.contraction, a, b):
            emit_product(self.builder, step.op, step.contraction, a, b, self.views[step.op])
        else:
            outline(self, Group((), [step.op]), contraction=step.op)


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
