"""LU with partial pivoting, and the polar decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.registry import register
from adjoint.primitives.linalg.common import MatrixPrimitive, adjoint, identity, transposed
from adjoint.primitives.linalg.equations import SYLVESTER
from adjoint.primitives.linalg.factorizations import right_divide
from adjoint.primitives.linalg.solving import SOLVE, solve_triangular, triangle_mask


class LU(MatrixPrimitive):
    """Pivots, P, L and U of A = P L U.

    The pivots are constant almost everywhere.  With C = L₁⁻¹ Pᵀ Ȧ₁ U₁⁻¹ for the square leading
    parts, L̇₁ = L₁ tril(C, −1) and U̇₁ = triu(C) U₁; the rest of a rectangular L or U follows from
    Ȧ = P(L̇ U + L U̇) (de Hoog, Anderssen and Lukas 2011).
    """

    name = "lu"
    multiple_results = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        from scipy.linalg import get_lapack_funcs

        a = operands[0]
        *lead, m, n = a.shape
        k = min(m, n)
        packed, pivots = np.empty(a.shape, a.dtype), np.empty((*lead, k), np.int32)
        (factor,) = get_lapack_funcs(("getrf",), (a,))
        for i in np.ndindex(*lead):
            # A zero pivot is no obstacle to the factors themselves.
            packed[i], pivots[i], _ = factor(a[i])
        lower = np.tril(packed[..., :, :k], -1) + np.eye(m, k, dtype=a.dtype)
        p = pivot_matrices(pivots, m, a.dtype)
        return pivots, p, lower, np.triu(packed[..., :k, :])

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        *lead, m, n = types[0].shape
        k, dtype = min(m, n), types[0].dtype
        shapes = ((*lead, m, m), (*lead, m, k), (*lead, k, n))
        pivots = ArrayType((*lead, k), np.dtype(np.int32))
        return (pivots, *(ArrayType(s, dtype) for s in shapes))

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        _, p, lower, upper = out
        m, n = primals[0].shape[-2:]
        k = min(m, n)
        a_dot = transposed(p) @ tangents[0]
        l1, u1 = lower[..., :k, :], upper[..., :, :k]
        c = right_divide(solve_triangular(l1, a_dot[..., :k, :k], lower=True, unit=True), u1)
        below = triangle_mask(k, True, True, c.dtype)
        l_dot, u_dot = l1 @ (c * below), (c * (1 - below)) @ u1
        if m > k:
            rest = right_divide(a_dot[..., k:, :] - lower[..., k:, :] @ u_dot, u1)
            l_dot = np.concatenate([l_dot, rest], axis=-2)
        if n > k:
            right = a_dot[..., :, k:] - l_dot @ upper[..., :, k:]
            rest = solve_triangular(l1, right, lower=True, unit=True)
            u_dot = np.concatenate([u_dot, rest], axis=-1)
        return None, None, l_dot, u_dot


def pivot_matrices(pivots: Any, m: int, dtype: Any) -> Any:
    """P with A = P L U, from LAPACK's list of row exchanges."""
    lead = pivots.shape[:-1]
    p = np.zeros((*lead, m, m), dtype)
    for i in np.ndindex(*lead):
        rows = np.arange(m)
        for k, row in enumerate(pivots[i]):
            rows[[k, row]] = rows[[row, k]]
        p[i][rows, np.arange(m)] = 1
    return p


class PivotMatrix(MatrixPrimitive):
    """The permutation matrix of a list of row exchanges; constant almost everywhere."""

    name = "pivot_matrix"
    ranks = 1
    flat = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return pivot_matrices(operands[0], operands[0].shape[-1], params["dtype"])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType((*types[0].shape, types[0].shape[-1]), np.dtype(params["dtype"]))


LU_ = register(LU())
PIVOT_MATRIX = register(PivotMatrix())


class PolarFactor(MatrixPrimitive):
    """The nearest matrix U with orthonormal columns of a tall A = U P.

    Ω = Uᴴ U̇ solves P Ω + Ω P = Uᴴ Ȧ − Ȧᴴ U, and U̇ = U Ω + (1 − U Uᴴ) Ȧ P⁻¹ (Higham 2008, section
    8.2).  Only sums of singular values are divided by, so they may repeat.
    """

    name = "polar_factor"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        w, _, vh = np.linalg.svd(operands[0], full_matrices=False)
        return w @ vh

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return types[0]

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a, a_dot = primals[0], tangents[0]
        uh = adjoint(out)
        p, c = uh @ a, uh @ a_dot
        omega = SYLVESTER(p, p, c - adjoint(c))
        u_dot = out @ omega
        m, n = a.shape[-2:]
        if m > n:
            outside = (identity(m, a.dtype) - out @ uh) @ a_dot
            u_dot = u_dot + transposed(SOLVE(transposed(p), transposed(outside)))
        return u_dot


POLAR_FACTOR = register(PolarFactor())
