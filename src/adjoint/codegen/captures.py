"""Arrays that the bodies of loops and branches hold become operands of the loop.

A body has its arrays as inputs, except those that rules of a transform made: the zeros that a
cotangent is added to, an order of axes as an index array.  As captured operands they too are read
where every other array is, by native loops and by NumPy alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.binding import VARIABLE
from adjoint.graph.ir import NO_PARAMS, Constant, Graph, Node
from adjoint.graph.scope import Scope

Params = dict[str, Any]

GRAPHS: dict[str, tuple[str, ...]] = {
    "scan": ("body",),
    "while_loop": ("condition", "body"),
    "while_pullback": ("condition", "body", "backward"),
    "cond": ("branches",),
    "checkpoint": ("body",),
}
"""The parameters of each control operation that are graphs."""


def graphs(kind: str, params: Params) -> list[Graph]:
    """The graphs of a control operation, in the order of `GRAPHS`."""
    found: list[Graph] = []
    for name in GRAPHS[kind]:
        found += params[name] if name == "branches" else [params[name]]
    return found


def live_array(node: Node) -> Any:
    """The array that a constant is read from at every call; None for a number.

    That is the user's own array.  If the traced function has written to it since, then it is a
    buffer of that function, and what was read from it is kept instead.
    """
    value = node.value
    source = node.source if isinstance(node, Constant) else value
    if not isinstance(value, np.ndarray):
        return None
    if isinstance(source, np.ndarray) and source.shape == value.shape:
        same = source is value or _bytes_equal(source, value)
        if same and (source.ndim or source.flags.writeable):
            return source
    return value if value.ndim else None


def _bytes_equal(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def with_captures(
    kind: str, inputs: tuple[Node, ...], params: Params
) -> tuple[tuple[Node, ...], Params]:
    """The operands and parameters of a control operation whose graphs hold no arrays."""
    params = _changed(kind, params, with_custom_functions)
    held: dict[Node, None] = {}
    for graph in graphs(kind, params):
        held.update(_held(graph))
    if not held:
        return inputs, params
    arrays = tuple(held)
    made = _changed(kind, params, lambda graph: _with_inputs(graph, arrays))
    return _PLACED[kind](arrays, inputs, made)


def _changed(kind: str, params: Params, change: Callable[[Graph], Graph]) -> Params:
    """The parameters of a control operation with other graphs."""
    made = dict(params)
    for name in GRAPHS[kind]:
        given = params[name]
        made[name] = tuple(map(change, given)) if name == "branches" else change(given)
    return made


def _held(graph: Graph) -> dict[Node, None]:
    """The constants of a graph, and of the graphs in it, that are arrays."""
    given = set(graph.inputs)  # a float array that is captured is an input already
    found = dict.fromkeys(n for n in graph.captured if n not in given and live_array(n) is not None)
    for node in graph.nodes:
        if node.primitive.name in GRAPHS:
            for inner in _bodies(node):
                found.update((n, None) for n in _held(inner) if n not in given)
    return found


def _with_inputs(graph: Graph, arrays: tuple[Node, ...]) -> Graph:
    """The same graph with these constants as its first inputs."""
    with Scope("compile(f)", internal=True) as scope:
        copies: dict[Node, Node] = {
            n: Node(VARIABLE, (), NO_PARAMS, None, scope.only, None, n.type._replace(weak=False))
            for n in (*arrays, *graph.inputs)
        }
        for n in graph.nodes:
            inputs, params = n.inputs, n.params
            if n.primitive.name in GRAPHS:
                inputs, params = with_captures(n.primitive.name, inputs, params)
            inputs = tuple(copies.get(i, i) for i in inputs)
            copies[n] = Node(n.primitive, inputs, params, None, scope.only, n.site, n.result_type)
        outputs = [copies.get(n, n) for n in graph.outputs]
        return Graph(scope, [copies[n] for n in (*arrays, *graph.inputs)], outputs)


# -- functions with derivatives of their own ------------------------------------------------------


def plain_graph(node: Node) -> Graph | None:
    """A function with a derivative of its own as a graph; None if it has to be called.

    Its rules have done their work when code is made, so if it is plain NumPy, and decides nothing
    by values, it is compiled like everything around it.
    """
    graph: Graph | None = node.params["rules"].graph(tuple(n.type for n in node.inputs))
    if graph is None or not all(isinstance(n, Constant) for n in graph.captured):
        return None
    same = [n.type[:2] for n in graph.outputs] == [t[:2] for t in node.types]
    return graph if same else None


def with_custom_functions(graph: Graph) -> Graph:
    """The same graph with the operations of custom functions in place of their calls."""
    if not _has_custom(graph):
        return graph
    with Scope("compile(f)", internal=True) as scope:
        copies: dict[Node, Node] = {
            n: Node(VARIABLE, (), NO_PARAMS, None, scope.only, None, n.type._replace(weak=False))
            for n in graph.inputs
        }
        _copy(graph, copies, {}, scope)
        outputs = [copies.get(n, n) for n in graph.outputs]
        return Graph(scope, [copies[n] for n in graph.inputs], outputs)


def _has_custom(graph: Graph) -> bool:
    return any(
        n.primitive.name == "custom_derivative"
        or (n.primitive.name in GRAPHS and any(map(_has_custom, _bodies(n))))
        for n in graph.nodes
    )


def _bodies(node: Node) -> list[Graph]:
    return graphs(node.primitive.name, node.params)


def _copy(
    graph: Graph, copies: dict[Node, Node], results: dict[Node, list[Node]], scope: Scope
) -> None:
    for n in graph.nodes:
        params = n.params
        inputs = tuple(copies.get(i, i) for i in n.inputs)
        if n.primitive.name == "projection" and n.inputs[0] in results:
            copies[n] = results[n.inputs[0]][params["index"]]
            continue
        inner = plain_graph(n) if n.primitive.name == "custom_derivative" else None
        if inner is not None:
            copies.update(zip(inner.inputs, inputs, strict=True))
            _copy(inner, copies, results, scope)
            results[n] = [copies.get(o, o) for o in inner.outputs]
            continue
        if n.primitive.name in GRAPHS:
            params = _changed(n.primitive.name, params, with_custom_functions)
        copies[n] = Node(n.primitive, inputs, params, None, scope.only, n.site, n.result_type)


# -- where captured operands stand ----------------------------------------------------------------

_Placed = tuple[tuple[Node, ...], Params]


def _first(arrays: tuple[Node, ...], inputs: tuple[Node, ...], params: Params) -> _Placed:
    return (*arrays, *inputs), params


def _of_scan(arrays: tuple[Node, ...], inputs: tuple[Node, ...], params: Params) -> _Placed:
    return (*arrays, *inputs), params | {"captured": params["captured"] + len(arrays)}


def _of_cond(arrays: tuple[Node, ...], inputs: tuple[Node, ...], params: Params) -> _Placed:
    return (inputs[0], *arrays, *inputs[1:]), params


def _of_while(arrays: tuple[Node, ...], inputs: tuple[Node, ...], params: Params) -> _Placed:
    tests, count = params["tests"], len(arrays)
    made = params | {"tests": tests + count, "captured": params["captured"] + count}
    if "summed" in params:
        made["summed"] = (*[False] * count, *params["summed"])
    return (*arrays, *inputs[:tests], *arrays, *inputs[tests:]), made


_PLACED: dict[str, Callable[[tuple[Node, ...], tuple[Node, ...], Params], _Placed]] = {
    "scan": _of_scan,
    "while_loop": _of_while,
    "while_pullback": _of_while,
    "cond": _of_cond,
    "checkpoint": _first,
}
