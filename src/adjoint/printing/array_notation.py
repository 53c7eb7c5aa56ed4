"""The notation of reads, additions and writes at an index, and of blocks."""

from __future__ import annotations

import re
from collections.abc import Callable

from adjoint.printing.places import filled, options, padding
from adjoint.printing.precedence import (
    VECTOR,
    Block,
    Call,
    Gather,
    Literal,
    Name,
    Number,
    Scatter,
    Tree,
    Write,
    kind_of,
)
from adjoint.printing.products import FEW_ZEROS, flip
from adjoint.simplify.axes import axes_of
from adjoint.simplify.exact import ZERO
from adjoint.simplify.expression import Apply, Expr, number_of
from adjoint.simplify.writing import take

TreeOf = Callable[[Expr], Tree]


def _gather(e: Apply, args: list[Tree], tree_of: TreeOf) -> Tree | None:
    if len(args) < 2:
        return None
    x, *index = args
    order = e.args[1]
    by_itself = isinstance(order, Apply) and order.name == "argsort" and order.args == e.args[:1]
    if by_itself and e.rank == 1 and len(e.params["template"]) == 1:
        return Call("sort", (x,), VECTOR)
    where = filled(e.params["template"], index, e.args[0].shape)
    return Gather(x, where, kind_of(e.rank))


def _scatter(e: Apply, args: list[Tree], tree_of: TreeOf) -> Tree:
    value, *index = args[1:]
    widths = padding(e)
    if widths is not None:
        value = tree_of(e.args[1])
        zeros = re.findall(r"\d+", widths)
        if e.rank == 1 and all(int(z) <= FEW_ZEROS for z in zeros):
            before, after = (Literal((Number(ZERO),) * int(z), VECTOR) for z in zeros)
            return Call("pad", (value, before, after), VECTOR, "", (widths,), e)
        return Call("pad", (value,), kind_of(e.rank), "", (widths,), e)
    if number_of(e.args[0]) != 0:
        return Call(e.name, tuple(args), kind_of(e.rank), "", options(e), e)
    return Scatter(value, filled(e.params["template"], index, e.shape), e.shape)


def _write(e: Apply, args: list[Tree], tree_of: TreeOf) -> Tree:
    base, value, *index = args
    whole = "kind" in e.params
    before: tuple[tuple[Tree, tuple[Tree | str, ...]], ...] = ()
    if isinstance(base, Write) and base.whole == whole:
        before, base = base.writes, base.tree
    where = filled(e.params["template"], index, e.shape)
    return Write(base, (*before, (value, where)), e.shape, whole)


def _block(e: Apply, args: list[Tree], tree_of: TreeOf) -> Tree | None:
    """Parts side by side or one above the other; what is one place long, as an element, a row or a
    column."""
    if e.rank > 2:
        return None
    axis, parts = e.params["axis"], []
    for p, tree in zip(e.args, args, strict=True):
        if p.shape[axis] == 1 and not isinstance(tree, Name) and axis not in axes_of(p):
            tree = tree_of(take(p, axis, 0))
            tree = flip(tree) if axis == 0 else tree
        parts.append(tree)
    return Block(tuple(parts), kind_of(e.rank), axis)


ARRAYS: dict[str, Callable[[Apply, list[Tree], TreeOf], Tree | None]] = {
    "getitem": _gather,
    "scatter_add": _scatter,
    "setitem": _write,
    "concatenate": _block,
}
"""Per primitive: the notation, from the trees of the operands; None for the usual one."""
