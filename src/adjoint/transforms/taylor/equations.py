"""Recurrences of linear algebra: equations solved order by order, functions of block matrices.

For an equation that is linear in its solution, such as A X = B, the coefficients follow from the
same equation with another right-hand side: A₀ Xₖ = Bₖ − Σⱼ Aⱼ Xₖ₋ⱼ over j ≥ 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import variable
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.primitives.linalg.common import adjoint
from adjoint.primitives.linalg.inverses import PINV
from adjoint.primitives.linalg.least_squares import cutoff
from adjoint.transforms.taylor.series import (
    Coefficient,
    Joint,
    Series,
    defined,
    minus,
    splits,
    total,
)
from adjoint.transforms.taylor.walk import series_of

Inputs = list[Series]


def matmuls(a: Series, b: Series, k: int, first: int = 0, last: int = 0) -> Coefficient:
    """Σ Aⱼ Bₖ₋ⱼ over first ≤ j ≤ k − last."""
    return total(
        a[j] @ b[k - j]
        for j in range(first, k - last + 1)
        if a[j] is not None and b[k - j] is not None
    )


def solve(node: Node, out: Any, inputs: Inputs) -> Series:
    """A₀ Xₖ = Bₖ − Σⱼ Aⱼ Xₖ₋ⱼ, also where only one triangle of A is read."""
    a, b = inputs
    primitive: Any = node.primitive
    read = Series(None, lambda j: None if a[j] is None
                  else primitive.matrix_tangent(a[j], **node.params))  # fmt: skip

    def coefficient(x: Series, k: int) -> Coefficient:
        rest = minus(b[k], matmuls(read, x, k, 1))
        return None if rest is None else primitive(a[0], rest, **node.params)

    return defined(out, coefficient)


def inverse_of(a: Series, out: Any) -> Series:
    """A⁻¹: Yₖ = −Y₀ Σⱼ Aⱼ Yₖ₋ⱼ over j ≥ 1."""

    def coefficient(y: Series, k: int) -> Coefficient:
        found = matmuls(a, y, k, 1)
        return None if found is None else -(out @ found)

    return defined(out, coefficient)


def sylvester(node: Node, out: Any, inputs: Inputs) -> Series:
    """A₀ Xₖ + Xₖ B₀ = Qₖ − Σⱼ (Aⱼ Xₖ₋ⱼ + Xₖ₋ⱼ Bⱼ)."""
    a, b, q = inputs

    def coefficient(x: Series, k: int) -> Coefficient:
        rest = minus(minus(q[k], matmuls(a, x, k, 1)), matmuls(x, b, k, 0, 1))
        return None if rest is None else node.primitive(a[0], b[0], rest, **node.params)

    return defined(out, coefficient)


def lyapunov(node: Node, out: Any, inputs: Inputs) -> Series:
    """X = A X Aᴴ + Q: Qₖ + Σ Aᵢ Xⱼ Aᴴₘ over i + j + m = k and j < k is the new Q."""
    a, q = inputs

    def coefficient(x: Series, k: int) -> Coefficient:
        moved = total(
            a[i] @ x[j] @ adjoint(a[m])
            for i, j, m in splits(k, 3)
            if j < k and a[i] is not None and x[j] is not None and a[m] is not None
        )
        rest = q[k] if moved is None else moved if q[k] is None else moved + q[k]
        return None if rest is None else node.primitive(a[0], rest, **node.params)

    return defined(out, coefficient)


def quotient(node: Node, out: Any, inputs: Inputs) -> Series:
    """M_ij/(w_j ± w_i): the quotient of Mₖ − Σⱼ Qₖ₋ⱼ∘dⱼ by the first denominator."""
    m, w = inputs
    sign = node.params["sign"]

    def denominator(k: int) -> Coefficient:
        if w[k] is None:
            return None
        columns = w[k][..., None, :]
        return columns + sign * w[k][..., :, None] if sign else columns

    d = Series(None, denominator)

    def coefficient(q: Series, k: int) -> Coefficient:
        moved = total(
            q[k - j] * d[j] for j in range(1, k + 1) if d[j] is not None and q[k - j] is not None
        )
        rest = minus(m[k], moved)
        return None if rest is None else node.primitive(rest, w[0], **node.params)

    return defined(out, coefficient)


def least_squares(node: Node, out: Any, inputs: Inputs) -> Series:
    """X = A⁺ B, with the series of A⁺ from its own rule: that of the solution asks for solutions
    of three other systems, and each of these for more."""
    a, b = inputs
    if a.constant:
        return Series(out, lambda k: _applied(node, a[0], b[k]))
    with Scope("taylor", internal=True) as scope:
        unknown = variable(scope, a[0])
        inverse = PINV(unknown, hermitian=False, rtol=cutoff(a[0], node.params["rcond"]))
    (series,) = series_of([inverse.node], {unknown.node: a}, 0, scope)
    return Series(out, lambda k: matmuls(series, b, k))


def _applied(node: Node, a: Any, right: Coefficient) -> Coefficient:
    return None if right is None else node.primitive(a, right, **node.params)


# -- functions of a matrix ------------------------------------------------------------------------


def matrix_function(node: Node, out: Any, inputs: Inputs) -> Series:
    """f of a block triangular Toeplitz matrix has the coefficients of f(A(t)) in its first row of
    blocks, since a series ↦ its Toeplitz matrix is a homomorphism (Mathias 1996, theorem 4.1;
    Higham 2008, section 3.2).  A direction E adds the 2×2 block [[A, E], [0, A]].

    Cost: one f of size (k + 1) n for order k; all coefficients up to k come with it.
    """
    n = inputs[0][0].shape[-1]

    def fill(k: int) -> None:
        block = _toeplitz(inputs[0], k)
        for direction in inputs[1:]:
            side = _spread(_toeplitz(direction, k), block.shape[-1])
            zero = np.zeros(np.shape(block), np.result_type(block.dtype))
            block = _blocks([[block, side], [zero, block]])
        found = node.primitive(block, **node.params)[..., :n, :]
        corner = found.shape[-1] - (k + 1) * n
        for j in range(len(series.known), k + 1):
            series.known.append(found[..., corner + j * n : corner + (j + 1) * n])

    series = Joint(out, fill)
    return series


def _blocks(rows: list[list[Any]]) -> Any:
    return np.concatenate([np.concatenate(row, axis=-1) for row in rows], axis=-2)


def _toeplitz(a: Series, k: int) -> Any:
    """[[A₀, A₁, …, Aₖ], [0, A₀, …], …]."""
    a[k]
    zero = np.zeros(np.shape(a[0]), np.result_type(a[0].dtype))
    full = [zero if c is None else c for c in a.known[: k + 1]]
    return _blocks([[zero] * i + full[: k + 1 - i] for i in range(k + 1)])


def _spread(side: Any, size: int) -> Any:
    """The matrix on the diagonal of a larger block matrix, as often as it fits."""
    count = size // side.shape[-1]
    if count == 1:
        return side
    zero = np.zeros(np.shape(side), np.result_type(side.dtype))
    return _blocks([[side if i == j else zero for j in range(count)] for i in range(count)])
