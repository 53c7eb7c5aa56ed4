"""Least squares: lstsq."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.binding import value_or_raise
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.linalg.common import (
    MatrixPrimitive,
    adjoint,
    inexact,
    lead_shape,
    matrix,
    peek,
    same_dtype,
    smallest,
    transposed,
)
from adjoint.primitives.linalg.inverses import warn_if_deficient
from adjoint.primitives.linalg.singular import MATRIX_RANK, svdvals
from adjoint.primitives.shaping import array


class LeastSquares(MatrixPrimitive):
    """X = A⁺ B, the smallest X that minimises ‖A X − B‖.

    Linear in B, with (Aᵀ)⁺ in its transpose.  In A, along changes that keep the rank,

        Ẋ = A⁺(Ḃ − Ȧ X) + A⁺ (A⁺)ᴴ Ȧᴴ (B − A X) + (1 − A⁺A) Ȧᴴ (A⁺)ᴴ X

    (Golub and Pereyra 1973).  A⁺ is never formed: every product with it is a least-squares solve.
    """

    name = "lstsq"
    linear = (1,)
    mixed = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        a, b = operands
        if a.ndim == 2 and b.ndim == 2:
            return np.linalg.lstsq(a, b, rcond=params["rcond"])[0]
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        out = np.empty((*lead, a.shape[-1], b.shape[-1]), np.result_type(a, b))
        a = np.broadcast_to(a, lead + a.shape[-2:])
        b = np.broadcast_to(b, lead + b.shape[-2:])
        for i in np.ndindex(*lead):
            out[i] = np.linalg.lstsq(a[i], b[i], rcond=params["rcond"])[0]
        return out

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        a, b = types
        shape = (*lead_shape(types, (2, 2)), a.shape[-1], b.shape[-1])
        return ArrayType(shape, np.result_type(a.dtype, b.dtype))

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        (a, b), (a_dot, b_dot) = primals, tangents
        if a_dot is None:
            return LSTSQ(a, b_dot, **params)
        found = peek(a)
        if found is not None:
            rank = np.linalg.matrix_rank(found, rtol=cutoff(found, params["rcond"]))
            warn_if_deficient(found, rank, "np.linalg.lstsq(a, b)")
        ah, ah_dot = adjoint(a), adjoint(a_dot)
        moved = -(a_dot @ out) if b_dot is None else b_dot - a_dot @ out
        normal = LSTSQ(a, moved + LSTSQ(ah, ah_dot @ (b - a @ out), **params), **params)
        kernel = ah_dot @ LSTSQ(ah, out, **params)
        return normal + kernel - LSTSQ(a, a @ kernel, **params)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return LSTSQ(transposed(operands[0]), ct, **params)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        a, b = operands
        if batched[0] or np.ndim(a) != 2 or np.ndim(b) != 3:
            return super().batch(operands, batched, size, **params)
        rows, cols = b.shape[-2:]
        wide = np.reshape(np.moveaxis(b, 0, 1), (rows, size * cols))
        found = LSTSQ(a, wide, **params)
        return np.moveaxis(np.reshape(found, (found.shape[0], size, cols)), 1, 0)


LSTSQ = register(LeastSquares())


def cutoff(a: Any, rcond: Any) -> float:
    """The relative size below which lstsq takes a singular value for zero."""
    eps = smallest(a.dtype)
    if rcond is None:
        return eps * int(max(a.shape[-2:]))
    return eps if rcond == -1 else float(rcond)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """``np.linalg.lstsq``: solution, squared residuals, rank, singular values.

    NumPy leaves the residuals empty where the rank is not full; under `vmap` the rank is not known
    and they are always given for tall matrices.
    """
    a, b = same_dtype(matrix(a, "np.linalg.lstsq(a, b)"), inexact(array(b)))
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeMismatchError(
            "np.linalg.lstsq(a, b) needs one matrix, and one row of b per row of a; "
            f"it got {describe(a)} and {describe(b)}.",
            where=here(),
            hint="for stacks use np.linalg.pinv(a) @ b.",
        )
    if rcond is not None:
        rcond = float(value_or_raise(rcond, "rcond, a threshold,"))
    columns = b if b.ndim == 2 else b[:, None]
    x = LSTSQ(a, columns, rcond=rcond)
    rank = MATRIX_RANK(a, rtol=cutoff(a, rcond))
    m, n = a.shape
    unknown = isinstance(rank, Tracer) and rank.node.value is None
    if m > n and (unknown or rank == n):
        left = columns - a @ x
        residuals = np.sum(np.real(left * np.conj(left)), axis=0)
    else:
        residuals = np.zeros(0, np.zeros((), a.dtype).real.dtype)
    return x if b.ndim == 2 else x[:, 0], residuals, rank, svdvals(a)
