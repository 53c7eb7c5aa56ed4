"""Parts of arrays: slices of what was joined, and the transposes of slices."""

from __future__ import annotations

from typing import Any

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.axes import axes_of
from adjoint.simplify.einstein import product, scale
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Symbol,
    Term,
    number,
    number_of,
    raw_apply,
    split,
)
from adjoint.simplify.positions import ranges
from adjoint.simplify.regular import Written
from adjoint.simplify.writing import take

WHOLE = slice(None)


def select(e: Expr) -> Expr:
    """(c x)[i] = c x[i], [a, b][0] = a, and a slice of what was concatenated, if it is one part."""
    if not (isinstance(e, Apply) and e.name == "getitem"):
        return e
    c, rest = split(e.args[0])
    if c != 1 and number_of(rest) is None:
        inner = raw_apply(e.primitive, (rest, *e.args[1:]), e.params, e.shape)
        return scale(c, inner)
    source, template = e.args[0], e.params["template"]
    if len(e.args) > 1:
        return e
    if isinstance(source, Symbol) and isinstance(source.origin, Written) and not e.shape:
        return number(source.origin.elements[template[0]])
    if isinstance(source, Apply) and source.name == "concatenate":
        return _part_of_joined(e, source, template)
    if _is_identity(source) and not e.shape and len(template) == 2:
        return number(int(template[0] % source.shape[0] == template[1] % source.shape[0]))
    if _is_identity(source) and len(template) == 2 and template[1] == WHOLE:
        columns = raw_apply(e.primitive, (source,), {"template": template[::-1]}, e.shape[::-1])
        return product(ONE, [(columns, (1, 0))], (0, 1), dict(enumerate(e.shape)))
    return e


def _part_of_joined(e: Apply, source: Apply, template: Any) -> Expr:
    axis = source.params["axis"]
    full = [*template, *[WHOLE] * (source.rank - len(template))]
    if len(full) != source.rank or not all(isinstance(p, slice) for p in full):
        return e
    start, stop, step = full[axis].indices(source.shape[axis])
    place = 0
    for part in source.args:
        end = place + part.shape[axis]
        if place <= start and stop <= end and step == 1:
            full[axis] = slice(start - place or None, None if stop == end else stop - place)
            if all(p == WHOLE for p in full):
                return part
            return raw_apply(e.primitive, (part,), {"template": tuple(full)}, e.shape)
        place = end
    return e


def scatter(e: Expr) -> Expr:
    """The transpose of a slice: of one that turns round, itself; of columns, a product with rows of
    the identity."""
    if not (isinstance(e, Apply) and e.name == "scatter_add" and len(e.args) == 2):
        return e
    total, part = e.args
    template = e.params["template"]
    if number_of(total) != 0:
        return e
    c, rest = split(part)
    if c != 1 and number_of(rest) is None:
        return scale(c, raw_apply(e.primitive, (total, rest), e.params, e.shape))
    slices = all(isinstance(p, slice) for p in template)
    if e.rank == 1 and part.shape == (1,) and slices and 0 not in axes_of(part):
        at = ranges(template, e.shape)
        if at is not None and isinstance(at[0], range):
            place = {"template": (at[0][0],)}
            return raw_apply(e.primitive, (total, take(part, 0, 0)), place, e.shape)
    if part.shape == e.shape and slices and all(p.step in (None, 1, -1) for p in template):
        return raw_apply(PRIMITIVES["getitem"], (part,), e.params, e.shape)
    if e.rank != 2 or not slices or part.rank != 2 or number_of(part) is not None:
        return e
    full = [*template, *[WHOLE] * (2 - len(template))]
    axes = [k for k in (0, 1) if part.shape[k] != e.shape[k]]
    if len(axes) != 1 or full[1 - axes[0]] != WHOLE:
        return e
    (axis,) = axes
    n, width = e.shape[axis], part.shape[axis]
    identity = product(ONE, [], (0, 0), {0: n})
    columns = raw_apply(
        PRIMITIVES["getitem"], (identity,), {"template": (WHOLE, full[axis])}, (n, width)
    )
    out = {0: e.shape[0], 1: e.shape[1], 2: width}
    labels = (2, 1) if axis == 0 else (0, 2)
    return product(ONE, [(part, labels), (columns, (axis, 2))], (0, 1), out)


def _is_identity(e: Expr) -> bool:
    return isinstance(e, Term) and not e.factors and e.rank == 2 and e.has_delta


__all__ = ["scatter", "select"]
