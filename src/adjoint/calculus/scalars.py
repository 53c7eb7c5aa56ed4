"""Derivatives in one variable, partial derivatives and directional derivatives."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.calculus.gradients import outward_leaf
from adjoint.calculus.matrices import jacobian
from adjoint.calculus.products import jvp
from adjoint.calculus.vectorize import vmap
from adjoint.errors import (
    AbstractValueError,
    ArgumentError,
    ArgumentValueError,
    NotHolomorphicError,
    ShapeMismatchError,
    UnknownNameError,
    nearest,
)
from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, require_same_structure, unflatten
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import Outputs, differentiable, require_callable, zeros_for
from adjoint.transforms.taylor import Series, factorial, series_of
from adjoint.transforms.walk import Operands


def _order(n: Any, called: str, lowest: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer):
        raise ArgumentError(f"{called} needs an integer order; got {n!r}.")
    if n < lowest:
        raise ArgumentValueError(f"{called} needs an order of at least {lowest}; got {n}.")
    return int(n)


def derivative(f: Callable[[Any], Any], n: int = 1) -> Callable[[Any], Any]:
    """The n-th derivative of a function of one real variable.

    For a number x it is dⁿf/dxⁿ at x, in the shape of f(x).  For an array of points it is taken at
    each point, so the result has shape ``x.shape + f(point).shape``.  A complex x needs a
    holomorphic f.

    >>> import numpy as np, adjoint as ad
    >>> float(ad.derivative(np.sin, 2)(0.0)), ad.derivative(lambda x: x**3)(np.array([1.0, 2.0]))
    (-0.0, array([ 3., 12.]))
    """
    require_callable(f, "derivative(f)")
    order = _order(n, "derivative(f, n)", 0)

    @functools.wraps(f, updated=())
    def nth_derivative(x: Any) -> Any:
        point = differentiable(x, "derivative(f)", "x")
        if point.dtype.kind == "c" and order:
            _require_holomorphic(f, point)
        if not point.shape:
            return _along(f, point, order)
        flat = np.reshape(point, -1)
        try:
            found = vmap(lambda t: _along(f, t, order))(flat)
        except AbstractValueError:
            # f branches on its value: each point takes its own way.
            found = np.stack([_along(f, flat[i], order) for i in range(flat.shape[0])])
        return np.reshape(found, point.shape + found.shape[1:])

    return nth_derivative


def _require_holomorphic(f: Callable[[Any], Any], point: Any) -> None:
    """Raises where the derivative along i is not i times that along 1 (Cauchy and Riemann)."""
    points = np.reshape(point, -1)
    for i in range(points.shape[0]):
        along = jvp(f, (points[i],), (_unit(points[i]),))[1]
        across = jvp(f, (points[i],), (1j * _unit(points[i]),))[1]
        if isinstance(along, Tracer) or isinstance(across, Tracer):
            return
        if not np.allclose(1j * along, across, rtol=1e-8, atol=1e-10, equal_nan=True):
            raise NotHolomorphicError(
                f"derivative(f) at a complex point needs a holomorphic f; at {points[i]} the "
                f"derivative along 1 is {along}, and along 1j it is {across}.",
                hint="use grad(f) for a real function of z, or jvp(f, (z,), (v,)) for one "
                "direction.",
            )


def _along(f: Callable[[Any], Any], x: Any, order: int) -> Any:
    """dⁿf/dtⁿ of a function of one number, from its Taylor series: n! yₙ."""
    with Scope("derivative(f)") as scope:
        t = variable(scope, x)
        outputs = Outputs(f(t), "derivative(f)")
        with np.errstate(all="ignore"):
            found = _coefficients(outputs, t.node, scope, order)
            leaves = [
                zeros_for(n.type)
                if c is None
                else c * factorial(order, n.type.dtype, "derivative(f, n)")
                for n, c in zip(outputs.nodes, found, strict=True)
            ]
    return outputs.tree([outward_leaf(leaf) for leaf in leaves])


def _coefficients(outputs: Outputs, variable_node: Node, scope: Scope, order: int) -> list[Any]:
    unit = variable_node.type.dtype.type(1)
    line = Series(Operands(scope)(variable_node), lambda k: unit if k == 1 else None)
    found = series_of(outputs.nodes, {variable_node: line}, order, scope)
    return [series[order] for series in found]


def _unit(x: Any) -> Any:
    return np.ones((), np.result_type(x))[()]


def partial(f: Callable[..., Any], which: str | int) -> Callable[..., Any]:
    """The partial derivative of f with respect to one argument, by name or by position.

    The others are held fixed, also where they are functions of each other outside f (the total
    derivative is that of the composition: write it as one function).  The result has shape
    ``f.shape + argument.shape``.

    >>> import adjoint as ad
    >>> def f(x, y):
    ...     return (x + 2 * y**3) ** 2
    >>> float(ad.partial(f, "x")(1.0, 1.0)), float(ad.partial(f, "y")(1.0, 1.0))
    (6.0, 36.0)
    """
    require_callable(f, "partial(f, which)")
    if isinstance(which, bool) or not isinstance(which, int | str):
        raise ArgumentError(
            f"partial(f, which) needs the name or the position of an argument; got {which!r}."
        )
    if isinstance(which, int):
        return jacobian(f, which)
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"partial(f, {which!r}) cannot read the argument names of f.",
            hint="give the position: partial(f, 0).",
        ) from None
    if which not in signature.parameters:
        known = list(signature.parameters)
        close = nearest(which, known) or known
        raise UnknownNameError(
            f"partial(f, {which!r}) needs an argument of f; f has {', '.join(known) or 'none'}.",
            hint=f"use partial(f, {close[0]!r})." if close else "",
        )

    @functools.wraps(f, updated=())
    def partial_derivative(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()

        def of_argument(value: Any) -> Any:
            bound.arguments[which] = value
            return f(*bound.args, **bound.kwargs)

        return jacobian(of_argument)(bound.arguments[which])

    return partial_derivative


def directional(f: Callable[[Any], Any], x: Any, v: Any, k: int = 1) -> Any:
    """The k-th derivative of f at x along v: dᵏ/dtᵏ f(x + t v) at t = 0.

    For k = 1 it is ∇f(x)·v, for k = 2 vᵀ∇²f(x)v; v is not normalised.  The tensor of k-th
    derivatives is not formed.

    >>> import numpy as np, adjoint as ad
    >>> float(ad.directional(lambda x: x[0] * x[1], np.array([2.0, 3.0]), np.array([1.0, 1.0])))
    5.0
    """
    called = "directional(f, x, v)"
    require_callable(f, called)
    order = _order(k, "directional(f, x, v, k)", 0)
    points, structure = flatten(x)
    steps, other = flatten(v)
    require_same_structure(structure, other, called, "x", "v")
    points = [differentiable(p, called, "x") for p in points]
    steps = [differentiable(s, called, "v") for s in steps]
    for p, s in zip(points, steps, strict=True):
        if p.shape != s.shape:
            raise ShapeMismatchError(
                f"{called} needs v shaped like x; x has shape {p.shape}, v has {s.shape}."
            )

    def on_the_line(t: Any) -> Any:
        moved = [p + t * s for p, s in zip(points, steps, strict=True)]
        return f(unflatten(structure, moved))

    return outward_leaf(_along(on_the_line, np.float64(0.0), order))
