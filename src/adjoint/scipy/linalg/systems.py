"""Linear systems under SciPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError, UnknownNameError
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import value_or_raise
from adjoint.graph.sites import here
from adjoint.primitives.linalg.common import adjoint, matrix, same_dtype, smallest, transposed
from adjoint.primitives.linalg.inverses import PINV
from adjoint.primitives.linalg.lu import PIVOT_MATRIX
from adjoint.primitives.linalg.singular import MATRIX_RANK
from adjoint.primitives.linalg.solving import SOLVE, SOLVE_TRIANGULAR, triangle_mask
from adjoint.scipy.linalg.dispatch import offers, operand

_TRANS = {0: 0, "N": 0, 1: 1, "T": 1, 2: 2, "C": 2}

_STRUCTURES = {
    "gen": "general", "general": "general", "banded": "general", "tridiagonal": "general",
    "sym": "symmetric", "symmetric": "symmetric",
    "her": "hermitian", "hermitian": "hermitian",
    "pos": "hermitian", "positive definite": "hermitian",
    "upper triangular": "upper", "lower triangular": "lower", "diagonal": "diagonal",
}  # fmt: skip


def _system(called: str, a: Any, b: Any) -> tuple[Any, Any, bool]:
    """The matrix, the right-hand sides as a matrix, and whether b was a vector."""
    a, b = same_dtype(matrix(a, f"scipy.linalg.{called}", square=True), operand(b))
    vector = b.ndim == 1
    if not b.ndim or b.shape[-2 if b.ndim > 1 else 0] != a.shape[-1]:
        raise ShapeMismatchError(
            f"scipy.linalg.{called} needs one row of b per row of a; "
            f"it got {describe(a)} and {describe(b)}.",
            where=here(),
        )
    return a, b[:, None] if vector else b, vector


def _transposition(trans: Any) -> int:
    if trans not in _TRANS:
        raise UnknownNameError(
            f"trans needs to be 0, 1, 2, 'N', 'T' or 'C'; got {trans!r}.", where=here()
        )
    return _TRANS[trans]


def applied(a: Any, b: Any, lower: bool, trans: int, unit: bool = False) -> Any:
    """op(T)⁻¹ B, where op is nothing, the transpose or the adjoint."""
    if trans:
        a, lower = transposed(a) if trans == 1 else adjoint(a), not lower
    return SOLVE_TRIANGULAR(a, b, lower=bool(lower), unit=bool(unit))


def mirrored(a: Any, lower: bool, conjugate: bool = True) -> Any:
    """The symmetric or Hermitian matrix of which one triangle of A is given."""
    n = a.shape[-1]
    given = a * triangle_mask(n, lower, True, a.dtype)
    diagonal = (np.real(a) if conjugate else a) * np.eye(n, dtype=a.real.dtype)
    return given + diagonal + (adjoint(given) if conjugate else transposed(given))


@offers
def solve(
    a: Any, b: Any, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False,
    check_finite: bool = True, assume_a: Any = None, transposed: bool = False,
) -> Any:  # fmt: skip
    """x of a x = b.

    With ``assume_a`` 'sym', 'her' or 'pos' one triangle of a is read, as SciPy does, and the
    derivative is with respect to that triangle.
    """
    structure = _STRUCTURES.get(assume_a or "gen")
    if structure is None:
        raise UnknownNameError(
            f"solve(a, b) knows assume_a={', '.join(map(repr, _STRUCTURES))}; got {assume_a!r}.",
            where=here(),
        )
    a, columns, vector = _system("solve(a, b)", a, b)
    if structure in ("symmetric", "hermitian"):
        a = mirrored(a, bool(lower), structure == "hermitian")
    if structure in ("upper", "lower"):
        x = applied(a, columns, structure == "lower", int(transposed))
    elif structure == "diagonal":
        x = columns / np.einsum("...ii->...i", a)[..., None]
    else:
        x = SOLVE(np.swapaxes(a, -1, -2) if transposed else a, columns)
    return x[..., 0] if vector else x


@offers
def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
    overwrite_b: bool = False, check_finite: bool = True,
) -> Any:  # fmt: skip
    """x of T x = b, Tᵀ x = b or Tᴴ x = b, for one triangle T of a.

    The other triangle (and the diagonal, if it is taken to be 1) has derivative 0.
    """
    a, columns, vector = _system("solve_triangular(a, b)", a, b)
    x = applied(a, columns, lower, _transposition(trans), unit_diagonal)
    return x[..., 0] if vector else x


@offers
def cho_solve(
    c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """x of A x = b, given (c, lower) as `cho_factor` returns them."""
    c, lower = c_and_lower
    c, columns, vector = _system("cho_solve((c, lower), b)", c, b)
    first, second = (0, 2) if lower else (2, 0)
    x = applied(c, applied(c, columns, lower, first), lower, second)
    return x[..., 0] if vector else x


@offers
def lu_solve(
    lu_and_piv: Any, b: Any, trans: Any = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """x of A x = b, Aᵀ x = b or Aᴴ x = b, given (lu, piv) as `lu_factor` returns them."""
    lu, pivots = lu_and_piv
    lu, columns, vector = _system("lu_solve((lu, piv), b)", lu, b)
    p = PIVOT_MATRIX(pivots, dtype=lu.dtype)
    way = _transposition(trans)
    if way == 0:
        x = applied(lu, np.swapaxes(p, -1, -2) @ columns, True, 0, True)
        x = applied(lu, x, False, 0)
    else:
        x = applied(lu, applied(lu, columns, False, way), True, way, True)
        x = p @ x
    return x[..., 0] if vector else x


@offers
def inv(
    a: Any, overwrite_a: bool = False, check_finite: bool = True, *, assume_a: Any = None,
    lower: bool = False,
) -> Any:  # fmt: skip
    """The inverse; ``assume_a`` as in `solve`."""
    a = matrix(a, "scipy.linalg.inv(a)", square=True)
    if assume_a in (None, "gen", "general"):
        return np.linalg.inv(a)
    return solve(a, np.eye(a.shape[-1], dtype=a.dtype), lower=lower, assume_a=assume_a)


@offers
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """As `np.linalg.det`, with exact derivatives at singular matrices."""
    return np.linalg.det(a)


def _threshold(a: Any, atol: Any, rtol: Any) -> dict[str, Any]:
    """SciPy's cut-off max(atol + rtol·σ₁), relative to σ₁ as NumPy takes it."""
    if rtol is None:
        rtol = max(a.shape[-2:]) * smallest(a.dtype) if not atol else 0.0
    if atol:
        found = value_or_raise(a, "atol, an absolute threshold,")
        rtol = rtol + atol / np.linalg.norm(found, 2, axis=(-2, -1))
    return {"rtol": rtol}


@offers
def pinv(
    a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """The pseudo-inverse; its derivative is along changes that keep the rank."""
    a = matrix(a, "scipy.linalg.pinv(a)")
    threshold = _threshold(a, atol, rtol)
    result = PINV(a, hermitian=False, **threshold)
    return (result, MATRIX_RANK(a, **threshold)) if return_rank else result


@offers
def pinvh(
    a: Any, atol: Any = None, rtol: Any = None, lower: bool = True, return_rank: bool = False,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """The pseudo-inverse of a Hermitian matrix, of which one triangle is read."""
    a = mirrored(matrix(a, "scipy.linalg.pinvh(a)", square=True), bool(lower))
    threshold = _threshold(a, atol, rtol)
    result = PINV(a, hermitian=True, **threshold)
    return (result, MATRIX_RANK(a, **threshold)) if return_rank else result


@offers
def lstsq(
    a: Any, b: Any, cond: Any = None, overwrite_a: bool = False, overwrite_b: bool = False,
    check_finite: bool = True, lapack_driver: Any = None,
) -> Any:  # fmt: skip
    """Least squares: solution, squared residuals, rank, singular values."""
    a = matrix(a, "scipy.linalg.lstsq(a, b)")
    b = operand(b)
    x, residuals, rank, s = np.linalg.lstsq(a, b, smallest(a.dtype) if cond is None else cond)
    if b.ndim == 1 and residuals.shape == (1,):
        residuals = residuals[0]
    return x, residuals, rank, s
