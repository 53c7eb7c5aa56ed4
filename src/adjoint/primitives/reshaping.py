"""NumPy's functions that only change a shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.graph.tracer import TracedArray
from adjoint.graph.views import layout
from adjoint.primitives.products import axes_tuple
from adjoint.primitives.shaping import array, reshape_view


@implements(np.ravel)
def ravel(a: Any, order: Any = "C") -> Any:
    """``np.ravel``."""
    a = array(a)
    if order in ("A", "K"):
        order = _order_in_memory(a, order)
    result = np.reshape(a, -1, order=order)
    if isinstance(a, TracedArray) and a._view is not None:
        flags = layout(a).flags
        if not (flags.f_contiguous if order == "F" else flags.c_contiguous):
            return result.copy()  # unlike reshape, ravel gives a view of contiguous elements only
    return result


def _order_in_memory(a: Any, order: str) -> str:
    flags = (layout(a) if isinstance(a, TracedArray) else a).flags
    if flags.c_contiguous or (order == "A" and not flags.f_contiguous):
        return "C"
    if flags.f_contiguous:
        return "F"
    raise ArgumentValueError(
        "np.ravel(order='K') needs elements that lie together in memory; this view skips some.",
        where=here(),
        hint="use order='C', or x.copy().",
    )


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """``np.squeeze``."""
    a = array(a)
    if axis is None:
        drop = tuple(i for i, n in enumerate(a.shape) if n == 1)
    else:
        drop = axes_tuple(axis, a.ndim)
        if any(a.shape[i] != 1 for i in drop):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return reshape_view(a, tuple(n for i, n in enumerate(a.shape) if i not in drop))


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """``np.expand_dims``."""
    a = array(a)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    new = axes_tuple(axis, a.ndim + count)
    rest = iter(a.shape)
    return reshape_view(a, tuple(1 if i in new else next(rest) for i in range(a.ndim + count)))


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """``np.shape``: a fact, not a traced value."""
    found: tuple[int, ...] = array(a).shape
    return found


@implements(np.ndim)
def ndim(a: Any) -> int:
    """``np.ndim``."""
    return len(array(a).shape)


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    """``np.size``."""
    extents = array(a).shape
    axes = axes_tuple(axis, len(extents))
    return int(np.prod([extents[i] for i in axes]))
