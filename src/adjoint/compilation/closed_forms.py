"""Jacobians and Hessians in closed form: what compiling makes of graphs with Kronecker deltas.

The columns of a Jacobian are the images of unit arrays.  While `compile` looks on these are deltas
of unknown value, and simplification removes them: the Hessian of ‖T − UVᵀ‖² becomes 2(VᵀV)⊗I.
Results whose values are known have no deltas, and are compiled as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION
from adjoint.graph.ir import NO_PARAMS, Constant, Graph, Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer, wrap
from adjoint.simplify.graphs import simplify_graph

Assumption = tuple[str, Node, bool]
"""What is assumed, in words; the node that tests it; and what the test has to say."""

FINITE = "all numbers are finite"
SAME = "uniform arrays from outside are what they were"

WORTH = 2
"""How many times fewer operations there have to be for deltas to be better than unit arrays."""


class NotSimpler(Exception):
    """The graph is no cheaper without its deltas."""


class NotFinite(Exception):
    """Some number is infinite or NaN, and for those the laws do not hold."""


def in_closed_form(
    scope: Scope, inputs: Sequence[Node], outputs: Sequence[Node]
) -> tuple[list[Node], list[Assumption]]:
    """The outputs, simplified, and what has to hold for that; raises `NotSimpler`, `NotFinite`.

    The laws hold for finite numbers, so that all numbers are finite is a decision like those of the
    function's own branches: other calls take a path of their own, which is not simplified.
    """
    graph = Graph(scope, inputs, outputs)
    found = simplify_graph(graph)
    if found.graph is graph or WORTH * found.after.flops > found.before.flops:
        raise NotSimpler
    finite = _together([_finite(n, scope) for n in _numbers(graph, found.taken_as_known)])
    if finite and not finite[0].value:
        raise NotFinite
    unchanged = _together([_same(n, scope) for n in found.taken_as_known])
    assumed = [(FINITE, n, True) for n in finite] + [(SAME, n, True) for n in unchanged]
    return list(found.graph.outputs), assumed


def not_finite(scope: Scope, inputs: Sequence[Node], outputs: Sequence[Node]) -> list[Assumption]:
    """The decision that sends finite arguments to the path that was simplified."""
    graph = Graph(scope, inputs, outputs)
    found = _together([_finite(n, scope) for n in _numbers(graph, ())])
    return [(FINITE, n, False) for n in found if not n.value]


def _numbers(graph: Graph, known: Sequence[Node]) -> list[Node]:
    """The floating-point inputs, and arrays from outside, on which the outputs depend."""
    used = dict.fromkeys(i for n in (*graph.nodes, *graph.outputs) for i in n.inputs)
    used |= dict.fromkeys(graph.outputs)
    inner = {*(n for n in graph.nodes if n.inputs), *known}
    return [
        n
        for n in used
        if n not in inner and n.primitive is not PROJECTION and n.type.dtype.kind == "f"
        and (not isinstance(n, Constant) or isinstance(n.source, np.ndarray))
    ]  # fmt: skip


def _finite(node: Node, scope: Scope) -> Node:
    value = np.isfinite(node.value)
    found = Node(PRIMITIVES["isfinite"], (node,), NO_PARAMS, value, scope.only, None)
    return _all(found)


def _same(node: Constant, scope: Scope) -> Node:
    """Whether an array from outside has the values that it had."""
    value: Any = np.asarray(node.value)
    first = value.flat[0]
    # A copy that is nobody else's: the array itself is read anew at every call.
    then = first if np.all(value == first) else value.copy()
    known = Constant(node.primitive, (), NO_PARAMS, then, node.scopes, None)
    known.source = then
    found = Node(PRIMITIVES["equal"], (node, known), NO_PARAMS, value == then, scope.only, None)
    return _all(found)


def _all(node: Node) -> Node:
    if not node.type.shape:
        return node
    found = np.all(wrap(node))
    assert isinstance(found, Tracer)
    return found.node


def _together(tests: Sequence[Node]) -> list[Node]:
    """Several tests as one, if there are any."""
    if not tests:
        return []
    found = wrap(tests[0])
    for other in tests[1:]:
        found = PRIMITIVES["logical_and"](found, wrap(other))
    return [found.node]
