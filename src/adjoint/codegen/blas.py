"""Matrix products by BLAS: transposes are flags, batches are loops around the call.

Products of two matrices are `gemm`; of a matrix with a vector `gemv`; of a matrix with its own
transpose `syrk`, or `gemm` for one half where one of the two is scaled (`symmetry`).  Dot products
(`dot`) and outer products (`ger`) are loops: those read and write at the speed of memory as well,
have no call, and join the loops around them.  ``python -m benchmarks products`` compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from llvmlite import ir

from adjoint.codegen.blas_calls import Calls, Matrix, Vector
from adjoint.codegen.elements import I64
from adjoint.codegen.loopnest import View, nest
from adjoint.codegen.products import Contraction, operand
from adjoint.codegen.program import Op
from adjoint.codegen.symmetry import symmetric
from adjoint.primitives.contraction import parse

SYRK_WORK = 1 << 20
"""Multiplications of the whole product from which on `syrk` and a copy of its half take less time
than `gemm` (0.55 of it for large ones)."""

SYRK_DEPTH = 64
"""Terms of each sum below which the copy costs what the other half would."""

HALF_ROWS, HALF_DEPTH = 192, 128
"""Rows of the result and terms of each sum from which on `gemm` on blocks of one half takes less
time (0.65 for large ones): below, the blocks on the diagonal are too much of the whole."""

BLOCK = 128
"""Columns in such a block: fewer leave `gemm` too little to work on, more compute too much above
the diagonal."""

Routine = Literal["gemm", "gemv", "syrk", "half gemm"]


def routine(op: Op, plan: Contraction) -> Routine:
    """Which routine of BLAS does a product; a half gemm is one for the half of the result."""
    if not plan.left or not plan.right:
        return "gemv"
    rows, depth = plan.count(plan.left), plan.count(plan.summed)
    subscripts = op.params["subscripts"]
    if (
        rows * rows * depth >= SYRK_WORK
        and depth >= SYRK_DEPTH
        and (symmetric(op.inputs, subscripts, factors=False))
    ):
        return "syrk"
    if rows >= HALF_ROWS and depth >= HALF_DEPTH and symmetric(op.inputs, subscripts):
        return "half gemm"
    return "gemm"


@dataclass(frozen=True)
class CallsOf:
    """The routine of BLAS that does a product, how often it is called, and whether only for one
    half of the result."""

    name: str
    count: int
    half: bool


def calls_of(op: Op, plan: Contraction) -> CallsOf:
    """What `emit_product` emits."""
    chosen = routine(op, plan)
    count = plan.count(plan.batch)
    if chosen == "half gemm":
        count *= -(-plan.count(plan.left) // BLOCK)
    name = ("d" if op.dtype == np.float64 else "s") + chosen.removeprefix("half ")
    return CallsOf(name, count, chosen == "half gemm")


def multiplications(op: Op, plan: Contraction) -> int:
    """How many numbers BLAS multiplies for a product."""
    chosen, rows = routine(op, plan), plan.count(plan.left)
    elements = rows * plan.count(plan.right)
    if chosen == "syrk":
        elements = rows * (rows + 1) // 2
    elif chosen == "half gemm":
        elements = sum((rows - k) * min(BLOCK, rows - k) for k in range(0, rows, BLOCK))
    return plan.count(plan.batch + plan.summed) * elements


def emit_product(builder: Any, op: Op, plan: Contraction, a: View, b: View, out: View) -> None:
    """``out = a · b`` over the contraction's indices."""
    terms, result = parse(op.params["subscripts"])
    with nest(builder, [plan.extents[c] for c in plan.batch]) as position:
        at = dict(zip(plan.batch, position, strict=True))
        parts = []
        for view, term in zip((a, b, out), (*terms, result), strict=True):
            index = tuple(at.get(c, ir.Constant(I64, 0)) for c in term)
            parts.append(View(view.address(builder, index), view.shape, view.strides, view.dtype))
        left, right = (operand(op, plan, k, parts[k], builder) for k in (0, 1))
        rows, columns = plan.count(plan.left), plan.count(plan.right)
        flipped = result != plan.batch + plan.left + plan.right
        if flipped:
            rows, columns = columns, rows
        target = Matrix(parts[2].pointer, rows, columns, max(1, columns))
        _emit(Calls(builder, op.dtype), routine(op, plan), left, right, target, flipped)


def _emit(
    calls: Calls, name: Routine, left: Any, right: Any, target: Matrix, flipped: bool
) -> None:
    if name == "gemv":
        a, x = (left, right) if isinstance(left, Matrix) else (right, left)
        calls.gemv(a, x, Vector(target.pointer, 1))
        return
    if flipped:
        left, right = right.flipped, left.flipped  # (A B)ᵀ = Bᵀ Aᵀ
    if name == "gemm":
        calls.gemm(left, right, target)
        return
    if name == "syrk":
        calls.syrk(left, target)
    else:
        calls.lower_gemm(left, right, target, BLOCK)
    calls.mirror(target)
