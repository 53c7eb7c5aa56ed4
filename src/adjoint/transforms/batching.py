"""Batching: a graph traced for one example, rewritten for all examples at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION
from adjoint.graph.ir import Node, reachable
from adjoint.graph.primitive import Hole
from adjoint.graph.scope import Scope, rules_run
from adjoint.graph.typecheck import after_transform
from adjoint.transforms.walk import Operands


@rules_run()
def batch(
    outputs: Sequence[Node], values: Mapping[Node, Any], size: int, scope: Scope
) -> list[Any]:
    """The outputs for the whole batch, batch axis first; unbatched outputs are repeated.

    ``values`` gives the batched operand of each variable.  Each node costs its batching rule once,
    which for nearly every primitive is the same NumPy call with one more axis.
    """
    operand = Operands(scope)
    known: dict[Node, Any] = dict(values)
    # What is the same for every example, although it is computed inside.
    shared: dict[Node, Any] = {}
    for node in reachable(outputs, scope):
        if node in known:
            continue
        if node.primitive is PROJECTION:
            parent = node.inputs[0]
            where = shared if parent in shared else known
            where[node] = where[parent][node.params["index"]]
            continue
        flags = tuple(n in known for n in node.inputs)
        operands = tuple(
            known[n] if n in known else shared[n] if n in shared else operand(n)
            for n in node.inputs
        )
        if any(flags):
            known[node] = node.primitive.batch(operands, flags, size, **node.params)
        else:
            shared[node] = node.primitive(*operands, **node.params)
    found = [
        known[n] if n in known else _repeat(shared[n] if n in shared else operand(n), size)
        for n in outputs
    ]
    after_transform("batching", found)
    return found


def _repeat(value: Any, size: int) -> Any:
    return np.broadcast_to(value, (size, *np.shape(value)))


@rules_run()
def replay(outputs: Sequence[Node], values: Mapping[Node, Any], scope: Scope) -> list[Any]:
    """Applies the graph again, to other operands for its variables."""
    operand = Operands(scope)
    known: dict[Node, Any] = dict(values)
    for node in reachable(outputs, scope):
        if node in known:
            continue
        if node.primitive is PROJECTION:
            known[node] = known[node.inputs[0]][node.params["index"]]
            continue
        inputs = [known[n] if n in known else operand(n) for n in node.inputs]
        if any(isinstance(i, Hole) for i in inputs):
            raise AssertionError("a variable of the graph was given no value")
        known[node] = node.primitive(*inputs, **node.params)
    found = [known[n] if n in known else operand(n) for n in outputs]
    after_transform("a replay", found)
    return found
