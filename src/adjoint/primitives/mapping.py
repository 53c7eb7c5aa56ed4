"""Functions that call a function of the user's on parts of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.registry import implements
from adjoint.primitives.shaping import array, normalize_axis


@implements(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: Any, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """``np.apply_along_axis``: one call for each line along the axis."""
    arr = array(arr)
    axis = normalize_axis(axis, arr.ndim)
    lines = np.moveaxis(arr, axis, -1)
    outer = lines.shape[:-1]
    if 0 in outer:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    found = [array(func1d(lines[place], *args, **kwargs)) for place in np.ndindex(*outer)]
    stacked = np.reshape(np.stack(found), outer + found[0].shape)
    # The axes that the function returns stand where the axis was.
    new = tuple(range(len(outer), stacked.ndim))
    return np.moveaxis(stacked, new, tuple(range(axis, axis + len(new))))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """``np.apply_over_axes``: a reduction, axis after axis."""
    value = a = array(a)
    for axis in axes if np.ndim(axes) else (axes,):
        axis = normalize_axis(axis, a.ndim)
        result = array(func(value, axis))
        if result.ndim != value.ndim:
            result = np.expand_dims(result, axis)
        if result.ndim != value.ndim:
            raise ValueError(
                "function is not returning an array of the correct shape: it reduces one axis"
            )
        value = result
    return value
