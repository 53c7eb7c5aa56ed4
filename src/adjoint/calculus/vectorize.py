"""vmap: a function of one example, applied to all of them at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.calculus.gradients import outward_leaf
from adjoint.errors import ArgumentError, ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, numeric_leaf, unflatten
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import Outputs, require_callable
from adjoint.transforms.batching import batch

_REASON = "vmap computes it for all examples at once, and they may differ"


def vmap(f: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """f for every example of a batch, as one computation on whole arrays.

    Parameters
    ----------
    in_axes: for each argument the axis that holds the examples, or None for an argument that all
        examples share; one integer for all arguments, or a tuple, whose entries may be nested like
        the argument.
    out_axes: where the examples' axis goes in the results.

    Returns
    -------
    A function of the batched arguments, equal to stacking f over the examples.

    Notes
    -----
    f is traced once, for an example whose values are not known: a branch or an index that depends
    on them raises `AbstractValueError` rather than taking one example's way for all.

    Floating-point warnings (a logarithm of 0) are not given, since rules divide by zero where they
    mask the result afterwards; warnings that f itself issues are.

    >>> import numpy as np, adjoint as ad
    >>> ad.vmap(lambda a, b: a @ b, in_axes=(0, None))(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    require_callable(f, "vmap(f)")

    @functools.wraps(f, updated=())
    def mapped(*args: Any, **kwargs: Any) -> Any:
        axes = _axes_per_argument(in_axes, args)
        with Scope("vmap(f)", abstract=_REASON) as scope:
            values: dict[Any, Any] = {}
            trees, size = [], None
            for position, (arg, axis) in enumerate(zip(args, axes, strict=True)):
                leaves, structure = flatten(arg)
                leaf_axes = _leaf_axes(axis, leaves, structure, f"argument {position}")
                traced = []
                for leaf, a in zip(leaves, leaf_axes, strict=True):
                    if a is None:
                        traced.append(leaf)
                        continue
                    tracer, size = _example(scope, leaf, a, position, size, values)
                    traced.append(tracer)
                trees.append(unflatten(structure, traced))
            if size is None:
                raise ArgumentError(
                    "vmap(f) needs at least one argument with a batch axis; in_axes is "
                    f"{in_axes!r}."
                )
            outputs = Outputs(f(*trees, **kwargs), "vmap(f)")
            # Rules of derivatives divide by zero where their result is masked afterwards.
            with np.errstate(all="ignore"):
                found = batch(outputs.nodes, values, size, scope)
        places = _leaf_axes(out_axes, outputs.nodes, outputs.structure, "the result")
        leaves = [_placed(v, p, out_axes) for v, p in zip(found, places, strict=True)]
        return outputs.tree(leaves)

    return mapped


def _placed(value: Any, axis: int | None, out_axes: Any) -> Any:
    """A result with its examples along the axis that was asked for."""
    if axis is None or not -value.ndim <= axis < value.ndim:
        raise ArgumentError(
            f"vmap(f) needs out_axes to name an axis of each result, which with the examples is "
            f"{describe(value)}; got {out_axes!r}.",
            hint="use out_axes=0.",
        )
    return outward_leaf(np.moveaxis(value, 0, axis) if axis else value)


def _example(
    scope: Scope, leaf: Any, axis: int, position: int, size: int | None, values: dict[Any, Any]
) -> tuple[Tracer, int]:
    operand = numeric_leaf(leaf, "vmap(f)", f"argument {position}")
    if not isinstance(operand, Tracer):
        operand = np.asarray(operand)
    shape = operand.shape
    if not -len(shape) <= axis < len(shape):
        raise ShapeMismatchError(
            f"vmap(f) maps axis {axis} of argument {position}, which is {describe(operand)}.",
            hint="use in_axes=None for an argument that all examples share.",
        )
    axis %= len(shape)
    if size is not None and shape[axis] != size:
        raise ShapeMismatchError(
            f"vmap(f) needs one batch size; argument {position} has {shape[axis]} examples "
            f"({describe(operand)}, axis {axis}), an earlier one {size}."
        )
    rest = shape[:axis] + shape[axis + 1 :]
    tracer = variable(scope, None, ArrayType(rest, operand.dtype))
    values[tracer.node] = operand if axis == 0 else np.moveaxis(operand, axis, 0)
    return tracer, shape[axis]


def _axes_per_argument(in_axes: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    if in_axes is None or isinstance(in_axes, int):
        return (in_axes,) * len(args)
    if not isinstance(in_axes, tuple | list) or len(in_axes) != len(args):
        raise ArgumentError(
            f"vmap(f) needs in_axes as an integer or one entry per argument; got {in_axes!r} for "
            f"{len(args)} arguments."
        )
    return tuple(in_axes)


def _leaf_axes(axes: Any, leaves: list[Any], structure: Any, what: str) -> list[int | None]:
    """One axis per leaf, from an integer or a container nested like the start of the leaves'."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(leaves)
    import optree

    tree = unflatten(structure, list(range(len(leaves))))
    try:
        spread = optree.tree_broadcast_prefix(
            axes, tree, is_leaf=lambda x: x is None, namespace="adjoint", none_is_leaf=True
        )
    except ValueError as error:
        raise ArgumentError(f"vmap(f) needs axes nested like {what}: {error}") from None
    found = list(optree.tree_leaves(spread, none_is_leaf=True, namespace="adjoint"))
    if any(a is not None and not isinstance(a, int | np.integer) for a in found):
        raise ArgumentError(f"vmap(f) needs integers or None as axes of {what}; got {axes!r}.")
    return found
