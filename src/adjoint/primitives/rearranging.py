"""Moving elements about: flips, rolls, repeats, splits and grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import index_of, value_or_raise
from adjoint.graph.registry import implements
from adjoint.primitives.indexing import HOLE, take_index
from adjoint.primitives.products import axes_tuple
from adjoint.primitives.shaping import array, normalize_axis, plain_reshape, shape_tuple


def gather(x: Any, positions: Any) -> Any:
    """The elements of x at positions counted in C order, in the shape of the positions."""
    return take_index(plain_reshape(x, (x.size,)), (HOLE,), (positions,))


def along(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that is ``part`` on one axis and everything before it."""
    return (slice(None),) * axis + (part,)


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """``np.flip``; a view."""
    m = array(m)
    axes = axes_tuple(axis, m.ndim)
    return m[tuple(slice(None, None, -1 if i in axes else None) for i in range(m.ndim))]


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """``np.fliplr``."""
    m = array(m)
    if m.ndim < 2:
        raise ValueError("Input must be >= 2-d.")
    return m[:, ::-1]


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """``np.flipud``."""
    m = array(m)
    if m.ndim < 1:
        raise ValueError("Input must be >= 1-d.")
    return m[::-1, ...]


@implements(np.rot90)
def rot90(m: Any, k: Any = 1, axes: Any = (0, 1)) -> Any:
    """``np.rot90``; a view."""
    m = array(m)
    i, j = axes_tuple(tuple(axes), m.ndim)
    turns = index_of(k) % 4
    if turns == 0:
        return m[:]
    if turns == 2:
        return flip(m, (i, j))
    return np.swapaxes(flip(m, j), i, j) if turns == 1 else flip(np.swapaxes(m, i, j), j)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """``np.roll``: the two parts of each axis change places."""
    a = array(a)
    if axis is None:
        shape = a.shape
        return plain_reshape(roll(np.ravel(a), shift, 0), shape)
    axes = [normalize_axis(i, a.ndim) for i in (axis if np.ndim(axis) else (axis,))]
    shifts, places = np.broadcast_arrays(
        np.asarray(value_or_raise(array(shift), "the shift of np.roll")), np.asarray(axes)
    )
    for by, place in zip(shifts.ravel(), places.ravel(), strict=True):
        size = a.shape[place]
        cut = -int(by) % size if size else 0
        if cut:
            first, last = along(place, slice(cut, None)), along(place, slice(None, cut))
            a = np.concatenate((a[first], a[last]), axis=place)
    return a.copy()


@implements(np.rollaxis)
def rollaxis(a: Any, axis: Any, start: Any = 0) -> Any:
    """``np.rollaxis``; a view."""
    a = array(a)
    source, target = normalize_axis(axis, a.ndim), index_of(start)
    target = target + a.ndim if target < 0 else target
    if not 0 <= target <= a.ndim:
        raise np.exceptions.AxisError(f"start arg must be within {a.ndim} axes; got {start}")
    return np.moveaxis(a, source, target - (source < target))


@implements(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """``np.matrix_transpose``."""
    x = array(x)
    if x.ndim < 2:
        raise ValueError(f"at least two axes are needed to transpose matrices; got {x.ndim}")
    return np.swapaxes(x, -1, -2)


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """``np.repeat``: with one count a broadcast, with one count per element an index."""
    a = array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    counts = np.asarray(value_or_raise(array(repeats), "the counts of np.repeat"))
    if counts.size != 1:
        return np.take(a, np.repeat(np.arange(a.shape[axis]), counts), axis)
    times = int(counts.item())
    before, size, after = a.shape[:axis], a.shape[axis], a.shape[axis + 1 :]
    wide = np.broadcast_to(
        plain_reshape(a, (*before, size, 1, *after)), (*before, size, times, *after)
    )
    return plain_reshape(wide, (*before, size * times, *after))


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """``np.tile``, as a broadcast."""
    a, counts = array(A), shape_tuple(reps)
    rank = max(a.ndim, len(counts))
    shape = (1,) * (rank - a.ndim) + a.shape
    counts = (1,) * (rank - len(counts)) + counts
    apart = tuple(n for size in shape for n in (1, size))
    full = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    result = tuple(c * n for c, n in zip(counts, shape, strict=True))
    if result == shape:
        return plain_reshape(a, shape).copy()
    return plain_reshape(np.broadcast_to(plain_reshape(a, apart), full), result)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """``np.resize``: the elements in C order, over and over."""
    a, shape = array(a), shape_tuple(new_shape)
    if not a.size:
        return np.zeros_like(a, shape=shape)
    return gather(a, np.resize(np.arange(a.size), shape))


def _cuts(size: int, sections: Any) -> list[int]:
    """Where ``np.array_split`` cuts an axis: counts of parts, or the places themselves."""
    if np.ndim(sections):
        return [0, *(index_of(i) for i in sections), size]
    count = index_of(sections)
    if count <= 0:
        raise ValueError("number sections must be larger than 0.")
    each, extra = divmod(size, count)
    return [0, *np.cumsum([each + 1] * extra + [each] * (count - extra)).tolist()]


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    """``np.array_split``; the parts are views."""
    ary = array(ary)
    axis = normalize_axis(axis, ary.ndim)
    cuts = _cuts(ary.shape[axis], indices_or_sections)
    last = len(cuts) - 2
    # As in NumPy the last part ends where the axis ends, whatever the places were.
    stops = [stop if k < last else ary.shape[axis] for k, stop in enumerate(cuts[1:])]
    return [ary[along(axis, slice(a, b))] for a, b in zip(cuts[:-1], stops, strict=True)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    """``np.split``: equal parts, or parts between given places."""
    ary = array(ary)
    if not np.ndim(indices_or_sections):
        size = ary.shape[normalize_axis(axis, ary.ndim)]
        if size % index_of(indices_or_sections):
            raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """``np.hsplit``."""
    ary = array(ary)
    if ary.ndim == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """``np.vsplit``."""
    ary = array(ary)
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """``np.dsplit``."""
    ary = array(ary)
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


if hasattr(np, "unstack"):  # new in NumPy 2.1

    @implements(np.unstack)
    def unstack(x: Any, /, *, axis: Any = 0) -> tuple[Any, ...]:
        """``np.unstack``: the slices along an axis; views."""
        x = array(x)
        if x.ndim == 0:
            raise ValueError("Input array must be at least 1-d.")
        axis = normalize_axis(axis, x.ndim)
        return tuple(x[along(axis, k)] for k in range(x.shape[axis]))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """``np.broadcast_arrays``."""
    arrays = [array(a) for a in args]
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(np.broadcast_to(a, shape) for a in arrays)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: Any = True, sparse: Any = False, indexing: str = "xy") -> Any:
    """``np.meshgrid``."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    count = len(xi)
    grids = []
    for place, x in enumerate(map(array, xi)):
        grids.append(np.reshape(x, (1,) * place + (-1,) + (1,) * (count - 1 - place)))
    if indexing == "xy" and count > 1:
        grids = [np.swapaxes(g, 0, 1) for g in grids]
    if not sparse:
        grids = list(broadcast_arrays(*grids))
    return tuple(g.copy() for g in grids) if copy else tuple(grids)


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """``np.ix_``: index arrays that span a grid."""
    found = []
    for place, given in enumerate(args):
        x = array(given)
        if x.ndim != 1:
            raise ValueError("Cross index must be 1 dimensional")
        if x.dtype == np.bool_:
            x = np.flatnonzero(value_or_raise(x, "a boolean index"))
        found.append(np.reshape(x, (1,) * place + (-1,) + (1,) * (len(args) - 1 - place)))
    return tuple(found)


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """``np.lib.stride_tricks.sliding_window_view``, by index; a copy that cannot be written to."""
    if writeable:
        raise ValueError("sliding_window_view of a traced array cannot be written to")
    x = array(x)
    places = np.arange(x.size).reshape(x.shape)
    return gather(x, np.lib.stride_tricks.sliding_window_view(places, window_shape, axis))


__all__ = ["along", "gather"]
