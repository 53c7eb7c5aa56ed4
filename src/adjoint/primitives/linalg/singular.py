"""Singular values: svd, svdvals, matrix_rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import value_or_raise
from adjoint.graph.registry import implements, register
from adjoint.primitives.linalg.common import (
    MatrixPrimitive,
    adjoint,
    hermitian_part,
    inexact,
    matrix,
    real_dtype,
    real_scalar,
)
from adjoint.primitives.linalg.gauge import (
    quotient,
    undetermined_phase,
    undetermined_rotation,
    vector_tangent,
)
from adjoint.primitives.shaping import array

_CALLED = "np.linalg.svd(a)"


class SVD(MatrixPrimitive):
    """U, s and Vᴴ of A = U diag(s) Vᴴ.

    With P = Uᴴ Ȧ V and S = P + Pᴴ, K = P − Pᴴ: ṡ_i = Re P_ii (0 where s_i is exactly 0, a
    subgradient as for |x|), and UᴴU̇ = (S/(s_j − s_i) + K/(s_j + s_i))/2, VᴴV̇ the same with a minus
    (Giles 2008, section 3.3; Townsend 2016).  Parts outside the spaces of U and V move by
    (1 − U Uᴴ) Ȧ V / s.
    """

    name = "svd"
    multiple_results = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return tuple(np.linalg.svd(operands[0], **params))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        *lead, m, n = types[0].shape
        k, dtype = min(m, n), types[0].dtype
        full = params["full_matrices"]
        u = ArrayType((*lead, m, m if full else k), dtype)
        vh = ArrayType((*lead, n if full else k, n), dtype)
        return u, ArrayType((*lead, k), real_dtype(dtype)), vh

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        u_all, s, vh_all = out
        a_dot = hermitian_part(tangents[0]) if params["hermitian"] else tangents[0]
        k = s.shape[-1]
        v_all = adjoint(vh_all)
        u, v = u_all[..., :, :k], v_all[..., :, :k]
        s_dot = np.real(np.einsum("...ji,...jk,...ki->...i", np.conj(u), a_dot, v))
        s_dot = s_dot * np.sign(s)
        p = adjoint(u) @ a_dot @ v
        half = real_scalar(s.dtype, 0.5)
        apart = quotient((p + adjoint(p)) * half, s, _CALLED)
        together = quotient((p - adjoint(p)) * half, s, _CALLED, sign=1)
        u_dot = _vectors_dot(u_all, u, apart + together, a_dot @ v, s)
        v_dot = _vectors_dot(v_all, v, apart - together, adjoint(a_dot) @ u, s)
        if u.dtype.kind == "c":
            u_dot, v_dot = _with_phases(u_all, v_all, u_dot, v_dot, k)
        return u_dot, s_dot, adjoint(v_dot)


def _vectors_dot(u_all: Any, u: Any, inside: Any, moved: Any, s: Any) -> Any:
    """The tangent of U from its part inside its own space and from Ȧ V."""
    m, k = u.shape[-2:]
    u_dot = u @ inside
    if m > k:
        outside = moved - u @ (adjoint(u) @ moved)
        u_dot = u_dot + quotient(outside, s, _CALLED, sign=0)
    u_dot = vector_tangent(u_dot, s, _CALLED)
    if u_all.shape[-1] > k:
        extra = u_all[..., :, k:]
        free = undetermined_rotation(adjoint(extra) @ u_dot, extra, _CALLED)
        extra_dot = extra @ free - u @ (adjoint(u_dot) @ extra)
        u_dot = np.concatenate([u_dot, extra_dot], axis=-1)
    return u_dot


def _with_phases(u: Any, v: Any, u_dot: Any, v_dot: Any, k: int) -> tuple[Any, Any]:
    # u_j and v_j share one free phase: both together are checked as one tall vector.
    both = np.concatenate([u[..., :, :k], v[..., :, :k]], axis=-2)
    dots = np.concatenate([u_dot[..., :, :k], v_dot[..., :, :k]], axis=-2)
    moved = both * undetermined_phase(dots, _CALLED)
    m = u.shape[-2]
    parts = []
    for dot, part in ((u_dot, moved[..., :m, :]), (v_dot, moved[..., m:, :])):
        if dot.shape[-1] > k:
            rest = np.zeros((*dot.shape[:-1], dot.shape[-1] - k), part.dtype)
            part = np.concatenate([part, rest], axis=-1)
        parts.append(dot + part)
    return parts[0], parts[1]


SVD_ = register(SVD())

SVDResult = type(np.linalg.svd(np.eye(1)))


@implements(np.linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """``np.linalg.svd``."""
    a = matrix(a, _CALLED)
    if not compute_uv:
        return SVD_(a, full_matrices=False, hermitian=bool(hermitian))[1]
    return SVDResult(*SVD_(a, full_matrices=bool(full_matrices), hermitian=bool(hermitian)))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """``np.linalg.svdvals``."""
    return svd(x, compute_uv=False)


class MatrixRank(MatrixPrimitive):
    """The number of singular values above a threshold: an integer, constant almost everywhere."""

    name = "matrix_rank"
    flat = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.asarray(np.linalg.matrix_rank(operands[0], **params))[()]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape[:-2], np.dtype(np.intp))


MATRIX_RANK = register(MatrixRank())


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """``np.linalg.matrix_rank``."""
    a = array(A)
    if a.ndim < 2:
        return np.any(a != 0).astype(np.intp)
    params: dict[str, Any] = {"hermitian": bool(hermitian)}
    for name, threshold in (("tol", tol), ("rtol", rtol)):
        if threshold is not None:
            params[name] = value_or_raise(threshold, f"{name}, a threshold,")
    return MATRIX_RANK(inexact(a), **params)
