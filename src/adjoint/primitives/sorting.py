"""Orders: sorting, partitioning, searching, and the indices they are made of.

A sort is a permutation, and its derivative is the same permutation.  The order itself is an
integer, with derivative zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentError, ArgumentValueError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import index_of, value_or_raise
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.indexing import HOLE, take_index
from adjoint.primitives.shaping import array, normalize_axis


class _Order(Primitive):
    """An order of the elements along ``axis``."""

    flat = True

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, np.dtype(np.intp))

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(*operands, **(params | {"axis": params["axis"] + 1}))


class ArgSort(_Order):
    """The indices that sort along an axis."""

    name = "argsort"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.argsort(operands[0], axis=params["axis"], kind=params["kind"])


class ArgPartition(_Order):
    """The indices that put the elements numbered ``kth`` in their sorted place."""

    name = "argpartition"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.argpartition(operands[0], params["kth"], axis=params["axis"])


class SearchSorted(Primitive):
    """Where v would be inserted into a sorted vector; ``stacked`` leading axes are examples."""

    name = "searchsorted"
    flat = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        (a, v), side, stacked = operands, params["side"], params["stacked"]
        if not stacked:
            return np.searchsorted(a, v, side=side)
        examples = v.shape[:stacked]
        found = np.empty(v.shape, np.intp)
        for index in np.ndindex(*examples):
            found[index] = np.searchsorted(a[index], v[index], side=side)
        return found

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[1].shape, np.dtype(np.intp))

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        a, v = operands
        if not batched[0] and not params["stacked"]:
            return SEARCHSORTED(a, v, **params)
        a, v = (
            o if b else np.broadcast_to(o, (size, *np.shape(o)))
            for o, b in zip(operands, batched, strict=True)
        )
        return SEARCHSORTED(a, v, side=params["side"], stacked=params["stacked"] + 1)


ARGSORT = register(ArgSort())
ARGPARTITION = register(ArgPartition())
SEARCHSORTED = register(SearchSorted())


def along(x: Any, indices: Any, axis: int) -> Any:
    """The elements of x that the indices name along an axis; the other axes correspond."""
    rank, arrays = x.ndim, []
    for i, n in enumerate(indices.shape):
        shape = tuple(n if j == i else 1 for j in range(rank))
        arrays.append(indices if i == axis else np.arange(n).reshape(shape))
    return take_index(x, (HOLE,) * rank, arrays)


def _no_field_order(order: Any, called: str) -> None:
    if order is not None:
        raise ArgumentError(
            f"{called} with order= sorts by fields, which arrays of numbers do not have.",
            where=here(),
            hint="leave order= out.",
        )


def _kind(kind: Any, stable: Any) -> Any:
    if stable is not None and kind is not None:
        raise ValueError("`kind` and `stable` parameters can't be provided at the same time. Use "
                         "only one of them.")  # fmt: skip
    return "stable" if stable else kind


def _sortable(a: Any, axis: Any) -> tuple[Any, int]:
    """The operand and the axis to sort along; None flattens."""
    a = array(a)
    if axis is None:
        return np.reshape(a, -1), 0
    return a, normalize_axis(axis, a.ndim)


@implements(np.argsort)
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """``np.argsort``."""
    _no_field_order(order, "np.argsort")
    x = array(a)
    x, place = _sortable(np.reshape(x, (1,)) if x.ndim == 0 else x, axis)
    return ARGSORT(x, axis=place, kind=_kind(kind, stable))


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """``np.sort``."""
    _no_field_order(order, "np.sort")
    x, place = _sortable(a, axis)
    return along(x, ARGSORT(x, axis=place, kind=_kind(kind, stable)), place)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """``np.sort_complex``."""
    result = sort(a)
    return result if result.dtype.kind == "c" else result + 0j


def _kth(kth: Any) -> Any:
    if isinstance(kth, Tracer):
        kth = value_or_raise(kth, "kth")
    return tuple(index_of(k) for k in kth) if np.ndim(kth) else index_of(kth)


@implements(np.argpartition)
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """``np.argpartition``."""
    _no_field_order(order, "np.argpartition")
    x = array(a)
    x, place = _sortable(np.reshape(x, (1,)) if x.ndim == 0 else x, axis)
    return ARGPARTITION(x, axis=place, kth=_kth(kth))


@implements(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """``np.partition``."""
    _no_field_order(order, "np.partition")
    x, place = _sortable(a, axis)
    return along(x, ARGPARTITION(x, axis=place, kth=_kth(kth)), place)


@implements(np.lexsort)
def lexsort(keys: Any, axis: Any = -1) -> Any:
    """``np.lexsort``: sorts by the last key, ties by the one before, and so on."""
    columns = [array(k) for k in keys]
    if not columns:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    shape = np.broadcast_shapes(*(c.shape for c in columns))
    place = normalize_axis(axis, max(len(shape), 1))
    order: Any = None
    for column in columns:
        column = np.broadcast_to(column, shape or (1,))
        if order is None:
            order = ARGSORT(column, axis=place, kind="stable")
        else:
            order = along(
                order, ARGSORT(along(column, order, place), axis=place, kind="stable"), place
            )
    return order if shape else np.reshape(order, ())


# -- searching ------------------------------------------------------------------------------------


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """``np.searchsorted``: flat in both operands."""
    a, v = array(a), array(v)
    if a.ndim != 1:
        raise ValueError("object too deep for desired array")
    if side not in ("left", "right", "l", "r"):
        raise ArgumentValueError(
            f"np.searchsorted needs side to be 'left' or 'right'; got {side!r}.", where=here()
        )
    if sorter is not None:
        a = a[array(sorter)]
    return SEARCHSORTED(a, v, side="left" if side[0] == "l" else "right", stacked=0)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """``np.digitize``: flat in both operands."""
    x, bins = array(x), array(bins)
    if x.dtype.kind == "c":
        raise TypeError("x may not be complex")
    # Whether the edges rise or fall decides what is computed.
    edges = value_or_raise(bins, "the order of np.digitize's bins")
    steps = edges[1:] - edges[:-1]
    side = "left" if right else "right"
    if np.all(steps >= 0):
        return searchsorted(bins, x, side)
    if np.all(steps <= 0):
        return len(edges) - searchsorted(bins[::-1], x, side)
    raise ValueError("bins must be monotonically increasing or decreasing")


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    """``np.nonzero``: plain indices, since their number depends on the values."""
    a = array(a)
    if a.ndim == 0:
        raise ValueError(
            "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() "
            "instead."
        )
    return np.nonzero(value_or_raise(a, "np.nonzero (it has as many results as there are "
                                               "nonzero elements)"))  # fmt: skip


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """``np.flatnonzero``: plain indices."""
    return nonzero(np.reshape(array(a), -1))[0]


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    """``np.argwhere``: plain indices."""
    return np.argwhere(value_or_raise(array(a), "np.argwhere (it has as many results as there are "
                                                "nonzero elements)"))  # fmt: skip


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """``np.extract``: the elements where the condition holds."""
    return np.reshape(array(arr), -1)[flatnonzero(condition)]
