"""Factorisations without eigenvalues: cholesky, qr, lu."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError, UndefinedDerivativeError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.primitives.linalg.common import (
    MatrixPrimitive,
    adjoint,
    hermitian_part,
    matrix,
    peek,
    real_scalar,
    transposed,
)
from adjoint.primitives.linalg.gauge import undetermined_rotation
from adjoint.primitives.linalg.solving import solve_triangular, triangle_mask


def right_divide(b: Any, r: Any, lower: bool = False) -> Any:
    """B R⁻¹ for a triangular R."""
    return transposed(solve_triangular(transposed(r), transposed(b), lower=not lower))


def halved_lower(c: Any) -> Any:
    """Φ(C): the lower triangle with half the diagonal."""
    n = c.shape[-1]
    mask = triangle_mask(n, True, True, c.dtype)
    return c * (mask + np.eye(n, dtype=mask.dtype) * real_scalar(c.dtype, 0.5))


class Cholesky(MatrixPrimitive):
    """L of A = L Lᴴ; L̇ = L Φ(L⁻¹ Ȧ L⁻ᴴ) (Giles 2008, section 3.2 ; Murray 2016).

    NumPy reads the lower triangle only.  The derivative is that of the symmetric function: Ȧ is
    replaced by its Hermitian part, so a gradient is Hermitian.
    """

    name = "cholesky"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.linalg.cholesky(operands[0])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return types[0]

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        half = solve_triangular(out, hermitian_part(tangents[0]), lower=True)
        inner = adjoint(solve_triangular(out, adjoint(half), lower=True))
        return out @ halved_lower(inner)


CHOLESKY = register(Cholesky())


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """``np.linalg.cholesky``; ``upper=True`` reads the upper triangle, as NumPy does."""
    a = matrix(a, "np.linalg.cholesky(a)", square=True)
    return adjoint(CHOLESKY(adjoint(a))) if upper else CHOLESKY(a)


class QR(MatrixPrimitive):
    """Q and R of A = Q R, for tall, square and wide matrices.

    With Ȧ₁ the columns that R₁ (square) belongs to, C = Qᴴ Ȧ₁ R₁⁻¹ is skew Ω = Qᴴ Q̇ plus an upper
    triangle with real diagonal, so Ω is the part of C below the diagonal minus its adjoint
    (Walter and Lehmann 2018; wide matrices: Roberts and Roberts 2020).  The columns that
    ``complete`` adds to Q are fixed only up to a rotation; a loss that depends on it is an error.
    """

    name = "qr"
    multiple_results = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return tuple(np.linalg.qr(operands[0], mode=params["mode"]))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        *lead, m, n = types[0].shape
        k = m if params["mode"] == "complete" else min(m, n)
        dtype = types[0].dtype
        return ArrayType((*lead, m, k), dtype), ArrayType((*lead, k, n), dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        q_all, r_all = out
        m, n = primals[0].shape[-2:]
        k = min(m, n)
        q, r = q_all[..., :, :k], r_all[..., :k, :]
        r1, a_dot = r[..., :, :k], tangents[0]
        _require_full_rank(r1, "np.linalg.qr(a)")
        step = right_divide(a_dot[..., :, :k], r1)
        c = adjoint(q) @ step
        omega = skew_from_lower(c)
        r_dot = (c - omega) @ r1
        if n > k:
            rest = adjoint(q) @ a_dot[..., :, k:] - omega @ r[..., :, k:]
            r_dot = np.concatenate([r_dot, rest], axis=-1)
        q_dot = q @ (omega - c) + step if m > k else q @ omega
        if q_all.shape[-1] > k:
            extra = q_all[..., :, k:]
            free = undetermined_rotation(adjoint(extra) @ step, extra)
            extra_dot = extra @ free - q @ (adjoint(q_dot) @ extra)
            q_dot = np.concatenate([q_dot, extra_dot], axis=-1)
            r_dot = np.concatenate([r_dot, np.zeros_like(r_all[..., k:, :])], axis=-2)
        return q_dot, r_dot


QR_ = register(QR())

QRResult = type(np.linalg.qr(np.eye(1)))


def skew_from_lower(c: Any) -> Any:
    """The skew-Hermitian matrix with the strict lower triangle and the imaginary diagonal of C."""
    lower = c * triangle_mask(c.shape[-1], True, True, c.dtype)
    skew = lower - adjoint(lower)
    if c.dtype.kind == "c":
        skew = skew + 1j * np.imag(c * np.eye(c.shape[-1], dtype=c.real.dtype))
    return skew


def _require_full_rank(r: Any, called: str) -> None:
    found = peek(r)
    if found is not None and not np.all(np.diagonal(found, axis1=-2, axis2=-1)):
        raise UndefinedDerivativeError(
            f"{called} has no derivative where the leading columns of a are linearly dependent: "
            "R has a zero on its diagonal.",
            where=here(),
            hint="use np.linalg.svd(a), or np.linalg.pinv(a) for projections and least squares.",
        )


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """``np.linalg.qr`` in the modes reduced, complete and r."""
    a = matrix(a, "np.linalg.qr(a)")
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentValueError(
            f"np.linalg.qr(a, mode) of a traced {describe(a)} needs mode 'reduced', 'complete' or "
            f"'r'; got {mode!r}.",
            where=here(),
            hint="q, r = np.linalg.qr(a)",
        )
    q, r = QR_(a, mode="complete" if mode == "complete" else "reduced")
    return r if mode == "r" else QRResult(q, r)
