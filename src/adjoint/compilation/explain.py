"""What a compiled function consists of, as text."""

from __future__ import annotations

from typing import Any

from adjoint.codegen.blas import calls_of, multiplications
from adjoint.codegen.control import work
from adjoint.codegen.kernel import Kernel
from adjoint.codegen.lapack.factor import Factored
from adjoint.codegen.lapack.table import work as matrix_work
from adjoint.codegen.patterns import classify, iteration_shape
from adjoint.codegen.program import Op, Program
from adjoint.codegen.step_loops import volume
from adjoint.codegen.steps import Group, Loop, Product, Routine, Step, Write
from adjoint.compilation.decisions import decision_tree
from adjoint.compilation.paths import Path
from adjoint.graph.arraytype import ArrayType

_FREE = frozenset(("leaf", "view", "storage view", "part"))
"""What moves or names elements, and computes none."""


def describe_paths(paths: dict[Any, list[Path]]) -> str:
    """A report on every path of every kind of arguments: the tree of decisions that tells them
    apart, then each path."""
    count = sum(map(len, paths.values()))
    lines = [f"{count} path{'s' if count != 1 else ''} compiled"]
    for found in paths.values():
        if any(path.decisions for path in found):
            lines.append(f"decisions for {_inputs(found[0].program)}")
            tree = decision_tree({n: path.decisions for n, path in enumerate(found, 1)})
            lines += [f"  {line}" for line in tree]
        for number, path in enumerate(found, 1):
            lines += [f"path {number} of {len(found)}", *_describe(path)]
    return "\n".join(lines)


def _describe(path: Path) -> list[str]:
    program = path.program
    results = ", ".join(_type(op) for op in program.outputs)
    lines = [f"  {_inputs(program)} -> {results}"]
    kernels = [path.kernel] if path.kernel is not None else []
    operations = 0
    if path.segments is not None:
        kernels = path.segments.built
        names = sorted({op.kind for op in path.segments.host if op.kind != "projection"})
        lines.append(f"  by NumPy between native segments: {', '.join(names)}")
        operations = sum(op.size for op in path.segments.host if op.inputs)
    for kernel in kernels:
        lines += _kernel(kernel)
        operations += sum(_operations(kernel, step) for step in kernel.schedule.steps)
    llvm = sum(module.compile_seconds for module in path.modules)
    lines.append(f"  about {operations:,} operations, {_bytes(program):,} bytes in and out")
    lines.append(
        f"  traced in {path.trace_seconds * 1e3:.1f} ms, "
        f"compiled in {path.compile_seconds * 1e3:.1f} ms, of which LLVM {llvm * 1e3:.1f} ms"
    )
    return lines


def _inputs(program: Program) -> str:
    return f"({', '.join(_type(op) for op in program.inputs)})"


def _type(op: Op) -> str:
    return str(ArrayType(op.shape, op.dtype))


def _kernel(kernel: Kernel) -> list[str]:
    lines = []
    for number, step in enumerate(kernel.schedule.steps):
        lines.append(f"  {_step(kernel, number, step)}; {_cost(kernel, step)}")
        if isinstance(step, Loop):
            for inner in kernel.inner[step.op]:
                lines += ["  " + line for line in _kernel(inner)]
    lines.append(f"  arena of {kernel.arena_bytes:,} bytes")
    return lines


def _routine(step: Routine) -> str:
    op, given = step.op, ", ".join(_type(i) for i in step.op.inputs)
    names = f"{', '.join(step.call.names)}: " if step.call.names else ""
    text = f"{names}{op.kind} of {given}"
    if isinstance(step.call, Factored) and not step.call.first:
        text += ", with the factors of an earlier step"
    return text


def _step(kernel: Kernel, number: int, step: Step) -> str:
    if isinstance(step, Product):
        op, calls = step.op, calls_of(step.op, step.contraction)
        many = f" in {calls.count} calls" if calls.count > 1 else ""
        half = " for one half" if calls.half else ""
        return f"BLAS {calls.name}{half}{many}, {op.params['subscripts']} -> {_type(op)}"
    if isinstance(step, Loop):
        return f"{step.op.kind} as a native loop or branch, with bodies"
    if isinstance(step, Routine):
        return f"{step.call.library} {_routine(step)}"
    if isinstance(step, Write):
        return f"{step.op.kind} into {_type(step.op)}"
    where = f"loop over {list(step.shape)}" if step.shape else "numbers"
    threads = kernel.threads_of.get(number, 1)
    on = f" on {threads} threads" if threads > 1 else ""
    return f"{where}{on}: {', '.join(_root(r) for r in step.roots)}"


def _root(op: Op) -> str:
    what = op.params["subscripts"] if op.kind == "einsum" else op.kind
    return f"{what} -> {_type(op)}"


# -- cost ------------------------------------------------------------------------------------------


def _cost(kernel: Kernel, step: Step) -> str:
    """The operations and the bytes of the arrays that a step reads and writes; of a native loop's
    bodies, those of one turn."""
    touched = sum(o.size * o.dtype.itemsize for o in kernel.touched(step)
                  if o.kind != "literal" and not o.dtype.hasobject)  # fmt: skip
    return f"{_operations(kernel, step):,} operations, {touched:,} bytes"


def _operations(kernel: Kernel, step: Step) -> int:
    """Each function of an element counts as one operation."""
    if isinstance(step, Group):
        return sum(map(_of_elements, kernel.schedule.operations(step)))
    if isinstance(step, Product):
        return 2 * multiplications(step.op, step.contraction)
    if isinstance(step, Routine):
        return matrix_work(step.op)
    return work(step.op) if isinstance(step, Loop) else volume(step)


def _of_elements(op: Op) -> int:
    if classify(op) in _FREE:
        return 0
    size = 1
    for n in iteration_shape(op):
        size *= n
    return size * (2 if classify(op) == "loop contraction" else 1)


def _bytes(program: Program) -> int:
    return sum(
        op.size * op.dtype.itemsize for op in (*program.inputs, *program.arrays, *program.outputs)
    )
