"""The series of a determinant and of its cofactors, without dividing by what may be zero.

The derivatives of det of every order exist at singular matrices, so small matrices go through the
characteristic polynomial, which divides by whole numbers only (Faddeev and Le Verrier; Gantmacher
1959, chapter IV, section 5).  That loses digits as matrices grow: large ones that are not close to
singular go through d log det A = tr(A⁻¹ Ȧ).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import AbstractValueError
from adjoint.graph.ir import Node
from adjoint.primitives.linalg.common import identity, transposed
from adjoint.primitives.linalg.inverses import INV
from adjoint.transforms.taylor.equations import inverse_of, matmuls
from adjoint.transforms.taylor.series import Coefficient, Series, defined, divided, scaled, total

SMALL = 6
"""Up to this size the polynomial is used whatever the matrix."""

CONDITION = 1e6
"""The condition number from which a matrix counts as close to singular."""


def determinant(node: Node, out: Any, inputs: list[Series]) -> Series | None:
    """k·det_k = Σ ⟨cof_{k−j}, j·A_j⟩ (Jacobi 1841)."""
    (a,) = inputs
    n = np.shape(a[0])[-1]
    if n == 0:
        return Series(out)
    if n > SMALL and _is_regular(a[0]):
        inverse = inverse_of(a, INV(a[0]))
        return defined(out, lambda y, k: _through_the_trace(a, inverse, y, k))
    adjugate = _adjugate(a)
    return Series(out, lambda k: divided(_paired(adjugate, a, k), k))


def cofactors(node: Node, out: Any, inputs: list[Series]) -> Series | None:
    """The cofactor matrix itself; with directions there is no recurrence here."""
    if len(inputs) > 1:
        return None
    (a,) = inputs
    n = np.shape(a[0])[-1]
    if n == 0:
        return Series(out)
    if n <= SMALL or not _is_regular(a[0]):
        adjugate = _adjugate(a)
        return Series(out, lambda k: None if adjugate[k] is None else transposed(adjugate[k]))
    inverse = inverse_of(a, INV(a[0]))
    size = np.linalg.det(a[0])
    det = defined(size, lambda y, k: _through_the_trace(a, inverse, y, k))

    def coefficient(k: int) -> Coefficient:
        found = total(
            np.expand_dims(det[j], (-2, -1)) * inverse[k - j]
            for j in range(k + 1)
            if det[j] is not None and inverse[k - j] is not None
        )
        return None if found is None else transposed(found)

    return Series(out, coefficient)


def _is_regular(a: Any) -> bool:
    """Whether all matrices of a stack are far from singular; if that cannot be known, no."""
    try:
        return bool(np.all(np.linalg.cond(a) < CONDITION))
    except (AbstractValueError, np.linalg.LinAlgError):
        return False


def _through_the_trace(a: Series, inverse: Series, y: Series, k: int) -> Coefficient:
    """k yₖ = Σⱼ mⱼ yₖ₋ⱼ, where mⱼ is the coefficient of tr(A⁻¹ t Ȧ)."""
    traces = inverse.partner(
        "trace", lambda: Series(None, lambda j: _paired(inverse, a, j))
    )  # fmt: skip
    found = total(
        traces[j] * y[k - j]
        for j in range(1, k + 1)
        if traces[j] is not None and y[k - j] is not None
    )
    return divided(found, k)


def _paired(left: Series, a: Series, k: int) -> Coefficient:
    """Σⱼ tr(Lₖ₋ⱼ j Aⱼ)."""
    return total(
        np.einsum("...ij,...ji->...", left[k - j], j * a[j])
        for j in range(1, k + 1)
        if a[j] is not None and left[k - j] is not None
    )


def _adjugate(a: Series) -> Series:
    """adj A by M₁ = 1, Mᵢ₊₁ = A Mᵢ − tr(A Mᵢ)/i, adj A = ±Mₙ."""
    n, dtype = np.shape(a[0])[-1], a[0].dtype
    eye = identity(n, dtype)
    found = Series(eye)
    for i in range(1, n):
        found = _next(a, found, i, eye)
    sign = -1 if n % 2 == 0 else 1
    return Series(sign * found[0], lambda k: scaled(found[k], sign))


def _next(a: Series, m: Series, i: int, eye: Any) -> Series:
    def without_trace(product: Coefficient) -> Coefficient:
        if product is None:
            return None
        trace = np.einsum("...ii->...", product) / i
        return product - np.expand_dims(trace, (-2, -1)) * eye

    return Series(without_trace(a[0] @ m[0]), lambda k: without_trace(matmuls(a, m, k)))
