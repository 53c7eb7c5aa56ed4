"""Gradients of scalar functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.errors import ArgumentError, ArgumentValueError, NotScalarError
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import adopt
from adjoint.graph.containers import flatten, tree_map, unflatten
from adjoint.graph.doubts import require_reasonless
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.graph.sites import describe_site
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import (
    Outputs,
    Variables,
    require_callable,
    result_value,
    zeros_for,
)
from adjoint.transforms.reverse import pullback

ArgNums = int | Sequence[int]


def grad(f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of a scalar function: ∇f, in the shape of its argument.

    Parameters
    ----------
    f: a function of arrays (or nested containers of them) that returns one real number.
    argnums: the argument, or the tuple of arguments, to differentiate.
    has_aux: f returns ``(value, extra)``; the result is then ``(gradient, extra)``.

    Returns
    -------
    A function of the same arguments.  For a real x of shape s the gradient has shape s; for a
    complex z it is ∂f/∂Re z + i ∂f/∂Im z, the direction of steepest ascent.  Integers are
    promoted to float64.

    Notes
    -----
    Costs a small multiple of f, whatever the number of variables (reverse mode: Linnainmaa 1970;
    Griewank and Walther, *Evaluating Derivatives*, 2008, section 3.2).  f is traced at every call,
    so ordinary branches and loops, and whatever f closes over, are right.

    Raises
    ------
    NotScalarError: f returned an array; use `jacobian`, or `vjp` with a cotangent.

    >>> import numpy as np, adjoint as ad
    >>> ad.grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(
    f: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The value of a scalar function and its gradient, from one evaluation.

    Takes what `grad` takes and returns ``(f(x), ∇f(x))``; with ``has_aux``
    ``((f(x), extra), ∇f(x))``.  Costs and errors are those of `grad`.

    >>> import adjoint as ad
    >>> value, slope = ad.value_and_grad(lambda x: x**3)(2.0)
    >>> float(value), float(slope)
    (8.0, 12.0)
    """
    require_callable(f, "grad(f)")
    positions = positions_of(argnums, "grad(f)")

    @functools.wraps(f, updated=())
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        chosen = select(args, positions, "grad(f)")
        with Scope("grad(f)") as scope:
            variables = [Variables(scope, args[i], "grad(f)", f"argument {i}") for i in chosen]
            called = list(args)
            for i, v in zip(chosen, variables, strict=True):
                called[i] = v.tree
            result = f(*called, **kwargs)
            aux = None
            if has_aux:
                result, aux = split_aux(result, "grad(f)")
                aux = stack_objects(aux)
            out = scalar_node(result, "grad(f)")
            targets = [n for v in variables for n in v.nodes]
            with np.errstate(all="ignore"):
                cotangents = pullback([(out, _one(out))], targets, scope)
            leaves = [_gradient_leaf(n, ct) for n, ct in zip(targets, cotangents, strict=True)]
        gradients = [outward_leaf(leaf) for leaf in leaves]
        value = result_value(out)
        found = _regroup(variables, gradients)
        if not isinstance(argnums, tuple | list):
            found = found[0]
        return ((value, outward_tree(aux)), found) if has_aux else (value, found)

    return value_and_gradient


def positions_of(argnums: Any, called: str) -> tuple[int, ...]:
    """``argnums`` as a tuple of integers."""
    given = argnums if isinstance(argnums, tuple | list) else (argnums,)
    if any(isinstance(i, bool) or not isinstance(i, int | np.integer) for i in given):
        raise ArgumentError(
            f"{called} needs argnums as an integer or a tuple of them; got {argnums!r}.",
            hint='for an argument by name use partial(f, "name").',
        )
    return tuple(int(i) for i in given)


def select(args: tuple[Any, ...], positions: tuple[int, ...], called: str) -> tuple[int, ...]:
    """The positions of the arguments to differentiate, counted from the front."""
    chosen = []
    for i in positions:
        if not -len(args) <= i < len(args):
            raise ArgumentError(
                f"{called} differentiates argument {i}, but it was called with {len(args)} "
                "positional arguments.",
                hint="pass the argument by position, or choose another argnums.",
            )
        chosen.append(i % len(args))
    if len(set(chosen)) != len(chosen):
        raise ArgumentValueError(
            f"{called} needs each argument once in argnums; got {positions} for {len(args)} "
            "arguments."
        )
    return tuple(chosen)


def split_aux(result: Any, called: str) -> tuple[Any, Any]:
    """``(value, extra)`` as f returned it."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentError(
            f"{called} with has_aux=True needs f to return (value, extra); "
            f"it returned {describe(result)}.",
            hint="return loss, extra   # from f",
        )
    return result


def scalar_node(result: Any, called: str) -> Node:
    """The node of a result that has to be one real number."""
    outputs = Outputs(result, called)
    if len(outputs.nodes) == 1 and outputs.structure is None:
        node = outputs.nodes[0]
        type_ = node.type
        if not type_.shape and type_.dtype.kind in "fiub":
            return node
        got, where = str(type_), describe_site(node.site)
    else:
        got = f"a {type(result).__name__} of {len(outputs.nodes)} arrays"
        where, type_ = "", None
    if type_ is not None and type_.dtype.kind == "c" and not type_.shape:
        hint = (
            "use np.real(f(z)), np.abs(f(z))**2 or another real function of it;\n"
            "for a holomorphic f use derivative(f) or jacobian(f)."
        )
    else:
        cotangent = f" of type {got}" if type_ is not None else ""
        hint = (
            "use jacobian(f) for all derivatives, or vjp(f, x) with a cotangent"
            f"{cotangent};\nfor a loss, sum or average over the elements: np.sum(...)."
        )
    raise NotScalarError(
        f"{called} needs f to return one real number; it returned {got}.", where=where, hint=hint
    )


def _one(out: Node) -> Any:
    dtype = out.type.dtype
    return dtype.type(1) if dtype.kind == "f" else np.float64(1)


def _gradient_leaf(node: Node, ct: Any) -> Any:
    if ct is None:
        return zeros_for(node.type)
    return np.conj(ct) if node.type.dtype.kind == "c" else ct


def outward_leaf(value: Any) -> Any:
    """A result seen from outside the scopes that have just closed."""
    if not isinstance(value, Tracer):
        require_reasonless(value)
        if isinstance(value, np.ndarray) and not value.shape:
            return value[()]  # a number, as NumPy's own functions return it
        if isinstance(value, np.ndarray) and not value.flags.writeable:
            return value.copy()  # a broadcast: callers expect an array of their own
        return value
    return result_value(value._node)


def outward_tree(tree: Any) -> Any:
    """Extra results: traced leaves become values, anything else stays what it is."""
    leaves, structure = flatten(tree)
    return unflatten(
        structure, [result_value(x.node) if isinstance(x, Tracer) else x for x in leaves]
    )


def stack_objects(tree: Any) -> Any:
    """Extra results with every ``np.array([u, v])`` of traced numbers made into one array."""
    return tree_map(
        lambda x: adopt(x) if isinstance(x, np.ndarray) and x.dtype.hasobject and _traced(x) else x,
        tree,
    )


def _traced(array: Any) -> bool:
    return any(isinstance(v, Tracer) for v in array.ravel())


def _regroup(variables: list[Variables], leaves: list[Any]) -> tuple[Any, ...]:
    groups, start = [], 0
    for v in variables:
        stop = start + len(v.nodes)
        groups.append(unflatten(v.structure, leaves[start:stop]))
        start = stop
    return tuple(groups)
