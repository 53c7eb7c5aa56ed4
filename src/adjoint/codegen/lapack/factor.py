"""LU factors that several steps share: solve(A, b), solve(Aᵀ, x̄), inv(A) and det(A) need one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from llvmlite import ir

from adjoint.codegen.elements import I1, I32, I64
from adjoint.codegen.lapack.call import (
    FLOAT64,
    INT32,
    LapackCall,
    Site,
    copy,
    member,
    rows,
    variable,
)
from adjoint.codegen.loopnest import Index, View, advanced, nest
from adjoint.codegen.program import Op
from adjoint.primitives.contraction import parse

_ALIGNMENT = 64
_SWAPPED = {"N": "T", "T": "N"}


def matrix_of(op: Op) -> tuple[Op, bool]:
    """What an operand is a transpose of, and whether it is one."""
    flipped = False
    while op.kind == "einsum" and len(op.inputs) == 1:
        (term,), result = parse(op.params["subscripts"])
        if len(set(term)) != len(term) or result != term[:-2] + term[-1:] + term[-2:-1]:
            break
        op, flipped = op.inputs[0], not flipped
    return op, flipped


class Factor:
    """P L U of the matrices of one stack; the first of the steps that use it makes it."""

    def __init__(self, op: Op) -> None:
        self.matrix, self.flipped = matrix_of(op)
        self.lead, self.n, dtype = op.shape[:-2], op.shape[-1], FLOAT64
        count = math.prod(self.lead)
        self.dtype = dtype
        self.pivots = _rounded(count * self.n * self.n * dtype.itemsize)
        self.infos = self.pivots + _rounded(count * self.n * INT32.itemsize)
        self.size = self.infos + _rounded(count * INT32.itemsize)

    def views(self, builder: Any, pointer: Any) -> tuple[View, View, View]:
        """The factors (each matrix by columns), the pivots, and what getrf said of each matrix."""
        n, lead = self.n, self.lead
        stack = rows(pointer, (*lead, n, n), self.dtype)
        factors = View(pointer, stack.shape, (*stack.strides[:-2], 1, n), self.dtype)
        pivots = rows(advanced(builder, pointer, self.pivots), (*lead, n), INT32)
        return factors, pivots, rows(advanced(builder, pointer, self.infos), lead, INT32)


Lives = dict[Factor, tuple[int, int]]
"""The first and the last step that use some factors."""


def share_factors(steps: Iterable[tuple[int, LapackCall]]) -> Lives:
    """Finds steps that can use the same factors: those of one matrix or of its transpose."""
    made: dict[Op, Factor] = {}
    lives: Lives = {}
    for number, step in steps:
        if not isinstance(step, Factored):
            continue
        matrix = matrix_of(step.op.inputs[0])[0]
        factor = made.get(matrix)
        if factor is None:
            factor = made[matrix] = Factor(step.op.inputs[0])
        step.share(factor, factor not in lives)
        lives[factor] = lives.get(factor, (number, number))[0], number
    return lives


def _rounded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


class Factored(LapackCall):
    """A step that works with LU factors."""

    factor: Factor
    first: bool
    """Whether this step makes the factors."""

    needs_inverse = True
    """Whether a singular matrix is an error."""

    @property
    def names(self) -> list[str]:
        """The routines, without the factorisation where that is there."""
        return super().names[not self.first :]

    def share(self, factor: Factor, first: bool) -> None:
        """Tells the step which factors it uses."""
        self.factor, self.first = factor, first
        self.turned = matrix_of(self.op.inputs[0])[1] != factor.flipped

    def emit(self, site: Site) -> None:
        self.views = self.factor.views(site.builder, site.shared)
        super().emit(site)

    def prepare(self) -> None:
        if self.first:
            with nest(self.b, self.factor.lead) as index:
                factors, pivots, info = self.own(index)
                copy(self.b, factors, self.operand(0, index))
                n = self.factor.n
                self.lapack("getrf", n, n, factors.pointer, n, pivots.pointer, info.pointer)
        if self.needs_inverse:
            zero = ir.Constant(I32, 0)
            infos = self.views[2]
            self.refuse(self.any_of(infos, lambda v: self.b.icmp_signed("!=", v, zero)))

    def own(self, index: Index) -> tuple[View, View, View]:
        """Factors, pivots and information of one matrix."""
        return tuple(
            member(self.b, view, index, rank)
            for view, rank in zip(self.views, (2, 1, 0), strict=True)
        )  # type: ignore[return-value]

    def substitute(self, index: Index, trans: str, pointer: Any, columns: int) -> None:
        """Solves with the factors of the operand ("N") or its transpose ("T"), in place."""
        factors, pivots, _ = self.own(index)
        n = self.factor.n
        trans = _SWAPPED[trans] if self.turned else trans
        self.lapack("getrs", trans, n, columns, factors.pointer, n, pivots.pointer, pointer, n,
                    self.place(self.info))  # fmt: skip

    def odd(self, pivots: View) -> Any:
        """Whether the row exchanges are an odd permutation, as i1 in a variable."""
        flag = variable(self.b, I1)
        self.b.store(ir.Constant(I1, 0), flag)
        with nest(self.b, pivots.shape) as (i,):
            row = self.b.zext(pivots.load(self.b, (i,)), I64)
            moved = self.b.icmp_signed("!=", row, self.b.add(i, ir.Constant(I64, 1)))
            self.b.store(self.b.xor(self.b.load(flag, typ=I1), moved), flag)
        return self.b.load(flag, typ=I1)
