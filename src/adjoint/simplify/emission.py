"""Nodes made from expressions, without values: only what is simplified has to be computed."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import PROJECTION, as_tracer, constant
from adjoint.graph.ir import NO_PARAMS, Node
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.scope import NO_SCOPES
from adjoint.graph.tracer import wrap
from adjoint.primitives.contraction import RECOGNISERS, Sizes, contract, parse
from adjoint.simplify.expression import Apply, Labels, Symbol

_FLOAT = np.dtype(np.float64)


class OnNodes:
    """The operations of expressions, on nodes.

    The shape of a result is known from its expression, and types are seldom mixed, so a node costs
    no call of NumPy.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[type, Any], Node] = {}

    def outside(self, e: Symbol) -> Node:
        return e.origin if isinstance(e.origin, Node) else constant(e.value)

    def number(self, value: Any, shape: Labels) -> Node:
        if shape:
            return constant(np.broadcast_to(1.0 * value, shape))
        key = type(value), str(value)  # −0.0 is not 0.0
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = constant(value)
        return found

    def add(self, a: Node, b: Node) -> Node:
        return self._elementwise("add", (a, b))

    def subtract(self, a: Node, b: Node) -> Node:
        return self._elementwise("subtract", (a, b))

    def multiply(self, a: Node, b: Node) -> Node:
        return self._elementwise("multiply", (a, b))

    def divide(self, a: Node, b: Node) -> Node:
        return self._elementwise("divide", (a, b))

    def negative(self, a: Node) -> Node:
        return self._elementwise("negative", (a,))

    def sqrt(self, a: Node) -> Node:
        return self._elementwise("sqrt", (a,))

    def power(self, a: Node, b: Node) -> Node:
        return as_tracer(operator.pow(wrap(a), wrap(b))).node

    def contract(self, subscripts: str, operands: list[Node], sizes: Sizes) -> Node:
        if RECOGNISERS:
            return as_tracer(contract(subscripts, *map(wrap, operands), sizes=sizes)).node
        params: dict[str, Any] = {"subscripts": subscripts}
        if sizes:
            params["sizes"] = sizes
        shape = _shape(subscripts, tuple([n.type.shape for n in operands]), sizes)
        return self._node(PRIMITIVES["einsum"], tuple(operands), shape, params)

    def apply(self, e: Apply, args: list[Any]) -> Any:
        if e.primitive is PROJECTION:
            return args[0][e.params["index"]]
        made = e.primitive(*map(wrap, args), **e.params)
        if e.primitive.multiple_results:
            return tuple([as_tracer(part).node for part in made])
        return as_tracer(made).node

    def _elementwise(self, name: str, inputs: tuple[Node, ...]) -> Node:
        # Terms of a sum and factors of such a product have one shape, or are numbers.
        shape = inputs[0].type.shape or inputs[-1].type.shape
        return self._node(PRIMITIVES[name], inputs, shape, NO_PARAMS)

    def _node(
        self, primitive: Primitive, inputs: tuple[Node, ...], shape: Labels, params: dict[str, Any]
    ) -> Node:
        scopes = NO_SCOPES
        for n in inputs:
            if n.scopes is not scopes:
                scopes = scopes.union(n.scopes)
        if scopes is NO_SCOPES:  # numbers only
            return as_tracer(primitive(*[n.value for n in inputs], **params)).node
        dtype = _common(inputs)
        if dtype is None:
            type_ = primitive.infer(*[n.type for n in inputs], **params)
        else:
            type_ = ArrayType(shape, dtype)
        return Node(primitive, inputs, params, None, scopes, inputs[0].site, type_)


@lru_cache(maxsize=1024)
def _shape(subscripts: str, shapes: tuple[Labels, ...], sizes: Sizes) -> Labels:
    """The shape of a contraction."""
    terms, result = parse(subscripts)
    extents = dict(sizes)
    for term, shape in zip(terms, shapes, strict=True):
        extents |= zip(term, shape, strict=True)
    return tuple([extents[i] for i in result])


def _common(inputs: Sequence[Node]) -> np.dtype[Any] | None:
    """The float type of operands that all have one, Python numbers aside; None for others."""
    found = weak = None
    for n in inputs:
        type_ = n.type
        dtype = type_.dtype
        if type_.weak:
            weak = dtype if weak is None or dtype.kind == "f" else weak
        elif dtype.kind != "f" or (found is not None and dtype != found):
            return None
        else:
            found = dtype
    if found is None:
        return weak if weak == _FLOAT else None
    return found
