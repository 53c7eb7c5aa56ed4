"""Nodes and graphs.

A node is the application of a primitive to other nodes.  Nodes are immutable and numbered in the
order in which they are made, so the number is a topological order, and no walk over a graph needs
recursion, however deep the graph is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from adjoint.graph.arraytype import ArrayType, type_of
from adjoint.graph.scope import NO_SCOPES, Scope, ScopeSet

if TYPE_CHECKING:
    from adjoint.graph.primitive import Primitive
    from adjoint.graph.sites import Site

next_serial = count().__next__

NO_PARAMS: dict[str, Any] = {}


class Node:
    """One value of a computation.

    ``value`` is the concrete NumPy value, a tuple of them for a primitive with several results, or
    None where the value is not known (the body of a `vmap` or a `scan`).
    """

    __slots__ = (
        "__weakref__",
        "_type",
        "inputs",
        "params",
        "primitive",
        "scopes",
        "serial",
        "site",
        "value",
    )

    def __init__(
        self,
        primitive: Primitive,
        inputs: tuple[Node, ...],
        params: dict[str, Any],
        value: Any,
        scopes: ScopeSet,
        site: Site | None,
        type_: Any = None,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.value = value
        self.scopes = scopes
        self.site = site
        self._type = type_
        self.serial = next_serial()

    @property
    def type(self) -> ArrayType:
        """Shape and dtype; for several results use `types`."""
        found: ArrayType | None = self._type
        if found is None:
            found = self._type = type_of(self.value)
        return found

    @property
    def types(self) -> tuple[ArrayType, ...]:
        """The types of all results of a primitive with several."""
        if self._type is None:
            self._type = tuple(type_of(v) for v in self.value)
        result: tuple[ArrayType, ...] = self._type
        return result

    @property
    def result_type(self) -> Any:
        """`types` where there are several results, else `type`."""
        return self.types if self.primitive.multiple_results else self.type

    def __repr__(self) -> str:
        inputs = ", ".join(f"%{n.serial}" for n in self.inputs)
        return f"%{self.serial} = {self.primitive.name}({inputs})"


class Constant(Node):
    """A value that comes from outside; ``source`` is the user's own array, if it was one."""

    __slots__ = ("source",)

    source: Any


def reachable(outputs: Iterable[Node], scope: Scope) -> list[Node]:
    """Every node that the outputs need and that depends on the scope, in topological order."""
    seen: set[Node] = set()
    stack = [n for n in outputs if scope in n.scopes.members]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        for parent in node.inputs:
            if scope in parent.scopes.members and parent not in seen:
                stack.append(parent)
    return sorted(seen, key=_serial)


def _serial(node: Node) -> int:
    return node.serial


class Graph:
    """A function as a graph: inputs, outputs, and the nodes between them in topological order.

    ``captured`` are the nodes used inside that do not depend on the inputs' scope: constants and
    values of enclosing transforms.  Both are found when they are asked for.
    """

    __slots__ = ("__weakref__", "_captured", "_nodes", "inputs", "outputs", "scope")

    def __init__(self, scope: Scope, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.scope = scope
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self._nodes: tuple[Node, ...] | None = None
        self._captured: tuple[Node, ...] | None = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        if self._nodes is None:
            own = set(self.inputs)
            self._nodes = tuple([n for n in reachable(self.outputs, self.scope) if n not in own])
        return self._nodes

    @property
    def captured(self) -> tuple[Node, ...]:
        if self._captured is None:
            used = [parent for node in self.nodes for parent in node.inputs]
            outside = [n for n in (*used, *self.outputs) if self.scope not in n.scopes.members]
            self._captured = tuple(dict.fromkeys(outside))
        return self._captured

    def __repr__(self) -> str:
        from adjoint.graph.text import format_graph

        return format_graph(self)


__all__ = ["NO_PARAMS", "NO_SCOPES", "Constant", "Graph", "Node", "next_serial", "reachable"]
