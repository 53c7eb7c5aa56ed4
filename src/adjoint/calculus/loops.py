"""Functions in simpler terms, before they are differentiated: loops over named dimensions made into
operations on arrays, exponentials without shifts."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import variable
from adjoint.graph.containers import flatten, unflatten
from adjoint.graph.ir import Node, reachable
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer, wrap
from adjoint.graph.tracing import Outputs
from adjoint.simplify.expression import Apply, Expr, Sum, number_of, split, symbol, walk
from adjoint.simplify.reading import read
from adjoint.simplify.rebuild import evaluate
from adjoint.simplify.simplification import simplify, size
from adjoint.transforms.batching import replay
from adjoint.transforms.rerolling import reroll

ABSTRACT = "a formula holds for all values; give an example: formula(f, x=np.array([1.0, 2.0]))"


SHIFTS = ("max", "maximum", "exp", "expit", "logsumexp", "prod", "logaddexp")
"""Functions whose presence may mean that there is a shorter way to say the same."""


def in_short(
    f: Callable[..., Any], rolled: bool = True, inside: bool = False
) -> Callable[..., Any]:
    """f in simpler terms, and if ``rolled`` with its loops rolled; of a derivative, the same
    derivative of such a function.

    Public transforms keep the function they differentiate in a closure, where it is replaced: a
    derivative of Σ x² is simpler than the same of x₀² + x₁² + ….
    """
    if not _is_transform(f):
        return _in_short(f, rolled, inside)
    cells = []
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        content = cell.cell_contents
        if _is_transform(content) or (name == "f" and callable(content)):
            content = in_short(content, rolled, inside=True)
        cells.append(types.CellType(content))
    made = types.FunctionType(f.__code__, f.__globals__, f.__name__, f.__defaults__, tuple(cells))
    made.__kwdefaults__ = f.__kwdefaults__
    made.__dict__.update(f.__dict__)
    return made


def _in_short(f: Callable[..., Any], rolled: bool, inside: bool) -> Callable[..., Any]:
    @functools.wraps(f, updated=())
    def shortened(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        traced = [x for x in leaves if isinstance(x, Tracer)]
        with Scope("formula(f)", abstract=ABSTRACT) as scope:
            inner = [variable(scope, x) for x in traced]
            own = iter(inner)
            called = [next(own) if isinstance(x, Tracer) else x for x in leaves]
            inner_args, inner_kwargs = unflatten(structure, called)
            outputs = Outputs(f(*inner_args, **inner_kwargs), "formula(f)")
            nodes, inputs = outputs.nodes, [v.node for v in inner]
            shorter = functools.partial(_shortened, inputs, inside)
            for rewritten in (reroll, shorter) if rolled else (shorter,):
                found = rewritten(nodes, scope)
                if found is not None:
                    new = Outputs(found, "formula(f)").nodes
                    # A wrong formula is worse than a long one.
                    if _agree(outputs.nodes, new, inputs, scope):
                        nodes = new
            if nodes is not outputs.nodes:
                results = replay(nodes, dict(zip(inputs, traced, strict=True)), scope)
                return outputs.tree(results)
        return f(*args, **kwargs)

    return shortened


def _shortened(
    inputs: Sequence[Node], inside: bool, outputs: Sequence[Node], scope: Scope
) -> list[Any] | None:
    """The outputs in simpler terms, if there are any: the derivative of log softmax(x) needs no
    derivative of the maximum by which its exponents are shifted."""
    if not any(n.primitive.name in SHIFTS for n in reachable(outputs, scope)):
        return None
    symbols = {n: symbol(f"x{k}", n.type.shape, n) for k, n in enumerate(inputs)}
    before = read(outputs, symbols, lambda node, needed: ("", node) if needed else None)
    after = simplify(before)
    names = ("softmax", "logsumexp", "prod", *(("logaddexp",) if inside else ()))
    named = any(e.name in names for e in walk(after) if isinstance(e, Apply))
    logs = any(map(_log_of_softmax, walk(after)))
    if size_of(after) >= size_of(before) and not (named or logs):
        return None
    return evaluate(after, {s: wrap(n) for n, s in symbols.items()}, _plainly)


def _plainly(e: Expr, done: Mapping[Expr, Any]) -> Any:
    """Functions that appear in formulas only, by others that have derivatives."""
    if not isinstance(e, Apply):
        return None
    if e.name == "logaddexp" and e.args[0].shape == e.args[1].shape:
        x, y = (done[a] for a in e.args)
        return y + PRIMITIVES["softplus"](x - y)
    if e.name == "log" and (of := _log_of_softmax(e)) is not None:
        x = done[of.args[0]]
        if of.name == "expit":
            return -PRIMITIVES["softplus"](-x if of is e.args[0] else x)
        return x - np.log(np.sum(np.exp(x), axis=of.params["axis"], keepdims=True))
    if e.name == "prod" and len(e.params["axes"]) == 1 and e.rank == e.args[0].rank - 1:
        # A product of logarithms has a derivative that divides: prod(x) / x.
        return np.exp(np.sum(np.log(done[e.args[0]]), axis=e.params["axes"][0]))
    if e.name not in ("softmax", "logsumexp"):
        return None
    axis, powers = e.params["axis"], np.exp(done[e.args[0]])
    total = np.sum(powers, axis=axis, keepdims=True)
    return powers / total if e.name == "softmax" else np.log(np.squeeze(total, axis))


def _log_of_softmax(e: Expr) -> Apply | None:
    """softmax(x) or σ(x) in log softmax(x), log σ(x) and log (1 − σ(x))."""
    if not (isinstance(e, Apply) and e.name == "log"):
        return None
    (inner,) = e.args
    if isinstance(inner, Sum) and len(inner.terms) == 2:
        c, other = max(map(split, inner.terms), key=lambda t: isinstance(t[1], Apply))
        one = any(number_of(t) == 1 for t in inner.terms)
        inner = other if one and c == -1 and getattr(other, "name", "") == "expit" else inner
    found = isinstance(inner, Apply) and inner.name in ("softmax", "expit")
    return inner if found else None  # type: ignore[return-value]


def size_of(results: Sequence[Expr]) -> int:
    return sum(map(size, results))


def _agree(old: Sequence[Node], new: Sequence[Node], inputs: Sequence[Node], scope: Scope) -> bool:
    """Whether two graphs have one value, to rounding, at random numbers."""
    rng = np.random.default_rng(0)
    # Where sums of many numbers are large, log (1 − σ) has no digits left: small ones count too.
    return any(_agree_at(old, new, inputs, scope, rng, scale) for scale in (1.0, 0.1))


def _agree_at(
    old: Sequence[Node], new: Sequence[Node], inputs: Sequence[Node], scope: Scope,
    rng: np.random.Generator, scale: float,
) -> bool:  # fmt: skip
    given = {
        n: scale * rng.uniform(0.5, 1.5, n.type.shape) if n.value is None else n.value
        for n in inputs
    }
    with np.errstate(all="ignore"):
        pairs = zip(replay(old, given, scope), replay(new, given, scope), strict=True)
        return all(np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True) for a, b in pairs)


def _is_transform(f: Any) -> bool:
    """Whether f was made by one of the public transforms."""
    module = str(getattr(f, "__globals__", {}).get("__name__", ""))
    return isinstance(f, types.FunctionType) and module.startswith("adjoint.calculus.")


__all__ = ["in_short"]
