"""The parts of a linear map in Einstein notation: Kronecker factors are its connected components.

A term with the indices [outputs, inputs] is a graph whose vertices are its indices and whose edges
are its factors.  Parts that no factor connects act on different axes: the term is their Kronecker
product, in whatever order the axes stand.  An index that outputs and inputs share is a delta: the
identity, a diagonal, or the blocks of a block-diagonal part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adjoint.errors import ArgumentValueError
from adjoint.simplify.einstein import add, product
from adjoint.simplify.exact import ONE
from adjoint.simplify.expression import Expr, Factor, Sum, Symbol, Term, as_term, symbol, walk
from adjoint.simplify.rebuild import evaluate

MAX_BYTES = 2**30
"""Arrays of more bytes are not formed, unless one asks for them."""


@dataclass(frozen=True)
class Part:
    """A connected part of a product: an array over some axes of the output, then of the input."""

    outs: tuple[int, ...]
    ins: tuple[int, ...]
    array: Expr


@dataclass(frozen=True)
class Split:
    """A term as a number times parts that act on different axes."""

    scale: Expr
    parts: tuple[Part, ...]


class Values:
    """The values of expressions, given those of the symbols; what is a factor is kept."""

    def __init__(self, known: Mapping[Expr, Any]) -> None:
        self.known = dict(known)

    def __call__(self, e: Expr) -> Any:
        for factor in e.children() if isinstance(e, Term) else ():
            self.keep(factor)
        return self._evaluate(e)

    def keep(self, e: Expr) -> Any:
        """The value, remembered."""
        if e not in self.known:
            self.known[e] = self(e)
        return self.known[e]

    def _evaluate(self, e: Expr) -> Any:
        for part in walk([e], self.known):
            if part not in self.known:
                require_room(part.shape, "a part of the formula")
        return evaluate([e], self.known)[0]


def require_room(shape: Sequence[int], what: str, max_bytes: int = MAX_BYTES) -> None:
    """Raises if an array of this shape is larger than what may be formed."""
    needed = 8 * math.prod(shape)
    if needed > max_bytes:
        dims = ",".join(map(str, shape))
        raise ArgumentValueError(
            f"{what} is f64[{dims}]: {needed / 2**30:.3g} GiB, and {max_bytes / 2**30:.3g} GiB "
            "may be formed.",
            hint=f"use products and solves, or allow it: max_bytes={needed}.",
        )


def summands(e: Expr) -> list[Expr]:
    """The terms of a sum; sums with deltas in them are multiplied out, so that structure shows."""
    if isinstance(e, Sum):
        return [t for part in e.terms for t in summands(part)]
    if isinstance(e, Term):
        for k, (f, labels) in enumerate(e.factors):
            if isinstance(f, Sum) and any(_has_delta(t) for t in f.terms):
                rest = [pair for j, pair in enumerate(e.factors) if j != k]
                spread = add([
                    product(e.coefficient, [(t, labels), *rest], e.out, e.sizes) for t in f.terms
                ])  # fmt: skip
                return summands(spread)
    return [e]


def _has_delta(e: Expr) -> bool:
    return isinstance(e, Term) and len(set(e.out)) < len(e.out)


def split(e: Expr, outs: Sequence[int], ins: Sequence[int]) -> Split:
    """A term over the axes outs + ins as a product of parts."""
    view = as_term(e)
    axes = (*outs, *ins)
    group = _components(view)
    loose: list[Factor] = [pair for pair in view.factors if not pair[1]]
    parts = []
    reached = set()
    for root in dict.fromkeys(group[i] for i in view.out):
        reached.add(root)
        places = [k for k, i in enumerate(view.out) if group[i] == root]
        mine = [(f, ls) for f, ls in view.factors if ls and group[ls[0]] == root]
        labels = tuple(view.out[k] for k in places)
        sizes = {i: n for i, n in view.sizes.items() if group[i] == root}
        here = [axes[k] for k in places]
        parts.append(Part(
            tuple(here[: sum(k < len(outs) for k in places)]),
            tuple(here[sum(k < len(outs) for k in places) :]),
            product(ONE, mine, labels, sizes),
        ))  # fmt: skip
    loose += [(f, ls) for f, ls in view.factors if ls and group[ls[0]] not in reached]
    used = {i for _, ls in loose for i in ls}
    sizes = {i: view.sizes[i] for i in used}
    return Split(product(view.coefficient, loose, (), sizes), tuple(parts))


def _components(view: Term) -> dict[int, int]:
    """For each index, the first index of the connected part it belongs to."""
    group = {i: i for i in view.sizes}
    for _, labels in view.factors:
        for i in labels[1:]:
            old, new = group[i], group[labels[0]]
            group = {k: new if g == old else g for k, g in group.items()}
    return group


def join(found: Split, outs: Sequence[int], ins: Sequence[int]) -> Expr:
    """The term again, over the axes outs + ins."""
    ids = {("out", a): k for k, a in enumerate(outs)}
    ids |= {("in", b): len(outs) + k for k, b in enumerate(ins)}
    sizes: dict[int, int] = {}
    factors: list[Factor] = [(found.scale, ())]
    for part in found.parts:
        labels = tuple(ids["out", a] for a in part.outs) + tuple(ids["in", b] for b in part.ins)
        sizes |= dict(zip(labels, part.array.shape, strict=True))
        factors.append((part.array, labels))
    return product(ONE, factors, tuple(range(len(ids))), sizes)


def ties(e: Expr, outs: int) -> set[tuple[int, int]]:
    """The places of output axes and input axes between which an expression has a delta."""
    if not isinstance(e, Term):
        return set()
    first, second = e.out[:outs], e.out[outs:]
    return {
        (a, b)
        for a, i in enumerate(first)
        for b, j in enumerate(second)
        if i == j and first.count(i) == 1 and second.count(i) == 1
    }


def diagonal_of(e: Expr, pairs: Sequence[tuple[int, int]], order: Sequence[int], outs: int) -> Expr:
    """An expression at equal indices of the paired axes, as an array over some of its axes."""
    labels = list(range(e.rank))
    for a, b in pairs:
        labels[outs + b] = labels[a]
    sizes = dict(zip(labels, e.shape, strict=True))
    return product(ONE, [(e, tuple(labels))], tuple(labels[k] for k in order), sizes)


def unknown(shape: Sequence[int]) -> Symbol:
    """A symbol whose value is given later; no two are equal."""
    return symbol("", tuple(shape), object())


__all__ = ["Part", "Split", "Values", "join", "split", "summands", "ties", "unknown"]
