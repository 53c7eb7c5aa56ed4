"""Forward mode: tangents pushed through a graph, in the order of its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION
from adjoint.graph.ir import Node, reachable
from adjoint.graph.scope import Scope, rules_run
from adjoint.graph.typecheck import after_transform
from adjoint.transforms.walk import Operands


@rules_run()
def pushforward(
    outputs: Sequence[Node], tangents: Mapping[Node, Any], scope: Scope
) -> list[Any | None]:
    """The tangents of the outputs, given those of variables; None is zero.

    Each node costs its rule once: about as much as the node itself for elementwise maps, and one
    more product per differentiated operand for contractions.
    """
    operand = Operands(scope)
    known: dict[Node, Any] = dict(tangents)
    for node in reachable(outputs, scope):
        if node in known:
            continue
        dots = tuple(known.get(n) for n in node.inputs)
        if all(d is None for d in dots):
            continue
        tangent = _node_tangent(node, dots, operand)
        if tangent is not None:
            known[node] = tangent
    found = [known.get(n) for n in outputs]
    after_transform("forward mode", found)
    return found


def _node_tangent(node: Node, dots: tuple[Any, ...], operand: Operands) -> Any:
    primitive = node.primitive
    if primitive is PROJECTION:
        return dots[0][node.params["index"]]
    if primitive.flat:
        return None
    if primitive.linear and not (
        primitive.mixed
        and any(d is not None and not primitive.is_linear_in(i) for i, d in enumerate(dots))
    ):
        return _linear_tangent(node, dots, operand)
    if not primitive.multiple_results and node.type.dtype.kind not in "fc":
        return None
    primals = tuple(operand(n) for n in node.inputs)
    return primitive.jvp(operand(node), primals, dots, **node.params)


def _zero(node: Node) -> Any:
    """The tangent of a constant; that of a Python number promotes as weakly as the number."""
    return 0.0 if node.type.weak else np.zeros(node.type.shape, node.type.dtype)


def _linear_tangent(node: Node, dots: tuple[Any, ...], operand: Operands) -> Any:
    primitive = node.primitive
    active = [i for i, d in enumerate(dots) if d is not None and primitive.is_linear_in(i)]
    if not active or node.type.dtype.kind not in "fc":
        return None
    if primitive.jointly_linear:
        inputs = [
            (d if d is not None else _zero(n)) if primitive.is_linear_in(i) else operand(n)
            for i, (n, d) in enumerate(zip(node.inputs, dots, strict=True))
        ]
        return primitive(*inputs, **node.params)
    total = None
    for i in active:
        inputs = [dots[i] if j == i else operand(n) for j, n in enumerate(node.inputs)]
        term = primitive(*inputs, **node.params)
        total = term if total is None else total + term
    return total
