"""What an evaluation costs: floating-point operations, and bytes of intermediate results."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Node
from adjoint.primitives.contraction import parse
from adjoint.simplify.contraction_order import pairwise
from adjoint.simplify.expression import Apply, Expr, Sum, Symbol, Term, walk

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
    flops = written = 0.0
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node in seen or not node.inputs:
            continue
        seen.add(node)
        stack.extend(node.inputs)
        more, size = _node_cost(node)
        flops, written = flops + more, written + size
    return Cost(flops, written)


def _node_cost(node: Node) -> tuple[float, float]:
    if node.primitive is VARIABLE or node.primitive is PROJECTION:
        return 0.0, 0.0
    several = node.primitive.multiple_results
    size = max([t.size for t in node.types]) if several else math.prod(node.type.shape)
    written = 8.0 * size
    if node.primitive.name == "einsum":
        terms, result = parse(node.params["subscripts"])
        sizes = dict(node.params.get("sizes", ()))
        for term, n in zip(terms, node.inputs, strict=True):
            sizes |= zip(term, n.type.shape, strict=True)
        present = set("".join(terms))
        volume = math.prod([sizes[i] for i in present])
        summed = not present.issubset(result)
        return float(volume * (len(terms) - 1 + summed)), written
    factor = CUBIC.get(node.primitive.name)
    if factor is not None:
        return factor * node.inputs[0].type.shape[-1] ** 3, written
    return float(size), written


def cost_of(roots: Iterable[Expr]) -> Cost:
    """The cost of expressions, each common part counted once."""
    return cost_of_parts(walk(roots))


def cost_of_parts(parts: Iterable[Expr]) -> Cost:
    """The cost of expressions, that of their operands not counted."""
    flops = written = 0.0
    for e in parts:
        if e.cost is None:
            e.cost = _expression_cost(e)
        flops, written = flops + e.cost[0], written + e.cost[1]
    return Cost(flops, written)


def _expression_cost(e: Expr) -> tuple[float, float]:
    """Operations, and bytes written, for an expression, those for its operands not counted."""
    if isinstance(e, Term):
        return pairwise(e)[1:]
    if isinstance(e, Symbol):
        return 0.0, 0.0
    size = math.prod(e.shape)
    flops = float(size)
    if isinstance(e, Sum):
        flops *= len(e.terms) - 1
    elif isinstance(e, Apply) and e.name in CUBIC:
        flops = CUBIC[e.name] * e.args[0].shape[-1] ** 3
    return flops, 8.0 * size
