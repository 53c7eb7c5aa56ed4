"""Broadcasting, and indices that a contraction can say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.simplify.einstein import pointwise, product, without_broadcast
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Apply, Expr, Factor, Sum, Term, number, number_of
from adjoint.simplify.positions import places


def spread(e: Expr, shape: tuple[int, ...]) -> Expr:
    """An expression broadcast to a shape, as NumPy does it."""
    if e.shape == shape:
        return e
    value = number_of(e)
    if value is not None:
        return number(value, shape)
    sizes = dict(enumerate(shape))
    factors = [aligned(e, shape, sizes)]
    if len(sizes) == len(shape):
        return pointwise(ONE, factors, shape)
    return product(ONE, factors, tuple(range(len(shape))), sizes)


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
    if e.shape == shape and tuple(axes) == tuple(range(len(shape))):
        return e
    return pointwise(ONE, [(e, tuple(axes))], shape)


def core_in(e: Expr, shape: tuple[int, ...]) -> Factor:
    """An expression, broadcast to a shape, without the axes on which it does not depend; and the
    axes that are left."""
    core, kept = without_broadcast(e)
    offset = len(shape) - len(e.shape)
    if any(e.shape[k] != shape[k + offset] for k in kept):
        return without_broadcast(spread(e, shape))
    return core, tuple([k + offset for k in kept])


def full_template(template: Sequence[Any], rank: int) -> list[Any] | None:
    """An index of integers and full slices only, one per axis; None for any other."""
    full: list[Any] = []
    used = sum(1 for p in template if p is not Ellipsis)
    for p in template:
        if p is Ellipsis:
            full += [slice(None)] * (rank - used)
        elif isinstance(p, int) or (isinstance(p, slice) and p == slice(None)):
            full.append(p)
        else:
            return None
    return full + [slice(None)] * (rank - len(full))


def without_new_axes(template: Sequence[Any], part: Expr, shape: tuple[int, ...]) -> Expr | None:
    """The transpose of an index that only adds axes takes them away again."""
    if not all(p is None or p is Ellipsis or p == slice(None) for p in template):
        return None
    given = sum(p == slice(None) for p in template if p is not Ellipsis)
    places: list[int | None] = []
    axes = iter(range(len(shape)))
    for p in template:
        rest = len(shape) - given if p is Ellipsis else 1
        places += [None if p is None else next(axes) for _ in range(rest)]
    places += list(axes)
    part = spread(part, tuple(1 if k is None else shape[k] for k in places))
    sizes = dict(enumerate(shape))
    labels = []
    for k in places:
        labels.append(len(sizes) if k is None else k)
        sizes.setdefault(labels[-1], 1)
    return product(ONE, [(part, tuple(labels))], tuple(range(len(shape))), sizes)


def vanishes_outside(e: Expr, mask: Any) -> bool:
    """Whether an expression is zero, visibly, where the mask is not true: it is added to zeros at
    an index, and the mask is true there; or zeros were written wherever it is not."""
    if e.shape != mask.shape:
        return False
    if isinstance(e, Sum):
        return all(vanishes_outside(t, mask) for t in e.terms)
    if isinstance(e, Term) and len(e.factors) == 1:
        factor, labels = e.factors[0]
        return labels == e.out and vanishes_outside(factor, mask)
    if not (isinstance(e, Apply) and e.name in ("scatter_add", "setitem")):
        return False
    where = places(e)
    if where is None:
        return False
    if e.name == "setitem":
        left = np.array(mask)
        left.reshape(-1)[where] = True
        return number_of(e.args[1]) == 0 and (bool(left.all()) or vanishes_outside(e.args[0], left))
    return number_of(e.args[0]) == 0 and bool(mask.reshape(-1)[where].all())


__all__ = [
    "aligned", "core_in", "full_template", "spread", "spread_over", "vanishes_outside",
    "without_new_axes",
]  # fmt: skip
