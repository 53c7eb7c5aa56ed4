"""Expressions broadcast to a shape, as NumPy does it, and back to the axes on which they depend."""

from __future__ import annotations

from collections.abc import Sequence

from adjoint.simplify.einstein import product, without_broadcast
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Expr, Factor, number, number_of


def spread(e: Expr, shape: tuple[int, ...]) -> Expr:
    """An expression broadcast to a shape, as NumPy does it."""
    if e.shape == shape:
        return e
    value = number_of(e)
    if value is not None:
        return number(value, shape)
    sizes = dict(enumerate(shape))
    return product(ONE, [aligned(e, shape, sizes)], tuple(range(len(shape))), sizes)


def aligned(e: Expr, shape: tuple[int, ...], sizes: dict[int, int]) -> Factor:
    """An expression as a factor of an array with axes 0, 1, 2 … of this shape."""
    offset = len(shape) - len(e.shape)
    labels = []
    for k, n in enumerate(e.shape, offset):
        if n == shape[k]:
            labels.append(k)
        else:  # an axis of length 1 that broadcasts is read at its only place
            labels.append(len(sizes))
            sizes[len(sizes)] = 1
    return e, tuple(labels)


def spread_over(e: Expr, axes: Sequence[int], shape: tuple[int, ...]) -> Expr:
    """An expression on some axes of a shape, the same along the others."""
    sizes = dict(enumerate(shape))
    return product(ONE, [(e, tuple(axes))], tuple(sizes), sizes)


def core_in(e: Expr, shape: tuple[int, ...]) -> Factor:
    """An expression, broadcast to a shape, without the axes on which it does not depend; and the
    axes that are left."""
    core, kept = without_broadcast(e)
    offset = len(shape) - len(e.shape)
    if any(e.shape[k] != shape[k + offset] for k in kept):
        return without_broadcast(spread(e, shape))
    return core, tuple([k + offset for k in kept])
