"""What an evaluation costs: floating-point operations, and bytes of intermediate results."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import singledispatch

from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Node
from adjoint.primitives.contraction import parse
from adjoint.simplify.contraction_order import pairwise
from adjoint.simplify.expression import Apply, Expr, Power, Sum, Symbol, Term, walk

CUBIC = {"inv": 2.0, "solve": 0.67, "det": 0.67, "slogdet": 0.67, "cofactor": 22.0,
         "cholesky": 0.33, "eigh": 9.0, "svd": 22.0}  # fmt: skip
"""Operations over n³, for an n×n matrix (Golub and Van Loan, *Matrix Computations*, 2013)."""


@dataclass(frozen=True)
class Cost:
    """Floating-point operations, and bytes written.

    >>> print(Cost(2_000_000, 8000))
    2.0 MFLOP, 8.0 kB
    """

    flops: float
    bytes: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.bytes + other.bytes)

    def __str__(self) -> str:
        return f"{_scaled(self.flops, 'FLOP')}, {_scaled(self.bytes, 'B')}"


def _scaled(value: float, unit: str) -> str:
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.1f} {prefix}{unit}"
    return f"{value:.0f} {unit}"


def cost_of_graph(outputs: Iterable[Node]) -> Cost:
    """The cost of a graph as it was traced."""
    total = Cost(0, 0)
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node in seen or not node.inputs:
            continue
        seen.add(node)
        stack.extend(node.inputs)
        total += _node_cost(node)
    return total


def _node_cost(node: Node) -> Cost:
    if node.primitive is VARIABLE or node.primitive is PROJECTION:
        return Cost(0, 0)
    if node.primitive.multiple_results:
        size = max(t.size for t in node.types)
    else:
        size = node.type.size
    written = 8.0 * size
    if node.primitive.name == "einsum":
        terms, result = parse(node.params["subscripts"])
        sizes = dict(node.params.get("sizes", ()))
        for term, n in zip(terms, node.inputs, strict=True):
            sizes |= dict(zip(term, n.type.shape, strict=True))
        present = set("".join(terms))
        volume = math.prod(sizes[i] for i in present)
        summed = present - set(result)
        return Cost(volume * (len(terms) - 1 + bool(summed)), written)
    factor = CUBIC.get(node.primitive.name)
    if factor is not None:
        return Cost(factor * node.inputs[0].type.shape[-1] ** 3, written)
    return Cost(size, written)


def cost_of(roots: Iterable[Expr]) -> Cost:
    """The cost of expressions, each common part counted once."""
    total = Cost(0, 0)
    for e in walk(roots):
        total += expression_cost(e)
    return total


@singledispatch
def expression_cost(e: Expr) -> Cost:
    """The cost of an expression, that of its operands not counted."""
    return Cost(0, 0)


@expression_cost.register
def _(e: Symbol) -> Cost:
    return Cost(0, 0)


@expression_cost.register
def _(e: Sum) -> Cost:
    size = math.prod(e.shape)
    return Cost(size * (len(e.terms) - 1), 8.0 * size)


@expression_cost.register
def _(e: Power) -> Cost:
    size = math.prod(e.shape)
    return Cost(size, 8.0 * size)


@expression_cost.register
def _(e: Apply) -> Cost:
    size = math.prod(e.shape)
    factor = CUBIC.get(e.name)
    return Cost(factor * e.args[0].shape[-1] ** 3 if factor else size, 8.0 * size)


@expression_cost.register
def _(e: Term) -> Cost:
    return Cost(*pairwise(e)[1:])
