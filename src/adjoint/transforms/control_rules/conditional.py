"""Rules of `cond`: the transformed branches, of which again one is carried out."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.ir import Graph
from adjoint.graph.tracing import zeros_for
from adjoint.primitives.control.body import apply
from adjoint.primitives.control.conditional import COND
from adjoint.transforms.control_rules.bodies import (
    Flags,
    apply_graph,
    batched_graph,
    batched_results,
    build,
    depends,
    input_types,
    known,
    output_types,
    pullback_graph,
    pushforward_of,
)

Branches = tuple[Graph, Graph]


def _either(branches: Branches, flags: Sequence[bool], floats: bool) -> list[bool]:
    """Which results depend on marked operands in one branch at least."""
    pairs = zip(*(depends(b, flags, floats=floats) for b in branches), strict=True)
    return [any(p) for p in pairs]


def _pushforward(branch: Graph, flags: Sequence[bool], has: Sequence[bool]) -> Graph:
    """The tangents of the results that have one, from operands and tangents."""
    types = input_types(branch)
    count = len(types)

    def push(operands: list[Any]) -> list[Any]:
        remaining = iter(operands[count:])
        dots = [next(remaining) if f else None for f in flags]
        found = pushforward_of(lambda i: apply_graph(branch, i), operands[:count], dots)[1]
        return [
            zeros_for(t) if d is None else d
            for d, t, h in zip(found, output_types(branch), has, strict=True)
            if h
        ]

    return build(types + [t for t, f in zip(types, flags, strict=True) if f], push)


def jvp(
    self: Any, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
) -> Any:
    """The pushforward of the branch that is taken."""
    branches: Branches = params["branches"]
    flags = [t is not None for t in tangents[1:]]
    has = _either(branches, flags, floats=True)
    pushed = tuple(_pushforward(b, flags, has) for b in branches)
    dots = [t for t in tangents[1:] if t is not None]
    found = iter(apply(COND, [*known(primals), *dots], branches=pushed))
    return tuple(next(found) if h else None for h in has)


def pull_back(
    self: Any,
    primals: tuple[Any, ...],
    cts: Sequence[Any],
    wanted: Flags,
    masked: bool,
    **params: Any,
) -> list[Any]:
    """The pullback of the branch that is taken."""
    given = [c is not None for c in cts]
    pulled = tuple(pullback_graph(b, given, wanted[1:], masked) for b in params["branches"])
    seeds = [c for c in cts if c is not None]
    terms = iter(apply(COND, [*known(primals), *seeds], branches=pulled))
    return [next(terms) if w else None for w in wanted]


def batch(self: Any, operands: tuple[Any, ...], batched: Flags, size: int, **params: Any) -> Any:
    """One branch for all examples, or both and a choice where the examples differ."""
    branches: Branches = params["branches"]
    if batched[0]:
        return _choice(branches, operands, batched, size)
    vary = _either(branches, batched[1:], floats=False)
    graphs = tuple(batched_graph(b, batched[1:], size, vary)[0] for b in branches)
    found = apply(COND, operands, branches=graphs)
    return tuple(
        r if v else np.broadcast_to(r, (size, *np.shape(r)))
        for r, v in zip(found, vary, strict=True)
    )


def _choice(
    branches: Branches, operands: tuple[Any, ...], batched: Flags, size: int
) -> tuple[Any, ...]:
    predicate = operands[0]
    # A branch is also computed for examples that do not take it; what it warns of is thrown away.
    with np.errstate(all="ignore"):
        found = [
            batched_results(functools.partial(apply_graph, b), operands[1:], batched[1:], size)
            for b in branches
        ]
        results = []
        for a, b in zip(*(zip(*f, strict=True) for f in found), strict=True):
            left, right = (v if varies else np.asarray(v)[None] for v, varies in (a, b))
            keep = np.reshape(predicate, (size,) + (1,) * (left.ndim - 1))
            results.append(np.where(keep, left, right))
    return tuple(results)
