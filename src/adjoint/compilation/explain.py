"""What a compiled function consists of, as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.codegen.blas import routine
from adjoint.codegen.kernel import Kernel
from adjoint.codegen.program import Op, Program
from adjoint.codegen.steps import Group, Loop, Product, Write
from adjoint.compilation.paths import Path
from adjoint.graph.arraytype import ArrayType


def describe_paths(paths: dict[Any, list[Path]]) -> str:
    """A report on every path of every kind of arguments."""
    count = sum(map(len, paths.values()))
    lines = [f"{count} path{'s' if count != 1 else ''} compiled"]
    for found in paths.values():
        for number, path in enumerate(found, 1):
            lines += [f"path {number} of {len(found)}", *_describe(path)]
    return "\n".join(lines)


def _describe(path: Path) -> list[str]:
    program = path.program
    types = ", ".join(_type(op) for op in program.inputs)
    results = ", ".join(_type(op) for op in program.outputs)
    lines = [f"  ({types}) -> {results}"]
    lines += [
        f"  guard: {_type(op)} from {op.kind} is {expected}" for op, expected in program.guards
    ]
    kernels = [path.kernel] if path.kernel is not None else []
    if path.segments is not None:
        kernels = path.segments.built
        names = sorted({op.kind for op in path.segments.host if op.kind != "projection"})
        lines.append(f"  by NumPy between native segments: {', '.join(names)}")
    for kernel in kernels:
        lines += _kernel(kernel)
    lines.append(f"  about {_flops(program):,} operations, {_bytes(program):,} bytes in and out")
    lines.append(
        f"  traced in {path.trace_seconds * 1e3:.1f} ms, "
        f"compiled in {path.compile_seconds * 1e3:.1f} ms"
    )
    return lines


def _type(op: Op) -> str:
    return str(ArrayType(op.shape, op.dtype))


def _kernel(kernel: Kernel) -> list[str]:
    lines = []
    for number, step in enumerate(kernel.schedule.steps):
        if isinstance(step, Group):
            where = f"loop over {list(step.shape)}" if step.shape else "numbers"
            if kernel.threads_of.get(number, 1) > 1:
                where += f" on {kernel.threads_of[number]} threads"
            lines.append(f"  {where}: {', '.join(_root(r) for r in step.roots)}")
        elif isinstance(step, Product):
            lines.append(
                f"  BLAS {routine(step.op, step.contraction)} {step.op.params['subscripts']}: {_type(step.op)}"
            )
        elif isinstance(step, Loop):
            lines.append(f"  {step.op.kind} as a native loop or branch, with bodies")
            for inner in kernel.inner[step.op]:
                lines += ["  " + line for line in _kernel(inner)]
        elif isinstance(step, Write):
            lines.append(f"  {step.op.kind} into {_type(step.op)}")
    lines.append(f"  arena of {kernel.arena_bytes:,} bytes")
    return lines


def _root(op: Op) -> str:
    what = op.params["subscripts"] if op.kind == "einsum" else op.kind
    return f"{what} -> {_type(op)}"


def _flops(program: Program) -> int:
    total = 0
    for op in program.ops:
        if op.kind == "einsum":
            extents: dict[str, int] = dict(op.params.get("sizes", ()))
            for term, i in zip(
                op.params["subscripts"].split("->")[0].split(","), op.inputs, strict=True
            ):
                extents.update(zip(term, i.shape, strict=True))
            work = int(np.prod(list(extents.values()), dtype=np.int64))
            total += work * (2 if len(op.inputs) > 1 else 1)
        elif op.kind not in ("input", "literal", "array"):
            total += op.size
    return total


def _bytes(program: Program) -> int:
    return sum(
        op.size * op.dtype.itemsize for op in (*program.inputs, *program.arrays, *program.outputs)
    )
