"""Matrices built from vectors, under SciPy's names: gathers and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.graph.sites import here
from adjoint.primitives.contraction import contract
from adjoint.primitives.shaping import array
from adjoint.scipy.linalg.dispatch import offers


def _vector(x: Any, called: str) -> Any:
    x = array(x)
    if x.ndim != 1:
        raise ShapeMismatchError(
            f"scipy.linalg.{called} of traced values needs a vector; it got {describe(x)}.",
            where=here(),
            hint="for stacks use ad.vmap.",
        )
    return x


def _gathered(vectors: list[Any], index: Any) -> Any:
    joined = np.concatenate(vectors) if len(vectors) > 1 else vectors[0]
    return joined[index]


@offers
def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrix with constant diagonals, first column c and first row r (conj(c) by default)."""
    c = _vector(c, "toeplitz(c)")
    r = np.conj(c) if r is None else _vector(r, "toeplitz(c, r)")
    m, n = c.shape[0], r.shape[0]
    # c reversed, then r without its first: the entry (i, j) is number m − 1 − i + j.
    index = m - 1 - np.arange(m)[:, None] + np.arange(n)[None, :]
    return _gathered([c[::-1], r[1:]], index)


@offers
def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with constant anti-diagonals, first column c and last row r (0 by default)."""
    c = _vector(c, "hankel(c)")
    r = np.zeros(c.shape, c.dtype) if r is None else _vector(r, "hankel(c, r)")
    index = np.arange(c.shape[0])[:, None] + np.arange(r.shape[0])[None, :]
    return _gathered([c, r[1:]], index)


@offers
def circulant(c: Any) -> Any:
    """The circulant matrix with first column c."""
    c = _vector(c, "circulant(c)")
    n = c.shape[0]
    return c[(np.arange(n)[:, None] - np.arange(n)[None, :]) % n]


@offers
def companion(a: Any) -> Any:
    """The companion matrix of a polynomial, highest power first."""
    a = _vector(a, "companion(a)")
    n = a.shape[0]
    if n < 2:
        raise ValueError("The length of `a` must be at least 2.")
    first = -a[1:] / a[0]
    below = np.eye(n - 2, n - 1, dtype=first.dtype)
    return np.concatenate([first[None, :], below], axis=0)


@offers
def block_diag(*arrs: Any) -> Any:
    """The matrix with the arrays along its diagonal, zero elsewhere."""
    blocks = [_as_matrix(array(a)) for a in (arrs or ([],))]
    dtype = np.result_type(*(b.dtype for b in blocks))
    total = sum(b.shape[1] for b in blocks)
    rows, start = [], 0
    for b in blocks:
        left = np.zeros((b.shape[0], start), dtype)
        right = np.zeros((b.shape[0], total - start - b.shape[1]), dtype)
        rows.append(np.concatenate([left, b, right], axis=1))
        start += b.shape[1]
    return np.concatenate(rows, axis=0)


def _as_matrix(a: Any) -> Any:
    if a.ndim > 2:
        raise ShapeMismatchError(
            f"scipy.linalg.block_diag of traced values needs matrices; it got {describe(a)}.",
            where=here(),
            hint="for stacks use ad.vmap.",
        )
    return a if a.ndim == 2 else np.reshape(a, (1, a.size))


@offers
def kron(a: Any, b: Any) -> Any:
    """The Kronecker product of two matrices."""
    a, b = (_as_matrix(array(x)) for x in (a, b))
    product = contract("ij,kl->ikjl", a, b)
    return np.reshape(product, (a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]))


@offers
def khatri_rao(a: Any, b: Any) -> Any:
    """The Khatri-Rao product: the Kronecker product of each column of a with that of b."""
    a, b = array(a), array(b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ShapeMismatchError(
            "scipy.linalg.khatri_rao(a, b) needs two matrices with as many columns; "
            f"it got {describe(a)} and {describe(b)}.",
            where=here(),
        )
    return np.reshape(contract("ij,kj->ikj", a, b), (-1, a.shape[1]))
