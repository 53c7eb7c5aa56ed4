"""The cofactor matrix, which is what the gradient of a determinant is made of."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from adjoint.codegen.elements import I1
from adjoint.codegen.fortran import workspace
from adjoint.codegen.lapack.call import INT32, copy, rows, variable
from adjoint.codegen.lapack.determinants import Determinant
from adjoint.codegen.loopnest import Index, View, nest

_CONDITION = 100.0
"""‖A‖ ‖A⁻¹‖ in the Frobenius norm, over √n, up to which det(A) A⁻ᵀ is exact to rounding."""


class Cofactor(Determinant):
    """det(A) A⁻ᵀ where A is far from singular, else the formula of `Cofactor` by singular values.

    The first takes the LU factors that det(A) has made; the second exists where A has no inverse,
    and loses nothing near such a place.
    """

    routines = ("getrf", "getrs", "gesdd")

    def plan(self) -> None:
        n = self.n = self.op.shape[-1]
        self.spare, self.a, self.u, self.vt = (self.take(n * n, self.dtype) for _ in range(4))
        self.s = self.take(n, self.dtype)
        self.pivots, self.iwork = self.take(n, INT32), self.take(8 * n, INT32)
        (self.length,) = workspace("gesdd", self.dtype, ("A", n, n, None, n, None, None, n, None, n,
                                                         "work", -1, None, None))  # fmt: skip
        self.work = self.take(self.length, self.dtype)

    def one(self, index: Index) -> None:
        b, result = self.b, self.result(0, index)
        assert result is not None
        target = self.working(result, self.spare)
        determinant, usual = self.determinant(index)
        done = variable(b, I1)
        b.store(ir.Constant(I1, 0), done)
        with b.if_then(usual, likely=True):
            b.store(self._by_inverse(index, target, determinant), done)
        with b.if_then(b.not_(b.load(done, typ=I1)), likely=False):
            self._by_singular_values(index, target)
        self.deliver(result, target)

    def _by_inverse(self, index: Index, target: View, determinant: Any) -> Any:
        """Solves A Y = det(A) I; the columns of Y are the rows of the result.  Says whether that
        can be relied on."""
        b = self.b
        with nest(b, target.shape) as (i, j):
            value = b.select(b.icmp_signed("==", i, j), determinant, self.number(0))
            target.store(b, (i, j), value)
        self.substitute(index, "N", target.pointer, self.n)
        sizes = [self._squares(self.operand(0, index)), self._squares(target)]
        limit = b.fmul(self.number(_CONDITION**2 * self.n), b.fmul(determinant, determinant))
        return b.fcmp_ordered("<=", b.fmul(*sizes), limit)

    def _squares(self, view: View) -> Any:
        total = self.local(0)
        with nest(self.b, view.shape) as index:
            value = self.load_from(view, index)
            self.b.store(self.b.fadd(self.load(total), self.b.fmul(value, value)), total)
        return self.load(total)

    def _by_singular_values(self, index: Index, target: View) -> None:
        n = self.n
        a, u, vt = (self.columns(place, n, n) for place in (self.a, self.u, self.vt))
        copy(self.b, a, self.operand(0, index))
        with self.unless_refused(self.any_infinite(a)):
            s = rows(self.place(self.s), (n,), self.dtype)
            self.lapack("gesdd", "A", n, n, a.pointer, n, s.pointer, u.pointer, n, vt.pointer, n,
                        self.place(self.work), self.length, self.place(self.iwork),
                        self.place(self.info))  # fmt: skip
            self.refuse_unless_done()
            phase = self.b.fmul(self._sign(u), self._sign(vt))
            self._scale(u, s, phase)
            # By columns, the result is its transpose: V (U diag(p))ᵀ.
            self.blas("gemm", "T", "T", n, n, n, 1.0, vt.pointer, n, u.pointer, n, 0.0,
                      target.pointer, n)  # fmt: skip

    def _sign(self, orthogonal: View) -> Any:
        """The determinant of an orthogonal matrix, 1 or -1, by the LU factors of a copy."""
        n, a = self.n, self.columns(self.a, self.n, self.n)
        pivots = rows(self.place(self.pivots), (n,), INT32)
        copy(self.b, a, orthogonal)
        self.lapack("getrf", n, n, a.pointer, n, pivots.pointer, self.place(self.info))
        return self.signed(self.sign_of(self.diagonal(a)), pivots)

    def _scale(self, u: View, s: View, phase: Any) -> None:
        """Multiplies each column by the product of all singular values but its own."""
        b, n = self.b, self.n
        factor = self.local(0)
        with nest(b, (n,)) as (i,):
            b.store(phase, factor)
            with nest(b, (n,)) as (k,):
                other = b.icmp_signed("!=", i, k)
                value = b.select(other, s.load(b, (k,)), self.number(1))
                b.store(b.fmul(self.load(factor), value), factor)
            with nest(b, (n,)) as (row,):
                scaled = b.fmul(u.load(b, (row, i)), self.load(factor))
                u.store(b, (row, i), scaled)
