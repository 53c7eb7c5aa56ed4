"""Joining arrays: stacks, blocks, and elements put in or taken out along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import value_or_raise
from adjoint.graph.registry import implements
from adjoint.graph.tracer import Tracer
from adjoint.primitives.indexing import convert_to
from adjoint.primitives.shaping import array, normalize_axis, reshape_view


def _at_least(x: Any, ndim: int) -> Any:
    """x with axes of length 1 where ``np.atleast_*`` puts them."""
    x = array(x)
    shape: tuple[int, ...] = x.shape
    if len(shape) >= ndim:
        return x
    if ndim == 3 and len(shape) == 2:
        return reshape_view(x, (*shape, 1))
    # A vector becomes a row of a matrix, and the middle axis of three.
    lead = (1,) * (1 if len(shape) == 1 else ndim - len(shape))
    return reshape_view(x, lead + shape + (1,) * (ndim - len(lead) - len(shape)))


def _each(arrays: tuple[Any, ...], ndim: int) -> Any:
    found = tuple(_at_least(a, ndim) for a in arrays)
    return found[0] if len(found) == 1 else found


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """``np.atleast_1d``."""
    return _each(arys, 1)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """``np.atleast_2d``."""
    return _each(arys, 2)


@implements(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """``np.atleast_3d``."""
    return _each(arys, 3)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """``np.vstack``: one below the other."""
    return np.concatenate([_at_least(a, 2) for a in tup], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """``np.hstack``: side by side."""
    parts = [_at_least(a, 1) for a in tup]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return np.concatenate(parts, axis, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """``np.dstack``: along a third axis."""
    return np.concatenate([_at_least(a, 3) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """``np.column_stack``: vectors as columns."""
    parts = [array(a) for a in tup]
    columns = [p if p.ndim >= 2 else np.reshape(p, (-1, 1)) for p in parts]
    return np.concatenate(columns, 1)


def _depth(arrays: Any) -> int:
    """How deep the lists are nested, the same everywhere."""
    if not isinstance(arrays, list):
        if isinstance(arrays, tuple):
            raise TypeError("np.block needs lists, not tuples, around its blocks")
        return 0
    if not arrays:
        raise ValueError("np.block needs at least one array in every list")
    depths = {_depth(a) for a in arrays}
    if len(depths) != 1:
        raise ValueError(f"np.block needs lists of one depth; it got depths {sorted(depths)}")
    return 1 + depths.pop()


def _leaves(arrays: Any) -> list[Any]:
    return [leaf for a in arrays for leaf in _leaves(a)] if isinstance(arrays, list) else [arrays]


@implements(np.block)
def block(arrays: Any) -> Any:
    """``np.block``: the innermost lists are joined along the last axis, the next along the one
    before it, and so on."""
    depth = _depth(arrays)
    ndim = max(depth, *(array(leaf).ndim for leaf in _leaves(arrays)), 0)

    def join(part: Any, axis: int) -> Any:
        if axis == 0:
            leaf = array(part)
            return np.reshape(leaf, (1,) * (ndim - leaf.ndim) + leaf.shape)
        return np.concatenate([join(p, axis - 1) for p in part], axis=-axis)

    result = join(arrays, depth)
    return result if depth else result.copy()


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    """``np.append``."""
    return np.concatenate((array(arr), array(values)), axis=axis)


def _flat_or_axis(x: Any, axis: Any) -> tuple[Any, int]:
    x = array(x)
    if axis is None:
        return np.ravel(x), 0
    return x, normalize_axis(axis, x.ndim)


def _positions(obj: Any, what: str) -> Any:
    """Where elements go in or out: values that decide a shape or an order, so they are known."""
    if isinstance(obj, slice):
        return obj
    obj = array(obj)
    return value_or_raise(obj, what) if isinstance(obj, Tracer) else obj


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """``np.delete``: what remains is taken by index."""
    arr, axis = _flat_or_axis(arr, axis)
    kept = np.delete(np.arange(arr.shape[axis]), _positions(obj, "np.delete"))
    return np.take(arr, kept, axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """``np.insert``: old and new elements are joined, then taken in their final order."""
    arr, axis = _flat_or_axis(arr, axis)
    size = arr.shape[axis]
    places = _positions(obj, "np.insert")
    if isinstance(places, slice):
        places = np.arange(size)[places]
    if places.dtype == np.bool_:
        places = np.flatnonzero(places)
    values = convert_to(values, arr.dtype)
    if places.size == 1:
        # A single place takes any number of values, and one value broadcasts along the others.
        values = np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
        if places.ndim == 0:
            values = np.moveaxis(values, 0, axis)
        count = values.shape[axis]
        places = places.reshape(())
    else:
        count = places.size
    shape = (*arr.shape[:axis], count, *arr.shape[axis + 1 :])
    order = np.insert(np.arange(size), places, size + np.arange(count))
    return np.take(np.concatenate((arr, np.broadcast_to(values, shape)), axis), order, axis)
