"""Graphs of bodies, transformed: the pushforward, the pullback and the batched form of a graph.

Each is traced again with unknown values, so the result is a graph of its own whose only inputs are
explicit, and transforms of any order compose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import outward, variable
from adjoint.graph.ir import Graph, Node
from adjoint.graph.primitive import Hole
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import zeros_for
from adjoint.primitives.control.body import as_node, unknowns
from adjoint.transforms.batching import batch, replay
from adjoint.transforms.forward import pushforward
from adjoint.transforms.reverse import pullback

Flags = tuple[bool, ...]
_REASON = "a rule of a loop or a branch is traced for all values at once"


def build(types: Sequence[ArrayType], function: Callable[[list[Any]], Sequence[Any]]) -> Graph:
    """A function of operands of these types as a graph."""
    with Scope("a rule of control flow", abstract=_REASON, internal=True) as scope:
        variables = unknowns(scope, [t._replace(weak=False) for t in types])
        with np.errstate(all="ignore"):
            results = [as_node(r) for r in function(list(variables))]
        return Graph(scope, [v.node for v in variables], results)


def apply_graph(graph: Graph, operands: Sequence[Any]) -> list[Any]:
    """The outputs of a graph for other operands, node by node."""
    return replay(graph.outputs, dict(zip(graph.inputs, operands, strict=True)), graph.scope)


def input_types(graph: Graph) -> list[ArrayType]:
    return [n.type for n in graph.inputs]


def output_types(graph: Graph) -> list[ArrayType]:
    return [n.type for n in graph.outputs]


def floating(type_: ArrayType) -> bool:
    return type_.dtype.kind in "fc"


def depends(graph: Graph, flags: Sequence[bool], *, floats: bool = False) -> list[bool]:
    """Which outputs depend on the inputs that are marked; with ``floats``, smoothly."""
    marked = {n for n, f in zip(graph.inputs, flags, strict=True) if f}
    for node in graph.nodes:
        if floats and (node.primitive.flat or not _smooth(node)):
            continue
        if any(n in marked for n in node.inputs):
            marked.add(node)
    return [n in marked for n in graph.outputs]


def _smooth(node: Node) -> bool:
    return node.primitive.multiple_results or floating(node.type)


def carried(
    graph: Graph, flags: Sequence[bool], start: int, count: int, floats: bool
) -> list[bool]:
    """The flags of a body's inputs over all steps: a carry is marked if any step marks it."""
    flags = list(flags)
    while True:
        found = depends(graph, flags, floats=floats)[:count]
        grown = [a or b for a, b in zip(flags[start : start + count], found, strict=True)]
        if grown == flags[start : start + count]:
            return flags
        flags[start : start + count] = grown


def known(operands: Sequence[Any]) -> list[Any]:
    """Operands for a reverse rule.

    The unknown of a linear map becomes zero: what is linear in it has a pullback that does not
    depend on its value.
    """
    return [zeros_for(o.type) if isinstance(o, Hole) else o for o in operands]


def type_of_operand(value: Any) -> ArrayType:
    """The type of an operand of a rule, as an array of a body."""
    if isinstance(value, Tracer):
        return value.node.type._replace(weak=False)
    value = np.asarray(value)
    return ArrayType(value.shape, value.dtype)


# -- the three transforms of a graph --------------------------------------------------------------


def pushforward_of(
    outputs: Callable[[list[Any]], Sequence[Any]], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[list[Any], list[Any | None]]:
    """The results of a function of operands and their tangents; None is zero, here and there."""
    with Scope("a pushforward", internal=True) as scope:
        inner = [
            p if t is None else variable(scope, p) for p, t in zip(primals, tangents, strict=True)
        ]
        nodes = [as_node(r) for r in outputs(inner)]
        seeds = {
            v.node: t for v, t in zip(inner, tangents, strict=True) if t is not None
        }  # fmt: skip
        dots = [
            _as_type(d, n) for d, n in zip(pushforward(nodes, seeds, scope), nodes, strict=True)
        ]
    return [outward(n) for n in nodes], [_outside(d) for d in dots]


def pullback_of(
    outputs: Callable[[list[Any]], Sequence[Any]],
    primals: Sequence[Any],
    cotangents: Sequence[Any | None],
    wanted: Sequence[bool],
    masked: bool = False,
) -> list[Any]:
    """The cotangents of the wanted operands of a function, zeros included."""
    with Scope("a pullback", internal=True) as scope:
        inner = [variable(scope, p) if w else p for p, w in zip(primals, wanted, strict=True)]
        nodes = [as_node(r) for r in outputs(inner)]
        seeds = [(n, c) for n, c in zip(nodes, cotangents, strict=True) if c is not None]
        targets = [v.node for v, w in zip(inner, wanted, strict=True) if w]
        found = pullback(seeds, targets, scope, masked)
        full = [
            zeros_for(t.type) if ct is None else ct for t, ct in zip(targets, found, strict=True)
        ]
    return [_outside(ct) for ct in full]


def _as_type(tangent: Any, node: Node) -> Any:
    """A tangent with the shape and dtype of its result, so that a loop can carry it."""
    if tangent is None:
        return None
    type_ = node.type
    if tangent.dtype != type_.dtype:
        tangent = tangent.astype(type_.dtype)
    return tangent if tangent.shape == type_.shape else np.broadcast_to(tangent, type_.shape)


def _outside(value: Any) -> Any:
    return outward(value.node) if isinstance(value, Tracer) else value


def joint_graph(graph: Graph, flags: Sequence[bool]) -> tuple[Graph, list[bool]]:
    """The graph and its pushforward as one graph, and which outputs have a tangent.

    Inputs: all primals, then the tangents of those with a flag.  Outputs: all primal outputs, then
    the tangents of all outputs, zeros where they have none.
    """
    types = input_types(graph)
    count = len(types)
    has: list[bool] = []

    def joint(operands: list[Any]) -> list[Any]:
        remaining = iter(operands[count:])
        tangents = [next(remaining) if f else None for f in flags]
        results, dots = pushforward_of(
            lambda inner: apply_graph(graph, inner), operands[:count], tangents
        )
        has[:] = [d is not None for d in dots]
        full = [
            zeros_for(t) if d is None else d for d, t in zip(dots, output_types(graph), strict=True)
        ]
        return [*results, *full]

    return build(types + [t for t, f in zip(types, flags, strict=True) if f], joint), has


def pullback_graph(
    graph: Graph, given: Sequence[bool], wanted: Sequence[bool], masked: bool = False
) -> Graph:
    """The pullback of a graph.

    Inputs: all primals, then the cotangents of the outputs that are given one.  Outputs: the
    cotangents of the wanted inputs.
    """
    types = input_types(graph)
    count = len(types)

    def pull(operands: list[Any]) -> list[Any]:
        remaining = iter(operands[count:])
        cotangents = [next(remaining) if g else None for g in given]
        return pullback_of(
            lambda inner: apply_graph(graph, inner), operands[:count], cotangents, wanted, masked
        )

    outputs = [t for t, g in zip(output_types(graph), given, strict=True) if g]
    return build(types + outputs, pull)


def batched_results(
    outputs: Callable[[list[Any]], Sequence[Any]],
    operands: Sequence[Any],
    batched: Sequence[bool],
    size: int,
) -> tuple[list[Any], list[bool]]:
    """The results of a function for all examples, and which of them differ between examples."""
    with Scope("a batch", abstract=_REASON, internal=True) as scope:
        inner = [_example(scope, o) if b else o for o, b in zip(operands, batched, strict=True)]
        values = {v.node: o for v, o, b in zip(inner, operands, batched, strict=True) if b}
        nodes = [as_node(r) for r in outputs(inner)]
        vary = [scope in n.scopes.members for n in nodes]
        found = iter(batch([n for n, v in zip(nodes, vary, strict=True) if v], values, size, scope))
        results = [next(found) if v else n for n, v in zip(nodes, vary, strict=True)]
    return [outward(r) if isinstance(r, Node) else _outside(r) for r in results], vary


def _example(scope: Scope, operand: Any) -> Tracer:
    type_ = type_of_operand(operand)
    return variable(scope, None, ArrayType(type_.shape[1:], type_.dtype))


def batched_graph(
    graph: Graph, batched: Sequence[bool], size: int, forced: Sequence[bool]
) -> tuple[Graph, list[bool]]:
    """The graph for all examples, and which outputs have a batch axis (at least the forced)."""
    types = [
        ArrayType((size, *t.shape), t.dtype) if b else t
        for t, b in zip(input_types(graph), batched, strict=True)
    ]
    flags: list[bool] = []

    def all_examples(operands: list[Any]) -> list[Any]:
        results, vary = batched_results(
            lambda inner: apply_graph(graph, inner), operands, batched, size
        )
        flags[:] = [v or f for v, f in zip(vary, forced, strict=True)]
        return [
            np.broadcast_to(r, (size, *np.shape(r))) if f and not v else r
            for r, v, f in zip(results, vary, flags, strict=True)
        ]

    return build(types, all_examples), flags
