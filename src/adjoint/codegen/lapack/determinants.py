"""Determinants from LU factors: det, slogdet."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from llvmlite import ir

from adjoint.codegen.elements import I1, I32, cast, literal, register_type
from adjoint.codegen.lapack.call import variable
from adjoint.codegen.lapack.factor import Factored
from adjoint.codegen.loopnest import Index, View, nest
from adjoint.codegen.support import call_scalar
from adjoint.codegen.vector_math import SCALAR_FUNCTIONS


class Determinant(Factored):
    """What is read off the diagonal of U and the row exchanges."""

    routines: ClassVar[tuple[str, ...]] = ("getrf",)
    needs_inverse = False

    def diagonal(self, factors: View) -> View:
        n = factors.shape[0]
        return View(factors.pointer, (n,), (n + 1,), factors.dtype)

    def number(self, value: float) -> Any:
        return literal(value, self.dtype)

    def local(self, start: float) -> Any:
        """A local number."""
        made = variable(self.b, register_type(self.dtype))
        self.b.store(self.number(start), made)
        return made

    def load(self, place: Any) -> Any:
        return self.b.load(place, typ=register_type(self.dtype))

    def load_from(self, view: View, index: Index) -> Any:
        """An element in the precision of the computation."""
        return cast(self.b, view.load(self.b, index), view.dtype, self.dtype)

    def store(self, target: View, value: Any) -> None:
        target.store(self.b, (), cast(self.b, value, self.dtype, target.dtype))

    def is_singular(self, info: View) -> Any:
        return self.b.icmp_signed("!=", info.load(self.b, ()), ir.Constant(I32, 0))

    def signed(self, value: Any, pivots: View) -> Any:
        """A number with the sign of the row exchanges."""
        return self.b.select(self.odd(pivots), self.b.fneg(value), value)

    def sign_of(self, diagonal: View) -> Any:
        """The product of the signs."""
        b, sign = self.b, self.local(1)
        with nest(b, diagonal.shape) as at:
            negative = b.fcmp_ordered("<", diagonal.load(b, at), self.number(0))
            now = self.load(sign)
            b.store(b.select(negative, b.fneg(now), now), sign)
        return self.load(sign)

    def determinant(self, index: Index) -> tuple[Any, Any]:
        """±Π u_ii, and whether it never left the range of normal numbers on the way."""
        b = self.b
        factors, pivots, _ = self.own(index)
        limits = np.finfo(self.dtype)
        total, usual = self.local(1), variable(b, I1)
        b.store(ir.Constant(I1, 1), usual)
        diagonal = self.diagonal(factors)
        with nest(b, diagonal.shape) as at:
            product = b.fmul(self.load(total), diagonal.load(b, at))
            b.store(product, total)
            size = SCALAR_FUNCTIONS["absolute"](b, product)
            large = b.fcmp_ordered(">=", size, self.number(float(limits.tiny)))
            finite = b.fcmp_ordered("<=", size, self.number(float(limits.max)))
            b.store(b.and_(b.load(usual, typ=I1), b.and_(large, finite)), usual)
        return self.signed(self.load(total), pivots), b.load(usual, typ=I1)


class Det(Determinant):
    """±Π u_ii, zero for a singular matrix.

    A product that leaves the range of normal numbers on the way is left to NumPy, which takes the
    sum of logarithms.
    """

    def one(self, index: Index) -> None:
        target = self.result(0, index, 0)
        assert target is not None
        product, usual = self.determinant(index)
        singular = self.is_singular(self.own(index)[2])
        self.refuse(self.b.not_(self.b.or_(singular, usual)))
        self.store(target, self.b.select(singular, self.number(0), product))


class SLogDet(Determinant):
    """The sign of det A and Σ log |u_ii|; 0 and -inf for a singular matrix."""

    def one(self, index: Index) -> None:
        b = self.b
        factors, pivots, info = self.own(index)
        diagonal = self.diagonal(factors)
        total = self.local(0)
        with nest(b, diagonal.shape) as at:
            size = SCALAR_FUNCTIONS["absolute"](b, diagonal.load(b, at))
            b.store(b.fadd(self.load(total), call_scalar(b, "log", size)), total)
        sign, singular = self.signed(self.sign_of(diagonal), pivots), self.is_singular(info)
        ends = ((sign, 0.0), (self.load(total), -np.inf))
        for number, (regular, degenerate) in enumerate(ends):
            target = self.result(number, index, 0)
            if target is not None:
                self.store(target, b.select(singular, self.number(degenerate), regular))
