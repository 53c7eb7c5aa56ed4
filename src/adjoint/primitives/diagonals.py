"""Diagonals, triangles, and the products whose result is laid out as a larger matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import index_of
from adjoint.graph.registry import implements
from adjoint.primitives.contraction import contract, letter
from adjoint.primitives.shaping import array, normalize_axis, plain_reshape


@implements(np.diag)
def diag(v: Any, k: Any = 0) -> Any:
    """``np.diag``: the diagonal of a matrix, or a matrix with this diagonal (a Kronecker delta)."""
    v, k = array(v), index_of(k)
    if v.ndim == 2:
        return np.diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    square = contract("a->aa", v)
    if k == 0:
        return square
    before, after = max(k, 0), max(-k, 0)
    return np.pad(square, ((after, before), (before, after)))


@implements(np.diagflat)
def diagflat(v: Any, k: Any = 0) -> Any:
    """``np.diagflat``."""
    return diag(np.ravel(array(v)), k)


def _triangle(m: Any, k: Any, upper: bool) -> Any:
    m = array(m)
    if m.ndim < 2:
        m = np.broadcast_to(m, (m.size, m.size))
    below = np.tri(m.shape[-2], m.shape[-1], k=index_of(k) - upper, dtype=np.bool_)
    return np.where(below != upper, m, np.zeros((), m.dtype))


@implements(np.tril)
def tril(m: Any, k: Any = 0) -> Any:
    """``np.tril``."""
    return _triangle(m, k, False)


@implements(np.triu)
def triu(m: Any, k: Any = 0) -> Any:
    """``np.triu``."""
    return _triangle(m, k, True)


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: Any = 0) -> Any:
    """``np.tril_indices_from``: plain indices."""
    if arr.ndim != 2:
        raise ValueError("input array must be 2-d")
    return np.tril_indices(arr.shape[-2], k, arr.shape[-1])


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: Any = 0) -> Any:
    """``np.triu_indices_from``: plain indices."""
    if arr.ndim != 2:
        raise ValueError("input array must be 2-d")
    return np.triu_indices(arr.shape[-2], k, arr.shape[-1])


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """``np.diag_indices_from``: plain indices."""
    if arr.ndim < 2:
        raise ValueError("input array must be at least 2-d")
    if len(set(arr.shape)) != 1:
        raise ValueError("All dimensions of input must be of equal length")
    return np.diag_indices(arr.shape[0], arr.ndim)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """``np.kron``: K[i·p + k, j·q + l] = a[i, j] b[k, l] for b of shape (p, q)."""
    a, b = array(a), array(b)
    ndim = max(a.ndim, b.ndim)
    if not ndim:
        return a * b
    a = plain_reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    b = plain_reshape(b, (1,) * (ndim - b.ndim) + b.shape)
    left = "".join(letter(i) for i in range(ndim))
    right = "".join(letter(ndim + i) for i in range(ndim))
    pairs = "".join(x + y for x, y in zip(left, right, strict=True))
    result = contract(f"{left},{right}->{pairs}", a, b)
    return plain_reshape(result, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))


@implements(np.cross)
def cross(
    a: Any, b: Any, axisa: Any = -1, axisb: Any = -1, axisc: Any = -1, axis: Any = None
) -> Any:
    """``np.cross`` of vectors with three components, or with two as in NumPy."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = array(a), array(b)
    if not a.ndim or not b.ndim:
        raise ValueError("At least one array has zero dimension")
    a, b = _components(a, axisa), _components(b, axisb)
    if len(a) == 2 and len(b) == 2:
        return a[0] * b[1] - a[1] * b[0]
    shape = np.broadcast_shapes(a[0].shape, b[0].shape)
    x, y, z = (*a, 0.0)[:3]
    u, v, w = (*b, 0.0)[:3]
    parts = [y * w - z * v, z * u - x * w, x * v - y * u]
    found = np.stack([np.broadcast_to(p, shape) for p in parts], axis=-1)
    return np.moveaxis(found, -1, normalize_axis(axisc, found.ndim))


def _components(x: Any, axis: Any) -> list[Any]:
    x = np.moveaxis(x, normalize_axis(axis, x.ndim), 0)
    if x.shape[0] not in (2, 3):
        raise ValueError(f"np.cross needs vectors with 2 or 3 components; got {x.shape[0]}")
    return [x[i] for i in range(x.shape[0])]


@implements(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """``np.vander``: powers of x as columns, by repeated products (exact at x = 0)."""
    x = array(x)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = x.size if N is None else index_of(N)
    if not count:
        return np.zeros_like(x, shape=(x.size, 0))
    columns = [np.ones(x.shape, x.dtype)]
    for _ in range(count - 1):
        columns.append(columns[-1] * x if len(columns) > 1 else x)
    return np.stack(columns if increasing else columns[::-1], axis=1)
