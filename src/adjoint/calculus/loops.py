"""Functions with their loops over named dimensions made into operations on arrays."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, unflatten
from adjoint.graph.ir import Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import Outputs
from adjoint.transforms.batching import replay
from adjoint.transforms.rerolling import reroll

ABSTRACT = "a formula holds for all values; give an example: formula(f, x=np.array([1.0, 2.0]))"


def with_loops_rolled(f: Callable[..., Any]) -> Callable[..., Any]:
    """f with its loops rolled; of a derivative, the same derivative of such a function.

    Public transforms keep the function they differentiate in a closure, where it is replaced: a
    derivative of Σ x² is simpler than the same of x₀² + x₁² + ….
    """
    if not _is_transform(f):
        return _rolled(f)
    cells = []
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        content = cell.cell_contents
        if _is_transform(content) or (name == "f" and callable(content)):
            content = with_loops_rolled(content)
        cells.append(types.CellType(content))
    made = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, tuple(cells))
    made.__kwdefaults__ = f.__kwdefaults__
    made.__dict__.update(f.__dict__)
    return made


def _rolled(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f, updated=())
    def rolled(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        traced = [x for x in leaves if isinstance(x, Tracer)]
        with Scope("formula(f)", abstract=ABSTRACT) as scope:
            inner = [variable(scope, x) for x in traced]
            own = iter(inner)
            called = [next(own) if isinstance(x, Tracer) else x for x in leaves]
            inner_args, inner_kwargs = unflatten(structure, called)
            outputs = Outputs(f(*inner_args, **inner_kwargs), "formula(f)")
            found = reroll(outputs.nodes, scope)
            if found is not None:
                nodes, inputs = Outputs(found, "formula(f)").nodes, [v.node for v in inner]
                # A wrong formula is worse than a long one.
                if _agree(outputs.nodes, nodes, inputs, scope):
                    results = replay(nodes, dict(zip(inputs, traced, strict=True)), scope)
                    return outputs.tree(results)
        return f(*args, **kwargs)

    return rolled


def _agree(old: Sequence[Node], new: Sequence[Node], inputs: Sequence[Node], scope: Scope) -> bool:
    """Whether two graphs have one value, to rounding, at random numbers."""
    rng = np.random.default_rng(0)
    given = {n: rng.uniform(0.5, 1.5, n.type.shape) if n.value is None else n.value for n in inputs}
    with np.errstate(all="ignore"):
        pairs = zip(replay(old, given, scope), replay(new, given, scope), strict=True)
        return all(np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True) for a, b in pairs)


def _is_transform(f: Any) -> bool:
    """Whether f was made by one of the public transforms."""
    module = str(getattr(f, "__globals__", {}).get("__name__", ""))
    return isinstance(f, types.FunctionType) and module.startswith("adjoint.calculus.")


__all__ = ["with_loops_rolled"]
