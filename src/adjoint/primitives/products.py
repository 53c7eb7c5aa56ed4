"""NumPy's products, sums and other functions that are contractions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph import registry
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import index_of
from adjoint.graph.registry import implements
from adjoint.graph.sites import here
from adjoint.graph.tracer import TracedArray
from adjoint.graph.views import as_view
from adjoint.primitives.contraction import contract, letter
from adjoint.primitives.selection import cast, convert
from adjoint.primitives.shaping import array, normalize_axis, plain_reshape, write_out
from adjoint.primitives.subscripts import explicit


def axes_tuple(axis: Any, ndim: int) -> tuple[int, ...]:
    """An ``axis=`` argument as a tuple of distinct axes; None is all of them."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    axes = tuple(normalize_axis(a, ndim) for a in given)
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes


def reduction_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes to reduce; a number counts as having one, as it does for NumPy's ufuncs."""
    if ndim == 0 and axis is not None and not isinstance(axis, tuple):
        if index_of(axis) not in (0, -1):
            raise np.exceptions.AxisError(index_of(axis), 0)
        return ()
    return axes_tuple(axis, ndim)


def keep_dims(result: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: Any) -> Any:
    """Puts axes of length 1 where they were reduced, if asked to."""
    if keepdims is True or (keepdims and keepdims is not np._NoValue):
        return plain_reshape(result, tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return result


def given(value: Any) -> bool:
    """Whether an optional argument of a NumPy function was passed."""
    return value is not None and value is not np._NoValue


@lru_cache(maxsize=1024)
def _sum_subscripts(ndim: int, axes: tuple[int, ...]) -> str:
    names = "".join(letter(i) for i in range(ndim))
    return f"{names}->{''.join(c for i, c in enumerate(names) if i not in axes)}"


@implements(np.sum)
def sum_(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """``np.sum``."""
    a = array(a)
    if dtype is None and a.dtype.kind in "iub":
        dtype = np.add.reduce(np.zeros(0, a.dtype)).dtype
    if dtype is not None:
        a = convert(a, dtype)
    if where is not True and where is not np._NoValue:
        a = np.where(where, a, np.zeros((), a.dtype))
    axes = reduction_axes(axis, a.ndim)
    result = contract(_sum_subscripts(a.ndim, axes), a)
    result = keep_dims(result, a.shape, axes, keepdims)
    if given(initial):
        result = result + initial
    return result if out is None else write_out(out, result)


@lru_cache(maxsize=1024)
def _matmul_subscripts(left: int, right: int, kept: tuple[str, str]) -> str:
    """Matrix product over the last two axes, the others broadcast; ``kept`` names the batch axes
    of each operand."""
    a = kept[0] + ("ij" if left > 1 else "j")
    b = kept[1] + ("jk" if right > 1 else "j")
    batch = "".join(sorted(set(kept[0]) | set(kept[1])))
    return f"{a},{b}->{batch}{'i' if left > 1 else ''}{'k' if right > 1 else ''}"


def _batch_names(shape: tuple[int, ...], full: tuple[int, ...]) -> str:
    offset = len(full) - len(shape)
    return "".join(letter(26 + i + offset) for i, n in enumerate(shape) if n == full[i + offset])


def matmul(a: Any, b: Any) -> Any:
    """``a @ b`` with NumPy's rules for vectors and stacks of matrices."""
    a, b = array(a), array(b)
    left, right = a.ndim, b.ndim
    inner = b.shape[-2] if right > 1 else (b.shape[0] if right else None)
    if not left or not right or a.shape[-1] != inner:
        raise ShapeMismatchError(
            f"a @ b needs a's last axis and b's first (its second-last for stacks) to have one "
            f"size; it got {describe(a)} @ {describe(b)}.",
            where=here(),
        )
    if left <= 2 and right <= 2:
        return contract(_matmul_subscripts(left, right, ("", "")), a, b)
    outer_a, outer_b = a.shape[:-2], b.shape[:-2]
    full = np.broadcast_shapes(outer_a, outer_b)
    # An axis of length 1 that broadcasts is dropped: the index then belongs to the other operand.
    names = _batch_names(outer_a, full), _batch_names(outer_b, full)
    a, b = _without(a, outer_a, full), _without(b, outer_b, full)
    result = contract(_matmul_subscripts(min(left, 2), min(right, 2), names), a, b)
    expected = full + ((a.shape[-2],) if left > 1 else ()) + ((b.shape[-1],) if right > 1 else ())
    return result if result.shape == expected else plain_reshape(result, expected)


def _without(x: Any, outer: tuple[int, ...], full: tuple[int, ...]) -> Any:
    offset = len(full) - len(outer)
    shape = tuple(n for i, n in enumerate(outer) if n == full[i + offset]) + x.shape[len(outer) :]
    return x if shape == x.shape else plain_reshape(x, shape)


registry.UFUNCS[np.matmul] = matmul


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """``np.dot``: scalars multiply, otherwise the last axis of a meets the second-last of b."""
    a, b = array(a), array(b)
    if not a.ndim or not b.ndim:
        result = a * b
    elif a.ndim <= 2 and b.ndim <= 2:
        result = matmul(a, b)
    else:
        result = tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))
    return result if out is None else write_out(out, result)


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """``np.tensordot``."""
    a, b = array(a), array(b)
    if isinstance(axes, int | np.integer):
        n = int(axes)
        left, right = tuple(range(a.ndim - n, a.ndim)), tuple(range(n))
    else:
        left, right = (axes_tuple(x, r) for x, r in zip(axes, (a.ndim, b.ndim), strict=True))
    if [a.shape[i] for i in left] != [b.shape[j] for j in right]:
        raise ShapeMismatchError(
            f"np.tensordot needs equal sizes on the axes it contracts; it got {describe(a)} axes "
            f"{left} and {describe(b)} axes {right}.",
            where=here(),
        )
    names_a = [letter(i) for i in range(a.ndim)]
    names_b = [letter(a.ndim + j) for j in range(b.ndim)]
    for i, j in zip(left, right, strict=True):
        names_b[j] = names_a[i]
    free = [c for i, c in enumerate(names_a) if i not in left]
    free += [c for j, c in enumerate(names_b) if j not in right]
    return contract(f"{''.join(names_a)},{''.join(names_b)}->{''.join(free)}", a, b)


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """``np.inner``: sum over the last axes."""
    a, b = array(a), array(b)
    if not a.ndim or not b.ndim:
        return a * b
    return tensordot(a, b, ((a.ndim - 1,), (b.ndim - 1,)))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """``np.outer``."""
    result = contract("a,b->ab", np.ravel(array(a)), np.ravel(array(b)))
    return result if out is None else write_out(out, result)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """``np.vdot``: the first operand is conjugated."""
    return contract("a,a->", np.conj(np.ravel(array(a))), np.ravel(array(b)))


@implements(np.einsum)
def einsum(
    *operands: Any, out: Any = None, optimize: Any = False, dtype: Any = None,
    casting: Any = "safe", order: Any = "K",
) -> Any:  # fmt: skip
    """``np.einsum`` with subscripts or index lists, ellipses and repeated indices."""
    spec, arrays = explicit(operands)
    if dtype is not None:
        arrays = [cast(a, dtype, casting) for a in arrays]
    result = contract(spec, *arrays)
    return result if out is None else write_out(out, result)


@implements(np.trace)
def trace(
    a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None
) -> Any:
    """``np.trace``."""
    result = np.sum(np.diagonal(array(a), offset, axis1, axis2), axis=-1, dtype=dtype)
    return result if out is None else write_out(out, result)


@implements(np.diagonal)
def diagonal(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Any:
    """``np.diagonal``: the diagonal's axis comes last; a read-only view, as in NumPy."""
    a = array(a)
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    if i == j:
        raise ValueError("axis1 and axis2 cannot be the same")
    result = _diagonal(a, offset, i, j)
    if isinstance(result, TracedArray) and isinstance(a, TracedArray):
        as_view(result, a, lambda p: _diagonal(p, offset, i, j), None)
    return result


def _diagonal(a: Any, offset: int, i: int, j: int) -> Any:
    rows, cols = a.shape[i], a.shape[j]
    length = max(0, min(rows, cols - offset) if offset >= 0 else min(rows + offset, cols))
    index: list[Any] = [slice(None)] * a.ndim
    index[i] = slice(max(0, -offset), max(0, -offset) + length)
    index[j] = slice(max(0, offset), max(0, offset) + length)
    square = a[tuple(index)] if rows != length or cols != length else a
    names = [letter(k) for k in range(a.ndim)]
    names[j] = names[i]
    rest = "".join(c for k, c in enumerate(names) if k not in (i, j))
    return contract(f"{''.join(names)}->{rest}{names[i]}", square)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: Any, axis2: Any) -> Any:
    """``np.swapaxes``."""
    a = array(a)
    order = list(range(a.ndim))
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return np.transpose(a, order)


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """``np.moveaxis``."""
    a = array(a)
    src, dst = axes_tuple(source, a.ndim), axes_tuple(destination, a.ndim)
    if len(src) != len(dst):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [n for n in range(a.ndim) if n not in src]
    for place, axis in sorted(zip(dst, src, strict=True)):
        order.insert(place, axis)
    return np.transpose(a, order)
