"""Control flow that is recorded: loops stay loops, branches stay branches.

Ordinary Python loops and branches work in every transform too, one traced operation after the
other.  The functions here are for loops that are long (their graph and the memory of their
derivative stay small), for decisions on values that `vmap` or a loop maps over, and for compiling.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.calculus.bodies import (
    Leaves,
    carry_nodes,
    pair,
    result_leaves,
    settle,
)
from adjoint.errors import ArgumentError, ArgumentValueError, ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.containers import Structure, flatten, numeric_leaf, tree_map, unflatten
from adjoint.graph.ir import Graph, Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import require_callable
from adjoint.primitives.control.body import apply, as_node, captured_operand, close_over
from adjoint.primitives.control.checkpointing import STOP_GRADIENT, checkpointed
from adjoint.primitives.control.scan import SCAN
from adjoint.transforms import control_rules as _control_rules

_SCAN_REASON = "scan traces its body once for all steps, and they may differ"


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    *,
    checkpoint_every: int | None = None,
) -> tuple[Any, Any]:
    """A loop that carries a value along: ``carry, y = f(carry, x)`` for each x, ys collected.

    Parameters
    ----------
    f: takes the carry and one slice of xs, and returns the next carry and one y.
    init: the first carry; any container.
    xs: a container of arrays, which are sliced along their first axis; None if there are none.
    length: the number of steps, where it does not follow from xs.
    reverse: from the last slice to the first; ys stay in the order of xs.
    checkpoint_every: how many steps lie between two carries that reverse mode keeps.  By default
        all are kept, or every √length-th where all would take more than 128 MiB.

    Returns
    -------
    ``(carry, ys)``: the last carry, and ys with a first axis of one entry per step (None where f
    returns None for y).

    Notes
    -----
    f is traced once, for values that are not known, and recorded as one node: the graph does not
    grow with the length.  Every derivative is a scan again.  Forward mode keeps nothing; reverse
    mode keeps one carry per step and recomputes the rest, and with ``checkpoint_every=k`` it keeps
    n/k + k carries and does each step once more (Griewank and Walther, *ACM TOMS* 2000).

    Raises
    ------
    AbstractValueError: f branches on the carry or on x; use `cond` or ``np.where``.
    DtypeError, ShapeMismatchError: the carry that f returns is not of the type it was given.

    >>> import numpy as np, adjoint as ad
    >>> last, sums = ad.scan(lambda c, x: (c + x, c), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(last), sums
    (6.0, array([0., 1., 3.]))
    """
    called = "scan(f, init, xs)"
    require_callable(f, called)
    carry, slices = Leaves(init, called, "init"), Leaves(xs, called, "xs")
    steps = _length(slices, length, called)
    every = 0 if checkpoint_every is None else _positive(checkpoint_every, "checkpoint_every")
    body, captured, types, structure = _trace_scan(f, carry, slices, called)
    found = apply(
        SCAN,
        [*captured, *carry.converted(types), *map(_array, slices.values)],
        body=body,
        length=steps,
        reverse=bool(reverse),
        captured=len(captured),
        carries=len(types),
        every=every,
    )
    return carry.tree(found[: len(types)]), unflatten(structure, found[len(types) :])


def _array(value: Any) -> Any:
    return value if isinstance(value, Tracer) else np.asarray(value)


def _positive(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentError(f"scan needs {name} to be an integer; got {describe(value)}.")
    if value < 1:
        raise ArgumentValueError(f"scan needs {name} to be at least 1; got {value}.")
    return int(value)


def _length(slices: Leaves, length: int | None, called: str) -> int:
    """The number of steps, on which all arrays have to agree."""
    if length is not None and (
        isinstance(length, bool) or not isinstance(length, int | np.integer) or length < 0
    ):
        raise ArgumentError(f"{called} needs length to be a whole number; got {describe(length)}.")
    for name, type_ in zip(slices.names, slices.types, strict=True):
        if not type_.shape:
            raise ShapeMismatchError(
                f"{called} slices xs along the first axis, but {name} is {type_}.",
                hint="close over a value that all steps share; make a list of numbers an array.",
            )
        if length is not None and type_.shape[0] != length:
            raise ShapeMismatchError(
                f"{called} makes {length} steps, but {name} is {type_}: its first axis has "
                f"{type_.shape[0]}."
            )
        length = type_.shape[0]
    if length is None:
        raise ArgumentError(
            f"{called} needs xs or a length; got neither.", hint="scan(f, init, length=10)"
        )
    return int(length)


def _trace_scan(
    f: Callable[[Any, Any], tuple[Any, Any]], carry: Leaves, slices: Leaves, called: str
) -> tuple[Graph, list[Any], list[ArrayType], Structure]:
    count = len(carry.types)
    rest = [ArrayType(t.shape[1:], t.dtype) for t in slices.types]

    def trace(scope: Scope, variables: list[Tracer], types: list[ArrayType]) -> Any:
        result = f(carry.tree(variables[:count]), slices.tree(variables[count:]))
        after, y = pair(result, called)
        leaves, structure = result_leaves(after, called, "f")
        nodes, needed = carry_nodes(carry, types, leaves, structure, called, "f")
        ys, y_structure = result_leaves(y, called, "f")
        outputs = [*nodes, *map(as_node, ys)]
        graph, captured = close_over(scope, [v.node for v in variables], outputs)
        return (graph, captured, y_structure), needed

    (graph, captured, structure), types = settle(
        trace, lambda: Scope(called, abstract=_SCAN_REASON), carry.types, rest
    )
    return graph, list(map(captured_operand, captured)), types, structure


# -- recomputing and stopping ---------------------------------------------------------------------


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, of which a derivative keeps the arguments and recomputes the rest.

    Reverse mode needs the intermediate values of a function.  Inside a function made by
    ``checkpoint`` they are computed a second time when the derivative is taken, in place of being
    kept until then: memory for the arguments only, for one more evaluation of f.

    Arguments and results may be containers; arguments that are not numbers are passed on as they
    are.  f may branch on values.

    >>> import numpy as np, adjoint as ad
    >>> layer = ad.checkpoint(lambda x: np.sin(np.exp(x)))
    >>> float(ad.grad(lambda x: layer(layer(x)))(0.0))
    -0.4912295...
    """
    require_callable(f, "checkpoint(f)")

    @functools.wraps(f, updated=())
    def recomputed(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        traced = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]
        structures: list[Structure] = []

        def flat(*operands: Any) -> list[Any]:
            full = list(leaves)
            for i, operand in zip(traced, operands, strict=True):
                full[i] = operand
            again, named = unflatten(structure, full)
            results, found = flatten(f(*again, **named))
            structures[:] = [found]
            return [numeric_leaf(r, "checkpoint(f)", "the result of f") for r in results]

        found = checkpointed(flat, [leaves[i] for i in traced])
        return unflatten(structures[0], found)

    return recomputed


def stop_gradient(x: Any) -> Any:
    """x itself, taken for a constant by every derivative.

    x may be a container.

    >>> import adjoint as ad
    >>> float(ad.grad(lambda x: x * ad.stop_gradient(x))(3.0))
    3.0
    """

    def stop(leaf: Any) -> Any:
        operand = numeric_leaf(leaf, "stop_gradient(x)", "x")
        return STOP_GRADIENT(operand) if isinstance(operand, Tracer) else leaf

    return tree_map(stop, x)


__all__ = ["Node", "checkpoint", "scan", "stop_gradient"]
del _control_rules
