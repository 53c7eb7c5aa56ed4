"""Matrix primitives written out in simpler ones, which the back end computes itself.

An entry is the primitive's formula in NumPy, traced once per use, and the condition under which the
evaluated primitive raises, leaves a NaN behind, or has to be asked for another reason: where it
holds, a kernel gives the whole call back to evaluation, which then says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.primitives.control.body import as_node, unknowns
from adjoint.primitives.linalg.common import smallest, transposed
from adjoint.primitives.linalg.determinants import DET, mixed_minors
from adjoint.primitives.linalg.gauge import divided, repeated_vectors, turned_places
from adjoint.primitives.linalg.singular import SVD_
from adjoint.primitives.linalg.spectral_function import core_matrix, unequal_values

_REASON = "a formula is traced for all values at once"
_DTYPES = (np.dtype(np.float64), np.dtype(np.float32))

Formula = Callable[..., tuple[Any, Any] | None]
"""From operands and parameters to the result and the condition (None for never); None where the
primitive itself is LAPACK's."""


class Expansion(NamedTuple):
    """A primitive as a graph: its operands, its result, and where it is left to evaluation."""

    inputs: list[Node]
    output: Node
    refused: Node | None


def expansion(node: Node) -> Expansion | None:
    """The formula of a node for its types; None if there is none."""
    formula = FORMULAS.get(node.primitive.name)
    types = [n.result_type for n in node.inputs]
    if formula is None or not all(t.dtype in _DTYPES and t.size for t in types):
        return None
    if node.params.get("hermitian") or not _plain(node.params):
        return None
    with Scope(node.primitive.name, abstract=_REASON, internal=True) as scope:
        operands = unknowns(scope, [t._replace(weak=False) for t in types])
        found = formula(*operands, **node.params)
        if found is None:
            return None
        result, refused = found
        condition = None if refused is None else as_node(np.any(refused))
        return Expansion([o.node for o in operands], as_node(result), condition)


def _plain(params: dict[str, Any]) -> bool:
    """Whether thresholds are single numbers."""
    return all(np.ndim(v) == 0 for k, v in params.items() if k in ("rtol", "rcond", "tol"))


def _quotient(m: Any, w: Any, *, sign: int, of: str) -> tuple[Any, Any]:
    return divided(m, w, sign)


def _broadcast(v: Any, w: Any) -> Any:
    lead = np.broadcast_shapes(v.shape[:-2], w.shape[:-1])
    shape = (*lead, *v.shape[-2:])
    return v if v.shape == shape else np.broadcast_to(v, shape)


def _vector_tangent(v: Any, w: Any, *, of: str) -> tuple[Any, Any]:
    return _broadcast(v, w), None


def _checked_vectors(ct: Any, w: Any, *, of: str) -> tuple[Any, Any]:
    return _broadcast(ct, w), repeated_vectors(ct, w)


def _nothing(x: Any, *, of: str) -> tuple[Any, Any]:
    return np.zeros(x.shape, x.dtype), None


def _checked_rotation(ct: Any, *, of: str) -> tuple[Any, Any]:
    return np.zeros(ct.shape, ct.dtype), turned_places(ct)


def _spectral_function(
    a: Any, v: Any, w: Any, rows: Any, *directions: Any, equal: bool, pure: bool
) -> tuple[Any, Any]:
    vt = transposed(v)
    if not directions:
        return (v * rows[..., 0, None, :]) @ vt, None
    core = core_matrix(w, rows, [vt @ e @ v for e in directions])
    return v @ core @ vt, unequal_values(w, rows) if equal else None


def _cofactor(a: Any, *directions: Any) -> tuple[Any, Any] | None:
    """The formula of `Cofactor`, the products over all indices but some as masked products."""
    if not directions:
        return None
    n, order = a.shape[-1], len(directions) + 1
    u, s, vt = SVD_(a, full_matrices=True, hermitian=False)
    ut, v = transposed(u), transposed(vt)
    axes = [np.arange(n).reshape((n,) + (1,) * (order - k)) for k in range(order)]
    last = np.arange(n)
    outside = np.logical_and.reduce(np.broadcast_arrays(*(last != i for i in axes)))
    distinct = outside.sum(axis=-1) == n - order
    stretched = s[(..., *(None,) * order, slice(None))]
    p = np.prod(np.where(outside, stretched, 1), axis=-1)
    p = np.where(distinct, p, 0).astype(a.dtype)
    core = mixed_minors(p, [ut @ e @ v for e in directions], n, order)
    phase = np.reshape(DET(u) * DET(vt), (*a.shape[:-2], 1, 1))
    return phase * (u @ core @ vt), None


def _pinv(a: Any, *, hermitian: bool, **threshold: Any) -> tuple[Any, Any]:
    rcond = threshold.get("rcond", threshold.get("rtol", 1e-15))
    if rcond is None:
        rcond = max(a.shape[-2:]) * smallest(a.dtype)
    u, s, vt = SVD_(a, full_matrices=False, hermitian=False)
    large = s > rcond * np.max(s, axis=-1, keepdims=True)
    inverse = np.where(large, 1 / np.where(large, s, 1), 0)
    return transposed(vt) @ (inverse[..., None] * transposed(u)), None


def _matrix_rank(
    a: Any, *, hermitian: bool = False, tol: Any = None, rtol: Any = None
) -> tuple[Any, Any]:
    s = SVD_(a, full_matrices=False, hermitian=False)[1]
    if tol is None:
        relative = max(a.shape[-2:]) * smallest(s.dtype) if rtol is None else rtol
        tol = np.max(s, axis=-1, keepdims=True) * relative
    return np.count_nonzero(s > tol, axis=-1), None


def _polar_factor(a: Any) -> tuple[Any, Any]:
    u, _, vt = SVD_(a, full_matrices=False, hermitian=False)
    return u @ vt, None


FORMULAS: dict[str, Formula] = {
    "difference_quotient": _quotient,
    "pulled_quotient": _quotient,
    "vector_tangent": _vector_tangent,
    "checked_vectors": _checked_vectors,
    "undetermined_rotation": _nothing,
    "checked_rotation": _checked_rotation,
    "spectral_function": _spectral_function,
    "cofactor": _cofactor,
    "pinv": _pinv,
    "matrix_rank": _matrix_rank,
    "polar_factor": _polar_factor,
}
