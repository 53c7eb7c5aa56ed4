"""Decompositions: eigh, svd, qr, and lstsq, which is one inside.

Operands are copied to columns, as NumPy does it, and the same routines are called with the same
options: vectors are determined up to a sign or a rotation only, and the choice has to be NumPy's.
Iterations are never given infinities or NaNs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.codegen.elements import cast, literal
from adjoint.codegen.fortran import workspace
from adjoint.codegen.lapack.call import INT32, LapackCall, copy, rows
from adjoint.codegen.loopnest import Index, View, nest


class _Decomposition(LapackCall):
    def plan(self) -> None:
        self.m, self.n = self.op.inputs[0].shape[-2:]
        self.a = self.take(self.m * self.n, self.dtype)

    def by_columns(self, index: Index) -> View:
        """A copy of the operand, column by column."""
        a = self.columns(self.a, self.m, self.n)
        copy(self.b, a, self.operand(0, index))
        return a

    def ask(self, stem: str, *given: Any) -> None:
        """Takes the workspace that the routine says it needs."""
        found = workspace(stem, self.dtype, given)
        self.lengths = tuple(max(1, length) for length in found)
        dtypes = (self.dtype, INT32)
        pairs = zip(self.lengths, dtypes, strict=False)
        self.works = [self.take(length, dtype) for length, dtype in pairs]

    def give(self, number: int, index: Index, found: View) -> None:
        """Copies a result to where it is wanted, if it is."""
        target = self.result(number, index, len(found.shape))
        if target is not None:
            copy(self.b, target, found)


class Eigh(_Decomposition):
    """w and V of a symmetric A; without V where nobody reads it."""

    routines = ("syevd",)

    def plan(self) -> None:
        super().plan()
        n = self.n
        self.job = "V" if self.wanted[1] else "N"
        self.w = self.take(n, self.dtype)
        self.ask("syevd", self.job, "L", n, None, n, None, "work", -1, "iwork", -1, None)

    def one(self, index: Index) -> None:
        n, a = self.n, self.by_columns(index)
        with self.unless_refused(self.any_infinite(a)):
            w = rows(self.place(self.w), (n,), self.dtype)
            (work, iwork), (length, ilength) = self.works, self.lengths
            self.lapack("syevd", self.job, self.op.params["UPLO"], n, a.pointer, n, w.pointer,
                        self.place(work), length, self.place(iwork), ilength,
                        self.place(self.info))  # fmt: skip
            self.refuse_unless_done()
            self.give(0, index, w)
            self.give(1, index, a)


class SVD(_Decomposition):
    """U, s and Vᵀ; singular values alone where nobody reads the vectors."""

    routines = ("gesdd",)

    def plan(self) -> None:
        super().plan()
        m, n, k = self.m, self.n, min(self.m, self.n)
        vectors = self.wanted[0] or self.wanted[2]
        full = self.op.params["full_matrices"]
        self.job = "N" if not vectors else "A" if full else "S"
        self.left = (m, m if full else k) if vectors else (1, 1)
        self.right = (n if full else k, n) if vectors else (1, 1)
        self.u, self.vt = (self.take(r * c, self.dtype) for r, c in (self.left, self.right))
        self.s = self.take(k, self.dtype)
        self.iwork = self.take(8 * k, INT32)
        self.ask("gesdd", self.job, m, n, None, m, None, None, self.left[0], None, self.right[0],
                 "work", -1, None, None)  # fmt: skip

    def one(self, index: Index) -> None:
        m, n, a = self.m, self.n, self.by_columns(index)
        with self.unless_refused(self.any_infinite(a)):
            u, vt = self.columns(self.u, *self.left), self.columns(self.vt, *self.right)
            s = rows(self.place(self.s), (min(m, n),), self.dtype)
            self.lapack("gesdd", self.job, m, n, a.pointer, m, s.pointer, u.pointer, self.left[0],
                        vt.pointer, self.right[0], self.place(self.works[0]), self.lengths[0],
                        self.place(self.iwork), self.place(self.info))  # fmt: skip
            self.refuse_unless_done()
            self.give(1, index, s)
            if self.job != "N":
                self.give(0, index, u)
                self.give(2, index, vt)


class QR(_Decomposition):
    """Q and R by Householder reflections."""

    routines = ("geqrf", "orgqr")

    def plan(self) -> None:
        super().plan()
        m, n, self.k = self.m, self.n, min(self.m, self.n)
        self.width = m if self.op.params["mode"] == "complete" else self.k
        self.q = self.take(m * self.width, self.dtype)
        self.tau = self.take(self.k, self.dtype)
        self.ask("geqrf", m, n, None, m, None, "work", -1, None)
        self.form = self.works[0], self.lengths[0]
        self.ask("orgqr", m, self.width, self.k, None, m, None, "work", -1, None)

    def one(self, index: Index) -> None:
        m, n, a, tau = self.m, self.n, self.by_columns(index), self.place(self.tau)
        info, (work, length) = self.place(self.info), self.form
        self.lapack("geqrf", m, n, a.pointer, m, tau, self.place(work), length, info)
        self._give_r(index, a)
        if not self.wanted[0]:
            return
        q = self.columns(self.q, m, self.width)
        head = View(q.pointer, (m, self.k), q.strides, q.dtype)
        copy(self.b, head, View(a.pointer, (m, self.k), a.strides, a.dtype))
        self.lapack("orgqr", m, self.width, self.k, q.pointer, m, tau,
                    self.place(self.works[0]), self.lengths[0], info)  # fmt: skip
        self.give(0, index, q)

    def _give_r(self, index: Index, a: View) -> None:
        """The upper triangle, zeros below."""
        target = self.result(1, index)
        if target is None:
            return
        zero, height = literal(0, self.dtype), target.shape[0]
        with nest(self.b, target.shape) as (i, j):
            if height > self.k:  # the rows of zeros of mode "complete", which A may not have
                inside = self.b.icmp_signed("<=", i, j)
                row = self.b.select(inside, i, _zero(i))
            else:
                inside, row = self.b.icmp_signed("<=", i, j), i
            value = self.b.select(inside, a.load(self.b, (row, j)), zero)
            target.store(self.b, (i, j), cast(self.b, value, self.dtype, target.dtype))


class LeastSquares(_Decomposition):
    """A⁺ B by singular values."""

    routines = ("gelsd",)

    def plan(self) -> None:
        super().plan()
        m, n, self.k = self.m, self.n, self.op.shape[-1]
        self.tall = max(m, n)
        self.right = self.take(self.tall * self.k, self.dtype)
        self.s = self.take(min(m, n), self.dtype)
        self.rank = self.take(1, INT32)
        rcond = self.op.params["rcond"]
        eps = float(np.finfo(np.float64).eps)
        self.rcond = float(eps * self.tall if rcond is None else rcond)
        self.ask("gelsd", m, n, self.k, None, m, None, self.tall, None, self.rcond, None,
                 "work", -1, "iwork", None)  # fmt: skip

    @property
    def lead(self) -> tuple[int, ...]:
        return self.op.shape[:-2]

    def one(self, index: Index) -> None:
        m, n, a = self.m, self.n, self.by_columns(index)
        right = self.columns(self.right, self.tall, self.k)
        copy(self.b, View(right.pointer, (m, self.k), right.strides, right.dtype),
             self.operand(1, index))  # fmt: skip
        given = View(right.pointer, (m, self.k), right.strides, right.dtype)
        infinite = self.b.or_(self.any_infinite(a), self.any_infinite(given))
        with self.unless_refused(infinite):
            places = [self.place(p) for p in (self.s, self.rank, *self.works, self.info)]
            s, rank, work, iwork, info = places
            self.lapack("gelsd", m, n, self.k, a.pointer, m, right.pointer, self.tall, s,
                        self.rcond, rank, work, self.lengths[0], iwork, info)  # fmt: skip
            self.refuse_unless_done()
            self.give(0, index, View(right.pointer, (n, self.k), right.strides, right.dtype))


def _zero(like: Any) -> Any:
    return like.type(0)
