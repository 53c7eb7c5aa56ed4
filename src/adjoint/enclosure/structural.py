"""Primitives that are not scalar functions, on intervals: one row each, by name.

A row gets where to refuse pieces, the node, and the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.enclosure.interval import (
    Interval,
    add,
    align,
    everywhere,
    exactly,
    magnitude,
    multiply,
    outward,
    square,
    summed,
)
from adjoint.enclosure.refusals import Refusals, no_row
from adjoint.graph.binding import VARIABLE
from adjoint.graph.ir import Node
from adjoint.primitives.contraction import EINSUM, letter, parse

Row = Callable[[Refusals, Node, Sequence[Interval]], Any]

ROWS: dict[str, Row] = {}

UNDECIDED_ROWS = {"where", "getitem", "reshape", "stack", "concatenate", "all", "any", "projection",
                  "einsum", "undefined_notice", "equal", "not_equal"}  # fmt: skip
"""Rows that take a truth value that is not known, and say themselves what follows."""

# -- moving elements ------------------------------------------------------------------------------


def _at_ends(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """A primitive that increases in each operand, at the lower ends and at the upper ends."""
    count = max(x.lo.shape[0] for x in operands)
    flags = tuple(count == 1 or x.lo.shape[0] > 1 for x in operands)

    def batched(ends: Sequence[Any]) -> Any:
        given = tuple(e if f else e[0] for e, f in zip(ends, flags, strict=True))
        return np.asarray(node.primitive.batch(given, flags, count, **node.params))

    lo = batched([x.lo for x in operands])
    return exactly(lo) if all(x.lo is x.hi for x in operands) else Interval(
        lo, batched([x.hi for x in operands])
    )  # fmt: skip


def _indexed(written: int) -> Row:
    """A primitive whose operands from so many on are positions."""

    def row(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
        places = []
        for x in operands[written:]:
            run.give_up(~x.known)
            places.append(exactly(np.asarray(x.lo).astype(np.intp)))
        return _at_ends(run, node, [*operands[:written], *places])

    return row


def _scatter_add(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """Sums: off by n ε Σ|x| at most, where n is the number of terms."""
    found = _indexed(2)(run, node, operands)
    sizes = [exactly(magnitude(x)) for x in operands[:2]]
    total = _indexed(2)(run, node, [*sizes, *operands[2:]]).hi
    slack = (operands[1].lo[0].size + 2) * np.finfo(float).eps * total
    return outward(found.lo - slack, found.hi + slack)


def _cumsum(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    found = _at_ends(run, node, operands)
    total = _at_ends(run, node, [exactly(magnitude(operands[0]))]).hi
    slack = (node.type.size + 1) * np.finfo(float).eps * total
    return outward(found.lo - slack, found.hi + slack)


def _convert(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """Another precision is the same real number; whole numbers have to be known."""
    (x,) = operands
    kind = np.dtype(node.params["dtype"]).kind
    if kind == "f":
        return Interval(np.asarray(x.lo, np.float64), np.asarray(x.hi, np.float64))
    if kind == "b":
        found = Interval(~x.contains(0.0), ~(x.known & (x.lo == 0)))
    else:
        found = Interval(np.trunc(x.lo), np.trunc(x.hi))
    run.require_known(found)
    return found


def _of_facts(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """Whether all of them, or any of them, hold."""
    (x,) = operands
    if x.lo.dtype != np.bool_:
        x = Interval(~x.contains(0.0), ~(x.known & (x.lo == 0)))
    return _at_ends(run, node, [x])


# -- choices --------------------------------------------------------------------------------------


def _where(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    condition, a, b = align(tuple(operands))
    if condition.lo.dtype == np.bool_:
        surely, possibly = condition
    else:
        surely = ~condition.contains(0.0)
        possibly = ~(condition.known & (condition.lo == 0))
    run.refuse(surely != possibly)
    lo = np.where(surely, a.lo, np.where(possibly, np.minimum(a.lo, b.lo), b.lo))
    hi = np.where(surely, a.hi, np.where(possibly, np.maximum(a.hi, b.hi), b.hi))
    return Interval(lo, hi)


def _origin(node: Node) -> Node:
    """The node whose elements these are: what an inner variable stands for, before a reshape."""
    while node.inputs and (node.primitive is VARIABLE or node.primitive.name == "reshape"):
        node = node.inputs[0]
    return node


def _equal(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """x == y, where it matters that both come from one value: x == x holds, and x == max x is
    known where the largest is."""
    left, right = node.inputs
    a, b = align(tuple(operands))
    if _origin(left) is _origin(right) and left.type.shape == right.type.shape:
        # Between finite ends there is a number; an infinite one may stand for anything.
        return Interval(np.isfinite(a.lo) & np.isfinite(a.hi), np.ones_like(a.lo, np.bool_))
    for x, y, whole, part in ((left, right, a, b), (right, left, b, a)):
        if _is_extremum_of(y, x):
            # A piece with a tie was given up: the winner alone reaches the extremum.
            largest = _origin(y).primitive.name == "max"
            return exactly(whole.hi >= part.lo if largest else whole.lo <= part.hi)
    return Interval(a.known & b.known & (a.lo == b.lo), ~((a.lo > b.hi) | (a.hi < b.lo)))


def _is_extremum_of(y: Node, x: Node) -> bool:
    """Whether y is the largest or smallest of the elements of x beside which it stands."""
    source = _origin(y)
    if source.primitive.name not in ("max", "min"):
        return False
    whole, axes = source.inputs[0], source.params["axes"]
    kept = tuple(1 if i in axes else n for i, n in enumerate(whole.type.shape))
    beside = y.type.shape == kept or len(axes) == len(kept)
    return _origin(whole) is _origin(x) and whole.type.shape == x.type.shape and beside


def _not_equal(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    found = _equal(run, node, operands)
    return Interval(~found.hi, ~found.lo)


def _require_one_winner(run: Refusals, lo: Any, hi: Any, axes: tuple[int, ...]) -> None:
    """Gives up the pieces where more than one element may be the largest."""
    best = np.max(lo, axis=axes, keepdims=True)
    run.give_up(np.count_nonzero(hi >= best, axis=axes) > 1)


def _extremum(sign: int) -> Row:
    def row(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
        axes = tuple(i + 1 for i in node.params["axes"])
        x = operands[0]
        _require_one_winner(run, *((x.lo, x.hi) if sign > 0 else (-x.hi, -x.lo)), axes)
        return _at_ends(run, node, operands)

    return row


def _position(sign: int) -> Row:
    def row(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
        x = operands[0]
        _require_one_winner(
            run, *((x.lo, x.hi) if sign > 0 else (-x.hi, -x.lo)), (node.params["axis"] + 1,)
        )
        return exactly(_at_ends(run, node, [exactly(x.lo)]).lo)

    return row


def _argsort(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """The order, where no two elements overlap."""
    (x,), axis = operands, node.params["axis"] + 1
    order = _at_ends(run, node, [exactly(x.lo)])
    lo, hi = np.sort(x.lo, axis), np.take_along_axis(x.hi, np.argsort(x.lo, axis), axis)
    count = lo.shape[axis]
    later = np.take(lo, range(1, count), axis)
    run.give_up(~(np.take(hi, range(count - 1), axis) < later))
    return order


# -- sums and products ----------------------------------------------------------------------------


def _einsum(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """Every operand over all indices, multiplied, and summed over those the result lacks."""
    terms, result = parse(node.params["subscripts"])
    present = "".join(dict.fromkeys("".join(terms)))
    core = "".join(dict.fromkeys(i for i in result if i in present))
    whole = [x for x in operands if x.lo.dtype.kind in "biu"]
    if whole and len(operands) == 1 and len(core) == len(present):
        return _at_ends(run, node, operands)
    for x in whole:
        run.require_known(x)
    sources = list(zip(map(_origin_of_variable, node.inputs), terms, strict=True))
    product: Interval | None = None
    while sources:
        source, x = sources[0], operands[-len(sources)]
        factor = _spread(x, source[1], present)
        if len(sources) > 1 and sources[1] == source:  # x·x is not negative
            factor, sources = square(factor), sources[1:]
        sources = sources[1:]
        product = factor if product is None else multiply(product, factor)
    assert product is not None
    axes = tuple(1 + k for k, i in enumerate(present) if i not in core)
    total = summed(product, axes)
    left = "".join(i for i in present if i in core)
    if left == result:
        return total
    return Interval(*(_laid_out(end, left, result, node.params) for end in total))


def _origin_of_variable(node: Node) -> Node:
    while node.inputs and node.primitive is VARIABLE:
        node = node.inputs[0]
    return node


def _spread(x: Interval, term: str, present: str) -> Interval:
    """An operand with an axis for every index, of length 1 where it has none."""
    kept = "".join(dict.fromkeys(term))

    def ends(value: Any) -> Any:
        value = np.asarray(value, np.float64)
        if kept != term:
            value = EINSUM.evaluate(value, subscripts=_with_pieces(term, kept))
        order = [kept.index(i) for i in present if i in kept]
        value = np.transpose(value, (0, *(k + 1 for k in order)))
        slots = tuple(slice(None) if i in kept else None for i in present)
        return value[(slice(None), *slots)]

    lo = ends(x.lo)
    return exactly(lo) if x.lo is x.hi else Interval(lo, ends(x.hi))


def _with_pieces(term: str, result: str) -> str:
    """A pattern with one more index in front, for the pieces."""
    used = set(term + result)
    new = next(letter(i) for i in range(200) if letter(i) not in used)
    return f"{new}{term}->{new}{result}"


def _laid_out(end: Any, left: str, result: str, params: dict[str, Any]) -> Any:
    pattern = _with_pieces(left, result)
    return EINSUM.evaluate(end, subscripts=pattern, sizes=params.get("sizes", ()))


def _along(x: Interval, axes: tuple[int, ...]) -> list[Interval]:
    """The slices over axes, one after the other."""
    rest = [i for i in range(x.ndim) if i not in axes]
    lo, hi = (np.transpose(e, (*axes, *rest)).reshape(-1, *(e.shape[i] for i in rest)) for e in x)
    return [Interval(a, b) for a, b in zip(lo, hi, strict=True)]


def _prod(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    axes = tuple(i + 1 for i in node.params["axes"])
    if not axes:
        return operands[0]
    slices = _along(operands[0], axes)
    rest = [n for i, n in enumerate(operands[0].lo.shape) if i not in axes]
    found = exactly(np.ones(rest))
    for x in slices:
        found = multiply(found, x)
    return found


def _cumprod(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    axis = node.params["axis"] + 1
    found: list[Interval] = []
    for x in _along(operands[0], (axis,)):
        found.append(x if not found else multiply(found[-1], x))
    return Interval(np.stack([x.lo for x in found], axis), np.stack([x.hi for x in found], axis))


def _log_sum_exp(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """It increases in every element; of the rounding most is in what the largest is added to."""
    found = _at_ends(run, node, operands)
    axes = tuple(i + 1 for i in node.params["axis"])
    x = operands[0]
    largest = np.max(magnitude(x), axis=axes, initial=0.0)
    count = x.lo[0].size + 16
    slack = count * np.finfo(float).eps * (1 + largest)
    return everywhere(outward(found.lo - slack, found.hi + slack), ~np.isfinite(slack))


def _convolve(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """Σ_k of a, shifted by k, times v_k."""
    a, v = operands
    count = v.lo.shape[-1]
    total: Interval | None = None
    for k in range(count):
        term = multiply(a, Interval(v.lo[..., k : k + 1], v.hi[..., k : k + 1]))
        around = [(0, 0)] * (a.ndim - 1) + [(k, count - 1 - k)]
        shifted = Interval(np.pad(term.lo, around), np.pad(term.hi, around))
        total = shifted if total is None else add(total, shifted)
    assert total is not None
    return total


def _stop_gradient(run: Refusals, node: Node, operands: Sequence[Interval]) -> Interval:
    """The value; a function whose derivatives are not its own has no bound."""
    if run.own:
        raise no_row(node, "the polynomial is not made of the function's own derivatives")
    return operands[0]


ROWS.update({
    "reshape": _at_ends, "concatenate": _at_ends, "stack": _at_ends,
    "all": _of_facts, "any": _of_facts, "convolve": _convolve,
    "undefined_notice": lambda run, node, operands: operands[0],
    "stop_gradient": _stop_gradient,
    "real": lambda run, node, operands: operands[0],
    "conjugate": lambda run, node, operands: operands[0],
    "getitem": _indexed(1), "setitem": _indexed(2), "scatter_add": _scatter_add,
    "convert": _convert, "where": _where, "equal": _equal, "not_equal": _not_equal,
    "max": _extremum(1), "min": _extremum(-1),
    "argmax": _position(1), "argmin": _position(-1), "argsort": _argsort,
    "einsum": _einsum, "prod": _prod, "cumsum": _cumsum, "cumprod": _cumprod,
    "logsumexp": _log_sum_exp,
})  # fmt: skip
