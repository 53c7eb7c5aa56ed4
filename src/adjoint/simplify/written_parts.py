"""Parts of what was written, and of what is made of it element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.registry import PRIMITIVES
from adjoint.primitives.indexing import HOLE
from adjoint.simplify.axes import axes_of
from adjoint.simplify.blocks import read_block, slice_of_slice
from adjoint.simplify.einstein import add, elementwise, pointwise, power
from adjoint.simplify.expression import Apply, Expr, Power, Sum, Term, number, number_of, raw_apply
from adjoint.simplify.indices import spread
from adjoint.simplify.positions import (
    as_part,
    full_index,
    places,
    ranges,
    repeats,
    same_index,
    within,
)
from adjoint.simplify.writes import WHOLE, gathered, is_map, is_write, write
from adjoint.simplify.writing import WRITTEN_OUT, stack, take, takes


def read_written(e: Expr) -> Expr:
    """(x with v at i)[i] = v, and [j] = x[j] where j is elsewhere; [a, b][i] is a part."""
    if not (isinstance(e, Apply) and e.name == "getitem"):
        return e
    value = number_of(e.args[0])
    if value is not None:
        return number(value, e.shape)
    if len(e.args) == 1:
        found = slice_of_slice(e) or read_block(e)
        if found is not None:
            return found
    source = e.args[0]
    if is_write(source):
        return _of_write(e, source)
    if isinstance(source, Apply) and not is_map(source):
        return _few_elements(e, source)
    at = ranges(e.params["template"], source.shape)
    if at is not None and all(p == range(n) for p, n in zip(at, source.shape, strict=True)):
        return source
    spread_out = isinstance(source, Term | Sum) and len(axes_of(source)) < source.rank
    return _inside(e, source) if spread_out or has_written(source) else e


def _few_elements(e: Apply, source: Apply) -> Expr:
    """A few elements of a block, one by one."""
    if source.name not in ("concatenate", "stack") or source.rank != 1:
        return e
    here = places(e)
    if here is None or here.ndim != 1 or not 0 < len(here) <= WRITTEN_OUT:
        return e
    return stack([take(source, 0, int(k)) for k in here])


def _of_write(e: Apply, source: Apply) -> Expr:
    there = places(source)
    if there is None:
        return e
    if same_index(e, source) and not repeats(there):
        return spread(source.args[1], e.shape)
    here = places(e)
    if here is None:
        return e
    if not np.isin(here, there).any():
        args = (source.args[0], *e.args[1:])
        found = read_written(raw_apply(e.primitive, args, e.params, e.shape))
        # Of several writes one alone is not passed: that would only make one more array.
        left = isinstance(found, Apply) and found.name == "getitem" and is_write(found.args[0])
        return e if left else found
    if not within(here, there):
        return e
    value = spread(source.args[1], there.shape)
    if there.ndim == 1 and here.ndim < 2:
        last = {int(k): j for j, k in enumerate(there)}
        if here.ndim == 0:
            return take(value, 0, last[int(here)])
        return gathered(value, np.array([last[int(k)] for k in here]))
    template = _relative(e, source)
    if template is None:
        return e
    if all(p == WHOLE for p in template):
        return value
    return raw_apply(PRIMITIVES["getitem"], (value,), {"template": template}, e.shape)


def _relative(e: Apply, source: Apply) -> tuple[Any, ...] | None:
    """The index of what is read in what was written, both of integers and slices."""
    inner = ranges(e.params["template"], source.shape)
    outer = ranges(source.params["template"], source.shape)
    if inner is None or outer is None:
        return None
    found: list[Any] = []
    for a, b in zip(inner, outer, strict=True):
        if isinstance(b, int):
            if not isinstance(a, int):
                return None  # an axis of length 1 that the value does not have
            continue
        at = [b.index(k) for k in ((a,) if isinstance(a, int) else a)]
        found.append(
            at[0] if isinstance(a, int) else
            as_part(range(at[0], at[-1] + (1 if at[-1] >= at[0] else -1),
                          at[1] - at[0] if len(at) > 1 else 1), len(b))
        )  # fmt: skip
    return tuple(found)


def has_written(e: Expr) -> bool:
    """Whether an elementwise expression is one of blocks or of writes."""
    if isinstance(e, Apply):
        return e.name in ("concatenate", "stack") or bool(is_write(e)) or (
            is_map(e) and has_written(e.args[0])
        )  # fmt: skip
    if isinstance(e, Sum):
        return any(map(has_written, e.terms))
    if isinstance(e, Power):
        return number_of(e.exponent) is not None and has_written(e.base)
    return isinstance(e, Term) and e.is_pointwise and any(has_written(f) for f, _ in e.factors)


def _inside(e: Apply, source: Expr) -> Expr:
    """A part of an elementwise expression: the expression of the parts."""
    full = full_index(e.params["template"], source.rank)
    if full is None or (HOLE in full and source.rank > 1):
        return e
    everything = tuple(range(source.rank))
    if isinstance(source, Sum):
        return add([_part(t, everything, full, e) for t in source.terms])
    if isinstance(source, Power):
        return power(_part(source.base, everything, full, e), source.exponent)
    if isinstance(source, Apply) and is_map(source):
        return elementwise(source.primitive, _part(source.args[0], everything, full, e))
    if not isinstance(source, Term) or not source.is_pointwise:
        return e
    kept = [k for k in everything if not isinstance(full[k], int)]
    factors = []
    for f, labels in source.factors:
        own = tuple(kept.index(k) for k in labels if k in kept)
        if HOLE in full and labels:  # the index array may have several axes
            own = tuple(range(e.rank))
        factors.append((_part(f, labels, full, e), own))
    return pointwise(source.coefficient, factors, e.shape)


def _part(f: Expr, axes: tuple[int, ...], full: Sequence[Any], e: Apply) -> Expr:
    """What the index of a read selects of an operand that has some of the axes."""
    index = tuple(full[k] for k in axes)
    at = ranges(index, f.shape)
    if at is None:  # an index array, of vectors
        return read_written(raw_apply(e.primitive, (f, *e.args[1:]), {"template": index}, e.shape))
    shape = tuple(len(p) for p in at if not isinstance(p, int))
    value = number_of(f)
    if value is not None:
        return number(value, shape)
    if any(not isinstance(p, int) and p != range(n) for p, n in zip(at, f.shape, strict=True)):
        return read_written(raw_apply(e.primitive, (f,), {"template": index}, shape))
    for k in reversed(range(f.rank)):
        place = at[k]
        if isinstance(place, int):
            f = take(f, k, place)
    return f


# -- elements --------------------------------------------------------------------------------------


@takes("setitem")
def _take_written(e: Apply, axis: int, index: int) -> Expr | None:
    where = places(e)
    if where is None or not is_write(e):
        return None
    value, base = spread(e.args[1], where.shape), e.args[0]
    if e.rank == 1:
        hits = np.argwhere(where == index)
        return take(base, 0, index) if not len(hits) else _element(value, hits[-1])
    at = ranges(e.params["template"], e.shape)
    if at is None:
        return None
    own = at[axis]
    inside = own == index if isinstance(own, int) else index in own
    if not inside:
        return take(base, axis, index)
    before = sum(1 for p in at[:axis] if not isinstance(p, int))
    part = value if isinstance(own, int) else take(value, before, own.index(index))
    rest = [as_part(p, n) for p, n in zip(at, e.shape, strict=True)]
    del rest[axis]
    shape = e.shape[:axis] + e.shape[axis + 1 :]
    params = {"template": tuple(rest)}
    return write(raw_apply(e.primitive, (take(base, axis, index), part), params, shape))


@takes("scatter_add")
def _take_added(e: Apply, axis: int, index: int) -> Expr | None:
    where = places(e)
    if where is None or e.rank != 1:
        return None
    value = spread(e.args[1], where.shape)
    hits = np.argwhere(where == index)
    return add([take(e.args[0], 0, index), *[_element(value, h) for h in hits]])


@takes("getitem")
def _take_of_slice(e: Apply, axis: int, index: int) -> Expr | None:
    """x[1:][0] = x[1]."""
    if len(e.args) > 1 or e.rank != 1 or e.args[0].rank != 1:
        return None
    at = ranges(e.params["template"], e.args[0].shape)
    return None if at is None else take(e.args[0], 0, at[0][index])  # type: ignore[index]


def _element(e: Expr, place: Any) -> Expr:
    for axis in reversed(range(e.rank)):
        e = take(e, axis, int(place[axis]))
    return e


__all__ = ["read_written"]
