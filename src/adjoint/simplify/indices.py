"""Broadcasting, and indices that a contraction can say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.simplify.einstein import product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Apply, Expr, Sum, Term, number_of


def spread(e: Expr, shape: tuple[int, ...]) -> Expr:
    """An expression broadcast to a shape, as NumPy does it."""
    if e.shape == shape:
        return e
    offset = len(shape) - e.rank
    sizes = dict(enumerate(shape))
    labels = []
    for k, n in enumerate(e.shape):
        if n == shape[k + offset]:
            labels.append(k + offset)
        else:  # an axis of length 1 that broadcasts is read at its only place
            labels.append(len(sizes))
            sizes[len(sizes)] = 1
    return product(ONE, [(e, tuple(labels))], tuple(range(len(shape))), sizes)


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
    a slice, and the mask is true there."""
    if e.shape != mask.shape:
        return False
    if isinstance(e, Sum):
        return all(vanishes_outside(t, mask) for t in e.terms)
    if isinstance(e, Term) and len(e.factors) == 1:
        factor, labels = e.factors[0]
        return labels == e.out and vanishes_outside(factor, mask)
    if not (isinstance(e, Apply) and e.name == "scatter_add" and len(e.args) == 2):
        return False
    touched = np.zeros(e.shape, np.bool_)
    touched[e.params["template"]] = True
    return number_of(e.args[0]) == 0 and bool(np.all(mask[touched]))


__all__ = ["full_template", "spread", "vanishes_outside", "without_new_axes"]
