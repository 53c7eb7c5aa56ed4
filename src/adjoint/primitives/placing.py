"""Functions that write into an array they are given: put, place, copyto, fill_diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import TracedConversionError
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import value_or_raise
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.graph.tracer import TracedArray, Tracer
from adjoint.primitives.shaping import array, normalize_axis
from adjoint.primitives.taking import bounded, fancy_along


def target_of(a: Any, called: str) -> TracedArray:
    """The array to write into, which has to be one that takes traced values."""
    if isinstance(a, TracedArray):
        return a
    kind = "a traced number" if isinstance(a, Tracer) else f"a plain {describe(a)}"
    raise TracedConversionError(
        f"{called} needs a traced array to write traced values into; it got {kind}.",
        where=here(),
        hint="make the buffer with np.zeros_like(x), np.zeros(n, like=x) or "
        "`import adjoint.numpy as np`.",
    )


def write_flat(a: TracedArray, positions: Any, values: Any) -> None:
    """Writes values, repeated as often as needed, at positions counted in C order."""
    values = np.ravel(array(values))
    if not positions.size:
        return
    if not values.size:
        raise ValueError("cannot write from an empty list of values")
    if values.size != 1:
        values = np.resize(values, positions.size)
    a[np.unravel_index(positions, a.shape)] = values


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """``np.put``."""
    a = target_of(a, "np.put")
    places = np.asarray(value_or_raise(array(ind), "the positions of np.put")).ravel()
    if mode == "raise" and places.size and not (-a.size <= places.min() <= places.max() < a.size):
        raise IndexError(f"positions of np.put are out of bounds for size {a.size}")
    write_flat(a, np.asarray(bounded(places, a.size, mode)) % max(a.size, 1), v)


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    """``np.put_along_axis``."""
    arr, indices = target_of(arr, "np.put_along_axis"), array(indices)
    if axis is None:
        places = np.asarray(value_or_raise(indices, "the indices of np.put_along_axis"))
        if places.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        write_flat(arr, places % max(arr.size, 1), np.broadcast_to(array(values), places.shape))
        return
    arr[fancy_along(arr.shape, indices, normalize_axis(axis, arr.ndim))] = values


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """``np.putmask``: the k-th element takes the k-th value, where the mask is true."""
    a, values = target_of(a, "np.putmask"), array(values)
    if values.size:
        a[...] = np.where(array(mask) != 0, np.resize(values, a.shape), a).astype(a.dtype)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """``np.place``: the elements where the mask is true take the values one after the other."""
    arr = target_of(arr, "np.place")
    known = np.asarray(value_or_raise(array(mask), "the mask of np.place"))
    if known.size != arr.size:
        raise ValueError("place: mask and data must be the same size")
    write_flat(arr, np.flatnonzero(known), vals)


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """``np.copyto``."""
    dst, src = target_of(dst, "np.copyto"), array(src)
    if not np.can_cast(src.dtype, dst.dtype, casting):
        raise TypeError(f"cannot copy {src.dtype} into {dst.dtype} by the rule {casting!r}")
    dst[...] = src if where is True else np.where(where, src, dst).astype(dst.dtype)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """``np.fill_diagonal``."""
    a = target_of(a, "np.fill_diagonal")
    mark = np.zeros(a.shape, np.bool_)
    np.fill_diagonal(mark, True, wrap)
    write_flat(a, np.flatnonzero(mark), val)
