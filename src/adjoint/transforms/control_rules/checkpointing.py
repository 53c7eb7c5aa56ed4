"""Rules of `checkpoint`: the transformed computation is recorded as one node too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.tracing import zeros_for
from adjoint.primitives.control.checkpointing import checkpointed
from adjoint.transforms.control_rules.bodies import (
    Flags,
    apply_graph,
    batched_results,
    depends,
    known,
    output_types,
    pullback_of,
    pushforward_of,
)


def jvp(
    self: Any, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
) -> Any:
    """Values and tangents together, recomputed when they are pulled back."""
    body = params["body"]
    flags = [t is not None for t in tangents]
    has = depends(body, flags, floats=True)

    def push(*operands: Any) -> list[Any]:
        remaining = iter(operands[len(primals) :])
        dots = [next(remaining) if f else None for f in flags]
        found = pushforward_of(
            lambda inner: apply_graph(body, inner), operands[: len(primals)], dots
        )[1]
        return [
            zeros_for(t) if d is None else d
            for d, t, h in zip(found, output_types(body), has, strict=True)
            if h
        ]

    found = iter(checkpointed(push, [*known(primals), *(t for t in tangents if t is not None)]))
    return tuple(next(found) if h else None for h in has)


def pull_back(
    self: Any,
    primals: tuple[Any, ...],
    cts: Sequence[Any],
    wanted: Flags,
    masked: bool,
    **params: Any,
) -> list[Any]:
    """Recomputes the body from its operands, then pulls back through it."""
    body, count = params["body"], len(primals)
    given = [c is not None for c in cts]

    def pull(*operands: Any) -> list[Any]:
        remaining = iter(operands[count:])
        seeds = [next(remaining) if g else None for g in given]
        return pullback_of(
            lambda inner: apply_graph(body, inner), operands[:count], seeds, wanted, masked
        )

    with np.errstate(all="ignore"):
        terms = iter(checkpointed(pull, [*known(primals), *(c for c in cts if c is not None)]))
    return [next(terms) if w else None for w in wanted]


def batch(self: Any, operands: tuple[Any, ...], batched: Flags, size: int, **params: Any) -> Any:
    """All examples together."""
    body = params["body"]
    vary = depends(body, batched)

    def all_examples(*values: Any) -> list[Any]:
        return batched_results(lambda inner: apply_graph(body, inner), values, batched, size)[0]

    found = checkpointed(all_examples, operands)
    return tuple(
        v if d else np.broadcast_to(v, (size, *np.shape(v)))
        for v, d in zip(found, vary, strict=True)
    )
