"""Products with derivatives that are never stored: jvp, vjp, linearize, hvp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.calculus.gradients import grad, outward_leaf
from adjoint.errors import ArgumentError
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, require_same_structure, unflatten
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import (
    Outputs,
    Variables,
    matching,
    require_callable,
    result_value,
    zeros_for,
)
from adjoint.transforms.batching import replay
from adjoint.transforms.forward import pushforward
from adjoint.transforms.reverse import pullback


class Traced:
    """A function traced at a point: its variables and its outputs in one scope."""

    __slots__ = ("outputs", "scope", "structure", "variables")

    def __init__(self, f: Callable[..., Any], primals: Sequence[Any], called: str) -> None:
        require_callable(f, called)
        self.scope = Scope(called)
        try:
            groups = [
                Variables(self.scope, p, called, f"primal {i}") for i, p in enumerate(primals)
            ]
            self.variables = groups
            self.outputs = Outputs(f(*(v.tree for v in groups)), called)
        except BaseException:
            self.scope.close()
            raise

    @property
    def nodes(self) -> list[Node]:
        return [n for v in self.variables for n in v.nodes]

    def value(self) -> Any:
        return self.outputs.tree([result_value(n) for n in self.outputs.nodes])


def _as_primals(primals: Any, called: str) -> tuple[Any, ...]:
    if not isinstance(primals, tuple | list):
        raise ArgumentError(
            f"{called} needs its primals and tangents as tuples, one entry per argument; "
            f"got {describe(primals)}.",
            hint="jvp(f, (x,), (x_dot,))",
        )
    return tuple(primals)


def _tangent_leaves(traced: Traced, tangents: Sequence[Any], called: str) -> list[Any]:
    if len(tangents) != len(traced.variables):
        raise ArgumentError(
            f"{called} needs one tangent per primal: it got {len(traced.variables)} primals and "
            f"{len(tangents)} tangents."
        )
    leaves: list[Any] = []
    for i, (v, tangent) in enumerate(zip(traced.variables, tangents, strict=True)):
        found, structure = flatten(tangent)
        require_same_structure(v.structure, structure, called, f"primal {i}", f"tangent {i}")
        leaves += [
            matching(t, n.type, called, f"tangent {i}") for t, n in zip(found, v.nodes, strict=True)
        ]
    return leaves


def jvp(f: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """The value of f and its derivative along a direction: ``(f(x), J(x) ẋ)``.

    Parameters
    ----------
    f: a function of one or more arrays or containers.
    primals: the tuple of arguments at which f is differentiated.
    tangents: the direction, a tuple nested and shaped like the primals.

    Returns
    -------
    ``(y, y_dot)``, both nested like the result of f.

    Notes
    -----
    One forward pass, about twice the cost of f; no Jacobian is stored (forward mode: Wengert 1964).

    >>> import numpy as np, adjoint as ad
    >>> y, y_dot = ad.jvp(lambda x: x[0] * x[1], (np.array([2.0, 3.0]),), (np.array([1.0, 0.0]),))
    >>> float(y), float(y_dot)
    (6.0, 3.0)
    """
    called = "jvp(f, primals, tangents)"
    traced = Traced(f, _as_primals(primals, called), called)
    with traced.scope, np.errstate(all="ignore"):
        leaves = _tangent_leaves(traced, _as_primals(tangents, called), called)
        seeds = dict(zip(traced.nodes, leaves, strict=True))
        dots = pushforward(traced.outputs.nodes, seeds, traced.scope)
        full = [
            zeros_for(n.type) if d is None else d
            for n, d in zip(traced.outputs.nodes, dots, strict=True)
        ]
    return traced.value(), traced.outputs.tree([outward_leaf(d) for d in full])


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of f, and the function that pulls cotangents back: ``ȳ ↦ J(x)ᵀ ȳ``.

    Returns
    -------
    ``(y, pullback)``.  The pullback takes a cotangent nested and shaped like y and returns a tuple
    with one cotangent per primal; it may be called many times.  For complex values the pairing is
    ⟨ȳ, ẏ⟩ = Re(conj(ȳ) ẏ), so the pullback is Jᴴ.

    Notes
    -----
    A pullback costs a small multiple of f; backpropagation is this product, with no Jacobian
    stored.

    >>> import numpy as np, adjoint as ad
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> y, pullback = ad.vjp(lambda x: A @ x, np.array([1.0, 1.0]))
    >>> pullback(np.array([1.0, 0.0]))[0]
    array([1., 2.])
    """
    called = "vjp(f, *primals)"
    traced = Traced(f, primals, called)
    traced.scope.close()
    outputs = traced.outputs

    def pull(cotangent: Any) -> tuple[Any, ...]:
        leaves, structure = flatten(cotangent)
        require_same_structure(
            outputs.structure, structure, "the pullback of vjp", "the result", "the cotangent"
        )
        seeds = [
            (n, _conjugate(matching(c, n.type, "the pullback of vjp", "a cotangent")))
            for n, c in zip(outputs.nodes, leaves, strict=True)
        ]
        with np.errstate(all="ignore"):
            found = pullback(seeds, traced.nodes, traced.scope)
        full = [
            zeros_for(n.type) if c is None else _own(_conjugate(c))
            for n, c in zip(traced.nodes, found, strict=True)
        ]
        return _regroup(traced.variables, full)

    return traced.value(), pull


def _own(value: Any) -> Any:
    """A cotangent that shares no memory with anything the pullback keeps or was given."""
    return value.copy() if isinstance(value, np.ndarray) else value


def _conjugate(value: Any) -> Any:
    return np.conj(value) if value.dtype.kind == "c" else value


def _regroup(variables: list[Variables], leaves: list[Any]) -> tuple[Any, ...]:
    remaining = iter(leaves)
    return tuple(unflatten(v.structure, [next(remaining) for _ in v.nodes]) for v in variables)


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of f and its derivative as a linear function: ``ẋ ↦ J(x) ẋ``.

    Returns
    -------
    ``(y, linear_map)``; the map takes one tangent per primal and may be called many times at the
    cost of one product each, since whatever depends on x alone has been computed.

    >>> import numpy as np, adjoint as ad
    >>> y, linear_map = ad.linearize(lambda x: np.sin(x), np.array([0.0, 1.0]))
    >>> linear_map(np.array([1.0, 0.0]))
    array([1., 0.])
    """
    called = "linearize(f, *primals)"
    traced = Traced(f, primals, called)
    inner = Scope(called, abstract="it is the unknown of a linear map", internal=True)
    with traced.scope, inner, np.errstate(all="ignore"):
        unknowns = [variable(inner, None, n.type) for n in traced.nodes]
        seeds = dict(zip(traced.nodes, unknowns, strict=True))
        dots = pushforward(traced.outputs.nodes, seeds, traced.scope)
        nodes = [d.node if isinstance(d, Tracer) else None for d in dots]

    def linear_map(*tangents: Any) -> Any:
        leaves = _tangent_leaves(traced, tangents, "the linear map of linearize")
        values = {u.node: t for u, t in zip(unknowns, leaves, strict=True)}
        with np.errstate(all="ignore"):
            found = iter(replay([n for n in nodes if n is not None], values, inner))
        full = [
            zeros_for(out.type) if n is None else outward_leaf(_own(next(found)))
            for n, out in zip(nodes, traced.outputs.nodes, strict=True)
        ]
        return traced.outputs.tree(full)

    return traced.value(), linear_map


def hvp(f: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    """The product of a Hessian with a vector, without the Hessian: ∇²f(x) v.

    ``primals`` and ``tangents`` are tuples as for `jvp`, or one array each.  Costs about four
    evaluations of f: the derivative of the gradient along v (Pearlmutter, *Neural Computation*
    1994).

    >>> import numpy as np, adjoint as ad
    >>> ad.hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    array([ 6., 12.])
    """
    single = type(primals) is not tuple  # a named tuple is one argument
    if single:
        primals, tangents = (primals,), (tangents,)
    if type(tangents) is not tuple:
        raise ArgumentError(
            "hvp(f, primals, tangents) needs tangents as a tuple, like primals; "
            f"got {describe(tangents)}."
        )
    argnums = tuple(range(len(primals)))
    product = jvp(grad(f, argnums), primals, tangents)[1]
    return product[0] if len(primals) == 1 else product
