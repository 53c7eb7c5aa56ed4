"""Simplifying a graph: read as expressions, rewritten, and built again from nodes.

Only laws that hold for all finite numbers, up to rounding, are applied here: nothing is assumed to
be positive or regular, functions keep the forms in which they are stable, and quotients by
expressions that may vanish are not cancelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.graph.binding import as_tracer
from adjoint.graph.ir import Graph, Node
from adjoint.graph.tracer import wrap
from adjoint.graph.typecheck import check_graph
from adjoint.simplify.cleanup import factored
from adjoint.simplify.cost import Cost, cost_of, cost_of_graph
from adjoint.simplify.expression import Expr, symbol
from adjoint.simplify.reading import read
from adjoint.simplify.rebuild import evaluate
from adjoint.simplify.rewrite import rewrite


@dataclass(frozen=True)
class Simplified:
    """A graph and what simplification did to its cost.

    ``graph`` is the one given, unchanged, if nothing became cheaper.
    """

    graph: Graph
    before: Cost
    after: Cost

    def __str__(self) -> str:
        return f"before: {self.before}\nafter:  {self.after}"


def simplify_graph(graph: Graph) -> Simplified:
    """The graph with the same inputs and outputs that costs least to evaluate.

    Nested contractions become one and are multiplied in the cheapest order, products with
    identities disappear, equal subexpressions are computed once, and common factors are taken out
    where that saves operations.  The scope of the graph has to be open.  Types are checked: every
    output has the type it had.

    >>> import numpy as np
    >>> from adjoint.graph.binding import variable
    >>> from adjoint.graph.scope import Scope
    >>> with Scope("example") as scope:
    ...     A, x = variable(scope, np.ones((50, 50))), variable(scope, np.ones(50))
    ...     graph = Graph(scope, [A.node, x.node], [(A @ A @ A @ x).node])
    ...     print(simplify_graph(graph))
    before: 505.0 kFLOP, 40.4 kB
    after:  15.0 kFLOP, 1.2 kB
    """
    before = cost_of_graph(graph.outputs)
    if not graph.nodes or not all(map(_is_plain, graph.nodes)):
        return Simplified(graph, before, before)
    known = {n: symbol(f"x{k}", n.type.shape, n) for k, n in enumerate(graph.inputs)}
    outer = {n: symbol(f"c{k}", n.type.shape, n) for k, n in enumerate(graph.captured) if n.inputs}
    results = read(graph.outputs, known | outer, exact_only=True)
    results = cheapest(results)
    after = cost_of(results)
    if after.flops > before.flops or (after.flops == before.flops and after.bytes >= before.bytes):
        return Simplified(graph, before, before)
    values: dict[Expr, Any] = {e: wrap(n) for n, e in (known | outer).items()}
    with np.errstate(all="ignore"):
        nodes = [as_tracer(v).node for v in evaluate(results, values)]
    if any(_type(n) != _type(o) for n, o in zip(nodes, graph.outputs, strict=True)):
        return Simplified(graph, before, before)
    check_graph(nodes, "simplification")
    return Simplified(Graph(graph.scope, graph.inputs, nodes), before, after)


def cheapest(results: Sequence[Expr]) -> list[Expr]:
    """The expressions, with common factors taken out if that costs less."""
    plain = list(results)
    other = rewrite(plain, factored)
    return min((plain, other), key=lambda r: (cost_of(r).flops, cost_of(r).bytes))


def _is_plain(node: Node) -> bool:
    """Real arrays of double precision, whose numbers promote as Python's do, and what is decided
    from them."""
    types = node.types if node.primitive.multiple_results else (node.type,)
    return all(t.dtype == np.float64 or t.dtype.kind in "bi" for t in types)


def _type(node: Node) -> tuple[object, ...]:
    return (node.type.shape, node.type.dtype)
