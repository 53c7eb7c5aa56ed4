"""The products and views that `np.linalg` offers under names of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph.arraytype import describe
from adjoint.graph.registry import FUNCTIONS, implements
from adjoint.graph.sites import here
from adjoint.primitives.contraction import contract, letter
from adjoint.primitives.products import matmul
from adjoint.primitives.shaping import array, normalize_axis, write_out


@implements(np.linalg.matmul)
def linalg_matmul(x1: Any, x2: Any, /) -> Any:
    """``np.linalg.matmul``."""
    return matmul(x1, x2)


@implements(np.linalg.tensordot)
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """``np.linalg.tensordot``."""
    return FUNCTIONS[np.tensordot](x1, x2, axes=axes)


@implements(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    """``np.linalg.outer``: of vectors only."""
    x1, x2 = array(x1), array(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeMismatchError(
            f"np.linalg.outer(x1, x2) needs two vectors; it got {describe(x1)} and {describe(x2)}.",
            where=here(),
            hint="np.outer(x1, x2) flattens its operands first.",
        )
    return contract("a,b->ab", x1, x2)


@implements(np.linalg.matrix_transpose)
def linalg_matrix_transpose(x: Any, /) -> Any:
    """``np.linalg.matrix_transpose``."""
    return array(x).mT


@implements(np.linalg.diagonal)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """``np.linalg.diagonal``: of the last two axes."""
    return FUNCTIONS[np.diagonal](x, offset, -2, -1)


@implements(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """``np.linalg.trace``: of the last two axes."""
    return FUNCTIONS[np.trace](x, offset, -2, -1, dtype)


@implements(np.linalg.vecdot)
def linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """``np.linalg.vecdot``: Σ conj(x1) x2 along an axis, the others broadcast."""
    x1, x2 = (np.moveaxis(x, axis, -1) for x in (array(x1), array(x2)))
    return np.einsum("...i,...i->...", np.conj(x1), x2)


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """``np.linalg.cross``: of vectors of length 3."""
    x1, x2 = array(x1), array(x2)
    i, j = normalize_axis(axis, x1.ndim), normalize_axis(axis, x2.ndim)
    if x1.shape[i] != 3 or x2.shape[j] != 3:
        raise ShapeMismatchError(
            "np.linalg.cross(x1, x2) needs vectors of length 3; "
            f"it got {describe(x1)} and {describe(x2)} along axis {axis}.",
            where=here(),
        )
    a, b = np.moveaxis(x1, i, -1), np.moveaxis(x2, j, -1)
    result = a[..., [1, 2, 0]] * b[..., [2, 0, 1]] - a[..., [2, 0, 1]] * b[..., [1, 2, 0]]
    return np.moveaxis(result, -1, axis)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """``np.linalg.multi_dot``: a chain of products as one contraction, in the cheapest order."""
    parts = [array(a) for a in arrays]
    if len(parts) < 2:
        raise ValueError("Expecting at least two arrays.")
    for k, part in enumerate(parts):
        inside = 0 < k < len(parts) - 1
        if part.ndim != 2 and (inside or part.ndim != 1):
            raise np.linalg.LinAlgError(f"{part.ndim}-dimensional array given at position {k}.")
    for left, right in pairwise(parts):
        if left.shape[-1] != right.shape[0]:
            raise ShapeMismatchError(
                "np.linalg.multi_dot needs each matrix to fit the next; "
                f"it got {describe(left)} before {describe(right)}.",
                where=here(),
            )
    names = [letter(k) + letter(k + 1) for k in range(len(parts))]
    if parts[0].ndim == 1:
        names[0] = names[0][1:]
    if parts[-1].ndim == 1:
        names[-1] = names[-1][0]
    result = names[0][:-1] + names[-1][1:]
    found = contract(",".join(names) + "->" + result, *parts)
    return found if out is None else write_out(out, found)
