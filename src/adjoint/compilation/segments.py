"""Running a program: one native kernel where everything has a lowering, else native segments with
NumPy between them.

An operation without a lowering is NumPy's.  Operations are put on levels: all native ones of a
level form one kernel, and NumPy's of the next level run after it.  So nothing is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.codegen.entry import RawKernel, TypeSpec, build_entry
from adjoint.codegen.kernel import Kernel
from adjoint.codegen.patterns import classify
from adjoint.codegen.program import Op, Program


class GuardFailed(Exception):
    """The call takes another path than the one that was compiled."""


def is_host(op: Op) -> bool:
    """Whether NumPy computes this operation."""
    return classify(op) == "host"


class Segments:
    """A program as an alternation of kernels and NumPy calls, run from Python."""

    def __init__(self, program: Program, opt_level: int) -> None:
        self.program = program
        self.host = {op for op in program.ops if is_host(op)}
        self.level = self._levels()
        self.kernels: dict[int, tuple[RawKernel, list[Op], list[Op]]] = {}
        self.built: list[Kernel] = []
        self.guards = dict(enumerate(program.guards))
        self._build(opt_level)

    def _levels(self) -> dict[Op, int]:
        level: dict[Op, int] = {}
        for op in self.program.ops:
            if op in self.host:
                level[op] = max(
                    (level[i] + (i not in self.host and not _is_leaf(i)) for i in op.inputs),
                    default=0,
                )
            else:
                level[op] = max((level[i] for i in op.inputs), default=0)
        return level

    def _build(self, opt_level: int) -> None:
        native = [op for op in self.program.ops if op not in self.host and not _is_leaf(op)]
        wanted = set(self.program.outputs) | {op for op, _ in self.program.guards}
        for number in sorted({self.level[op] for op in native}):
            own = {op for op in native if self.level[op] == number}
            used = {
                i for op in self.program.ops if op not in own or op in self.host
                for i in op.inputs if i in own
            }  # fmt: skip
            outputs = [op for op in own if op in used or op in wanted]
            given = list(dict.fromkeys(
                i for op in self.program.ops if op in own for i in op.inputs
                if i not in own and i.kind not in ("literal", "array")
            ))  # fmt: skip
            ops = [op for op in self.program.ops if op in own or op.kind in ("literal", "array")]
            kernel = Kernel(Program.part(ops, given, outputs, ()))
            self.built.append(kernel)
            entry = build_entry(
                kernel.module,
                kernel.name,
                [TypeSpec(op.shape, op.dtype) for op in given],
                [TypeSpec(op.shape, op.dtype) for op in outputs],
                fallback=_unused,
                result="tuple",
                arena_bytes=kernel.arena_bytes,
                opt_level=opt_level,
            )
            self.kernels[number] = (entry.raw, given, outputs)

    def __call__(self, data: list[Any]) -> list[Any]:
        """The outputs for the data of one call; raises `GuardFailed` for another path."""
        values: dict[Op, Any] = {}
        for op, leaf in zip(self.program.inputs, data, strict=True):
            values[op] = leaf
        for op in self.program.ops:
            if op.kind in ("literal", "array"):
                values[op] = op.value
        top = max([0, *self.level.values()])
        for number in range(top + 1):
            for op in self.program.ops:
                if op in self.host and self.level[op] == number and op not in values:
                    self._evaluate(op, values)
            if number in self.kernels:
                self._run_kernel(number, values)
            for op, expected in self.program.guards:
                if self.level[op] == number and not same_decision(values[op], expected):
                    raise GuardFailed
        return [_plain(values[op], op) for op in self.program.outputs]

    def _evaluate(self, op: Op, values: dict[Op, Any]) -> None:
        operands = [values[i] for i in op.inputs]
        if op.kind == "projection":
            values[op] = operands[0][op.params["index"]]
        elif op.kind in ("input", "literal", "array"):
            return
        else:
            assert op.primitive is not None
            values[op] = op.primitive.evaluate(*operands, **op.params)

    def _run_kernel(self, number: int, values: dict[Op, Any]) -> None:
        raw, given, outputs = self.kernels[number]
        inputs = [
            np.require(np.asarray(values[op], op.dtype), requirements=["C", "A"]) for op in given
        ]
        results = raw.empty_outputs()
        if raw(inputs, results):
            raise GuardFailed
        values.update(zip(outputs, results, strict=True))


def _is_leaf(op: Op) -> bool:
    return op.kind in ("input", "literal", "array")


def _plain(value: Any, op: Op) -> Any:
    result = np.asarray(value)
    if not result.shape:
        return result[()]
    return result.copy() if _is_leaf(op) or not result.flags.writeable else result


def same_decision(value: Any, expected: Any) -> bool:
    """Whether a value leads to the decision that was recorded."""
    if isinstance(expected, np.ndarray):
        return bool(np.array_equal(value, expected))
    return bool(type(expected)(value) == expected)


def _unused(*args: Any, **kwargs: Any) -> Any:
    raise GuardFailed
