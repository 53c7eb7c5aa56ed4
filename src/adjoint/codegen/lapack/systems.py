"""Linear systems: solve, inv, solve_triangular, cholesky."""

from __future__ import annotations

import math
from typing import Any

from adjoint.codegen.elements import cast, literal
from adjoint.codegen.fortran import routine_name
from adjoint.codegen.lapack.call import LapackCall, copy
from adjoint.codegen.lapack.factor import Factored
from adjoint.codegen.loopnest import Index, View, nest


class Solve(Factored):
    """X of A X = B from the LU factors of A, or of Aᵀ where those are there."""

    routines = ("getrf", "getrs")

    def plan(self) -> None:
        self.n, self.k = self.op.shape[-2:]
        self.right = self.take(self.n * self.k, self.dtype)

    @property
    def lead(self) -> tuple[int, ...]:
        return self.op.shape[:-2]

    def one(self, index: Index) -> None:
        b, x = self.operand(1, index), self.result(0, index)
        assert x is not None
        if self.k == 1:
            column = self.working(x, self.right)
            copy(self.b, column, b)
            self.substitute(index, "N", column.pointer, 1)
            return self.deliver(x, column)
        right = self.columns(self.right, self.n, self.k)
        copy(self.b, right, b)
        self.substitute(index, "N", right.pointer, self.k)
        return copy(self.b, x, right)


class Inv(Factored):
    """A⁻¹: its rows are the columns of the solution of Aᵀ Y = I, so they are written in place."""

    routines = ("getrf", "getrs")

    def plan(self) -> None:
        self.spare = self.take(math.prod(self.op.shape[-2:]), self.dtype)

    def one(self, index: Index) -> None:
        target = self.result(0, index)
        assert target is not None
        y = self.working(target, self.spare)
        fill_identity(self.b, y)
        self.substitute(index, "T", y.pointer, y.shape[-1])
        self.deliver(target, y)


def fill_identity(builder: Any, target: View) -> None:
    """Ones on the diagonal and zeros beside it."""
    one, zero = (literal(v, target.dtype) for v in (1, 0))
    with nest(builder, target.shape) as (i, j):
        value = builder.select(builder.icmp_signed("==", i, j), one, zero)
        target.store(builder, (i, j), value)


class Cholesky(LapackCall):
    """L of A = L Lᵀ.  The rows of L are the columns of the upper factor, so nothing is transposed;
    like NumPy it reads the lower triangle of A only."""

    routines = ("potrf",)

    def plan(self) -> None:
        self.spare = self.take(math.prod(self.op.shape[-2:]), self.dtype)

    def one(self, index: Index) -> None:
        a, result = self.operand(0, index), self.result(0, index)
        assert result is not None
        target = self.working(result, self.spare)
        n, zero = self.op.shape[-1], literal(0, self.dtype)
        with nest(self.b, (n, n)) as (i, j):
            inside = self.b.icmp_signed("<=", j, i)
            element = cast(self.b, a.load(self.b, (i, j)), a.dtype, self.dtype)
            value = self.b.select(inside, element, zero)
            target.store(self.b, (i, j), value)
        self.lapack("potrf", "U", n, target.pointer, n, self.place(self.info))
        self.refuse_unless_done()
        self.deliver(result, target)


class SolveTriangular(LapackCall):
    """X of T X = B, T one triangle of A, by the triangular solve of BLAS.

    Column-major Xᵀ Tᵀ = Bᵀ has its operands where NumPy has them, so only B is copied: to the
    place of the result.
    """

    library = "BLAS"
    in_double = False

    def plan(self) -> None:
        self.n, self.k = self.op.shape[-2:]
        self.copied = self.take(self.n * self.n, self.dtype)

    @property
    def names(self) -> list[str]:
        stem = "trsv" if self.k == 1 else "trsm"
        return [routine_name(stem, self.dtype)]

    @property
    def lead(self) -> tuple[int, ...]:
        return self.op.shape[:-2]

    def prepare(self) -> None:
        """A zero on the diagonal is an error of the evaluated call."""
        if self.op.params["unit"]:
            return
        a = self.site.operands[0]
        steps = a.strides[-2] + a.strides[-1]
        diagonal = View(a.pointer, a.shape[:-1], (*a.strides[:-2], steps), a.dtype, a.start)
        zero = literal(0, self.dtype)
        self.refuse(self.any_of(diagonal, lambda v: self.b.fcmp_ordered("==", v, zero)))

    def one(self, index: Index) -> None:
        a, b, x = self.operand(0, index), self.operand(1, index), self.result(0, index)
        assert x is not None
        copy(self.b, x, b)
        lower, diagonal = self.op.params["lower"], "U" if self.op.params["unit"] else "N"
        columns = a.strides[0] == 1 and a.strides[1] >= self.n
        if not columns and not (a.strides[1] == 1 and a.strides[0] >= self.n):
            # Neither rows nor columns are contiguous.
            copied = View(self.place(self.copied), a.shape, (self.n, 1), self.dtype)
            copy(self.b, copied, a)
            a = copied
        stride = a.strides[1] if columns else a.strides[0]
        # To BLAS, the rows of NumPy's A are columns: it sees Aᵀ, whose triangle is the other one.
        triangle = "L" if lower == columns else "U"
        if self.k == 1:
            self.blas("trsv", triangle, "N" if columns else "T", diagonal, self.n,
                      a.pointer, stride, x.pointer, 1)  # fmt: skip
        else:
            self.blas("trsm", "R", triangle, "T" if columns else "N", diagonal, self.k, self.n, 1.0,
                      a.pointer, stride, x.pointer, self.k)  # fmt: skip
