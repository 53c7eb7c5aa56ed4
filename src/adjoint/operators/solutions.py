"""Solving with a linear map: one solver for each Kronecker factor, chosen by its structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adjoint.errors import SingularOperatorError
from adjoint.operators.inverses import Block, Inverse, inverse_of
from adjoint.operators.parts import Part, Split, Values, join, split
from adjoint.simplify.expression import Expr, Sum


@dataclass(frozen=True)
class Factor:
    """A Kronecker factor: a sum of terms over some axes of the outputs and of the inputs."""

    outs: tuple[int, ...]
    ins: tuple[int, ...]
    terms: tuple[Expr, ...]


class Solution:
    """b ↦ A⁻¹ b for a Kronecker product: along the axes of each factor in turn."""

    def __init__(
        self, scale: float, factors: Sequence[Factor], shape: Sequence[int], outs: int,
        values: Values,
    ) -> None:  # fmt: skip
        self.scale, self.factors = scale, factors
        self.output, self.input = tuple(shape[:outs]), tuple(shape[outs:])
        self.size = math.prod(self.output)
        self.inverses: list[Inverse] = []
        for f in factors:
            self._require_square(f)
            block = Block(tuple(self.output[a] for a in f.outs),
                          tuple(self.input[b] for b in f.ins), f.terms, values)  # fmt: skip
            self.inverses.append(inverse_of(block))
        if scale == 0 and self.size:
            raise SingularOperatorError("solve needs an operator with an inverse; this one is 0.")

    def _require_square(self, f: Factor) -> None:
        rows = math.prod(self.output[a] for a in f.outs)
        columns = math.prod(self.input[b] for b in f.ins)
        if rows != columns:
            rank = self.size // max(rows, columns) * min(rows, columns)
            raise SingularOperatorError(
                f"solve needs an operator with an inverse; this one of size {self.size} has a "
                f"Kronecker factor of {rows}×{columns}, so its rank is at most {rank}.",
                hint="for the smallest x that fits best: scipy.sparse.linalg.lsmr(A, b).",
            )

    def __call__(self, b: Any, rtol: float, max_steps: int | None) -> Any:
        """A⁻¹ b, for b in the shape of the output with one more axis."""
        x, names = b, [("out", k) for k in range(len(self.output))]
        for f, inverse in zip(self.factors, self.inverses, strict=True):
            mine = [names.index(("out", a)) for a in f.outs]
            left = [k for k in range(len(names)) if k not in mine]
            x = x.transpose(*mine, *left, x.ndim - 1)
            rest = x.shape[len(mine) :]
            solved = inverse.solve(x.reshape(inverse.size, -1), rtol, max_steps)
            x = solved.reshape(*(self.input[k] for k in f.ins), *rest)
            names = [("in", k) for k in f.ins] + [names[k] for k in left]
        order = [names.index(("in", k)) for k in range(len(self.input))]
        return x.transpose(*order, x.ndim - 1) / self.scale

    def logdet(self) -> float:
        """log |det A| = Σ over the factors of n/nₖ log |det Aₖ|, and n log |scale|."""
        total = self.size * math.log(abs(self.scale)) if self.size else 0.0
        for inverse in self.inverses:
            total += self.size // max(inverse.size, 1) * inverse.logdet()
        return float(total)

    def __str__(self) -> str:
        return " ⊗ ".join(str(inverse) for inverse in self.inverses) or "division"


def solution_of(
    terms: Sequence[Expr], shape: Sequence[int], outs: int, values: Values
) -> Solution:  # fmt: skip
    """The solver for a sum of terms: what all terms have in common is a factor by itself."""
    axes = tuple(range(outs)), tuple(range(len(shape) - outs))
    found = [split(e, *axes) for e in terms]
    if len(found) == 1:
        scale = float(values(found[0].scale))
        factors = [Factor(p.outs, p.ins, (p.array,)) for p in found[0].parts]
        return Solution(scale, factors, shape, outs, values)
    common = [p for p in found[0].parts if all(p in f.parts for f in found[1:])]
    factors = [Factor(p.outs, p.ins, (p.array,)) for p in common]
    used_outs = {a for p in common for a in p.outs}
    used_ins = {b for p in common for b in p.ins}
    rest_outs = tuple(a for a in axes[0] if a not in used_outs)
    rest_ins = tuple(b for b in axes[1] if b not in used_ins)
    rest = []
    for f in found:
        mine: tuple[Part, ...] = tuple(p for p in f.parts if p not in common)
        joined = join(Split(f.scale, mine), rest_outs, rest_ins)
        rest += list(joined.terms) if isinstance(joined, Sum) else [joined]
    factors.append(Factor(rest_outs, rest_ins, tuple(rest)))
    return Solution(1.0, factors, shape, outs, values)


__all__ = ["Factor", "Solution", "solution_of"]
