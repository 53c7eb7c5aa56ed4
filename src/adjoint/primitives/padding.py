"""np.pad: axis after axis, each mode as the two ends that are joined to the axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.errors import UnknownNameError, nearest
from adjoint.graph.binding import adopt, value_or_raise
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.primitives.indexing import convert_to
from adjoint.primitives.rearranging import along
from adjoint.primitives.shaping import array

_INDEXED = ("edge", "reflect", "symmetric", "wrap")
_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median,
}  # fmt: skip
_OPTIONS: dict[str, tuple[str, ...]] = {
    "constant": ("constant_values",),
    "linear_ramp": ("end_values",),
    "reflect": ("reflect_type",),
    "symmetric": ("reflect_type",),
    **dict.fromkeys(_STATISTICS, ("stat_length",)),
    **dict.fromkeys(("edge", "wrap", "empty"), ()),
}


def _pairs(given: Any, ndim: int) -> Any:
    """One value before and one after for each axis, from any of the forms NumPy takes."""
    given = adopt(given)
    return np.broadcast_to(given if np.ndim(given) else np.reshape(given, (1, 1)), (ndim, 2))


def _widths(given: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(given, dict):
        table: list[Any] = [(0, 0)] * ndim
        for axis, width in given.items():
            table[axis] = width if np.ndim(width) else (width, width)
        given = table
    plain = np.asarray(value_or_raise(_pairs(given, ndim), "the widths of np.pad"))
    if plain.dtype.kind not in "iu":
        raise TypeError("`pad_width` must be of integral type.")
    if (plain < 0).any():
        raise ValueError("index can't contain negative values")
    return [(int(a), int(b)) for a, b in plain]


@implements(np.pad)
def pad(array_: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """``np.pad`` in every mode, a function of your own included."""
    x = array(kwargs.pop("array", array_))
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _OPTIONS:
        close = nearest(str(mode), _OPTIONS)
        raise UnknownNameError(
            f"np.pad knows the modes {', '.join(sorted(_OPTIONS))}; got {mode!r}.",
            where=here(),
            hint=f"use mode={(close or ['constant'])[0]!r}.",
        )
    unknown = set(kwargs) - set(_OPTIONS[mode])
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    options = {name: _option(name, value, x.ndim) for name, value in kwargs.items()}
    for axis, width in enumerate(widths):
        if width != (0, 0):
            x = _pad_axis(x, axis, width, mode, options)
    return x.copy()


def _option(name: str, value: Any, ndim: int) -> Any:
    if name == "reflect_type" or value is None:
        return value
    return _pairs(value, ndim)


def _pad_axis(x: Any, axis: int, width: tuple[int, int], mode: str, options: Any) -> Any:
    if mode in _INDEXED:
        return _by_index(x, axis, width, mode, options.get("reflect_type", "even"))
    ends = [_end(x, axis, side, width[side], mode, options) for side in (0, 1)]
    return np.concatenate((ends[0], x, ends[1]), axis=axis)


def _end(x: Any, axis: int, side: int, width: int, mode: str, options: Any) -> Any:
    """What is joined to one end of an axis."""
    shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
    if mode in _STATISTICS:
        value = _statistic(x, axis, side, mode, options.get("stat_length"))
    elif mode == "linear_ramp":
        end = options["end_values"][axis][side] if "end_values" in options else 0
        return _ramp(x, axis, side, width, convert_to(end, x.dtype))
    else:
        given = options.get("constant_values")
        value = convert_to(0 if given is None else given[axis][side], x.dtype)
    return np.broadcast_to(value, shape)


def _statistic(x: Any, axis: int, side: int, mode: str, lengths: Any) -> Any:
    size = x.shape[axis]
    length = size if lengths is None else min(int(lengths[axis][side]), size)
    part = slice(0, length) if side == 0 else slice(size - length, size)
    value = _STATISTICS[mode](x[along(axis, part)], axis=axis, keepdims=True)
    if x.dtype.kind in "iu" and value.dtype.kind == "f":
        value = np.rint(value)
    return value.astype(x.dtype)


def _ramp(x: Any, axis: int, side: int, width: int, end: Any) -> Any:
    """From the end value, included, to the edge, not included."""
    edge = x[along(axis, slice(0, 1) if side == 0 else slice(x.shape[axis] - 1, x.shape[axis]))]
    steps = np.arange(width) if side == 0 else np.arange(width)[::-1]
    share = (steps / max(width, 1)).reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    ramp = end + (edge - end) * share
    return (np.floor(ramp) if x.dtype.kind in "iu" else ramp).astype(x.dtype)


def _by_index(x: Any, axis: int, width: tuple[int, int], mode: str, reflect_type: str) -> Any:
    size = x.shape[axis]
    if not size:
        raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant'")
    if mode in ("edge", "wrap") or reflect_type == "even":
        options = {"reflect_type": "even"} if mode in ("reflect", "symmetric") else {}
        index = np.pad(np.arange(size), width, mode=mode, **options)  # type: ignore[call-overload]
        return np.take(x, index, axis)
    # An odd reflection is linear along the axis: its matrix is what it does to the unit vectors.
    matrix = np.pad(
        np.eye(size),
        (width, (0, 0)),
        mode=mode,
        reflect_type="odd",  # type: ignore[call-overload]
    )
    return np.moveaxis(np.tensordot(matrix, x, ((1,), (axis,))), 0, axis).astype(x.dtype)


def _by_function(x: Any, widths: list[tuple[int, int]], function: Any, kwargs: Any) -> Any:
    padded = np.zeros_like(x, shape=tuple(n + sum(w) for n, w in zip(x.shape, widths, strict=True)))
    padded[tuple(slice(a, a + n) for n, (a, _) in zip(x.shape, widths, strict=True))] = x
    for axis in range(x.ndim):
        lines = np.moveaxis(padded, axis, -1)
        for place in np.ndindex(*lines.shape[:-1]):
            function(lines[place], widths[axis], axis, kwargs)
    return padded
