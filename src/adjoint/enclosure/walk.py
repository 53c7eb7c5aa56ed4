"""The walk: every node of a graph on intervals, for many pieces at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.enclosure import control, elementary, linear_algebra, special, structural
from adjoint.enclosure.interval import Interval, align, exactly, square
from adjoint.enclosure.refusals import Refusals, no_row
from adjoint.errors import MissingRuleError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Constant, Graph, Node, reachable
from adjoint.graph.scope import Scope
from adjoint.graph.sites import describe_site

_SHORT = 2.0**32
_CONSTANT_ULPS = 4.0


def evaluate(
    value: Sequence[Node],
    derivatives: Sequence[Node],
    given: Mapping[Node, Interval],
    pieces: int,
    scope: Scope,
    decisions: Sequence[tuple[Node, Any]] = (),
) -> tuple[list[Interval], Any]:
    """Enclosures of derivatives of a function, and on which pieces they hold.

    Parameters
    ----------
    value: the value of the function, whose nodes say where it is smooth.
    derivatives: the nodes wanted, real-valued, made from those of the value.
    given: an interval for each variable of the scope, of shape ``(pieces, *shape)``.
    decisions: nodes that Python code branched on, and the values that it saw.

    Returns
    -------
    One interval per derivative, with the pieces first, and a flag per piece.  Where it is set, the
    function is defined and smooth on the piece, every decision is the same at each of its points,
    and the derivatives at all of them lie in the intervals.

    Notes
    -----
    The cost is that of evaluating the graph with NumPy, about ten times, however many pieces there
    are.  Constants that are no short binary fractions are widened: the graph's 0.1 stands for the
    decimal number and for the double.

    Raises
    ------
    MissingRuleError: a primitive has no enclosure.
    """
    run = Refusals(pieces)
    walk = _Walk(run, dict(given), scope)
    with np.errstate(all="ignore"):
        for node in reachable([*value, *(n for n, _ in decisions)], scope):
            walk.visit(node)
        run.own = False
        for node in reachable(derivatives, scope):
            walk.visit(node)
        found = [walk.of(n) for n in derivatives]
        for node, value in decisions:
            _require_decision(run, walk.of(node), value)
    return found, ~run.flags


del linear_algebra  # its rows are among those of `structural`


class _Walk:
    """The intervals of the nodes seen so far."""

    def __init__(self, run: Refusals, known: dict[Node, Any], scope: Scope) -> None:
        self.run, self.known, self.scope = run, known, scope

    def visit(self, node: Node) -> None:
        """Computes the interval of a node from those of its inputs."""
        if node in self.known or isinstance(node, Constant):
            return  # an array that the function closes over has a scope where calls are recorded
        if node.primitive is VARIABLE and node.inputs:
            self.known[node] = self.of(node.inputs[0])
        elif node.primitive is PROJECTION:
            self.known[node] = self.of(node.inputs[0])[node.params["index"]]
        else:
            self.known[node] = self._apply(node)

    def of(self, node: Node) -> Any:
        """The interval of a node, which may be a constant."""
        found = self.known.get(node)
        if found is None:
            found = self.known[node] = constant(_constant_value(node))
        return found

    def graph(self, graph: Graph, operands: Sequence[Interval]) -> list[Interval]:
        """The outputs of the body of a loop or a branch."""
        inner = _Walk(self.run, dict(zip(graph.inputs, operands, strict=True)), graph.scope)
        for node in graph.nodes:
            inner.visit(node)
        return [inner.of(n) for n in graph.outputs]

    def _apply(self, node: Node) -> Any:
        name = node.primitive.name
        operands = [self.of(n) for n in node.inputs]
        if name not in elementary.FACTS and name not in structural.UNDECIDED_ROWS:
            for x in operands:
                if x.lo.dtype == np.bool_:
                    self.run.require_known(x)
        body = control.ROWS.get(name)
        if body is not None:
            return body(self.run, self.graph, node, operands)
        if any(t.dtype.kind == "c" for t in _types(node)):
            raise no_row(node, "an enclosure is one of real numbers")
        structured = structural.ROWS.get(name)
        if structured is not None:
            return structured(self.run, node, operands)
        if name == "multiply" and _same(*node.inputs):
            return square(operands[0])
        row = elementary.ROWS.get(name) or special.row_of(name)
        if row is None:
            raise no_row(node)
        found = row(self.run, *align(tuple(operands)))
        if node.type.dtype == np.bool_ and found.lo.dtype != np.bool_:
            self.run.give_up(np.ones(1, np.bool_))  # arithmetic of truth values is not that of 0, 1
        return found


def _types(node: Node) -> Sequence[ArrayType]:
    return node.types if node.primitive.multiple_results else (node.type,)


def _same(a: Node, b: Node) -> bool:
    """Whether two nodes are one value."""
    while a.primitive is VARIABLE and a.inputs:
        a = a.inputs[0]
    while b.primitive is VARIABLE and b.inputs:
        b = b.inputs[0]
    return a is b


def _constant_value(node: Node) -> Any:
    if node.value is None:
        raise MissingRuleError(
            f"remainder_bound(x) needs the values of all constants; {node.primitive.name} has none "
            "inside vmap or a loop.",
            where=describe_site(node.site),
            hint="call it outside.",
        )
    return node.value


def constant(value: Any) -> Any:
    """A constant as an interval for all pieces: widened where its binary fraction is long, since
    then it may be a rounded one."""
    if isinstance(value, tuple):
        return tuple(map(constant, value))
    array = np.asarray(value)[None]
    if array.dtype.kind != "f":
        return exactly(array)
    array = array.astype(np.float64)
    fraction = np.frexp(array)[0] * _SHORT
    short = (fraction == np.rint(fraction)) | np.isinf(array)
    if np.all(short):
        return exactly(array)
    off = np.where(short, 0.0, _CONSTANT_ULPS * np.spacing(np.abs(array)))
    unknown = np.isnan(array)
    lo, hi = np.where(unknown, -np.inf, array - off), np.where(unknown, np.inf, array + off)
    return Interval(lo, hi)


def _require_decision(run: Refusals, found: Interval, value: Any) -> None:
    """Gives up the pieces on which a branch might have been taken differently."""
    lo, hi = found
    if isinstance(value, bool | np.bool_):
        if lo.dtype != np.bool_:
            lo, hi = ~found.contains(0.0), ~(found.known & (lo == 0))
    elif lo.dtype.kind == "f" and isinstance(value, int | np.integer):
        lo, hi = np.trunc(lo), np.trunc(hi)
    run.give_up(~((lo == value) & (hi == value)))
