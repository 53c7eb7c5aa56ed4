"""What an evaluation costs: floating-point operations, and bytes of intermediate results."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Node
from adjoint.primitives.contraction import parse
from adjoint.simplify.contraction_order import pairwise
from adjoint.simplify.expression import Apply, Expr, Sum, Symbol, Term, below

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
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(node.inputs)
    return cost_of_nodes(seen)


def cost_of_nodes(nodes: Iterable[Node]) -> Cost:
    """The cost of nodes, that of their inputs not counted."""
    flops = written = 0.0
    for node in nodes:
        primitive = node.primitive
        if not node.inputs or primitive is VARIABLE or primitive is PROJECTION:
            continue
        several = primitive.multiple_results
        size = max([t.size for t in node.types]) if several else math.prod(node.type.shape)
        written += 8.0 * size
        if primitive.name == "einsum":
            shapes = tuple([n.type.shape for n in node.inputs])
            flops += _einsum_flops(node.params["subscripts"], shapes)
        elif primitive.name in CUBIC:
            flops += CUBIC[primitive.name] * node.inputs[0].type.shape[-1] ** 3
        else:
            flops += size
    return Cost(flops, written)


@lru_cache(maxsize=1024)
def _einsum_flops(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> float:
    terms, result = parse(subscripts)
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        sizes |= zip(term, shape, strict=True)
    summed = not sizes.keys() <= set(result)
    return float(math.prod(sizes.values()) * (len(terms) - 1 + summed))


def cost_of(roots: Iterable[Expr]) -> Cost:
    """The cost of expressions, each common part counted once."""
    return cost_of_parts(below(roots))


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
    if type(e) is Symbol:
        return 0.0, 0.0
    size = math.prod(e.shape)
    if type(e) is Term:
        if any(labels != e.out for _, labels in e.factors) or e.has_delta:
            return pairwise(e)[1:]
        products = max(len(e.factors) - 1, 0)
        return float(size * products), 8.0 * size * max(products, 1)
    flops = float(size)
    if type(e) is Sum:
        flops *= len(e.terms) - 1
    elif type(e) is Apply and e.name in CUBIC:
        flops = CUBIC[e.name] * e.args[0].shape[-1] ** 3
    return flops, 8.0 * size
