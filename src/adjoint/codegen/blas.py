"""Matrix products by BLAS: transposes are flags, batches are loops around the call."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.elements import I64
from adjoint.codegen.fortran import call
from adjoint.codegen.loopnest import View, nest
from adjoint.codegen.patterns import Contraction
from adjoint.codegen.program import Op
from adjoint.primitives.contraction import parse


def _collapse(view: View, term: str, letters: str, extents: dict[str, int]) -> int | None:
    """The one stride with which a view walks several indices in order; None if there is none."""
    stride: int | None = None
    expected = 0
    for c in reversed(letters):
        own = view.strides[term.index(c)]
        if extents[c] == 1:
            continue
        if stride is None:
            stride, expected = own, own * extents[c]
        elif own != expected:
            return None
        else:
            expected = own * extents[c]
    return 1 if stride is None else stride


def _count(letters: str, extents: dict[str, int]) -> int:
    return int(np.prod([extents[c] for c in letters], dtype=np.int64))


class Matrix:
    """A view as a matrix: rows and columns with a stride each, one of which is 1."""

    __slots__ = ("columns", "row_stride", "rows", "stride", "transposed", "view")

    def __init__(self, view: View, term: str, rows: str, columns: str, e: dict[str, int]) -> None:
        self.view = view
        self.rows, self.columns = _count(rows, e), _count(columns, e)
        down, across = _collapse(view, term, rows, e), _collapse(view, term, columns, e)
        if down is None or across is None:
            raise NotStrided
        if self.columns == 1:
            across = 1 if down != 1 or self.rows == 1 else max(self.rows, 1)
        if self.rows == 1:
            down = max(self.columns, 1) if across == 1 else 1
        if across == 1 and down >= max(self.columns, 1):
            self.transposed, self.stride = False, down
        elif down == 1 and across >= max(self.rows, 1):
            self.transposed, self.stride = True, across
        else:
            raise NotStrided


class NotStrided(Exception):
    """The operand has no layout that BLAS can walk; it has to be copied first."""


def fits(op: Op, plan: Contraction, a: View, b: View) -> bool:
    """Whether BLAS can read these operands where they are."""
    (ta, tb), _ = parse(op.params["subscripts"])
    try:
        Matrix(a, ta, plan.left, plan.summed, plan.extents)
        Matrix(b, tb, plan.summed, plan.right, plan.extents)
    except NotStrided:
        return False
    return True


def emit_product(builder: Any, op: Op, plan: Contraction, a: View, b: View, out: View) -> None:
    """``out = a · b`` over the contraction's indices."""
    (ta, tb), result = parse(op.params["subscripts"])
    e = plan.extents
    batch_shape = [e[c] for c in plan.batch]
    with nest(builder, batch_shape) as position:
        at = dict(zip(plan.batch, position, strict=True))
        parts = []
        for view, term in ((a, ta), (b, tb), (out, result)):
            index = tuple(at.get(c, ir.Constant(I64, 0)) for c in term)
            parts.append(View(view.address(builder, index), view.shape, view.strides, view.dtype))
        left = Matrix(parts[0], ta, plan.left, plan.summed, e)
        right = Matrix(parts[1], tb, plan.summed, plan.right, e)
        if result == plan.batch + plan.left + plan.right:
            _gemm(builder, left, right, parts[2], op.dtype)
        else:
            # (A B)ᵀ = Bᵀ Aᵀ
            _gemm(builder, _flip(right), _flip(left), parts[2], op.dtype)


def _flip(m: Matrix) -> Matrix:
    flipped = object.__new__(Matrix)
    flipped.view = m.view
    flipped.rows, flipped.columns = m.columns, m.rows
    flipped.transposed, flipped.stride = not m.transposed, m.stride
    return flipped


def _gemm(builder: Any, a: Matrix, b: Matrix, out: View, dtype: np.dtype[Any]) -> None:
    """Row-major C = A B; BLAS is column-major and computes Cᵀ = Bᵀ Aᵀ."""
    flags = ["T" if m.transposed else "N" for m in (b, a)]
    call(
        builder, "blas", "gemm", dtype, *flags, b.columns, a.rows, a.columns, 1.0,
        b.view.pointer, b.stride, a.view.pointer, a.stride, 0.0, out.pointer, max(1, b.columns),
    )  # fmt: skip
