"""V f(Λ) Vᴴ as one function of the symmetric matrix it comes from.

Its derivatives are divided differences of f (Daleckii and Krein 1965; Bhatia 1997, section V.3),
which exist where eigenvalues repeat, although those of V do not.
"""

from __future__ import annotations

from itertools import pairwise, permutations
from math import factorial
from typing import Any, ClassVar

import numpy as np

from adjoint.errors import MissingRuleError, UndefinedDerivativeError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import VARIABLE
from adjoint.graph.primitive import Hole
from adjoint.graph.registry import register
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.contraction import letter
from adjoint.primitives.linalg.common import MatrixPrimitive, hermitian_part, lead_shape, smallest
from adjoint.primitives.linalg.eigenvalue_graph import depends_only_on, slope, stands_for


class SpectralFunction(MatrixPrimitive):
    """D^m f(A)[E₁, …, E_m] for f(A) = V diag(g) Vᴴ, where g = f(w).

    Operands: A, V, w, the rows g, g′, g″, … of the values and derivatives of f at w, and the
    directions.  V and w are functions of A, so all change with A is that along one direction more;
    ``pure`` says that g has no other variable either.
    With Ẽ = Vᴴ E V the value is V C Vᴴ,

        C[i₀, i_m] = Σ_π Σ f[w_{i₀}, …, w_{i_m}] Ẽ_π₁[i₀, i₁] ⋯ Ẽ_πm[i_{m−1}, i_m].

    Cost: O(m! n^{m+1}).
    """

    name = "spectral_function"
    linear = tuple(range(3, 64))
    mixed = True
    ranks: ClassVar[tuple[int, ...] | int] = (2, 2, 1, 2)

    def rank(self, position: int) -> int:
        return 1 if position == 2 else 2

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        _, v, w, rows, *directions = operands
        vh = np.conj(v.mT)
        if not directions:
            return (v * rows[..., 0, None, :]) @ vh
        rotated = [vh @ e @ v for e in directions]
        if params["equal"] and np.any(unequal_values(w, rows)):
            raise UndefinedDerivativeError(
                "V diag(g) Vᴴ has no derivative where eigenvalues repeat and their entries of g "
                "differ: any rotation of the vectors is as good.",
                where=here(),
                hint="use g = f(w), the same function of every eigenvalue.",
            )
        return v @ core_matrix(w, rows, rotated) @ vh

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        lead = lead_shape(types, [self.rank(i) for i in range(len(types))])
        dtype = np.result_type(*(t.dtype for t in types[1:]))
        return ArrayType((*lead, *types[1].shape[-2:]), dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a, v, w, rows, *directions = primals
        a_dot, _, w_dot, rows_dot, *turned = tangents
        order = len(directions)
        terms = []
        for k, e_dot in enumerate(turned):
            if e_dot is not None:
                moved = [*directions[:k], e_dot, *directions[k + 1 :]]
                terms.append(SPECTRAL_FUNCTION(a, v, w, rows, *moved, **params))
        if a_dot is not None:
            longer = _with_next_derivative(w, rows)
            if np.shape(longer)[-2] < order + 2:
                raise MissingRuleError(
                    f"V f(w) Vᴴ has no derivative of order {order + 1} in A here: f is not known "
                    "as a function of the eigenvalues.",
                    where=here(),
                )
            along = (*directions, hermitian_part(a_dot))
            terms.append(SPECTRAL_FUNCTION(a, v, w, longer, *along, **params))
        if rows_dot is not None and not params["pure"]:
            # What is left of the change of g once the part that comes from w is taken out.
            if w_dot is not None:
                rows_dot = rows_dot[..., :-1, :] - rows[..., 1:, :] * w_dot[..., None, :]
            terms.append(SPECTRAL_FUNCTION(a, v, w, rows_dot, *directions, equal=False, pure=False))
        return sum(terms[1:], terms[0]) if terms else None

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        a, v, w, rows, *directions = operands
        if position > 3:
            directions[position - 4] = np.swapaxes(ct, -1, -2)
            return np.swapaxes(SPECTRAL_FUNCTION(a, v, w, rows, *directions, **params), -1, -2)
        if directions:
            raise MissingRuleError(
                "the second derivative of V f(w) Vᴴ in A and in a parameter of f has no reverse "
                "rule where eigenvalues repeat.",
                where=here(),
            )
        first = np.einsum("...ji,...jk,...ki->...i", v, ct, np.conj(v))[..., None, :]
        if isinstance(rows, Hole) and rows.dtype.kind == "f":
            first = np.real(first)
        below = np.zeros((*first.shape[:-2], rows.shape[-2] - 1, first.shape[-1]), first.dtype)
        return np.concatenate([first, below], axis=-2)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        # A cotangent that was a parameter of g may be a constant now.
        pure = params["pure"] or depends_only_on(operands[3], operands[2])
        return super().batch(operands, batched, size, **(params | {"pure": pure}))


SPECTRAL_FUNCTION = register(SpectralFunction())


def spectral_function(a: Any, v: Any, w: Any, rows: Any) -> Any:
    """V diag(g) Vᴴ, given g and its derivative in w as the two rows of the last axes."""
    return SPECTRAL_FUNCTION(a, v, w, rows, equal=True, pure=depends_only_on(rows, w))


def _with_next_derivative(w: Any, rows: Any) -> Any:
    """The rows and the derivative of the last, where the graph that says how is still traced."""
    if not (isinstance(w, Tracer) and isinstance(rows, Tracer)):
        return rows
    if stands_for(rows.node).primitive is VARIABLE:
        return rows  # given as they are; how they depend on w is not to be seen
    last: Any = rows
    found = slope(last[..., -1, :], w)
    return rows if found is None else np.concatenate([rows, found[..., None, :]], axis=-2)


def close(w: Any, left: Any, right: Any) -> tuple[Any, Any]:
    """w[right] − w[left], and where that is zero to rounding."""
    gap = w[..., right] - w[..., left]
    size = np.max(np.abs(w), axis=-1, keepdims=True, initial=0.0)
    return gap, np.abs(gap) <= 4 * w.shape[-1] * smallest(w.dtype) * size


def _divided_differences(w: Any, rows: Any, order: int) -> Any:
    """f[w_{i₀}, …, w_{i_order}] for every tuple; equal arguments give f⁽ᵏ⁾/k!.

    w ascends, so a sorted tuple has its equal arguments side by side.
    """
    n = w.shape[-1]
    index = np.sort(np.indices((n,) * (order + 1)).reshape(order + 1, -1), axis=0)
    column = [rows[..., 0, i] for i in index]
    for k in range(1, order + 1):
        found = []
        for r in range(order + 1 - k):
            left, right = index[r], index[r + k]
            gap, same = close(w, left, right)
            confluent = (rows[..., k, left] + rows[..., k, right]) / (2 * factorial(k))
            difference = (column[r + 1] - column[r]) / np.where(same, 1, gap)
            found.append(np.where(same, confluent, difference))
        column = found
    shape = (*column[0].shape[:-1], *(n,) * (order + 1))
    return column[0].reshape(shape).astype(rows.dtype)


def _core(table: Any, rotated: list[Any]) -> Any:
    names = [letter(k) for k in range(len(rotated) + 1)]
    terms = ["..." + "".join(names)]
    terms += [f"...{i}{j}" for i, j in pairwise(names)]
    spec = ",".join(terms) + "->..." + names[0] + names[-1]
    return sum(np.einsum(spec, table, *chain) for chain in permutations(rotated))


def core_matrix(w: Any, rows: Any, rotated: list[Any]) -> Any:
    """C, of the directions in the basis of the vectors."""
    return _core(_divided_differences(w, rows, len(rotated)), rotated)


def unequal_values(w: Any, rows: Any) -> Any:
    """Where eigenvalues repeat and the values of f do not: the product depends on the basis."""
    n = w.shape[-1]
    left, right = np.arange(n - 1), np.arange(1, n)
    _, same = close(w, left, right)
    g = rows[..., 0, :]
    size = np.max(np.abs(g), axis=-1, keepdims=True, initial=0.0)
    apart = np.abs(g[..., right] - g[..., left]) > 1e-6 * size
    return same & apart
