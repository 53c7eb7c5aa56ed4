"""Small matrices on intervals: systems, inverses, determinants, Cholesky factors.

A system is solved by a preconditioner and a bound of what is left (Krawczyk 1969; Rump, *Acta
Numerica* 19, 2010, section 10), a determinant by Gaussian elimination in interval arithmetic.  The
entries count as independent of each other, so the intervals of pieces have to be short, and the
matrices small: a few rows, or many that are far from singular.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.enclosure import elementary
from adjoint.enclosure.interval import (
    Interval,
    divide,
    exactly,
    magnitude,
    multiply,
    outward,
    square,
    subtract,
    summed,
)
from adjoint.enclosure.refusals import Refusals
from adjoint.enclosure.structural import ROWS, Row
from adjoint.graph.ir import Node
from adjoint.primitives.linalg.solving import triangle

_EPS = float(np.finfo(float).eps)


def matmul(a: Interval, b: Interval) -> Interval:
    """A B, with the pieces and the stacks of both broadcast."""
    products = multiply(at(a, (..., slice(None), slice(None), None)),
                        at(b, (..., None, slice(None), slice(None))))  # fmt: skip
    return summed(products, (products.ndim - 2,))


def at(x: Interval, index: Any) -> Interval:
    """x[index], of both ends."""
    return exactly(x.lo[index]) if x.lo is x.hi else Interval(x.lo[index], x.hi[index])


def solved(run: Refusals, a: Interval, b: Interval) -> Interval:
    """X of A X = B for all A and B, where all A are regular; other pieces are given up.

    With C near A⁻¹, X₀ = C B₀ and E = 1 − C A:  X − X₀ = C (B − A X₀) + E (X − X₀).  So A is
    regular if β = ‖E‖∞ < 1, and then |X − X₀| ≤ |R| + |E| ‖R‖∞/(1 − β) for R = C (B − A X₀).
    """
    n = a.lo.shape[-1]
    with np.errstate(all="ignore"):
        inverse = exactly(_near_inverse(a.lo / 2 + a.hi / 2))
        start = exactly(inverse.lo @ (b.lo / 2 + b.hi / 2))
        off = subtract(exactly(np.eye(n)), matmul(inverse, a))
        left = magnitude(matmul(inverse, subtract(b, matmul(a, start))))
        grown = 1 + (n + 4) * _EPS
        rows = np.sum(magnitude(off), axis=-1) * grown
        beta = np.max(rows, axis=-1, initial=0.0)
        most = np.max(left, axis=-2, initial=0.0) / ((1 - beta) / grown)[..., None]
        radius = (left + rows[..., :, None] * most[..., None, :] * grown) * grown
    run.give_up(~(beta < 1 - 8 * _EPS))
    return outward(start.lo - radius, start.lo + radius)


def _near_inverse(a: Any) -> Any:
    """The inverses of matrices as floating-point numbers: 1 where there is none."""
    regular = np.isfinite(a).all(axis=(-2, -1))
    regular &= np.linalg.det(np.where(regular[..., None, None], a, 0.0)) != 0
    try:
        return np.linalg.inv(np.where(regular[..., None, None], a, np.eye(a.shape[-1])))
    except np.linalg.LinAlgError:
        return np.broadcast_to(np.eye(a.shape[-1]), a.shape)


def _solve(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    return solved(run, *operands)


def _solve_triangular(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    a, b = operands
    lower, unit = node.params["lower"], node.params["unit"]
    return solved(run, Interval(triangle(a.lo, lower, unit), triangle(a.hi, lower, unit)), b)


def _inv(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    (a,) = operands
    return solved(run, a, exactly(np.broadcast_to(np.eye(a.lo.shape[-1]), a.lo.shape)))


def determinant(a: Interval) -> Interval:
    """det A by elimination, and never more than the product of the norms of its rows."""
    n, lead = a.lo.shape[-1], a.lo.shape[:-2]
    found, rest = exactly(np.ones(lead)), Interval(a.lo, a.hi)
    with np.errstate(all="ignore"):
        norms = np.sqrt(np.sum(magnitude(a) ** 2, axis=-1))
        most = np.prod(norms, axis=-1) * (1 + (n + 2) ** 2 * _EPS)
        for size in range(n, 0, -1):
            rest, sign = _with_pivot_first(rest, size)
            pivot = at(rest, (..., 0, 0))
            found = multiply(multiply(found, pivot), exactly(sign))
            factors = divide(at(rest, (..., slice(1, None), 0)), at(pivot, (..., None)))
            row = at(rest, (..., slice(0, 1), slice(1, None)))
            rest = subtract(at(rest, (..., slice(1, None), slice(1, None))),
                            multiply(at(factors, (..., None)), row))  # fmt: skip
    return Interval(np.maximum(found.lo, -most), np.minimum(found.hi, most))


def _with_pivot_first(a: Interval, size: int) -> tuple[Interval, Any]:
    """The rows with the largest first entry on top, and the sign of that exchange."""
    largest = np.argmax(np.abs(a.lo[..., 0] + a.hi[..., 0]), axis=-1)[..., None]
    order = np.broadcast_to(np.arange(size), (*a.lo.shape[:-2], size)).copy()
    np.put_along_axis(order, largest, 0, axis=-1)
    order[..., 0] = largest[..., 0]
    lo, hi = (np.take_along_axis(end, order[..., None], axis=-2) for end in a)
    return Interval(lo, hi), np.where(largest[..., 0] == 0, 1.0, -1.0)


def _det(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    return determinant(operands[0])


def _slogdet(run: Refusals, node: Node, operands: Sequence[Interval]) -> tuple[Interval, Interval]:
    """The sign and log |det|, where det is not zero."""
    det = determinant(operands[0])
    run.give_up(det.contains(0.0))
    ends = np.abs(det.lo), np.abs(det.hi)
    with np.errstate(all="ignore"):
        log = elementary.ROWS["log"](run, Interval(np.minimum(*ends), np.maximum(*ends)))
    return exactly(np.sign(det.lo)), log


def _cholesky(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """Column by column, from the lower triangle, where all pivots are positive."""
    (a,) = operands
    n = a.lo.shape[-1]
    lo, hi = np.zeros(a.lo.shape), np.zeros(a.lo.shape)
    for j in range(n):
        row = Interval(lo[..., j : j + 1, :j], hi[..., j : j + 1, :j])
        below = Interval(lo[..., j + 1 :, :j], hi[..., j + 1 :, :j])
        pivot = subtract(at(a, (..., j, j)), summed(square(at(row, (..., 0, slice(None)))),
                                                    (a.ndim - 2,)))  # fmt: skip
        run.give_up(~(pivot.lo > 0))
        with np.errstate(invalid="ignore"):
            root = outward(np.sqrt(pivot.lo), np.sqrt(pivot.hi))
        products = summed(multiply(below, row), (a.ndim - 1,))
        column = divide(subtract(at(a, (..., slice(j + 1, None), j)), products),
                        at(root, (..., None)))  # fmt: skip
        for end, first, rest in ((lo, root.lo, column.lo), (hi, root.hi, column.hi)):
            end[..., j, j] = first
            end[..., j + 1 :, j] = rest
    return Interval(lo, hi)


LINEAR_ALGEBRA: dict[str, Row] = {
    "solve": _solve, "solve_triangular": _solve_triangular, "inv": _inv, "det": _det,
    "slogdet": _slogdet, "cholesky": _cholesky,
}  # fmt: skip

ROWS.update(LINEAR_ALGEBRA)

__all__ = ["LINEAR_ALGEBRA", "determinant", "matmul", "solved"]
