"""Eigenvalues and eigenvectors: eigh, eigvalsh, eig, eigvals."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError, UndefinedDerivativeError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.linalg.common import (
    MatrixPrimitive,
    adjoint,
    hermitian_part,
    matrix,
    peek,
    real_dtype,
    smallest,
)
from adjoint.primitives.linalg.gauge import quotient, undetermined_phase, vector_tangent
from adjoint.primitives.linalg.solving import SOLVE
from adjoint.primitives.linalg.spectral_products import watch


class Eigh(MatrixPrimitive):
    """w and V of A = V diag(w) Vᴴ.

    With M = Vᴴ Ȧ V: ẇ_i = M_ii and V̇ = V X, X_ij = M_ij / (w_j − w_i) (Giles 2008, section 3.1).
    NumPy reads one triangle; the derivative is that of the symmetric function, so Ȧ is replaced by
    its Hermitian part.  Where eigenvalues repeat their sum still has a derivative, single vectors
    have none.
    """

    name = "eigh"
    multiple_results = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return tuple(np.linalg.eigh(operands[0], **params))

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        a = types[0]
        return ArrayType(a.shape[:-1], real_dtype(a.dtype)), a

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        w, v = out
        vh, a_dot = adjoint(v), hermitian_part(tangents[0])
        # One product of three: its transpose is then V diag(w̄) Vᴴ, visibly a matrix function.
        w_dot = np.real(np.einsum("...ji,...jk,...ki->...i", np.conj(v), a_dot, v))
        m = vh @ a_dot @ v
        v_dot = v @ quotient(m, w, "np.linalg.eigh(a)")
        if v.dtype.kind == "c":
            v_dot = v_dot + v * undetermined_phase(v_dot, "np.linalg.eigh(a)")
        return w_dot, vector_tangent(v_dot, w, "np.linalg.eigh(a)")


EIGH = register(Eigh())

EighResult = type(np.linalg.eigh(np.eye(1)))
EigResult = type(np.linalg.eig(np.eye(1)))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    """``np.linalg.eigh``."""
    if str(UPLO).upper() not in ("L", "U"):
        raise ArgumentValueError(f"UPLO argument must be 'L' or 'U'; got {UPLO!r}.", where=here())
    w, v = EIGH(matrix(a, "np.linalg.eigh(a)", square=True), UPLO=UPLO.upper())
    watch(w, v)
    return EighResult(w, v)


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """``np.linalg.eigvalsh``: the values of `eigh`."""
    return eigh(a, UPLO)[0]


class Eig(MatrixPrimitive):
    """w and V of A V = V diag(w), always complex; the columns of V have norm 1.

    With M = V⁻¹ Ȧ V: ẇ_i = M_ii, V̇ = V X − V diag(Re vᴴ(V X)) with X_ij = M_ij / (w_j − w_i) (Giles
    2008, section 3.1; the second term keeps the norm, Boeddeker et al. 2017).  The phase of each
    vector is arbitrary: a loss that depends on it is an error.
    """

    name = "eig"
    multiple_results = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        w, v = np.linalg.eig(operands[0])
        dtype = np.result_type(operands[0], np.complex64)
        return w.astype(dtype, copy=False), v.astype(dtype, copy=False)

    def infer(self, *types: ArrayType, **params: Any) -> Any:
        a = types[0]
        dtype = np.result_type(a.dtype, np.complex64)
        return ArrayType(a.shape[:-1], dtype), ArrayType(a.shape, dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        w, v = out
        _require_diagonalisable(v)
        m = SOLVE(v, tangents[0] @ v)
        w_dot = np.einsum("...ii->...i", m)
        free = v @ quotient(m, w, "np.linalg.eig(a)")
        along = np.sum(np.conj(v) * free, axis=-2)[..., None, :]
        v_dot = free - v * along + v * undetermined_phase(free, "np.linalg.eig(a)")
        return w_dot, vector_tangent(v_dot, w, "np.linalg.eig(a)")


def _require_diagonalisable(v: Any) -> None:
    found = peek(v)
    if found is None or not found.size:
        return
    s = np.linalg.svd(found, compute_uv=False)
    if np.any(s[..., -1] <= 16 * found.shape[-1] * smallest(found.dtype) ** 0.5 * 1e-3):
        raise UndefinedDerivativeError(
            "np.linalg.eig(a) has no derivative at a matrix whose eigenvectors are not a basis "
            f"(smallest singular value of V: {float(np.min(s)):.1e}).",
            where=here(),
            hint="use a function of the matrix that is smooth there: np.trace, np.linalg.det, "
            "adjoint.scipy.linalg.expm.",
        )


EIG = register(Eig())


def _all_real(a: Any, w: Any) -> bool:
    """NumPy returns real arrays for a real matrix with real eigenvalues."""
    if a.dtype.kind == "c" or (isinstance(w, Tracer) and w.node.value is None):
        return False
    # One truth value, so that compiled code is for all matrices with real eigenvalues.
    return bool(np.all(np.imag(w) == 0))


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """``np.linalg.eig``; under `vmap` the result is always complex."""
    a = matrix(a, "np.linalg.eig(a)", square=True)
    w, v = EIG(a)
    if _all_real(a, w):
        w, v = np.real(w), np.real(v)
    return EigResult(w, v)


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """``np.linalg.eigvals``: the values of `eig`."""
    return eig(a)[0]
