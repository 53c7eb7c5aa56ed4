"""Bodies: the functions that loops and branches apply, as graphs whose every operand is explicit.

A body is traced once with unknown values.  A traced value or an array that the user's function
closes over becomes an operand of the loop, in front of the others, so that the body depends on
nothing but its inputs and constants, and every transform can treat it as a function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import constant, outward, variable
from adjoint.graph.ir import Constant, Graph, Node
from adjoint.graph.primitive import Primitive
from adjoint.graph.scope import NO_SCOPES, Scope
from adjoint.graph.tracer import Tracer, wrap


class ControlPrimitive(Primitive):
    """Base of the primitives whose parameters are graphs; all have several results.

    Their rules differentiate graphs, so they live with the transforms, which attach them.
    """

    multiple_results = True


def unknowns(scope: Scope, types: Sequence[ArrayType]) -> list[Tracer]:
    """Variables of a scope that have a type and no value."""
    return [variable(scope, None, t) for t in types]


def as_node(value: Any) -> Node:
    """A result of a traced function as a node; numbers get NumPy's types."""
    return value.node if isinstance(value, Tracer) else constant(np.asarray(value)[()])


def _is_operand(node: Node) -> bool:
    """Whether a captured node is an operand; numbers and index arrays stay constants."""
    if isinstance(node, Constant) and node.scopes is NO_SCOPES:
        value = node.value
        return isinstance(value, np.ndarray) and value.ndim > 0 and value.dtype.kind in "fc"
    return any(not s.closed for s in node.scopes.members)


def close_over(
    scope: Scope, variables: Sequence[Node], outputs: Sequence[Node]
) -> tuple[Graph, list[Node]]:
    """The graph with what it captures as its first inputs, and these captured nodes."""
    captured = [n for n in Graph(scope, variables, outputs).captured if _is_operand(n)]
    return Graph(scope, (*captured, *variables), outputs), captured


def captured_operand(node: Node) -> Any:
    """A captured node as an operand of the loop that captures it."""
    return wrap(node) if isinstance(node, Constant) else outward(node)


def apply(primitive: Primitive, operands: Sequence[Any], **params: Any) -> list[Any]:
    """The results of a control primitive; plain if no operand depends on a variable."""
    traced = any(isinstance(o, Tracer) and o.node.scopes is not NO_SCOPES for o in operands)
    if not traced:
        operands = [o.node.value if isinstance(o, Tracer) else o for o in operands]
    return list(primitive(*operands, **params))


def own(value: Any, operands: Sequence[Any]) -> Any:
    """A result that shares no memory with an operand, so that its owner may write to it."""
    shared = isinstance(value, np.ndarray) and (
        value.base is not None or any(value is o for o in operands)
    )
    return value.copy() if shared else value
