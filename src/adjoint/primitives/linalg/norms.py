"""Norms: norm, vector_norm, matrix_norm, cond.

Every norm has derivative 0 at 0, whatever its order; where a maximum is reached several times, the
places share equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError
from adjoint.graph.binding import index_of
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.arithmetic import root_of_squares
from adjoint.primitives.linalg.common import inexact, matrix
from adjoint.primitives.linalg.inverses import inv
from adjoint.primitives.linalg.singular import svdvals
from adjoint.primitives.shaping import array, normalize_axis

_MATRIX_ORDERS = (None, "fro", "f", "nuc", 1, -1, 2, -2, np.inf, -np.inf)


def _euclidean(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if x.dtype.kind == "c":
        squares = np.square(np.real(x)) + np.square(np.imag(x))
    else:
        squares = np.square(x)
    return root_of_squares(np.sum(squares, axis=axes, keepdims=keepdims))


def _power_norm(x: Any, p: Any, axis: int, keepdims: bool) -> Any:
    """(Σ |x|^p)^(1/p), with nothing undefined at zeros of x or at x = 0."""
    size = np.abs(x)
    present = size != 0
    powers = np.where(present, np.where(present, size, 1) ** p, 0)
    total = np.sum(powers, axis=axis, keepdims=keepdims)
    # NumPy's 0^p is inf for p < 0, and its root 0.
    zero = total == 0
    if p < 0:
        zero = zero | np.any(~present, axis=axis, keepdims=keepdims)
    result = np.where(zero, 0, np.where(zero, 1, total) ** (1 / p))
    return result.astype(size.dtype)


def _vector(x: Any, order: Any, axis: int, keepdims: bool) -> Any:
    if order is None or order == 2:
        return _euclidean(x, (axis,), keepdims)
    if order == np.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims)
    if order == -np.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if order == 0:
        counted = (x != 0).astype(np.abs(x).dtype)
        return np.sum(counted, axis=axis, keepdims=keepdims)
    if order == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if isinstance(order, str):
        raise ArgumentValueError(
            f"np.linalg.norm(x, ord) of vectors needs a number as ord; got {order!r}.",
            where=here(),
        )
    return _power_norm(x, order, axis, keepdims)


def _matrices(x: Any, order: Any, rows: int, cols: int, keepdims: bool) -> Any:
    if not any(order is known or order == known for known in _MATRIX_ORDERS):
        raise ArgumentValueError(
            "np.linalg.norm(x, ord) of matrices needs ord 'fro', 'nuc', 1, -1, 2, -2, np.inf or "
            f"-np.inf; got {order!r}.",
            where=here(),
        )
    if order in (None, "fro", "f"):
        return _euclidean(x, (rows, cols), keepdims)
    if order in ("nuc", 2, -2):
        s = svdvals(np.moveaxis(x, (rows, cols), (-2, -1)))
        reductions: dict[Any, Any] = {"nuc": np.sum, 2: np.max, -2: np.min}
        result = reductions[order](s, axis=-1)
    else:
        inner, outer = (rows, cols) if abs(order) == 1 else (cols, rows)
        sums = np.sum(np.abs(x), axis=inner, keepdims=True)
        reduce = np.max if order > 0 else np.min
        result = reduce(sums, axis=(inner, outer))
    return np.expand_dims(result, tuple(sorted((rows, cols)))) if keepdims else result


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """``np.linalg.norm``, with every ``ord``."""
    x, order = inexact(array(x)), _order(ord)
    keepdims = bool(keepdims)
    if axis is None:
        if order is None or (order in ("fro", "f") and x.ndim == 2) or (order == 2 and x.ndim == 1):
            return _euclidean(x, tuple(range(x.ndim)), keepdims)
        axes = tuple(range(x.ndim))
    else:
        axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
        axes = tuple(normalize_axis(index_of(i), x.ndim) for i in axes)
    if len(axes) == 1:
        return _vector(x, order, axes[0], keepdims)
    if len(axes) == 2:
        if axes[0] == axes[1]:
            raise ValueError("Duplicate axes given.")
        return _matrices(x, order, axes[0], axes[1], keepdims)
    raise ValueError("Improper number of dimensions to norm.")


def _order(order: Any) -> Any:
    if isinstance(order, Tracer):
        raise ArgumentValueError(
            "np.linalg.norm(x, ord) needs a plain ord; it got a traced value.",
            where=here(),
            hint="write the sum: np.sum(np.abs(x)**p)**(1/p).",
        )
    return order.item() if isinstance(order, np.generic) else order


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """``np.linalg.vector_norm``: over one axis, several, or all."""
    x, order = inexact(array(x)), _order(ord)
    shape = list(x.shape)
    if axis is None:
        axes = tuple(range(x.ndim))
    elif isinstance(axis, tuple):
        axes = tuple(normalize_axis(i, x.ndim) for i in axis)
    else:
        axes = (normalize_axis(axis, x.ndim),)
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    flat = np.transpose(x, axes + rest).reshape((-1, *(shape[i] for i in rest)))
    result = _vector(flat, order, 0, False)
    if keepdims:
        return np.reshape(result, tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return result


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """``np.linalg.matrix_norm``: over the last two axes."""
    x = matrix(x, "np.linalg.matrix_norm(x)")
    return norm(x, ord=ord, axis=(-2, -1), keepdims=keepdims)


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """``np.linalg.cond``: σ₁/σₙ, or ‖A‖ ‖A⁻¹‖ in another norm."""
    x = matrix(x, "np.linalg.cond(x)")
    if p in (None, 2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return norm(x, ord=p, axis=(-2, -1)) * norm(inv(x), ord=p, axis=(-2, -1))
