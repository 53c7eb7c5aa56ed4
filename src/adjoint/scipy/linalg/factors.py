"""Factorisations under SciPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError, UndefinedDerivativeError
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer, decide
from adjoint.primitives.linalg.common import adjoint, matrix, same_dtype, smallest
from adjoint.primitives.linalg.factorizations import CHOLESKY, QR_
from adjoint.primitives.linalg.lu import LU_, POLAR_FACTOR
from adjoint.primitives.linalg.singular import MATRIX_RANK
from adjoint.primitives.linalg.solving import solve_triangular
from adjoint.scipy.linalg.dispatch import offers, refuse
from adjoint.scipy.linalg.systems import mirrored


@offers
def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """L or U of A = L Lᴴ = Uᴴ U; the derivative is that of the symmetric function."""
    a = matrix(a, "scipy.linalg.cholesky(a)", square=True)
    return CHOLESKY(a) if lower else adjoint(CHOLESKY(adjoint(a)))


@offers
def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """``(c, lower)`` for `cho_solve`; the triangle that SciPy leaves undefined is 0 here."""
    return cholesky(a, lower=lower), lower


@offers
def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True,
    p_indices: bool = False,
) -> Any:  # fmt: skip
    """P, L and U of A = P L U; P is constant."""
    _, p, lower, upper = LU_(matrix(a, "scipy.linalg.lu(a)"))
    if permute_l:
        return p @ lower, upper
    if p_indices:
        return np.argmax(p, axis=-1), lower, upper
    return p, lower, upper


@offers
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """``(lu, piv)`` for `lu_solve`: L below the diagonal and U in one matrix."""
    a = matrix(a, "scipy.linalg.lu_factor(a)")
    pivots, _, lower, upper = LU_(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    below = lower - np.eye(m, k, dtype=a.dtype)
    if n > k:
        below = np.concatenate([below, np.zeros((*a.shape[:-1], n - k), a.dtype)], axis=-1)
    if m > k:
        rest = np.zeros((*a.shape[:-2], m - k, n), a.dtype)
        upper = np.concatenate([upper, rest], axis=-2)
    return below + upper, pivots


@offers
def qr(
    a: Any, overwrite_a: bool = False, lwork: Any = None, mode: str = "full",
    pivoting: bool = False, check_finite: bool = True,
) -> Any:  # fmt: skip
    """Q and R in the modes full, r and economic, with or without pivoting."""
    a = matrix(a, "scipy.linalg.qr(a)")
    if mode not in ("full", "r", "economic"):
        raise refuse("qr(a, mode)", "mode 'full', 'r' or 'economic'", repr(mode))
    order = None
    if pivoting:
        order = np.asarray(decide(a, _pivoted_columns, "qr with pivoting") if isinstance(a, Tracer)
                           else _pivoted_columns(a))  # fmt: skip
        a = a[..., :, order]
    q, r = QR_(a, mode="reduced" if mode == "economic" else "complete")
    result = (r,) if mode == "r" else (q, r)
    return result if order is None else (*result, order)


def _pivoted_columns(a: Any) -> tuple[int, ...]:
    import scipy.linalg

    if a.ndim != 2:
        raise refuse("qr(a, pivoting=True)", "one matrix", "a stack of them")
    return tuple(int(i) for i in scipy.linalg.qr(a, mode="r", pivoting=True)[-1])


@offers
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, overwrite_a: bool = False,
    check_finite: bool = True, lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    """U, s and Vᴴ, or s alone."""
    return tuple(np.linalg.svd(a, full_matrices)) if compute_uv else np.linalg.svdvals(a)


@offers
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """The singular values."""
    return np.linalg.svdvals(a)


@offers
def eigh(
    a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False,
    overwrite_a: bool = False, overwrite_b: bool = False, type: int = 1, check_finite: bool = True,
    subset_by_index: Any = None, subset_by_value: Any = None, driver: Any = None,
) -> Any:  # fmt: skip
    """w and V of A V = B V diag(w), with Vᴴ B V = 1.

    The generalised problem is brought to the ordinary one by B = L Lᴴ.
    """
    if type != 1 or subset_by_value is not None:
        raise refuse("eigh(a, b)", "type=1 and subset_by_value=None", f"type={type}")
    triangle: Any = "L" if lower else "U"
    factor = None
    if b is not None:
        a, b = same_dtype(matrix(a, "eigh(a, b)", True), matrix(b, "eigh(a, b)", True))
        factor = cholesky(b, lower=True) if lower else adjoint(cholesky(b, lower=False))
        full = mirrored(a, bool(lower))
        half = solve_triangular(factor, full, lower=True)
        a, triangle = adjoint(solve_triangular(factor, adjoint(half), lower=True)), "L"
    w, v = np.linalg.eigh(a, triangle)
    if factor is not None:
        v = solve_triangular(adjoint(factor), v)
    if subset_by_index is not None:
        first, last = (int(i) for i in subset_by_index)
        w, v = w[..., first : last + 1], v[..., :, first : last + 1]
    return w if eigvals_only else (w, v)


@offers
def eigvalsh(
    a: Any, b: Any = None, *, lower: bool = True, overwrite_a: bool = False,
    overwrite_b: bool = False, type: int = 1, check_finite: bool = True,
    subset_by_index: Any = None, subset_by_value: Any = None, driver: Any = None,
) -> Any:  # fmt: skip
    """The values of `eigh`."""
    return eigh(
        a, b, lower=lower, eigvals_only=True, type=type, subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
    )  # fmt: skip


@offers
def eig(
    a: Any, b: Any = None, left: bool = False, right: bool = True, overwrite_a: bool = False,
    overwrite_b: bool = False, check_finite: bool = True, homogeneous_eigvals: bool = False,
) -> Any:  # fmt: skip
    """Eigenvalues, always complex as in SciPy, and right eigenvectors of norm 1."""
    if b is not None or left or homogeneous_eigvals:
        raise refuse(
            "eig(a)", "b=None, left=False, homogeneous_eigvals=False", "another choice",
            "for b: eig(np.linalg.solve(b, a)); for left vectors: eig(a.conj().T).",
        )  # fmt: skip
    w, v = np.linalg.eig(a)
    w = w if w.dtype.kind == "c" else w + 0j
    return (w, v) if right else w


@offers
def eigvals(
    a: Any, b: Any = None, overwrite_a: bool = False, check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:  # fmt: skip
    """The values of `eig`."""
    return eig(a, b, right=False, homogeneous_eigvals=homogeneous_eigvals)


@offers
def polar(a: Any, side: str = "right") -> Any:
    """U and P of A = U P (right) or A = P U (left); singular values may repeat, but not be 0."""
    a = matrix(a, "scipy.linalg.polar(a)")
    if side not in ("right", "left"):
        raise ArgumentValueError(
            f"polar(a, side) needs side 'right' or 'left'; got {side!r}.", where=here()
        )
    tall = a.shape[-2] >= a.shape[-1]
    u = POLAR_FACTOR(a) if tall else adjoint(POLAR_FACTOR(adjoint(a)))
    p = adjoint(u) @ a if side == "right" else a @ adjoint(u)
    return u, p


@offers
def orth(A: Any, rcond: Any = None) -> Any:
    """The left singular vectors of a matrix of full rank."""
    a = matrix(A, "scipy.linalg.orth(A)")
    _require_full_rank(a, rcond, "orth(A)")
    return np.linalg.svd(a, full_matrices=False)[0]


@offers
def null_space(
    A: Any, rcond: Any = None, *, overwrite_a: bool = False, check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    """A basis of the null space of a matrix of full rank.

    The basis is arbitrary up to a rotation: a loss that depends on it, and not only on the space,
    is an error.
    """
    a = matrix(A, "scipy.linalg.null_space(A)")
    _require_full_rank(a, rcond, "null_space(A)")
    return adjoint(np.linalg.svd(a)[2][..., min(a.shape[-2:]) :, :])


def _require_full_rank(a: Any, rcond: Any, called: str) -> None:
    rtol = smallest(a.dtype) * max(a.shape[-2:]) if rcond is None else rcond
    rank = MATRIX_RANK(a, rtol=rtol)
    if isinstance(rank, Tracer) and rank.node.value is None:
        return
    if rank < min(a.shape[-2:]):
        raise UndefinedDerivativeError(
            f"scipy.linalg.{called} needs a matrix of full rank to have a derivative; any change "
            f"of this one, of rank {rank}, makes the space jump.",
            where=here(),
        )
