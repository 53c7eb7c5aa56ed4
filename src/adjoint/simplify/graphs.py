"""Simplifying a graph: read as expressions, rewritten, and built again from nodes.

Only laws that hold for all finite numbers, up to rounding, are applied here: nothing is assumed to
be positive or regular, functions keep the forms in which they are stable, and quotients by
expressions that may vanish are not cancelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Constant, Graph, Node
from adjoint.graph.scope import NO_SCOPES
from adjoint.graph.typecheck import after_transform
from adjoint.simplify import switches
from adjoint.simplify.constants import is_array, is_known, origin
from adjoint.simplify.cost import Cost, cost_of_nodes, cost_of_parts
from adjoint.simplify.emission import OnNodes
from adjoint.simplify.expression import Expr, Sum, Term, below, is_number, symbol
from adjoint.simplify.factoring import factored
from adjoint.simplify.reading import ROWS, read_all
from adjoint.simplify.rebuild import Find, evaluate
from adjoint.simplify.rewrite import with_children

FOR_ALL_NUMBERS = {
    name: ROWS[name]
    for name in ("einsum", "add", "subtract", "negative", "multiply", "square", "reshape",
                 "getitem", "projection")
} | switches.ROWS  # fmt: skip
"""Primitives whose normal form holds for all finite numbers."""


@dataclass(frozen=True)
class Simplified:
    """A graph and what simplification did to its cost.

    ``graph`` is the one given, unchanged, if nothing became cheaper.  ``taken_as_known`` are arrays
    from outside whose values were used, because all their elements are one number or they are
    identities; of other arrays only the types.
    """

    graph: Graph
    before: Cost
    after: Cost
    taken_as_known: tuple[Constant, ...] = ()

    def __str__(self) -> str:
        return f"before: {self.before}\nafter:  {self.after}"


def simplify_graph(graph: Graph) -> Simplified:
    """The graph with the same inputs and outputs that costs least to evaluate.

    Nested contractions become one and are multiplied in the cheapest order, products with
    identities disappear, equal subexpressions are computed once, and common factors are taken out
    where that saves operations.  The scope of the graph has to be open.  Types are checked: every
    output has the type it had.  Nodes that are new have no values, as nothing is computed here.

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
    before = cost_of_nodes(graph.nodes)
    if not graph.nodes or not all(map(_is_plain, graph.nodes)):
        return Simplified(graph, before, before)
    symbols: dict[Node, Expr] = {
        n: symbol(f"x{k}", n.type.shape, n) for k, n in enumerate(graph.inputs)
    }
    outside = (*graph.captured, *[n for n in graph.nodes if isinstance(n, Constant)])
    for n in outside:
        if n.inputs or not is_known(n):
            symbols[n] = symbol("c", n.type.shape, origin(n))
    order = (*graph.captured, *graph.nodes)
    found = read_all(order, symbols, rows=FOR_ALL_NUMBERS, computed=True)
    results, parts, after = cheapest([found[n] for n in graph.outputs])
    if after.flops > before.flops or (after.flops == before.flops and after.bytes >= before.bytes):
        return Simplified(graph, before, before)
    if not all(map(_is_moderate, parts)):
        return Simplified(graph, before, before)
    values: dict[Expr, Any] = {e: n for n, e in symbols.items()}
    nodes = evaluate(results, values, _again(found), OnNodes(), parts)
    if not all(map(_fits, nodes, graph.outputs)):
        return Simplified(graph, before, before)
    after_transform("simplification", nodes)
    taken = (n for n in outside if isinstance(n, Constant) and is_array(n) and is_known(n))
    return Simplified(Graph(graph.scope, graph.inputs, nodes), before, after, tuple(taken))


def _again(found: Mapping[Node, Expr]) -> Find:
    """A node of the graph that makes an expression in one step from what is there makes it again:
    its value is known, so that only what is simplified is computed."""
    first: dict[Expr, Node] = {}
    for node, e in found.items():
        primitive = node.primitive
        if not node.inputs or primitive is VARIABLE or primitive is PROJECTION:
            continue
        if e not in first and not primitive.multiple_results:
            first[e] = node

    def find(e: Expr, done: Mapping[Expr, Any]) -> Any:
        node = first.get(e)
        if node is None:
            return None
        inputs, scopes = [], NO_SCOPES
        for n in node.inputs:
            operand = found[n]
            made = None if is_number(operand) else done.get(operand)
            if made is not None:
                if not _fits(made, n):
                    return None
                n = made
            elif n.inputs:  # not there, or a number only now
                return None
            inputs.append(n)
            if n.scopes is not scopes:
                scopes = scopes.union(n.scopes)
        if scopes is NO_SCOPES:
            return None  # depends on numbers only: computed at once
        return Node(
            node.primitive, tuple(inputs), node.params, node.value, scopes, node.site, node.type
        )

    return find


def cheapest(results: list[Expr]) -> tuple[list[Expr], list[Expr], Cost]:
    """The expressions, with common factors taken out if that costs less, all that is below them,
    and what they cost."""
    parts = below(results)
    plain = results, parts, cost_of_parts(parts)
    changed: dict[Expr, Expr] = {}
    for e in parts:
        new = e
        children = e.children()
        if changed and not changed.keys().isdisjoint(children):
            new = with_children(e, [changed.get(c, c) for c in children])
        if type(new) is Sum:
            new = factored(new)
        if new is not e:
            changed[e] = new
    if not changed:
        return plain
    other = [changed.get(e, e) for e in results]
    parts = below(other)
    found = other, parts, cost_of_parts(parts)
    return min(plain, found, key=lambda r: (r[2].flops, r[2].bytes))


def _is_moderate(e: Expr) -> bool:
    """Whether a coefficient is far from where numbers of single precision end: constants that meet
    before the array does may overflow where it would have kept them small."""
    if type(e) is not Term or e.coefficient == 1 or not e.factors:
        return True
    size: Any = abs(e.coefficient)
    return bool(_LEAST < size < _MOST)


_LEAST, _MOST = 1e-15, 1e15


def _is_plain(node: Node) -> bool:
    """Real arrays, and what is decided from them."""
    if node.primitive.multiple_results:
        return all(t.dtype.kind in "fbi" for t in node.types)
    return node.type.dtype.kind in "fbi"


def _fits(made: Node, node: Node) -> bool:
    """Whether a node has the type of another."""
    a, b = made.type, node.type
    return a is b or (a.shape == b.shape and a.dtype == b.dtype)
