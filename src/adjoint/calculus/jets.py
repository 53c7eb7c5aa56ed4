"""jet: a function applied to curves given by their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.calculus.gradients import outward_leaf
from adjoint.calculus.products import Traced
from adjoint.errors import ArgumentError
from adjoint.graph.arraytype import describe
from adjoint.graph.containers import flatten, require_same_structure
from adjoint.graph.ir import Node
from adjoint.graph.tracing import matching, zeros_for
from adjoint.transforms.taylor import Series, factorial, series_of
from adjoint.transforms.walk import Operands


def jet(f: Callable[..., Any], primals: Any, series: Any) -> tuple[Any, list[Any]]:
    """The value of f on a curve, and the derivatives of that value along it.

    Parameters
    ----------
    primals: the tuple of arguments, the points of the curves x(t) at t = 0.
    series: for each argument the derivatives x′(0), x″(0), …, x⁽ᵏ⁾(0), not divided by factorials,
        each nested and shaped like the argument (the convention of ``jax.experimental.jet``).

    Returns
    -------
    ``(y, [y′, y″, …, y⁽ᵏ⁾])`` for y(t) = f(x(t)), nested like the result of f.

    Notes
    -----
    Works for every primitive, from its first-order rule alone; the cost grows polynomially with the
    order (Griewank and Walther, 2008, section 13.2).  Loops and branches are run on series, custom
    derivatives give series too.

    >>> import numpy as np, adjoint as ad
    >>> y, (y1, y2) = ad.jet(np.exp, (0.0,), ([1.0, 0.0],))
    >>> float(y), float(y1), float(y2)
    (1.0, 1.0, 1.0)
    """
    called = "jet(f, primals, series)"
    order = _order(primals, series, called)
    traced = Traced(f, tuple(primals), called)
    with traced.scope, np.errstate(all="ignore"):
        lines = _lines(traced, series, called)
        found = series_of(traced.outputs.nodes, lines, order, traced.scope)
        leaves = [
            [_derivative(s[k], n, k, called) for s, n in zip(found, traced.outputs.nodes,
                                                             strict=True)]
            for k in range(1, order + 1)
        ]  # fmt: skip
    terms = [traced.outputs.tree([outward_leaf(v) for v in term]) for term in leaves]
    return traced.value(), terms


def _order(primals: Any, series: Any, called: str) -> int:
    """The length that all series have."""
    if not isinstance(primals, tuple | list) or not isinstance(series, tuple | list):
        raise ArgumentError(
            f"{called} needs tuples with one entry per argument; got {describe(primals)} and "
            f"{describe(series)}.",
            hint="jet(f, (x,), ([x1, x2],))",
        )
    if len(primals) != len(series):
        raise ArgumentError(
            f"{called} needs one series per primal; got {len(primals)} primals and "
            f"{len(series)} series."
        )
    for i, terms in enumerate(series):
        if not isinstance(terms, tuple | list):
            raise ArgumentError(
                f"{called} needs each series as a list of derivatives; series {i} is "
                f"{describe(terms)}.",
                hint="jet(f, (x,), ([x1, x2],))",
            )
    orders = {len(s) for s in series}
    if len(orders) != 1:
        raise ArgumentError(f"{called} needs series of one length; got {sorted(orders)}.")
    return orders.pop()


def _derivative(coefficient: Any, node: Node, k: int, called: str) -> Any:
    if coefficient is None:
        return zeros_for(node.type)
    return coefficient * factorial(k, node.type.dtype, called)


def _lines(traced: Traced, series: Sequence[Any], called: str) -> dict[Node, Series]:
    operand = Operands(traced.scope)
    lines: dict[Node, Series] = {}
    for i, (variables, terms) in enumerate(zip(traced.variables, series, strict=True)):
        columns: list[list[Any]] = [[] for _ in variables.nodes]
        for k, term in enumerate(terms, 1):
            found, structure = flatten(term)
            require_same_structure(
                variables.structure, structure, called, f"primal {i}", f"order {k} of series {i}"
            )
            for column, value, node in zip(columns, found, variables.nodes, strict=True):
                matched = matching(value, node.type, called, f"order {k} of series {i}")
                column.append(matched / factorial(k, node.type.dtype, called))
        for node, column in zip(variables.nodes, columns, strict=True):
            lines[node] = _line(operand(node), column)
    return lines


def _line(first: Any, column: Sequence[Any]) -> Series:
    """A series that is given; zeros at its end are left out of every product."""
    last = len(column)
    while last and isinstance(column[last - 1], np.ndarray | np.generic) and not np.any(
        column[last - 1]
    ):  # fmt: skip
        last -= 1
    series = Series(first)
    series.known += column[:last]
    return series


def coefficients_along(f: Callable[..., Any], x: Any, v: Any, order: int, called: str) -> list[Any]:
    """The Taylor coefficients of t ↦ f(x + t v), one nested like the result of f per order."""
    traced = Traced(f, (x,), called)
    operand = Operands(traced.scope)
    with traced.scope, np.errstate(all="ignore"):
        (node,) = traced.nodes
        line = Series(operand(node))
        line.known.append(matching(v, node.type, called, "the direction"))
        found = series_of(traced.outputs.nodes, {node: line}, order, traced.scope)
        leaves = [
            [zeros_for(n.type) if s[k] is None else s[k]
             for s, n in zip(found, traced.outputs.nodes, strict=True)]
            for k in range(1, order + 1)
        ]  # fmt: skip
    terms = [traced.outputs.tree([outward_leaf(v) for v in term]) for term in leaves]
    return [traced.value(), *terms]
