"""Small arrays written out: [2x₀x₁, x₀²].

A function that reads x[0] and x[1] has a gradient that is filled element by element.  Up to
`WRITTEN_OUT` elements such arrays are stacks of their elements, and unit vectors are stacks of ones
and zeros, so that products with them pick elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import add, elementwise, power, product
from adjoint.simplify.exact import exact
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Factor,
    Power,
    Sum,
    Term,
    number,
    number_of,
    raw_apply,
)

WRITTEN_OUT = 16
"""Arrays of at most so many elements are written out when they are filled one by one."""


LARGEST, SHORT_AXIS = 64, 4
"""Arrays of up to so many elements are written out too if all their axes are short."""


def stack(parts: Sequence[Expr]) -> Expr:
    """Arrays of one shape along a new first axis; equal numbers stay one number."""
    values = {number_of(p) for p in parts}
    shape = (len(parts), *parts[0].shape)
    (value,) = values if len(values) == 1 else (None,)
    if value is not None:
        return number(value, shape)
    return raw_apply(PRIMITIVES["stack"], parts, {"axis": 0}, shape)


def parts_of(e: Expr) -> tuple[Expr, ...] | None:
    """The parts of an array that is written out along its first axis."""
    value = number_of(e)
    if value is not None and e.rank:
        return (number(value, e.shape[1:]),) * e.shape[0]
    return e.args if isinstance(e, Apply) and e.name == "stack" and e.params["axis"] == 0 else None


def unit(size: int, index: int) -> Expr:
    """A unit vector."""
    return stack([number(int(k == index)) for k in range(size)])


def literal(value: Any) -> Expr:
    """A plain array with all its elements."""
    if value.ndim == 0:
        return number(exact(value[()]))
    return stack([literal(v) for v in value])


Taker = Callable[[Apply, int, int], Expr | None]

TAKERS: dict[str, Taker] = {}
"""Per primitive: its part at one index of one axis; None where that is not known."""


def takes(name: str) -> Callable[[Taker], Taker]:
    """Decorator: this function takes parts of what a primitive makes."""

    def decorate(function: Taker) -> Taker:
        TAKERS[name] = function
        return function

    return decorate


def take(e: Expr, axis: int, index: int) -> Expr:
    """The part of an array at one index of one axis."""
    value = number_of(e)
    shape = e.shape[:axis] + e.shape[axis + 1 :]
    if value is not None:
        return number(value, shape)
    if isinstance(e, Sum):
        return add([take(t, axis, index) for t in e.terms])
    if isinstance(e, Term):
        return _take_from_term(e, axis, index)
    if isinstance(e, Power) and number_of(e.exponent) is not None:
        return power(take(e.base, axis, index), e.exponent)
    if isinstance(e, Apply) and e.name == "stack" and e.params["axis"] == 0:
        return e.args[index] if axis == 0 else stack([take(p, axis - 1, index) for p in e.args])
    if isinstance(e, Apply) and e.name in TAKERS:
        found = TAKERS[e.name](e, axis, index)
        if found is not None:
            return found
    if isinstance(e, Apply) and len(e.args) == 1 and not e.params and hasattr(e.primitive, "ufunc"):
        return elementwise(e.primitive, take(e.args[0], axis, index))
    return entry(e, (slice(None),) * axis + (index,), shape)


def entry(e: Expr, template: tuple[Any, ...], shape: tuple[int, ...]) -> Expr:
    """``e[template]``; an index into an index is one index."""
    if isinstance(e, Apply) and e.name == "getitem" and len(e.args) == 1:
        inner = list(e.params["template"])
        if all(isinstance(p, int) or p == slice(None) for p in inner):
            free = [k for k, p in enumerate(inner) if not isinstance(p, int)]
            free += list(range(len(inner), e.args[0].rank))
            inner += [slice(None)] * (e.args[0].rank - len(inner))
            for k, p in zip(free, template, strict=False):
                inner[k] = p
            e, template = e.args[0], tuple(inner)
    return raw_apply(PRIMITIVES["getitem"], (e,), {"template": template}, shape)


def _take_from_term(e: Term, axis: int, index: int) -> Expr:
    label = e.out[axis]
    out = e.out[:axis] + e.out[axis + 1 :]
    return _at(e, label, index, out)


def _at(e: Term, label: int, index: int, out: tuple[int, ...]) -> Expr:
    """A term at one value of one of its indices."""
    factors: list[Factor] = []
    for f, labels in e.factors:
        while label in labels:
            place = labels.index(label)
            f = take(f, place, index)
            labels = labels[:place] + labels[place + 1 :]
        factors.append((f, labels))
    if label in out:  # a delta: the other axis is a unit vector
        factors.append((unit(e.sizes[label], index), (label,)))
    sizes = {i: n for i, n in e.sizes.items() if i != label or label in out}
    return product(e.coefficient, factors, out, sizes)


def write_out(e: Expr) -> Expr:
    """A product with a small array that is written out, as an array that is written out."""
    if isinstance(e, Power) and number_of(e.exponent) is not None:
        inner = parts_of(e.base)
        return e if inner is None else stack([power(p, e.exponent) for p in inner])
    if not isinstance(e, Term):
        return e
    for f, labels in e.factors:
        if not (isinstance(f, Apply) and f.name == "stack"):
            continue
        label = labels[f.params["axis"]]
        if label not in e.out:
            if e.sizes[label] > WRITTEN_OUT:
                return e
            return add([_at(e, label, k, e.out) for k in range(e.sizes[label])])
        if _is_small(e):
            return stack([write_out(take(e, 0, k)) for k in range(e.shape[0])])
    return e


def stack_in_front(e: Expr) -> Expr:
    """A small array stacked along another axis than the first, as rows; and a part of one."""
    if isinstance(e, Apply) and e.name == "stack" and e.params["axis"] and _is_small(e):
        axis = e.params["axis"] - 1
        shape = e.shape[1:]
        rows = [
            stack_in_front(
                raw_apply(e.primitive, [take(p, 0, k) for p in e.args], {"axis": axis}, shape)
            )
            for k in range(e.shape[0])
        ]
        return stack(rows)
    if not (isinstance(e, Apply) and e.name == "getitem" and len(e.args) == 1):
        return e
    source, template = e.args[0], e.params["template"]
    if not (isinstance(source, Apply) and source.name == "stack" and source.params["axis"] == 0):
        return e
    if not all(isinstance(p, int) or p == slice(None) for p in template) or not _is_small(source):
        return e
    found: Expr = source
    for axis in reversed(range(len(template))):
        if isinstance(template[axis], int):
            found = take(found, axis, template[axis] % found.shape[axis])
    return found


def _is_small(e: Expr) -> bool:
    """Whether all elements are written out: few, or along few indices."""
    size = math.prod(e.shape)
    return 0 < size <= WRITTEN_OUT or (0 < size <= LARGEST and max(e.shape) <= SHORT_AXIS)


def merge_stacks(e: Expr) -> Expr:
    """[a, b] + [c, d] = [a + c, b + d], and [a, b] + c v = [a + c v₀, b + c v₁]."""
    if not isinstance(e, Sum) or not _is_small(e):
        return e
    if not any(isinstance(t, Apply) and t.name == "stack" for t in e.terms):
        return e
    return stack([add([take(t, 0, k) for t in e.terms]) for k in range(e.shape[0])])
