"""How a vector g depends on the eigenvalues w, read from the graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION, VARIABLE, outward
from adjoint.graph.ir import Constant, Node
from adjoint.graph.tracer import Tracer, wrap
from adjoint.primitives.scalar import Elementwise

_SAME_SHAPE = ("reshape", "getitem", "convert", "conjugate", "real", "variable")


def stands_for(node: Node) -> Node:
    """The node behind the variables under which closed transforms hand their values on."""
    while node.primitive is VARIABLE and node.inputs and not _own_scope(node):
        node = node.inputs[0]
    return node


def alive(node: Node) -> Any:
    """A node as an operand, also where a transform inside has closed."""
    return outward(node) if node.scopes.dead else wrap(node)


def _own_scope(node: Node) -> bool:
    """Whether a variable is one that some transform around differentiates."""
    return not node.scopes.members <= node.inputs[0].scopes.members


def _is_same(node: Node, target: Node) -> bool:
    """Whether two nodes are the same result of the same decomposition."""
    if node is target:
        return True
    return (
        node.primitive is PROJECTION
        and target.primitive is PROJECTION
        and node.inputs[0] is target.inputs[0]
        and node.params == target.params
    )


def _between(g: Node, w: Node) -> list[Node]:
    """The ancestors of g up to w, in topological order."""
    first = w.inputs[0].serial if w.primitive is PROJECTION else w.serial
    seen: set[Node] = set()
    stack = [g]
    while stack:
        node = stack.pop()
        if node in seen or node.serial < first:
            continue
        seen.add(node)
        if not _is_same(node, w):
            stack.extend(node.inputs)
    return sorted(seen, key=lambda n: n.serial)


def _is_constant(node: Node) -> bool:
    """Whether a node is an array or a number from outside, also where such arrays are inputs."""
    return isinstance(node, Constant) or not node.scopes.members


def depends_only_on(g: Any, w: Any) -> bool:
    """Whether g is made of w and constants alone."""
    if not isinstance(g, Tracer) or not isinstance(w, Tracer):
        return False
    target = stands_for(w.node)
    known: set[Node] = set()
    for node in _between(g.node, target):
        if _is_same(node, target) or _is_constant(node):
            known.add(node)
        elif node.inputs and not (node.primitive is VARIABLE and _own_scope(node)):
            made_of_known = all(n in known or _is_constant(n) for n in node.inputs)
            known.update((node,) if made_of_known else ())
    return g.node in known


def slope(g: Any, w: Any) -> Any:
    """∂g_i/∂w_i along the elementwise path from w to g, or None if there is another kind of path.

    Numbers that g shares (a normalising sum) are held fixed: they are symmetric functions of the
    eigenvalues, so they do not tell equal ones apart.
    """
    if not isinstance(g, Tracer) or not isinstance(w, Tracer):
        return np.zeros(np.shape(g), g.dtype)
    target = stands_for(w.node)
    dots: dict[Node, Any] = {}
    seen: set[Node] = set()
    for node in _between(g.node, target):
        if _is_same(node, target):
            dots[node] = np.ones(target.type.shape, target.type.dtype)
            seen.add(node)
        if node in seen or not seen.intersection(node.inputs):
            continue
        if node.primitive is VARIABLE and _own_scope(node):
            return None
        seen.add(node)
        if not any(n in dots for n in node.inputs) or node.primitive.flat:
            continue
        if not node.primitive.multiple_results and not _is_long(node):
            continue
        dot = _pushed(node, dots)
        if dot is None:
            return None
        dots[node] = dot
    found = dots.get(g.node)
    if found is None:
        return np.zeros(g.shape, g.dtype)
    return found if found.dtype == g.dtype else found.astype(g.dtype)


def _is_long(node: Node) -> bool:
    return bool(node.type.shape) and max(node.type.shape) > 1


def _pushed(node: Node, dots: dict[Node, Any]) -> Any:
    primitive, inputs = node.primitive, node.inputs
    if isinstance(primitive, Elementwise):
        operands = tuple(map(alive, inputs))
        return primitive.jvp(alive(node), operands, tuple(dots.get(n) for n in inputs))
    if primitive.name in _SAME_SHAPE:
        return (
            dots[inputs[0]]
            if primitive is VARIABLE
            else primitive(dots[inputs[0]], *map(alive, inputs[1:]), **node.params)
        )
    if primitive.jointly_linear and primitive.name in ("where", "stack", "concatenate"):
        return primitive(
            *(_part(primitive, i, n, dots) for i, n in enumerate(inputs)), **node.params
        )
    return None


def _part(primitive: Any, position: int, node: Node, dots: dict[Node, Any]) -> Any:
    if not primitive.is_linear_in(position):
        return alive(node)
    found = dots.get(node)
    return np.zeros(node.type.shape, node.type.dtype) if found is None else found
