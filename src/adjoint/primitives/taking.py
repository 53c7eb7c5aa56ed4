"""Taking elements by position or by condition: take, choose, select, piecewise and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import value_or_raise
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.indexing import split_index, take_index
from adjoint.primitives.rearranging import along
from adjoint.primitives.shaping import array, normalize_axis, write_out


def is_known(x: Any) -> bool:
    """Whether the value of an operand can be looked at: false inside `vmap` and `scan`."""
    return not isinstance(x, Tracer) or x.node.value is not None


def bounded(indices: Any, size: int, mode: str) -> Any:
    """Indices after the treatment that ``mode=`` gives to those that are out of bounds."""
    if mode == "raise":
        return indices
    if mode == "wrap":
        return np.remainder(indices, size)
    if mode == "clip":
        return np.minimum(np.maximum(indices, 0), size - 1)
    raise ArgumentValueError(
        f"mode of an index needs to be 'raise', 'wrap' or 'clip'; got {mode!r}.", where=here()
    )


def read(x: Any, index: Any) -> Any:
    """``x[index]``, never a view; the index may be traced where x is not."""
    return take_index(x, *split_index(index))


@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """``np.take``."""
    a, indices = array(a), array(indices)
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    result = read(a, along(axis, bounded(indices, a.shape[axis], mode)))
    return result if out is None else write_out(out, result)


def fancy_along(shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """The index that picks ``indices`` along one axis and stays in place along the others."""
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    if len(shape) != indices.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    ndim = len(shape)
    return tuple(
        indices if i == axis else np.arange(n).reshape((1,) * i + (-1,) + (1,) * (ndim - 1 - i))
        for i, n in enumerate(shape)
    )


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """``np.take_along_axis``."""
    arr, indices = array(arr), array(indices)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    return read(arr, fancy_along(arr.shape, indices, normalize_axis(axis, arr.ndim)))


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    """``np.compress``: the condition decides a shape, so its value has to be known."""
    kept = np.asarray(value_or_raise(array(condition), "the condition of np.compress"))
    if kept.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    return take(a, np.flatnonzero(kept), axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """``np.extract``."""
    kept = value_or_raise(array(condition), "the condition of np.extract")
    return take(np.ravel(array(arr)), np.flatnonzero(kept))


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """``np.choose``: element by element one of several arrays."""
    a, options = array(a), [array(c) for c in choices]
    if a.dtype.kind not in "iub":
        raise TypeError(f"np.choose needs integers to choose by; got {describe(a)}")
    if mode == "raise" and is_known(a):
        known = a.node.value if isinstance(a, Tracer) else a
        if known.size and not (known.min() >= 0 and known.max() < len(options)):
            raise ValueError("invalid entry in choice array")
    a = bounded(a, len(options), mode)
    shape = np.broadcast_shapes(a.shape, *(c.shape for c in options))
    if mode == "raise" and not is_known(a):
        # The index is checked by NumPy when it is known.
        stacked = np.stack([np.broadcast_to(c, shape) for c in options])
        result = take_along_axis(stacked, np.broadcast_to(a, shape)[None], 0)[0]
    else:
        result = np.broadcast_to(options[-1], shape)
        for k in range(len(options) - 2, -1, -1):
            result = np.where(a == k, options[k], result)
    return result if out is None else write_out(out, result)


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """``np.select``: the first choice whose condition holds."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ValueError("select with an empty condition list is not possible")
    conditions = [array(c) for c in condlist]
    if any(c.dtype != np.bool_ for c in conditions):
        raise TypeError("invalid entry in condlist: should be boolean ndarray")
    choices = [array(c) for c in choicelist]
    result = default
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        result = np.where(condition, choice, result)
    dtype = np.result_type(*(c.dtype for c in choices), array(default).dtype)
    return result if result.dtype == dtype else result.astype(dtype)


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """``np.piecewise``: each function sees the elements for which its condition holds.

    Inside `vmap` and `scan`, where the conditions are not known, each function sees all elements
    and `np.where` chooses; a branch not taken contributes nothing to a derivative.
    """
    x = array(x)
    nested = isinstance(condlist, list | tuple) or np.ndim(condlist) > x.ndim
    if not nested or (x.ndim and np.ndim(condlist[0]) == 0):
        condlist = [condlist]
    conditions = [array(c) != 0 for c in condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        conditions.append(np.logical_not(_any_of(conditions)))
    elif len(functions) != len(conditions):
        n = len(conditions)
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    result = np.zeros_like(x)
    for condition, function in zip(conditions, functions, strict=True):
        if not callable(function) or not is_known(condition):
            value = function(x, *args, **kw) if callable(function) else function
            result = np.where(condition, value, result).astype(x.dtype)
            continue
        mask = np.asarray(value_or_raise(condition, "np.piecewise"))
        if not mask.any():
            continue
        if x.ndim == 0:
            result = array(function(x, *args, **kw)).astype(x.dtype)
        else:
            result = result.copy()
            result[mask] = function(x[mask], *args, **kw)
    return result


def _any_of(conditions: list[Any]) -> Any:
    found = conditions[0]
    for condition in conditions[1:]:
        found = np.logical_or(found, condition)
    return found


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    """``np.ravel_multi_index``; in mode "raise" the indices have to be known."""
    columns = [array(i) for i in multi_index]
    modes = (mode,) * len(dims) if isinstance(mode, str) else tuple(mode)
    if "raise" in modes:
        columns = [value_or_raise(c, "np.ravel_multi_index(mode='raise')") for c in columns]
        found: Any = np.ravel_multi_index(tuple(columns), dims, modes, order)  # type: ignore[call-overload]
        return found
    places = range(len(dims)) if order == "C" else range(len(dims) - 1, -1, -1)
    result: Any = 0
    for k in places:
        result = result * dims[k] + bounded(columns[k], dims[k], modes[k])
    return result


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> Any:
    """``np.unravel_index``: plain indices, from values that are known."""
    known = value_or_raise(array(indices), "np.unravel_index")
    return np.unravel_index(known, shape, order=order)  # type: ignore[call-overload]


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """``np.trim_zeros``: where the zeros at the ends stop is a decision on the values."""
    filt = array(filt)
    places = np.nonzero(value_or_raise(filt, "np.trim_zeros"))
    axes = range(filt.ndim) if axis is None else [normalize_axis(a, filt.ndim) for a in _axes(axis)]
    index = [slice(None)] * filt.ndim
    for k in axes:
        start, stop = (places[k].min(), places[k].max() + 1) if places[k].size else (0, 0)
        whole = filt.shape[k]
        index[k] = slice(
            int(start) if "f" in trim.lower() else 0, int(stop) if "b" in trim.lower() else whole
        )
    return filt[tuple(index)]


def _axes(axis: Any) -> Any:
    return axis if np.ndim(axis) else (axis,)
