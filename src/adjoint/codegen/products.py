"""Matrix products: the indices of one, and its operands as the matrices and vectors of BLAS."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.blas_calls import Matrix, Vector
from adjoint.codegen.elements import I64, memory_type
from adjoint.codegen.loopnest import View
from adjoint.codegen.program import Op, extents_of
from adjoint.codegen.strided import layout
from adjoint.primitives.contraction import parse


@dataclass
class Contraction:
    """The indices of a two-operand contraction: of both and the result, of one operand and the
    result, and summed."""

    batch: str
    left: str
    right: str
    summed: str
    extents: dict[str, int]

    def count(self, letters: str) -> int:
        """How many places these indices have together."""
        return int(np.prod([self.extents[c] for c in letters], dtype=np.int64))


def contraction_of(op: Op) -> Contraction | None:
    """The matrix product that a two-operand contraction is, if it is one."""
    (a, b), result = parse(op.params["subscripts"])
    if len(set(a)) != len(a) or len(set(b)) != len(b):
        return None
    summed = "".join(c for c in a if c in b and c not in result)
    batch = "".join(c for c in result if c in a and c in b)
    left = "".join(c for c in result if c in a and c not in b)
    right = "".join(c for c in result if c in b and c not in a)
    if not summed or set(a + b) != set(batch + left + right + summed):
        return None
    if result not in (batch + left + right, batch + right + left):
        return None
    extents = extents_of(op.params["subscripts"], op.inputs, op.params)
    return Contraction(batch, left, right, summed, extents)


def matrix_of_gemv(op: Op) -> Op | None:
    """The matrix, if a product is one of a matrix with a vector."""
    (a, b), _result = parse(op.params["subscripts"])
    left, right = set(a) - set(b), set(b) - set(a)
    if bool(left) == bool(right):
        return None
    return op.inputs[0 if left else 1]


class NotStrided(Exception):
    """The operand has no layout that BLAS can walk; it has to be copied first."""


def in_need_of_a_copy(op: Op, plan: Contraction, stored: Collection[Op] = ()) -> list[Op]:
    """The operands that BLAS cannot read where they are."""
    return [i for k, i in enumerate(op.inputs) if not _fits(op, plan, k, layout(i, stored))]


def fits(op: Op, plan: Contraction, a: View, b: View) -> bool:
    """Whether BLAS can read these operands where they are."""
    return _fits(op, plan, 0, a) and _fits(op, plan, 1, b)


def _fits(op: Op, plan: Contraction, position: int, view: View) -> bool:
    try:
        operand(op, plan, position, view, None)
    except NotStrided:
        return False
    return True


def operand(op: Op, plan: Contraction, position: int, view: View, builder: Any) -> Matrix | Vector:
    """An operand as a matrix or a vector.

    The matrices are A and B of A B; where the other operand is a vector x, the matrix is A of A x,
    on whichever side the vector stands.
    """
    term = parse(op.params["subscripts"])[0][position]
    kept = plan.right if position else plan.left
    if not kept:
        return _vector(view, term, plan, builder)
    second = position == 1 and bool(plan.left)
    rows, columns = (plan.summed, kept) if second else (kept, plan.summed)
    return _matrix(view, term, rows, columns, plan)


def _matrix(view: View, term: str, rows: str, columns: str, plan: Contraction) -> Matrix:
    height, width = plan.count(rows), plan.count(columns)
    down, across = _collapse(view, term, rows, plan), _collapse(view, term, columns, plan)
    if down is None or across is None:
        raise NotStrided
    if width == 1:
        across = 1 if down != 1 or height == 1 else max(height, 1)
    if height == 1:
        down = max(width, 1) if across == 1 else 1
    if across == 1 and down >= max(width, 1):
        return Matrix(view.pointer, height, width, down)
    if down == 1 and across >= max(height, 1):
        return Matrix(view.pointer, height, width, across, transposed=True)
    raise NotStrided


def _vector(view: View, term: str, plan: Contraction, builder: Any) -> Vector:
    stride = _collapse(view, term, plan.summed, plan)
    if not stride:
        raise NotStrided
    pointer = view.pointer
    if stride < 0 and builder is not None:
        last = ir.Constant(I64, stride * (plan.count(plan.summed) - 1))
        pointer = builder.gep(pointer, [last], inbounds=True, source_etype=memory_type(view.dtype))
    return Vector(pointer, stride)


def _collapse(view: View, term: str, letters: str, plan: Contraction) -> int | None:
    """The one stride with which a view walks several indices in order; None if there is none."""
    stride: int | None = None
    expected = 0
    for c in reversed(letters):
        own, extent = view.strides[term.index(c)], plan.extents[c]
        if extent == 1:
            continue
        if stride is not None and own != expected:
            return None
        stride = own if stride is None else stride
        expected = own * extent
    return 1 if stride is None else stride
