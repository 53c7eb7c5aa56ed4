"""Linear systems: solve, triangular solves, tensorsolve.

A solve is linear in the right-hand side, with Aᵀ in its transpose, and for A X = B has
Ẋ = A⁻¹(Ḃ − Ȧ X) (Giles 2008, section 2.2.3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.primitives.linalg.common import (
    MatrixPrimitive,
    inexact,
    lead_shape,
    matrix,
    same_dtype,
    transposed,
)
from adjoint.primitives.shaping import array


def _minus(a: Any, b: Any) -> Any:
    """a − b where a may be an absent tangent."""
    return -b if a is None else a - b


class _SystemSolve(MatrixPrimitive):
    """Linear in the right-hand side (operand 1), nonlinear in the matrix (operand 0)."""

    linear = (1,)
    mixed = True

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        a, b = types
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(f"{a} does not fit {b}")
        lead = lead_shape(types, (2, 2))
        return ArrayType((*lead, *b.shape[-2:]), np.result_type(a.dtype, b.dtype))

    def matrix_tangent(self, a_dot: Any, **params: Any) -> Any:
        """The part of Ȧ that the function reads."""
        return a_dot

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a_dot, b_dot = tangents
        if a_dot is not None:
            b_dot = _minus(b_dot, self.matrix_tangent(a_dot, **params) @ out)
        return self(primals[0], b_dot, **params)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        a, b = operands
        if batched[0] or np.ndim(a) != 2 or np.ndim(b) != 3:
            return super().batch(operands, batched, size, **params)
        # One matrix for the whole batch: all right-hand sides side by side, one factorisation.
        rows, cols = b.shape[-2:]
        wide = np.reshape(np.moveaxis(b, 0, 1), (rows, size * cols))
        return np.moveaxis(np.reshape(self(a, wide, **params), (rows, size, cols)), 1, 0)


class Solve(_SystemSolve):
    """X of A X = B; B is always a matrix here."""

    name = "solve"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.linalg.solve(*operands)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return SOLVE(transposed(operands[0]), ct)


class SolveTriangular(_SystemSolve):
    """X of T X = B, where T is one triangle of A; the other triangle is not read."""

    name = "solve_triangular"

    def evaluate(self, *operands: Any, lower: bool, unit: bool, **params: Any) -> Any:
        a, b = operands
        if a.ndim == 2 and b.ndim == 2:
            from scipy.linalg import solve_triangular

            return solve_triangular(a, b, lower=lower, unit_diagonal=unit, check_finite=False)
        return np.linalg.solve(triangle(a, lower, unit), b)

    def matrix_tangent(self, a_dot: Any, **params: Any) -> Any:
        lower, unit = params["lower"], params["unit"]
        return a_dot * triangle_mask(a_dot.shape[-1], lower, unit, a_dot.dtype)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        flipped = {"lower": not params["lower"], "unit": params["unit"]}
        return SOLVE_TRIANGULAR(transposed(operands[0]), ct, **flipped)


SOLVE = register(Solve())
SOLVE_TRIANGULAR = register(SolveTriangular())


def triangle_mask(n: int, lower: bool, strict: bool, dtype: Any) -> Any:
    """Ones in a triangle, the diagonal left out if ``strict``."""
    mask = np.tri(n, n, -1 if strict else 0, dtype=np.zeros((), dtype).real.dtype)
    return mask if lower else mask.T


def triangle(a: Any, lower: bool, unit: bool) -> Any:
    """One triangle of a plain matrix, with ones on the diagonal if ``unit``."""
    found = np.tril(a, -unit) if lower else np.triu(a, int(unit))
    return found + np.eye(a.shape[-1], dtype=a.dtype) if unit else found


def solve_triangular(a: Any, b: Any, lower: bool = False, unit: bool = False) -> Any:
    """T⁻¹ B for a matrix B and one triangle T of A."""
    return SOLVE_TRIANGULAR(a, b, lower=lower, unit=unit)


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """``np.linalg.solve``: b is a vector only if it has one axis, as in NumPy 2."""
    a, b = same_dtype(matrix(a, "np.linalg.solve(a, b)", square=True), inexact(array(b)))
    if not b.ndim or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeMismatchError(
            "np.linalg.solve(a, b) needs one row of b per row of a; "
            f"it got {describe(a)} and {describe(b)}.",
            where=here(),
        )
    if b.ndim > 1:
        return SOLVE(a, b)
    return SOLVE(a, b[:, None])[..., 0]


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """``np.tensorsolve``: x with ``tensordot(a, x, x.ndim) == b``."""
    a, b = array(a), array(b)
    if axes is not None:
        order = list(range(a.ndim))
        for axis in axes:
            order.remove(axis)
            order.append(axis)
        a = np.transpose(a, order)
    shape = a.shape[b.ndim :]
    count = int(np.prod(shape))
    if a.size != count * b.size or count != b.size:
        raise ShapeMismatchError(
            "np.linalg.tensorsolve(a, b) needs prod(a.shape[b.ndim:]) == b.size; "
            f"it got {describe(a)} and {describe(b)}.",
            where=here(),
        )
    return np.reshape(solve(np.reshape(a, (count, count)), np.reshape(b, count)), shape)
