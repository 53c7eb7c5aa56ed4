"""Tracing what a user gives to `scan`, `while_loop` and `cond`, once, for unknown values.

A loop carries values from one step to the next, so what comes out of its body has to be of the type
that goes in.  Python numbers and integers at the start take on the type that the body returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.errors import ArgumentError, DtypeError, ShapeMismatchError, StructureError
from adjoint.graph.arraytype import ArrayType, describe, type_of
from adjoint.graph.binding import PYTHON_NUMBERS, constant
from adjoint.graph.containers import (
    Structure,
    describe_structure,
    flatten,
    leaf_names,
    numeric_leaf,
    unflatten,
)
from adjoint.graph.ir import Graph, Node
from adjoint.graph.scope import Scope
from adjoint.graph.sites import describe_site
from adjoint.graph.tracer import Tracer
from adjoint.primitives.control.body import as_node, close_over, unknowns

_KINDS = "buifc"
"""Booleans, integers, floats, complex numbers: a carry may only go up."""


class Leaves:
    """A container as operands: its leaves, their types and how they were nested."""

    __slots__ = ("names", "structure", "types", "values")

    def __init__(self, tree: Any, called: str, what: str) -> None:
        leaves, self.structure = flatten(tree)
        self.values = [numeric_leaf(leaf, called, what) for leaf in leaves]
        self.values = [
            np.asarray(v)[()] if isinstance(v, np.ndarray | list | tuple) else v
            for v in self.values
        ]
        self.types = [v.node.type if isinstance(v, Tracer) else type_of(v) for v in self.values]
        self.names = [f"{what}{n}" for n in leaf_names(self.structure, len(leaves))]

    def tree(self, leaves: Sequence[Any]) -> Any:
        return unflatten(self.structure, leaves)

    def converted(self, types: Sequence[ArrayType]) -> list[Any]:
        """The operands with exactly these dtypes."""
        return [convert_to(v, t.dtype) for v, t in zip(self.values, types, strict=True)]


def convert_to(value: Any, dtype: np.dtype[Any]) -> Any:
    """A plain or traced operand with this dtype, as NumPy has it."""
    if isinstance(value, Tracer):
        return value if value.dtype == dtype else value.astype(dtype)
    return np.asarray(value).astype(dtype, copy=False)[()]


def result_leaves(result: Any, called: str, who: str) -> tuple[list[Any], Structure]:
    """What a body returned, as operands."""
    leaves, structure = flatten(result)
    return [numeric_leaf(leaf, called, f"the result of {who}") for leaf in leaves], structure


def carry_nodes(
    carry: Leaves, types: Sequence[ArrayType], leaves: Sequence[Any], structure: Structure,
    called: str, who: str,
) -> tuple[list[Node], list[ArrayType]]:  # fmt: skip
    """The returned carry as nodes, and the types with which the loop has to start for them."""
    if structure != carry.structure:
        raise StructureError(
            f"{called} needs {who} to return a carry nested like init.",
            where=f"init: {describe_structure(carry.structure)}\n"
            f"returned: {describe_structure(structure)}",
        )
    nodes, needed = [], []
    for name, type_, leaf in zip(carry.names, types, leaves, strict=True):
        if not isinstance(leaf, Tracer) and _fits(leaf, type_):
            leaf = convert_to(leaf, type_.dtype)
        node = as_node(leaf)
        nodes.append(node)
        needed.append(_needed_type(name, type_, node, called, who))
    return nodes, needed


def _fits(number: Any, type_: ArrayType) -> bool:
    """Whether a Python number stays what it is with this type."""
    kind = type_of(number)
    return kind.weak and _KINDS.index(kind.dtype.kind) <= _KINDS.index(type_.dtype.kind)


def _needed_type(name: str, type_: ArrayType, node: Node, called: str, who: str) -> ArrayType:
    got = node.type
    if got.shape == type_.shape:
        if got.dtype == type_.dtype:
            return type_._replace(weak=False)
        rises = _KINDS.index(got.dtype.kind) >= _KINDS.index(type_.dtype.kind)
        exact = type_.dtype.kind in "iub" and np.result_type(type_.dtype, got.dtype) == got.dtype
        if rises and (type_.weak or exact):
            return got._replace(weak=False)
    error = DtypeError if got.shape == type_.shape else ShapeMismatchError
    way_out = (
        f"start from an init of {got.dtype}, or return ….astype(np.{type_.dtype})."
        if error is DtypeError
        else f"start from an init of shape {got.shape}, or return one of shape {type_.shape}."
    )
    raise error(
        f"{called} needs {who} to return the types it is given; {name} is {type_} going in and "
        f"{got} coming out.",
        where=describe_site(node.site),
        hint=way_out,
    )


Close = Callable[[Sequence[Node]], tuple[Graph, list[Node]]]
"""From the outputs of a body to its graph and what it captures."""


def open_body(scope: Scope, types: Sequence[ArrayType]) -> tuple[list[Tracer], Close]:
    """Fresh variables, and how to close the body over them.

    A body may write to its arguments, so what they stand for at the start is noted here.
    """
    variables = unknowns(scope, types)
    nodes = [v.node for v in variables]
    return variables, lambda outputs: close_over(scope, nodes, outputs)


def settle(
    trace: Callable[[list[Tracer], Close, list[ArrayType]], tuple[Any, list[ArrayType]]],
    scope: Callable[[], Scope],
    carry: Sequence[ArrayType],
    others: Sequence[ArrayType],
) -> tuple[Any, list[ArrayType]]:
    """Traces a body until the carry that it returns has the types that it was given.

    Each round may only go up from Python numbers to a dtype, from integers to floats and from those
    to complex numbers, so there are few.
    """
    types = list(carry)
    while True:
        with scope() as opened:
            variables, close = open_body(opened, [*types, *others])
            result, needed = trace(variables, close, types)
        if needed == types:
            return result, types
        types = needed


def pair(result: Any, called: str) -> tuple[Any, Any]:
    """``(carry, y)`` as the body of a scan returned it."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentError(
            f"{called} needs f to return (carry, y); it returned {describe(result)}.",
            hint="return carry, None   # where no y is collected",
        )
    return result


# -- branches -------------------------------------------------------------------------------------


def predicate(value: Any, called: str, what: str) -> Any:
    """One boolean, plain or traced."""
    operand = numeric_leaf(value, called, what) if not isinstance(value, list | tuple) else value
    type_ = operand.node.type if isinstance(operand, Tracer) else _type_or_none(operand)
    if type_ is None or type_.shape or type_.dtype.kind not in "bui":
        raise ArgumentError(
            f"{called} needs {what} to be one boolean; got {describe(operand)}.",
            hint="compare, and use np.any(...) or np.all(...) of an array of comparisons.",
        )
    return operand


def _type_or_none(value: Any) -> ArrayType | None:
    return None if isinstance(value, list | tuple) else type_of(value)


class BranchResult:
    """What a branch returned: nodes, and which of them were Python numbers."""

    __slots__ = ("names", "nodes", "structure", "who")

    def __init__(self, result: Any, called: str, f: Any) -> None:
        self.who = getattr(f, "__name__", "a branch")
        leaves, self.structure = result_leaves(result, called, self.who)
        self.nodes = [
            constant(leaf) if type(leaf) in PYTHON_NUMBERS else as_node(leaf) for leaf in leaves
        ]
        self.names = leaf_names(self.structure, len(leaves))


def same_results(first: BranchResult, second: BranchResult, called: str) -> None:
    """Raises unless two branches return the same types; Python numbers take on the other's."""
    if first.structure != second.structure:
        raise StructureError(
            f"{called} needs both functions to return results nested alike.",
            where=f"true_fun: {first.structure or 'one array'}\n"
            f"false_fun: {second.structure or 'one array'}",
        )
    for i, (a, b) in enumerate(zip(first.nodes, second.nodes, strict=True)):
        if a.type.weak != b.type.weak:
            weak, other = (first, b) if a.type.weak else (second, a)
            if _fits(weak.nodes[i].value, other.type):
                weak.nodes[i] = as_node(convert_to(weak.nodes[i].value, other.type.dtype))
        first.nodes[i], second.nodes[i] = map(_strong, (first.nodes[i], second.nodes[i]))
        a, b = first.nodes[i], second.nodes[i]
        if (a.type.shape, a.type.dtype) != (b.type.shape, b.type.dtype):
            place = first.names[i] and f"at {first.names[i]}, "
            raise ShapeMismatchError(
                f"{called} needs both functions to return the same types; {place}true_fun returns "
                f"{a.type} and false_fun {b.type}.",
                where="\n".join(filter(None, map(describe_site, (a.site, b.site)))),
                hint="convert in one of them: np.broadcast_to(y, shape), y.astype(dtype).",
            )


def _strong(node: Node) -> Node:
    return as_node(node.value) if node.type.weak and node.value is not None else node
