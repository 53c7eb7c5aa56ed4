"""Which elements an index reads or writes: decided with integers, never by the look of an index."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.primitives.indexing import HOLE, fill, selection_shape
from adjoint.simplify.expression import Apply, Expr, Symbol
from adjoint.simplify.regular import is_made

LARGEST = 1_000_000
"""Of larger arrays the elements are not counted one by one."""

At = int | range


def index_arrays(e: Apply) -> tuple[Expr, ...]:
    """The index arrays of a read (of a write, of an addition) at an index."""
    return e.args[1 if e.name == "getitem" else 2 :]


def same_index(a: Apply, b: Apply) -> bool:
    """Whether two reads or writes, of arrays of one shape, have the same index."""
    same: bool = repr(a.params["template"]) == repr(b.params["template"])
    return same and index_arrays(a) == index_arrays(b) and a.args[0].shape == b.args[0].shape


def places(e: Apply) -> Any:
    """The numbers, in memory order, of the elements of an array at an index, in the shape of what
    the index selects; None where index arrays are not fixed."""
    shape = e.args[0].shape
    arrays = index_arrays(e)
    for a in arrays:
        if not isinstance(a, Symbol) or a.value is None or not is_made(a):
            return None
    if math.prod(shape) > LARGEST:
        return None
    index = fill(e.params["template"], [np.asarray(a.value) for a in arrays])  # type: ignore[attr-defined]
    return np.arange(math.prod(shape)).reshape(shape)[index]


def selected(e: Apply) -> tuple[int, ...]:
    """The shape of what the index of a read or a write selects."""
    return selection_shape(e.args[0].shape, e.params["template"], index_arrays(e))


def repeats(where: Any) -> bool:
    """Whether an element is there twice."""
    return bool(len(np.unique(where)) < where.size)


def within(inner: Any, outer: Any) -> bool:
    """Whether all elements of one selection are in another."""
    return bool(np.isin(inner, outer).all())


def full_index(template: Sequence[Any], rank: int) -> list[Any] | None:
    """An index of integers, slices and holes, one per axis; None where it adds axes."""
    if any(p is None or isinstance(p, bool) for p in template):
        return None
    used = sum(1 for p in template if p is not Ellipsis)
    full: list[Any] = []
    for p in template:
        full += [slice(None)] * (rank - used) if p is Ellipsis else [p]
    return full + [slice(None)] * (rank - len(full))


def ranges(template: Sequence[Any], shape: Sequence[int]) -> list[At] | None:
    """Per axis the place or the places that an index of integers and slices selects; None for any
    other index."""
    full = full_index(template, len(shape))
    if full is None or HOLE in full:
        return None
    return [p % n if isinstance(p, int) else range(n)[p] for p, n in zip(full, shape, strict=True)]


def as_part(at: At, size: int) -> Any:
    """The place or the places as part of an index of an axis."""
    if isinstance(at, int):
        return at
    if not at:
        return slice(0, 0)
    if len(at) == 1:
        at = range(at[0], at[0] + 1)
    start: int | None = at.start
    stop: int | None = at[-1] + (1 if at.step > 0 else -1)
    following = at[-1] + at.step
    if at.step > 0:
        start, stop = start or None, None if following >= size else stop
    else:
        start, stop = None if start == size - 1 else start, None if following < 0 else stop
    return slice(start, stop, None if at.step == 1 else at.step)


__all__ = [
    "as_part", "full_index", "index_arrays", "places", "ranges", "repeats", "same_index",
    "selected", "within",
]  # fmt: skip
