"""The direction of steepest ascent."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.calculus.gradients import ArgNums, grad
from adjoint.errors import AbstractValueError, UndefinedDerivativeError
from adjoint.graph.containers import flatten, unflatten


def steepest_ascent(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The direction in which f grows fastest: ∇f/‖∇f‖₂, in the shape of its argument.

    Among all directions v with ‖v‖₂ = 1 it has the largest directional derivative, ‖∇f‖₂
    (Cauchy and Schwarz).  For containers, and for several arguments, the norm is over all numbers
    together.

    Raises
    ------
    UndefinedDerivativeError: the gradient is zero, so that no direction is the steepest, or it is
        not finite.

    Notes
    -----
    Costs one gradient.

    >>> import numpy as np, adjoint as ad
    >>> ad.steepest_ascent(lambda x: 3 * x[0] + 4 * x[1] ** 2)(np.array([1.0, 0.5]))
    array([0.6, 0.8])
    """
    gradient_of_f = grad(f, argnums)

    @functools.wraps(f, updated=())
    def direction(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten(gradient_of_f(*args, **kwargs))
        largest = np.max(np.stack([np.max(np.abs(leaf)) for leaf in leaves if np.size(leaf)]))
        _require_direction(largest)
        with np.errstate(all="ignore"):
            # Scaled by the largest entry, so that squares neither overflow nor vanish.
            scaled = [leaf / largest for leaf in leaves]
            length = np.sqrt(sum(np.sum(np.abs(leaf) ** 2) for leaf in scaled))
            return unflatten(structure, [leaf / length for leaf in scaled])

    return direction


def _require_direction(largest: Any) -> None:
    try:
        found = bool(largest > 0) and bool(largest < np.inf)
    except AbstractValueError:
        return  # one of many points inside vmap: there the direction is NaN where there is none
    if not found:
        raise UndefinedDerivativeError(
            "steepest_ascent(f) needs a gradient that is finite and not zero; its largest entry "
            f"is {largest:g}.",
            hint="where the gradient is zero, ad.hessian(f) tells a maximum from a saddle.",
        )


__all__ = ["steepest_ascent"]
