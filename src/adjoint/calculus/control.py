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
    BranchResult,
    Close,
    Leaves,
    carry_nodes,
    open_body,
    pair,
    predicate,
    result_leaves,
    same_results,
    settle,
)
from adjoint.errors import ArgumentError, ArgumentValueError, ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.containers import Structure, flatten, numeric_leaf, tree_map, unflatten
from adjoint.graph.ir import Graph
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import require_callable
from adjoint.primitives.control.body import (
    apply,
    as_node,
    captured_operand,
)
from adjoint.primitives.control.checkpointing import STOP_GRADIENT, checkpointed
from adjoint.primitives.control.conditional import COND
from adjoint.primitives.control.loops import WHILE
from adjoint.primitives.control.scan import SCAN
from adjoint.transforms import control_rules as _control_rules

_SCAN_REASON = "scan traces its body once for all steps, and they may differ"
_WHILE_REASON = "while_loop traces its functions once for all steps, and they may differ"
_COND_REASON = "cond traces both branches, whatever the values are"


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

    def trace(variables: list[Tracer], close: Close, types: list[ArrayType]) -> Any:
        result = f(carry.tree(variables[:count]), slices.tree(variables[count:]))
        after, y = pair(result, called)
        leaves, structure = result_leaves(after, called, "f")
        nodes, needed = carry_nodes(carry, types, leaves, structure, called, "f")
        ys, y_structure = result_leaves(y, called, "f")
        graph, captured = close([*nodes, *map(as_node, ys)])
        return (graph, captured, y_structure), needed

    (graph, captured, structure), types = settle(
        trace, lambda: Scope(called, abstract=_SCAN_REASON), carry.types, rest
    )
    return graph, list(map(captured_operand, captured)), types, structure


# -- loops of unknown length ----------------------------------------------------------------------


def while_loop(cond: Callable[[Any], Any], body: Callable[[Any], Any], init: Any) -> Any:
    """``carry = body(carry)`` as long as ``cond(carry)`` holds.

    Parameters
    ----------
    cond: a function of the carry that returns one boolean.
    body: a function of the carry that returns the next, of the same types.
    init: the first carry; any container.

    Notes
    -----
    Both functions are traced once, for values that are not known.  Forward mode is one loop that
    carries tangents along.  Reverse mode runs the loop again, keeps at most a few hundred carries,
    and recomputes those between (Stumm and Walther, *SIAM J. Sci. Comput.* 2010), so its memory is
    bounded whatever the number of steps.  Under `vmap` the loop runs until every example has
    stopped; those that have keep their carry.

    Raises
    ------
    AbstractValueError: cond or body branches on the carry; use `cond` or ``np.where`` inside.
    DtypeError, ShapeMismatchError: body returns a carry of another type than it was given.

    >>> import adjoint as ad
    >>> def root(a):   # Newton's method for x**2 = a
    ...     return ad.while_loop(lambda x: abs(x * x - a) > 1e-12, lambda x: (x + a / x) / 2, a)
    >>> float(round(ad.grad(root)(4.0), 9))
    0.25
    """
    called = "while_loop(cond, body, init)"
    require_callable(cond, called)
    require_callable(body, called)
    carry = Leaves(init, called, "init")
    (step, captured), types = settle(
        lambda variables, close, types: _trace_step(body, carry, variables, close, types, called),
        lambda: Scope(called, abstract=_WHILE_REASON),
        carry.types,
        [],
    )
    with Scope(called, abstract=_WHILE_REASON) as scope:
        variables, close = open_body(scope, types)
        test = predicate(cond(carry.tree(variables)), called, "cond")
        proceed, tests = close([as_node(test)])
    found = apply(
        WHILE,
        [*map(captured_operand, (*tests, *captured)), *carry.converted(types)],
        condition=proceed,
        body=step,
        tests=len(tests),
        captured=len(captured),
        quiet=False,
    )
    return carry.tree(found)


def _trace_step(
    body: Callable[[Any], Any], carry: Leaves, variables: list[Tracer], close: Close,
    types: list[ArrayType], called: str,
) -> tuple[Any, list[ArrayType]]:  # fmt: skip
    leaves, structure = result_leaves(body(carry.tree(variables)), called, "body")
    nodes, needed = carry_nodes(carry, types, leaves, structure, called, "body")
    return close(nodes), needed


# -- branches -------------------------------------------------------------------------------------


def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """``true_fun(*operands)`` if the predicate holds, else ``false_fun(*operands)``.

    Parameters
    ----------
    pred: one boolean, which may be traced and may be unknown.
    true_fun, false_fun: functions of the operands that return results of the same types.
    operands: containers; the functions may also close over traced values.

    Notes
    -----
    Both functions are traced, for values that are not known; only the one taken is evaluated, here
    and in every derivative.  Where `vmap` makes the examples differ, both are evaluated for all of
    them, and derivatives see exactly the one taken, as with ``np.where``.

    >>> import numpy as np, adjoint as ad
    >>> f = lambda x: ad.cond(x > 0, lambda x: np.sqrt(x), lambda x: x**2, x)
    >>> float(ad.grad(f)(4.0)), ad.vmap(ad.grad(f))(np.array([4.0, 0.0, -3.0]))
    (0.25, array([ 0.25,  0.  , -6.  ]))
    """
    called = "cond(pred, true_fun, false_fun, *operands)"
    require_callable(true_fun, called)
    require_callable(false_fun, called)
    test = predicate(pred, called, "pred")
    arguments = Leaves(operands, called, "operand")
    types = [t._replace(weak=False) for t in arguments.types]
    traced = [_Branch(f, arguments, types, called) for f in (true_fun, false_fun)]
    same_results(traced[0].outputs, traced[1].outputs, called)
    captured = list(dict.fromkeys(n for b in traced for n in b.captured))
    branches = tuple(Graph(b.scope, [*captured, *b.variables], b.outputs.nodes) for b in traced)
    found = apply(
        COND,
        [test, *map(captured_operand, captured), *arguments.converted(types)],
        branches=branches,
    )
    return unflatten(traced[0].outputs.structure, found)


class _Branch:
    """One of the two functions, traced."""

    def __init__(
        self, f: Callable[..., Any], arguments: Leaves, types: list[ArrayType], called: str
    ) -> None:
        with Scope(called, abstract=_COND_REASON) as self.scope:
            variables, close = open_body(self.scope, types)
            self.variables = [v.node for v in variables]
            self.outputs = BranchResult(f(*arguments.tree(variables)), called, f)
            self.captured = close(self.outputs.nodes)[1]


# -- recomputing and stopping ---------------------------------------------------------------------


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, of which a derivative keeps the arguments and recomputes the rest.

    Reverse mode needs the intermediate values of a function.  Inside a function made by
    ``checkpoint`` they are computed a second time when the derivative is taken, in place of being
    kept until then: memory for the arguments only, for one more evaluation of f.

    Arguments and results may be containers; arguments that are not numbers are passed on as they
    are.  f may branch on values; what it writes into its arguments its caller does not see.

    >>> import numpy as np, adjoint as ad
    >>> layer = ad.checkpoint(lambda x: np.sin(np.exp(x)))
    >>> float(ad.grad(lambda x: layer(layer(x)))(0.0))
    -0.8534174...
    """
    require_callable(f, "checkpoint(f)")

    @functools.wraps(f, updated=())
    def recomputed(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        traced = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]
        structures: list[Structure] = []

        def flat(*operands: Any) -> list[Any]:
            full = [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]
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


del _control_rules
