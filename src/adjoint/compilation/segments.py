"""Running a program: one native kernel where everything has a lowering, else native segments with
NumPy between them.

An operation without a lowering is NumPy's.  Operations are put on levels: all native ones of a
level form one kernel, and NumPy's of the next level run after it.  So nothing is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.codegen.entry import RawKernel, TypeSpec, build_entry
from adjoint.codegen.kernel import Kernel
from adjoint.codegen.llvm_session import CompiledModule
from adjoint.codegen.patterns import classify
from adjoint.codegen.program import EVALUATE, Op, Program
from adjoint.errors import InternalError
from adjoint.graph.doubts import forget_reasons, require_reasonless
from adjoint.graph.scope import is_tracing

Values = list[Any]
"""The value of every operation of a call, by its place."""

Step = Callable[[Values], None]


class GuardFailed(Exception):
    """The call takes another path than the one that was compiled."""


class Refused(Exception):
    """The call takes this path, and meets what native code leaves to evaluation: an index outside
    its array, a singular matrix, a derivative that does not exist."""


def is_host(op: Op) -> bool:
    """Whether NumPy computes this operation."""
    return classify(op) == "host"


class Segments:
    """A program as an alternation of kernels and NumPy calls, run from Python."""

    def __init__(self, program: Program, opt_level: int, parallel: bool | None = None) -> None:
        self.parallel = parallel
        self.program = program
        self.host = {op for op in program.ops if is_host(op)}
        self.level = self._levels()
        self.place = {op: i for i, op in enumerate(program.ops)}
        self.built: list[Kernel] = []
        self.modules: list[CompiledModule] = []
        self.template: Values = [_constant(op) for op in program.ops]
        self.steps = self._steps(opt_level)

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

    # -- building -------------------------------------------------------------------------------

    def _steps(self, opt_level: int) -> list[Step]:
        program, steps = self.program, []
        native = [op for op in program.ops if op not in self.host and not _is_leaf(op)]
        for number in range(max([0, *self.level.values()]) + 1):
            own = {op for op in native if self.level[op] == number}
            here = [op for op in program.ops if self.level[op] == number]
            steps += [self._call(op) for op in here if op in self.host and not _is_leaf(op)]
            if own:
                steps.append(self._kernel(own, opt_level))
            steps += [
                self._guard(op, wanted) for op, wanted in program.guards if self.level[op] == number
            ]
        return steps

    def _kernel(self, own: set[Op], opt_level: int) -> Step:
        """The native operations of one level."""
        program = self.program
        wanted = set(program.outputs) | {op for op, _ in program.guards}
        wanted |= {i for op in program.ops if op not in own for i in op.inputs}
        outputs = [op for op in program.ops if op in own and op in wanted]
        constants = ("literal", "array")
        used = [i for op in program.ops if op in own for i in op.inputs]
        given = list(dict.fromkeys(
            i for i in used if i not in own and (i.kind not in constants or i in self.host)
        ))  # fmt: skip
        ops = [op for op in program.ops if op in own or op.kind in constants]
        kernel = Kernel(Program.part(ops, given, outputs, ()), parallel=self.parallel)
        self.built.append(kernel)
        entry = build_entry(
            kernel.module,
            kernel.name,
            [TypeSpec(op.shape, op.dtype) for op in given],
            [TypeSpec(op.shape, op.dtype) for op in outputs],
            fallback=_unused,
            result="tuple",
            arena_bytes=kernel.arena_bytes,
            captured=kernel.captured,
            opt_level=opt_level,
        )
        kernel.forget_ir()
        self.modules.append(entry.module)
        sources = [(self.place[op], op.dtype) for op in given]
        targets = [self.place[op] for op in outputs]
        return _kernel_step(entry.raw, sources, targets)

    def _call(self, op: Op) -> Step:
        """One operation by NumPy."""
        at, sources = self.place[op], [self.place[i] for i in op.inputs]
        if op.kind == "projection":
            source, index = sources[0], op.params["index"]

            def project(values: Values) -> None:
                values[at] = values[source][index]

            return project
        assert op.primitive is not None
        evaluate, params = op.primitive.evaluate, op.params

        def call(values: Values) -> None:
            values[at] = evaluate(*[values[i] for i in sources], **params)

        return call

    def _guard(self, op: Op, expected: Any) -> Step:
        at = self.place[op]

        def guard(values: Values) -> None:
            if expected is EVALUATE:
                if values[at]:
                    raise Refused
            elif not same_decision(values[at], expected):
                raise GuardFailed

        return guard

    # -- running --------------------------------------------------------------------------------

    def __call__(self, data: list[Any]) -> list[Any]:
        """The outputs for the data of one call; raises `GuardFailed` for another path, `Refused`
        for a call that has to be evaluated because NumPy or a rule has raised here."""
        if not is_tracing():
            forget_reasons()
        values = self.template.copy()
        for op, leaf in zip(self.program.inputs, data, strict=True):
            values[self.place[op]] = leaf
        try:
            # NumPy's warnings were given while tracing; native code has none.
            with np.errstate(all="ignore"):
                for step in self.steps:
                    step(values)
            return self._results(values)
        except (GuardFailed, Refused, InternalError):
            raise
        except Exception as error:  # evaluated, it names the user's line
            raise Refused from error

    def _results(self, values: Values) -> list[Any]:
        """Fresh arrays of the recorded dtypes, each the caller's own."""
        results, given = [], set()
        for op in self.program.outputs:
            value = np.asarray(values[self.place[op]], op.dtype)
            require_reasonless(value)
            if not op.shape:
                results.append(value[()])
                continue
            own = value.flags.owndata and value.flags.writeable and id(value) not in given
            given.add(id(value))
            results.append(value if own and not _is_leaf(op) else value.copy())
        return results


def _kernel_step(raw: RawKernel, sources: list[tuple[int, Any]], targets: list[int]) -> Step:
    def run(values: Values) -> None:
        inputs = [
            np.require(np.asarray(values[i], dtype), requirements=["C", "A"])
            for i, dtype in sources
        ]
        results = raw.empty_outputs()
        if raw(inputs, results):
            raise Refused
        for i, result in zip(targets, results, strict=True):
            values[i] = result if result.shape else result[()]

    return run


def _constant(op: Op) -> Any:
    """What NumPy is given for a constant: a Python number only where the user wrote one."""
    if op.kind == "literal":
        return op.value if op.params["weak"] else op.dtype.type(op.value)
    return op.value if op.kind == "array" else None


def _is_leaf(op: Op) -> bool:
    return op.kind in ("input", "literal", "array")


def same_decision(value: Any, expected: Any) -> bool:
    """Whether a value leads to the decision that was recorded."""
    if isinstance(expected, np.ndarray):
        return bool(np.array_equal(value, expected))
    try:
        return bool(type(expected)(value) == expected)
    except (ValueError, OverflowError):
        return False  # int(nan): the function says so itself when it is traced again


def _unused(*args: Any, **kwargs: Any) -> Any:
    raise GuardFailed
