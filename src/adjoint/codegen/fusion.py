"""Which operations become one loop.

A step is a fused loop (`Group`), a matrix product (`Product`) or a write into part of an array
(`Region`).  An operation is stored in memory if something outside its loop reads it; everything
else lives in registers inside the loops that use it.

The policy is greedy over the topological order: a stored elementwise operation or a sum joins the
latest loop over the same indices that comes after everything it reads, else it starts a new one.
Then operations that two loops compute again are stored instead, and the pass is repeated.
"""

from __future__ import annotations

import numpy as np

from adjoint.codegen.elements import is_outside_call
from adjoint.codegen.lapack.table import lapack_call
from adjoint.codegen.patterns import (
    classify,
    is_large_delta,
    iteration_shape,
    reads_same_index,
)
from adjoint.codegen.products import contraction_of, in_need_of_a_copy, matrix_of_gemv
from adjoint.codegen.program import Op, Program, consumers
from adjoint.codegen.steps import Group, Loop, Product, Routine, Step, Write
from adjoint.codegen.strided import storage_root
from adjoint.codegen.support import is_dear

LARGE_GROUP = 200
"""Operations in one loop or one run of numbers, above which it is cut into several functions."""

DEAR_WEIGHT = 10
"""For how many operations a function of dozens of instructions counts in a loop."""

_ALWAYS_STORED = frozenset(
    ("sum", "loop contraction", "product", "routine", "write", "control", "part")
)


WORTH_A_LOOP = 64
"""Elements from which on calls of other libraries are kept apart from loops that become SIMD."""


class Schedule:
    """The steps of a program, and which operations are stored."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.users = consumers(program.ops)
        self.class_of = {op: classify(op) for op in program.ops}
        # Elsewhere a delta is a view: its zeros are never in memory.
        views = (op for op in program.outputs if self.class_of[op] == "view")
        self.class_of |= dict.fromkeys(filter(is_large_delta, views), "write")
        self.written = [self._with_memory_of(op) for op in program.outputs]
        self._share_matrices()
        self.outside = self._outside_calls()
        self.stored = self._must_store()
        self.steps: list[Step] = []
        self.step_of: dict[Op, int] = {}
        self.chunk: dict[Op, int] = {}
        self._settle()
        if self._split_large():
            self._settle()

    def _settle(self) -> None:
        for _ in range(4):
            self._arrange()
            again = self._computed_twice()
            if not again:
                break
            self.stored |= again

    def _split_large(self) -> bool:
        """Cuts groups of very many operations; what crosses a cut goes through memory.

        The time LLVM takes grows faster than a function's length.
        """
        number = 0
        for step in self.steps:
            if not isinstance(step, Group):
                continue
            ops = sorted({*self._inline(step), *step.roots}, key=lambda op: op.number)
            if len(ops) <= LARGE_GROUP:
                continue
            number += 1
            weight = 0
            for op in ops:
                weight += 1 if not op.shape or not is_dear(op.kind) else DEAR_WEIGHT
                if weight > LARGE_GROUP:
                    number, weight = number + 1, 0
                self.chunk[op] = number
        self.stored |= {
            op for op, own in self.chunk.items()
            if self.class_of[op] == "element"
            and any(self.chunk.get(user) != own for user in self.users[op])
        }  # fmt: skip
        return number > 0

    def _share_matrices(self) -> None:
        """Products of one matrix with several vectors are loops: one loop reads it once for all.

        Those with as many contractions before them do not wait for each other.
        """
        if list(self.class_of.values()).count("product") < 2:
            return
        depth: dict[Op, int] = {}
        shared: dict[tuple[Op, int], list[Op]] = {}
        for op in self.program.ops:
            depth[op] = max((depth[i] for i in op.inputs), default=0)
            if self.class_of[op] in ("product", "loop contraction", "sum", "control"):
                depth[op] += 1
            if self.class_of[op] == "product" and (matrix := matrix_of_gemv(op)) is not None:
                shared.setdefault((matrix, depth[op]), []).append(op)
        for found in shared.values():
            if len(found) > 1:
                self.class_of.update(dict.fromkeys(found, "loop contraction"))

    def _with_memory_of(self, result: Op) -> Op:
        """The operation that is computed in a result's memory: what differs from it in axes of
        length 1 has the same elements in the same order."""
        op = result
        while op.kind == "reshape" and self.class_of[op] == "view":
            op = op.inputs[0]
        computed = self.class_of[op] in ("element", "sum", "loop contraction", "product", "write")
        return op if computed else result

    def _outside_calls(self) -> set[Op]:
        """Calls of other libraries that get loops of their own: LLVM makes no SIMD of a loop with
        a call in it, and to go through memory costs less than one dear function without SIMD."""
        calls, dear = set(), set()
        for op in self.program.ops:
            if op.size >= WORTH_A_LOOP and self.class_of[op] == "element":
                if is_dear(op.kind):
                    dear.add(op.shape)
                elif is_outside_call(op):
                    calls.add(op)
        return {op for op in calls if op.shape in dear}

    # -- what has to be in memory -------------------------------------------------------------

    def _must_store(self) -> set[Op]:
        program = self.program
        stored = set(self.written) | {op for op, _ in program.guards}
        for op in program.ops:
            kind = self.class_of[op]
            if kind in _ALWAYS_STORED:
                stored.add(op)
            if op in self.outside:
                stored.update((op, *(i for i in op.inputs if self.class_of[i] == "element")))
            if kind in ("product", "routine"):
                stored.update(map(storage_root, op.inputs))
            if kind == "storage view" and self.class_of[op.inputs[0]] != "storage view":
                stored.update(op.inputs)
            if kind in ("gather", "write", "control"):
                stored.update(op.inputs)
            shape = iteration_shape(op) if kind != "leaf" else op.shape
            for i in op.inputs:
                # A value that a larger loop broadcasts is computed once, before that loop.
                if i.size < _size(shape) and self._costs(i):
                    stored.add(i)
        stored = {op for op in stored if self.class_of[op] != "leaf"}
        self._add_copies(stored)
        return stored

    def _add_copies(self, stored: set[Op]) -> None:
        """What BLAS cannot read where it is becomes an array of its own."""
        products = [op for op in self.program.ops if self.class_of[op] == "product"]
        more = True
        while more:  # a copy changes the strides of the views of it
            more = False
            for op in products:
                plan = contraction_of(op)
                assert plan is not None
                new = {i for i in in_need_of_a_copy(op, plan, stored)
                       if i not in stored and self.class_of[i] != "leaf"}  # fmt: skip
                stored |= new
                more = more or bool(new)

    def _costs(self, op: Op) -> bool:
        return self.class_of[op] in ("element", "sum", "loop contraction")

    def _computed_twice(self) -> set[Op]:
        """Operations in registers of more than one loop."""
        seen: dict[Op, int] = {}
        twice: set[Op] = set()
        for number, step in enumerate(self.steps):
            if not isinstance(step, Group):
                continue
            for op in self._inline(step):
                if seen.setdefault(op, number) != number and self.class_of[op] == "element":
                    twice.add(op)
        return twice

    def _inline(self, group: Group) -> set[Op]:
        found: set[Op] = set()
        stack = [i for r in group.roots for i in r.inputs]
        while stack:
            op = stack.pop()
            if op in found or op in self.stored or self.class_of[op] == "leaf":
                continue
            found.add(op)
            stack.extend(op.inputs)
        return found

    def operations(self, group: Group) -> set[Op]:
        """Everything that one turn of a group's loop computes."""
        return {*self._inline(group), *group.roots}

    def aligned(self, group: Group) -> list[Op]:
        """The operations in registers that are used at the loop's own index, in order.

        Emitting them one after the other keeps the depth of an expression off Python's stack.
        """
        return sorted(
            (
                op
                for op in self._inline(group)
                if op.shape == group.shape
                and self.class_of[op] == "element"
                and op.kind != "einsum"
            ),
            key=lambda op: op.number,
        )

    # -- the order ------------------------------------------------------------------------------

    def _arrange(self) -> None:
        self.steps, self.step_of = [], {}
        for op in self.program.ops:
            if op not in self.stored:
                continue
            kind = self.class_of[op]
            if kind == "product":
                contraction = contraction_of(op)
                assert contraction is not None
                self._append(op, Product(op, contraction))
            elif kind == "write":
                self._append(op, Write(op))
            elif kind == "control":
                self._append(op, Loop(op))
            elif kind == "routine":
                self._append(op, Routine(op, lapack_call(op, self.results(op))))
            elif kind == "part":
                self.step_of[op] = self.step_of[op.inputs[0]]
            elif kind == "host":
                raise AssertionError(f"{op} has no lowering")
            else:
                self._place(op)

    def results(self, op: Op) -> list[Op]:
        """The results of an operation that are used, as operations of their own."""
        return self.users[op] if op.dtype == np.object_ else [op]

    def _append(self, op: Op, step: Step) -> None:
        self.step_of[op] = len(self.steps)
        self.steps.append(step)

    def _place(self, op: Op) -> None:
        shape = iteration_shape(op)
        earliest = self._earliest(op, shape)
        chunk, outside = self.chunk.get(op, 0), op in self.outside
        for number in range(len(self.steps) - 1, earliest - 1, -1):
            step = self.steps[number]
            if (
                isinstance(step, Group)
                and step.shape == shape
                and step.chunk == chunk
                and step.outside == outside
            ):
                step.roots.append(op)
                self.step_of[op] = number
                return
        self._append(op, Group(shape, [op], chunk, outside))

    def _earliest(self, op: Op, shape: tuple[int, ...]) -> int:
        """The first step that may compute this operation."""
        earliest = 0
        stack: list[tuple[Op, bool]] = [(i, reads_same_index(op, i, shape)) for i in op.inputs]
        seen: set[tuple[Op, bool]] = set()
        while stack:
            dep, aligned = stack.pop()
            if (dep, aligned) in seen or self.class_of[dep] == "leaf":
                continue
            seen.add((dep, aligned))
            if dep in self.stored:
                step = self.steps[self.step_of[dep]]
                joins = (
                    aligned
                    and isinstance(step, Group)
                    and step.shape == shape
                    and step.chunk == self.chunk.get(op, 0)
                    and step.outside == (op in self.outside)
                    and self.class_of[dep] not in ("sum", "loop contraction")
                )
                earliest = max(earliest, self.step_of[dep] + (0 if joins else 1))
            else:
                stack.extend((i, aligned and reads_same_index(dep, i, shape)) for i in dep.inputs)
        return earliest


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
