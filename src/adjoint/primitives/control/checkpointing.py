"""Recomputing in place of keeping, and values that carry no derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import VARIABLE, constant, outward, projections, variable
from adjoint.graph.evaluate import evaluate
from adjoint.graph.ir import NO_PARAMS, Graph, Node
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import register
from adjoint.graph.scope import NO_SCOPES, Scope
from adjoint.graph.sites import current_site
from adjoint.graph.tracer import Tracer
from adjoint.primitives.control.body import (
    ControlPrimitive,
    as_node,
    captured_operand,
    close_over,
    own,
)


class Checkpoint(ControlPrimitive):
    """A graph as one node, of which only the operands and results are kept."""

    name = "checkpoint"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return tuple(own(v, operands) for v in evaluate(params["body"], operands))

    def infer(self, *types: ArrayType, **params: Any) -> tuple[ArrayType, ...]:
        return tuple(n.type._replace(weak=False) for n in params["body"].outputs)


CHECKPOINT = register(Checkpoint())


def without_values(graph: Graph) -> Graph:
    """The same graph, of which only constants have values."""
    with Scope("checkpoint(f)", internal=True) as scope:
        copies: dict[Node, Node] = {
            n: Node(VARIABLE, (), NO_PARAMS, None, scope.only, None, n.type._replace(weak=False))
            for n in graph.inputs
        }
        for n in graph.nodes:
            inputs = tuple(copies.get(i, i) for i in n.inputs)
            copies[n] = Node(n.primitive, inputs, n.params, None, scope.only, n.site, n.result_type)
        outputs = [copies.get(n, n) for n in graph.outputs]
        return Graph(scope, [copies[n] for n in graph.inputs], outputs)


def checkpointed(function: Callable[..., Sequence[Any]], operands: Sequence[Any]) -> list[Any]:
    """The results of a function of operands, recorded as one node.

    The function is traced with the values that its operands have, so it may branch on them.  The
    results are plain if no transform looks at an operand.
    """
    with Scope("checkpoint(f)", internal=True) as scope:
        variables = [variable(scope, o) for o in operands]
        starts = [v.node for v in variables]  # the function may write to its arguments
        results = [as_node(r) for r in function(*variables)]
        graph, captured = close_over(scope, starts, results)
    inputs = [*map(captured_operand, captured), *operands]
    nodes = tuple(i.node if isinstance(i, Tracer) else constant(i, True) for i in inputs)
    scopes = NO_SCOPES
    for n in nodes:
        scopes = scopes.union(n.scopes)
    if scopes is NO_SCOPES:
        return [outward(r) for r in results]
    values = None if any(r.value is None for r in results) else tuple(r.value for r in results)
    types = tuple(r.type._replace(weak=False) for r in results)
    body = without_values(graph)
    node = Node(CHECKPOINT, nodes, {"body": body}, values, scopes, current_site(), types)
    return list(projections(node))


class StopGradient(Primitive):
    """The same value, with no derivative."""

    name = "stop_gradient"
    flat = True
    reasons: ClassVar[dict[str, str]] = {"jvp": "its derivative is zero by definition"}

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return operands[0]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return types[0]

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return STOP_GRADIENT(operands[0])


STOP_GRADIENT = register(StopGradient())
