"""A diagonal plus low rank: where a contraction can be cut into a tall and a wide factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.operators.parts import Values, ties
from adjoint.simplify.einstein import product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Expr, Factor, Labels, Term, as_term


@dataclass(frozen=True)
class LowRank:
    """diag(diagonal) + left @ right; the diagonal is None if there is none."""

    diagonal: Any
    left: Any
    right: Any


@dataclass(frozen=True)
class Cut:
    """A term as a product of two groups of factors that share the indices ``between``."""

    term: Term
    left: list[Factor]
    right: list[Factor]
    between: Labels

    @property
    def rank(self) -> int:
        return math.prod(self.term.sizes[i] for i in self.between)


def low_rank(
    terms: Sequence[Expr], output: Sequence[int], order: Sequence[int], values: Values
) -> LowRank | None:
    """The terms as a diagonal plus low rank, if the rank is below half the size.

    ``order`` has the input axes in the order of the output axes to which they belong.
    """
    outs, n = len(output), math.prod(output)
    paired = {(a, b) for a, b in zip(range(outs), order, strict=False)}
    full = len(order) == outs
    diagonals = [e for e in terms if full and ties(e, outs) == paired]
    cuts = [cut(as_term(e), outs) for e in terms if e not in diagonals]
    if not cuts or 2 * sum(n if c is None else c.rank for c in cuts) >= n:
        return None
    inner = [outs + b for b in order]
    pairs = [_factors(c, list(range(outs)), inner, values) for c in cuts if c is not None]
    left = np.concatenate([p[0] for p in pairs], axis=1)
    right = np.concatenate([p[1] for p in pairs], axis=0)
    if not diagonals:
        return LowRank(None, left, right)
    total: Any = 0.0
    for e in diagonals:
        view = as_term(e)
        labels = tuple(view.out[:outs])
        total = total + values(product(view.coefficient, view.factors, labels, view.sizes))
    return LowRank(np.broadcast_to(total, output).reshape(-1), left, right)


def cut(e: Term, outs: int) -> Cut | None:
    """The cut through the fewest values of the summed indices, or None if a factor joins both."""
    first, second = e.out[:outs], e.out[outs:]
    if set(first) & set(second) or len(set(e.out)) < len(e.out):
        return None
    near = [f for f in e.factors if set(f[1]) & set(first)]
    far = [f for f in e.factors if set(f[1]) & set(second)]
    if any(f in far for f in near):
        return None
    options = [
        (near, [f for f in e.factors if f not in near]),
        ([f for f in e.factors if f not in far], far),
    ]
    return min((_cut(e, *o) for o in options), key=lambda c: c.rank)


def _cut(e: Term, left: list[Factor], right: list[Factor]) -> Cut:
    shared = {i for _, ls in left for i in ls} & {i for _, ls in right for i in ls}
    return Cut(e, left, right, tuple(sorted(shared)))


def _factors(
    c: Cut, rows: Sequence[int], columns: Sequence[int], values: Values
) -> tuple[Any, Any]:  # fmt: skip
    """The two factors as matrices: n × rank and rank × n."""
    e = c.term
    outer = tuple(e.out[k] for k in rows)
    inner = tuple(e.out[k] for k in columns)
    left = product(e.coefficient, c.left, outer + c.between, _sizes(e, c.left, outer + c.between))
    right = product(ONE, c.right, c.between + inner, _sizes(e, c.right, c.between + inner))
    n = math.prod(e.sizes[i] for i in outer)
    return (
        np.broadcast_to(values(left), left.shape).reshape(n, c.rank),
        np.broadcast_to(values(right), right.shape).reshape(c.rank, n),
    )


def _sizes(e: Term, factors: list[Factor], out: Labels) -> dict[int, int]:
    used = set(out).union(*(ls for _, ls in factors))
    return {i: e.sizes[i] for i in used}


__all__ = ["Cut", "LowRank", "cut", "low_rank"]
