"""jet: a function applied to curves given by their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.calculus.gradients import outward_leaf
from adjoint.calculus.products import Traced
from adjoint.errors import ArgumentError
from adjoint.graph.arraytype import describe
from adjoint.graph.containers import flatten, require_same_structure
from adjoint.graph.tracing import matching, zeros_for
from adjoint.transforms.taylor import Series, series_of
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
    order (Griewank and Walther, 2008, section 13.2).

    >>> import numpy as np, adjoint as ad
    >>> y, (y1, y2) = ad.jet(np.sin, (0.0,), ([1.0, 0.0],))
    >>> float(y), float(y1), float(y2)
    (0.0, 1.0, 0.0)
    """
    called = "jet(f, primals, series)"
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
    orders = {len(s) for s in series}
    if len(orders) != 1:
        raise ArgumentError(f"{called} needs series of one length; got {sorted(orders)}.")
    order = orders.pop()
    traced = Traced(f, tuple(primals), called)
    with traced.scope, np.errstate(all="ignore"):
        lines = _lines(traced, series, called)
        found = series_of(traced.outputs.nodes, lines, order, traced.scope)
        leaves = [
            [_derivative(s[k], n, k) for s, n in zip(found, traced.outputs.nodes, strict=True)]
            for k in range(1, order + 1)
        ]
    terms = [traced.outputs.tree([outward_leaf(v) for v in term]) for term in leaves]
    return traced.value(), terms


def _derivative(coefficient: Any, node: Any, k: int) -> Any:
    return zeros_for(node.type) if coefficient is None else coefficient * math.factorial(k)


def _lines(traced: Traced, series: Sequence[Any], called: str) -> dict[Any, Series]:
    operand = Operands(traced.scope)
    lines: dict[Any, Series] = {}
    for i, (variables, terms) in enumerate(zip(traced.variables, series, strict=True)):
        columns: list[list[Any]] = [[] for _ in variables.nodes]
        for k, term in enumerate(terms, 1):
            found, structure = flatten(term)
            require_same_structure(
                variables.structure, structure, called, f"primal {i}", f"order {k} of series {i}"
            )
            for column, value, node in zip(columns, found, variables.nodes, strict=True):
                matched = matching(value, node.type, called, f"order {k} of series {i}")
                column.append(matched / math.factorial(k))
        for node, column in zip(variables.nodes, columns, strict=True):
            line = Series(operand(node), None)
            line.known.extend(column)
            lines[node] = line
    return lines
