"""Choices leave alone what they do not choose among: where(c, u v, 0) = where(c, u, 0) v.

A row of zeros and ones chooses among the rows of a matrix; the index of its columns has nothing to
do with it.  Taken out of the choice, deltas and factors of low rank meet the other factors of a
product, as the tangents of a network of rectified layers have to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from adjoint.graph.ir import Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.delta import Renaming
from adjoint.simplify.einstein import add, product
from adjoint.simplify.exact import ONE, ZERO
from adjoint.simplify.expression import (
    Expr,
    Factor,
    Sum,
    Term,
    as_term,
    is_number,
    number,
    number_of,
    raw_apply,
)
from adjoint.simplify.factoring import factored
from adjoint.simplify.finiteness import TRUTH, stays_finite
from adjoint.simplify.indices import core_in, spread_over
from adjoint.simplify.reading import ROWS as PRODUCTS
from adjoint.simplify.reading import Reader


def choice(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """where(c, a, b) with everything outside that c does not choose; None if that is nothing."""
    shape = node.type.shape
    c, a, b = args
    branches = zip((a, b), node.inputs[1:], strict=True)
    if any(n.type.dtype.kind != "f" and not is_number(e) for e, n in branches):
        return None
    if number_of(b) == 0:
        return _chosen(c, a, shape, first=True)
    if number_of(a) == 0:
        return _chosen(c, b, shape, first=False)
    parts = _chosen(c, a, shape, first=True), _chosen(c, b, shape, first=False)
    return None if parts[0] is None or parts[1] is None else add([parts[0], parts[1]])


def quotient(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """(u v) / w = (u / w) v for a v that has indices which w does not have."""
    above, below = args

    def divided(numerator: Expr, divisor: Expr) -> Expr:
        return raw_apply(PRIMITIVES["divide"], (numerator, divisor), {}, numerator.shape)

    return _applied_inside(divided, above, below, node.type.shape, finite=False)


def truth(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """A comparison is made before its operands are broadcast, not after."""
    shape = node.type.shape
    if node.type.dtype != np.bool_ or any(n.type.dtype.kind == "i" for n in node.inputs[:1]):
        return None
    operands = [core_in(e, shape) for e in args]
    axes = sorted({k for _, kept in operands for k in kept})
    if len(axes) == len(shape):
        return None
    sizes = {k: shape[k] for k in axes}
    cores = [product(ONE, [factor], tuple(axes), sizes) for factor in operands]
    if len(cores) > 1 and node.inputs[0].type.dtype == np.bool_ and any(map(is_number, cores)):
        return None
    made = raw_apply(node.primitive, cores, node.params, tuple(sizes.values()))
    return spread_over(made, axes, shape)


def scaled(args: tuple[Expr, ...], node: Node) -> Expr | None:
    """A product, unless zero is multiplied with what may be infinite."""
    for zero, e in (args, args[::-1]):
        if number_of(zero) == 0 and not stays_finite(e):
            return None
    return PRODUCTS["multiply"](args, node)


ROWS: dict[str, Reader] = {
    "where": choice,
    "multiply": scaled,
    "divide": quotient,
    **dict.fromkeys(TRUTH, truth),
}
"""Readers for graphs that are simplified to be computed."""


def _chosen(c: Expr, value: Expr, shape: tuple[int, ...], first: bool) -> Expr | None:
    """where(c, value, 0), or where(c, 0, value)."""
    if number_of(value) is not None:
        return None
    zero = number(ZERO)

    def chosen(inner: Expr, condition: Expr) -> Expr:
        branches = (inner, zero) if first else (zero, inner)
        return raw_apply(PRIMITIVES["where"], (condition, *branches), {}, inner.shape)

    return _applied_inside(chosen, value, c, shape, finite=True)


def _applied_inside(
    apply: Callable[[Expr, Expr], Expr],
    value: Expr,
    other: Expr,
    shape: tuple[int, ...],
    finite: bool,
) -> Expr | None:
    """apply(value, other), linear in the value, with what has other indices outside; None if that
    is nothing."""
    core, kept = core_in(other, shape)
    if _stays(value, shape, kept):
        return None
    view = _factors(value, shape)
    own = tuple(view.out[k] for k in kept)
    inside, outside = _split(view, own, finite)
    if not outside and len(set(view.out)) == len(view.out):
        return None
    used = {*own, *(i for _, labels in inside for i in labels)}
    labels = tuple(i for i in dict.fromkeys(view.out) if i in used)
    sizes = {i: n for i, n in view.sizes.items() if i in used}
    inner = product(ONE, inside, labels, sizes)
    beside = product(ONE, [(core, own)], labels, {i: sizes[i] for i in labels})
    factors = [*outside, (apply(inner, beside), labels)]
    # What was summed inside is no index any more.
    left = set(view.out).union(*(ls for _, ls in factors))
    sizes = {i: n for i, n in view.sizes.items() if i in left}
    return product(view.coefficient, factors, view.out, sizes)


def _stays(value: Expr, shape: tuple[int, ...], axes: Sequence[int]) -> bool:
    """Whether no factor of an expression has an index besides these axes, so that none leaves."""
    core, kept = core_in(value, shape)
    return set(kept) <= set(axes) and not (isinstance(core, (Sum, Term)) and core.has_delta)


def _factors(value: Expr, shape: tuple[int, ...]) -> Term:
    """An expression, broadcast, as one product, the common factors of its sums taken out."""
    core, kept = core_in(value, shape)
    view = as_term(core)
    parts = [(factored(f) if type(f) is Sum else f, ls) for f, ls in view.factors]
    if any(new is not f for (new, _), (f, _) in zip(parts, view.factors, strict=True)):
        core = product(view.coefficient, parts, view.out, view.sizes)
    return as_term(spread_over(core, kept, shape))


def _split(view: Term, own: Sequence[int], finite: bool) -> tuple[list[Factor], list[Factor]]:
    """The factors that stay with indices ``own``, and those that may leave; with ``finite`` only
    what is finite may, since 0 times infinity is not 0.

    Factors that share a summed index go together.
    """
    out, same = set(view.out), Renaming()
    summed = [[i for i in labels if i not in out] for _, labels in view.factors]
    for indices in summed:
        for i in indices[1:]:
            same.unify(indices[0], i)
    groups: dict[tuple[str, int], list[Factor]] = {}
    for k, (factor, indices) in enumerate(zip(view.factors, summed, strict=True)):
        key = ("sum", same(indices[0])) if indices else ("factor", k)
        groups.setdefault(key, []).append(factor)
    loose = out.difference(own)
    inside: list[Factor] = []
    outside: list[Factor] = []
    for members in groups.values():
        leaves = any(not loose.isdisjoint(labels) for _, labels in members) and (
            not finite or all(stays_finite(f) for f, _ in members)
        )
        (outside if leaves else inside).extend(members)
    return inside, outside
