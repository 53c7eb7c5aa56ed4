"""What every transform of a graph shares: how the nodes it does not change appear to its rules."""

from __future__ import annotations

from typing import Any

from adjoint.graph.binding import outward, projections
from adjoint.graph.ir import Node
from adjoint.graph.primitive import Hole
from adjoint.graph.scope import NO_SCOPES, Scope, ScopeSet
from adjoint.graph.tracer import wrap


class Operands:
    """Nodes as operands of rules, seen from outside one scope.

    A node on which nothing alive outside the scope depends is its plain value: rules then run as
    NumPy and record nothing.  Other nodes are traced values, so that the rules' results can be
    differentiated, batched or compiled by the transforms around this one.
    """

    __slots__ = ("_plain", "cache", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._plain: dict[ScopeSet, bool] = {NO_SCOPES: True, scope.only: True}
        self.cache: dict[Node, Any] = {}

    def __call__(self, node: Node) -> Any:
        scopes = node.scopes
        plain = self._plain.get(scopes)
        if plain is None:
            plain = all(s.closed or s is self.scope for s in scopes.members)
            self._plain[scopes] = plain
        if plain:
            value = node.value
            # Without a value it is the unknown of a linear map, which no rule may read.
            return Hole(node.result_type) if value is None else value
        if node.primitive.multiple_results:
            parts = projections(node)
            return tuple(outward(p.node) for p in parts) if scopes.dead else parts
        if not scopes.dead:
            return wrap(node)
        found = self.cache.get(node)
        if found is None:
            found = self.cache[node] = outward(node)
        return found
