"""Calling a user's function on variables: what every public transform does first."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentError, DtypeError, ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.binding import constant, lifted, outward, variable
from adjoint.graph.containers import flatten, numeric_leaf, unflatten
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.typecheck import after_transform


class Variables:
    """The leaves of one argument as fresh variables of a scope."""

    __slots__ = ("nodes", "structure", "tree")

    def __init__(self, scope: Scope, argument: Any, called: str, what: str) -> None:
        leaves, self.structure = flatten(argument)
        if argument is None:
            leaves = [argument]  # an empty container has no derivatives; None is a mistake
        traced = [variable(scope, differentiable(leaf, called, what)) for leaf in leaves]
        self.nodes: list[Node] = [t.node for t in traced]
        self.tree = unflatten(self.structure, traced)


def differentiable(leaf: Any, called: str, what: str) -> Any:
    """A leaf that can be differentiated: integers become float64; plain arrays are copied, since
    the user may write to them before the derivative is evaluated."""
    if type(leaf) is float:
        return np.float64(leaf)
    operand = numeric_leaf(leaf, called, what)
    if isinstance(operand, Tracer):
        return operand if operand.dtype.kind in "fc" else operand.astype(np.float64)
    value = np.array(operand)
    if value.dtype.kind in "iub":
        value = value.astype(np.float64)
    return value[()]


def require_callable(f: Any, called: str) -> None:
    """Raises unless f can be called."""
    if not callable(f):
        raise ArgumentError(
            f"{called} needs a function; got {describe(f)}.",
            hint=f"use {called.split('(')[0]}(lambda x: ..., ...).",
        )


class Outputs:
    """What a traced function returned: its leaves as nodes, and its structure."""

    __slots__ = ("nodes", "structure")

    def __init__(self, result: Any, called: str) -> None:
        if result is None:
            raise ArgumentError(
                f"{called} needs f to return a value; it returned None.",
                hint="add a return statement to f.",
            )
        leaves, self.structure = flatten(result)
        self.nodes = [node_of(leaf, called) for leaf in leaves]
        after_transform("tracing", self.nodes)

    def tree(self, leaves: list[Any]) -> Any:
        return unflatten(self.structure, leaves)


def node_of(leaf: Any, called: str) -> Node:
    """A returned leaf as a node; arrays of traced numbers are stacked."""
    operand = numeric_leaf(leaf, called, "the result of f")
    if isinstance(operand, Tracer):
        return operand.node
    return constant(np.asarray(operand)[()])


def result_value(node: Node) -> Any:
    """A result for the caller: never an array that a kept graph also reads."""
    value = outward(node)
    if isinstance(value, np.ndarray) and not value.shape:
        return value[()]
    if isinstance(value, np.ndarray) and value.flags.writeable:
        return value.copy()
    return value


def zeros_for(type_: ArrayType) -> Any:
    """A zero of this type, as NumPy would return it."""
    return np.zeros(type_.shape, type_.dtype)[()]


def matching(value: Any, type_: ArrayType, called: str, what: str) -> Any:
    """A tangent or cotangent as an operand of exactly this shape."""
    operand = numeric_leaf(value, called, what)
    if not isinstance(operand, Tracer):
        operand = np.asarray(operand)[()]
    if operand.shape != type_.shape:
        raise ShapeMismatchError(f"{called} needs {what} of type {type_}; got {describe(operand)}.")
    if operand.dtype == type_.dtype:
        return lifted(operand)
    if operand.dtype.kind == "c" and type_.dtype.kind != "c":
        raise DtypeError(f"{called} needs {what} of type {type_}; got {describe(operand)}.")
    return lifted(operand.astype(type_.dtype))
