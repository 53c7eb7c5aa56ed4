"""Writes at an index: ``x with v at i``.

A write is one with another where its elements are; what is overwritten, or written where it was
read, disappears.  All that is asked of two indices is which elements they select (`positions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from adjoint.graph.ir import Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.primitives.indexing import HOLE
from adjoint.simplify.blocks import in_blocks, section
from adjoint.simplify.einstein import add, elementwise, pointwise, power, product, scale
from adjoint.simplify.exact import ONE, ZERO
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Power,
    Sum,
    Symbol,
    Term,
    number,
    number_of,
    raw_apply,
    split,
    symbol,
)
from adjoint.simplify.indices import spread
from adjoint.simplify.positions import (
    full_index,
    index_arrays,
    places,
    repeats,
    same_index,
    selected,
    within,
)
from adjoint.simplify.reading import reads
from adjoint.simplify.regular import Written, rule_of
from adjoint.simplify.writing import take

WHOLE = slice(None)


@reads("setitem")
def _setitem(args: tuple[Expr, ...], node: Node) -> Expr:
    """A write; one into integers or truth values stays what it is."""
    params = dict(node.params)
    if node.type.dtype.kind != "f":
        params["kind"] = node.type.dtype.kind
    found = raw_apply(node.primitive, args, params, node.type.shape)
    return found if "kind" in params else write(found)


def write(e: Expr) -> Expr:
    """A write, where it is a block, or nothing, or where its index is simpler said."""
    if not is_write(e):
        return e
    where = places(e)
    if where is not None and not where.size:
        return e.args[0]
    base, value = number_of(e.args[0]), number_of(e.args[1])
    if base is not None and base == value:
        return e.args[0]
    for rule in (in_blocks, _read_back):
        found = rule(e)
        if found is not None:
            return found
    if where is None:
        return e
    base_left = without_writes(e.args[0], where)
    if base_left is not e.args[0]:
        return write(raw_apply(e.primitive, (base_left, *e.args[1:]), e.params, e.shape))
    return _last_only(e, where) if repeats(where) else e


def is_write(e: Expr) -> TypeGuard[Apply]:
    """Whether an expression is a write into floats."""
    return isinstance(e, Apply) and e.name == "setitem" and "kind" not in e.params


def _read_back(e: Apply) -> Expr | None:
    """x with x[i] at i is x."""
    base, value = e.args[:2]
    if isinstance(value, Apply) and value.name == "getitem" and value.args[0] is base:
        return base if same_index(e, value) else None
    return None


def without_writes(e: Expr, where: Any) -> Expr:
    """An elementwise expression without what was written, or added, only to elements that are
    overwritten."""

    def plain(f: Expr) -> Expr:
        return without_writes(f, where)

    if isinstance(e, Apply) and (is_write(e) or e.name == "scatter_add"):
        own = places(e)
        if own is None:
            return e
        if within(own, where):
            return plain(e.args[0])
        gone = np.union1d(own, where) if e.name == "setitem" else where
        base = without_writes(e.args[0], gone)
        if base is e.args[0]:
            return e
        return raw_apply(e.primitive, (base, *e.args[1:]), e.params, e.shape)
    return mapped(e, plain)


def mapped(e: Expr, visit: Callable[[Expr], Expr]) -> Expr:
    """An elementwise expression of other operands of its shape."""
    if isinstance(e, Sum):
        return _if_new(e, e.terms, [visit(t) for t in e.terms], add)
    if isinstance(e, Power) and number_of(e.exponent) is not None:
        return _if_new(e, (e.base,), [visit(e.base)], lambda new: power(new[0], e.exponent))
    if isinstance(e, Term) and e.is_pointwise:
        old = [f for f, _ in e.factors]
        new = [visit(f) if labels == e.out else f for f, labels in e.factors]
        labels = [ls for _, ls in e.factors]
        return _if_new(e, old, new, lambda found: pointwise(
            e.coefficient, list(zip(found, labels, strict=True)), e.shape))  # fmt: skip
    if isinstance(e, Apply) and is_map(e):
        return _if_new(e, e.args, [visit(e.args[0])], lambda new: elementwise(e.primitive, new[0]))
    return e


def _if_new(e: Expr, old: Any, new: list[Expr], make: Callable[[list[Expr]], Expr]) -> Expr:
    return e if all(a is b for a, b in zip(old, new, strict=True)) else make(new)


def is_map(e: Apply) -> bool:
    """Whether a primitive is a function of each element of one array."""
    return len(e.args) == 1 and not e.params and hasattr(e.primitive, "ufunc")


def _last_only(e: Apply, where: Any) -> Expr:
    """Where an index array names an element several times, the last value stays: the others are
    not written."""
    template = e.params["template"]
    if e.rank != 1 or tuple(template) != (HOLE,) or where.ndim != 1:
        return e
    last = {int(k): j for j, k in enumerate(where)}
    kept = np.array(sorted(last.values()))
    value = spread(e.args[1], where.shape)
    if len(kept) == 1:
        alone = (e.args[0], take(value, 0, int(kept[0])))
        return raw_apply(e.primitive, alone, {"template": (int(where[0]),)}, e.shape)
    if number_of(value) is None:
        value = gathered(value, kept)
    arrays = (fixed(where[kept]),)
    return raw_apply(e.primitive, (e.args[0], value, *arrays), e.params, e.shape)


def gathered(e: Expr, index: Any) -> Expr:
    """The elements of a vector at some places."""
    steps = set(np.diff(index).tolist())
    if len(index) == 1 or (len(steps) == 1 and 0 not in steps):
        step = steps.pop() if steps else 1
        return section(e, 0, range(int(index[0]), int(index[-1]) + (1 if step > 0 else -1), step))
    params = {"template": (HOLE,)}
    return raw_apply(PRIMITIVES["getitem"], (e, fixed(index)), params, (len(index),))


def fixed(index: Any) -> Symbol:
    """An index array that is written out."""
    rule = rule_of(index) or Written(tuple(index.tolist()))
    return symbol("rule", index.shape, rule, index)


# -- sums and transposes of writes -----------------------------------------------------------------


def merge_writes(e: Expr) -> Expr:
    """(x with 0 at i) + (v added to zeros at i) = x with v at i."""
    if not isinstance(e, Sum):
        return e
    for t in e.terms:
        c, emptied = split(t)
        if not is_write(emptied) or number_of(emptied.args[1]) != 0:
            continue
        where = places(emptied)
        if where is None or repeats(where):
            continue
        for other in e.terms:
            d, added = split(other)
            if not (isinstance(added, Apply) and added.name == "scatter_add"):
                continue
            if number_of(added.args[0]) == 0 and same_index(added, emptied):
                value = scale(d, spread(added.args[1], where.shape))
                args = (scale(c, emptied.args[0]), value, *index_arrays(emptied))
                whole = raw_apply(emptied.primitive, args, emptied.params, e.shape)
                return add([whole, *[u for u in e.terms if u is not t and u is not other]])
    return e


def drop_added_choice(e: Expr) -> Expr:
    """where(s ≠ 0, (u added to zeros at i), 0) = u added to zeros at i, where s counts at i what of
    u is not 0."""
    if not (isinstance(e, Apply) and e.name == "where") or number_of(e.args[2]) != 0:
        return e
    test, added = e.args[:2]
    if not (isinstance(test, Apply) and test.name == "not_equal" and number_of(test.args[1]) == 0):
        return e
    counted = test.args[0]
    if not (_adds(counted) and _adds(added)) or not same_index(counted, added):
        return e
    marks, u = counted.args[1], added.args[1]
    if not (isinstance(marks, Apply) and marks.name == "where" and number_of(marks.args[1]) == 1):
        return e
    condition = marks.args[0]
    while isinstance(condition, Apply) and condition.name in ("logical_or", "bitwise_or"):
        other, condition = condition.args
        if not (isinstance(other, Apply) and other.name == "not_equal"):
            return e
        if number_of(other.args[0]) != 0 or number_of(other.args[1]) != 0:
            return e  # 0 ≠ 0 is the one that adds nothing
    if not (isinstance(condition, Apply) and condition.name == "not_equal"):
        return e
    if condition.args[0] is not u or number_of(condition.args[1]) != 0:
        return e
    return added if number_of(marks.args[2]) == 0 and added.shape == e.shape else e


def _adds(e: Expr) -> TypeGuard[Apply]:
    """Whether an expression is something added to zeros at an index."""
    return isinstance(e, Apply) and e.name == "scatter_add" and number_of(e.args[0]) == 0


def add_to_zeros(e: Expr) -> Expr:
    """x with v added at i = x + (v added to zeros at i)."""
    if not (isinstance(e, Apply) and e.name == "scatter_add") or number_of(e.args[0]) == 0:
        return e
    zeros = number(ZERO, e.shape)
    return add([e.args[0], raw_apply(e.primitive, (zeros, *e.args[1:]), e.params, e.shape)])


def turn(e: Expr) -> Expr:
    """The transpose of a block, or of a write, is one of transposes; and a write of zeros into a
    diagonal matrix is one into the diagonal."""
    if is_write(e):
        return _on_diagonal(e)
    if not isinstance(e, Term) or len(e.factors) != 1 or e.rank != 2 or e.has_delta:
        return e
    ((f, labels),) = e.factors
    if labels != (1, 0) or e.out != (0, 1) or not isinstance(f, Apply):
        return e
    if f.name == "concatenate":
        axis = 1 - f.params["axis"]
        found: Expr = raw_apply(f.primitive, [_flip(p) for p in f.args], {"axis": axis}, e.shape)
        return scale(e.coefficient, found)
    full = full_index(f.params["template"], 2) if is_write(f) else None
    if full is None or sum(p == HOLE for p in full if isinstance(p, str)) > 1:
        return e
    if HOLE in full and (WHOLE not in full or f.args[2].rank != 1):
        return e
    value = spread(f.args[1], selected(f))
    value = _flip(value) if value.rank == 2 else value
    params = {"template": tuple(full[::-1])}
    args = (_flip(f.args[0]), value, *f.args[2:])
    return scale(e.coefficient, write(raw_apply(f.primitive, args, params, e.shape)))


def _flip(e: Expr) -> Expr:
    value = number_of(e)
    if value is not None:
        return number(value, e.shape[::-1])
    return product(ONE, [(e, (1, 0))], (0, 1), dict(enumerate(e.shape[::-1])))


def _on_diagonal(e: Apply) -> Expr:
    base = e.args[0]
    if number_of(e.args[1]) != 0 or not isinstance(base, Term) or base.out != (0, 0):
        return e
    full = full_index(e.params["template"], 2)
    if full is None or WHOLE not in full or len(e.args) > 3:
        return e
    axis = 1 if full[0] == WHOLE else 0
    n = e.shape[0]
    diagonal = product(base.coefficient, base.factors, (0,), base.sizes)
    params = {"template": (full[axis],)}
    args = (diagonal, number(ZERO), *e.args[2:])
    written = write(raw_apply(e.primitive, args, params, (n,)))
    return product(ONE, [(written, (0,))], (0, 0), {0: n})


__all__ = [
    "add_to_zeros", "drop_added_choice", "gathered", "is_map", "is_write", "merge_writes", "turn",
    "write",
]  # fmt: skip
