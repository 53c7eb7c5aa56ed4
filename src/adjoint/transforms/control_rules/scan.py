"""Rules of `scan`: each gives scans again, so derivatives of any order are loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.ir import Graph
from adjoint.graph.tracing import zeros_for
from adjoint.primitives.control.body import apply
from adjoint.primitives.control.scan import SCAN
from adjoint.transforms.control_rules.bodies import (
    Flags,
    apply_graph,
    batched_graph,
    build,
    carried,
    depends,
    input_types,
    joint_graph,
    known,
    output_types,
    pullback_graph,
    type_of_operand,
)
from adjoint.transforms.control_rules.parts import Parts, chosen, joint_order, reordered

KEPT_BYTES = 2**27
"""Above this size the carries of all steps are not kept, but recomputed in segments."""


# -- forward --------------------------------------------------------------------------------------


def jvp(
    self: Any, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
) -> Any:
    """One loop that carries values and tangents together; nothing is stored."""
    body, carries = params["body"], params["carries"]
    flags = carried(
        body, [t is not None for t in tangents], params["captured"], carries, floats=True
    )
    joint, _ = joint_graph(body, flags)
    order, has = joint_order(flags, params), depends(body, flags, floats=True)
    total = len(body.outputs)
    moving = [j for j in range(carries) if flags[params["captured"] + j]]
    changing = [k for k in range(carries, total) if has[k]]
    outputs = [*range(carries), *(total + j for j in moving), *(total + k for k in changing)]
    dots = [
        (np.zeros(np.shape(p), p.dtype) if t is None else t) if f else None
        for p, t, f in zip(primals, tangents, flags, strict=True)
    ]
    p, d, f = Parts(primals, params), Parts(dots, params), Parts(flags, params)
    captured = p.captured + chosen(d.captured, f.captured)
    init = p.carries + chosen(d.carries, f.carries)
    found = apply(
        SCAN,
        [*captured, *init, *p.xs, *chosen(d.xs, f.xs)],
        **params
        | {
            "body": reordered(joint, order, outputs),
            "captured": len(captured),
            "carries": len(init),
        },
    )
    results: list[Any] = [None] * total
    for place, value in zip([*moving, *changing], found[carries:], strict=True):
        results[place] = value
    return tuple(results)


# -- reverse --------------------------------------------------------------------------------------


def pull_back(
    self: Any,
    primals: tuple[Any, ...],
    cts: Sequence[Any],
    wanted: Flags,
    masked: bool,
    **params: Any,
) -> list[Any]:
    """A forward scan that stores the carries, and a scan back over them.

    The second scan's body recomputes one step and pulls its cotangents back.  Where the carries of
    all steps are too many, only every k-th is stored, k ≈ √n, and the steps between two are done
    again in the same way (Griewank and Walther, *ACM TOMS* 2000, section 2; recursion over two
    levels costs one more forward sweep and memory for 2√n carries in place of n).
    """
    operands = known(primals)
    every = _segment_length(operands, params)
    if every:
        return _pull_back_segments(operands, cts, wanted, masked, every, params)
    return _pull_back_all(operands, cts, wanted, masked, params)


def _segment_length(operands: Sequence[Any], params: dict[str, Any]) -> int:
    """Steps between two stored carries, or 0 where all of them are stored."""
    length, every = params["length"], params["every"]
    if every:
        return every if every < length else 0
    types = [type_of_operand(c) for c in Parts(operands, params).carries]
    size = length * sum(t.size * t.dtype.itemsize for t in types)
    return math.isqrt(length - 1) + 1 if size > KEPT_BYTES and length > 3 else 0


def _pull_back_all(
    operands: Sequence[Any],
    cts: Sequence[Any],
    wanted: Sequence[bool],
    masked: bool,
    params: dict[str, Any],
) -> list[Any]:
    body, start, carries = params["body"], params["captured"], params["carries"]
    active = carried(body, wanted, start, carries, floats=True)
    types = output_types(body)
    a = Parts(active, params)
    given = [*a.carries, *(c is not None for c in cts[carries:])]
    backward, needed = _backward_body(body, active, given, masked, params)
    p = Parts(operands, params)
    stored = _stored_carries(operands, needed, params)
    sums = [zeros_for(type_of_operand(c)) for c in chosen(p.captured, a.captured)]
    seeds = [
        zeros_for(t) if c is None else c
        for c, t in zip(chosen(cts[:carries], a.carries), chosen(types[:carries], a.carries),
                        strict=True)
    ]  # fmt: skip
    found = apply(
        SCAN,
        [*p.captured, *sums, *seeds, *stored, *p.xs, *chosen(cts[carries:], given[carries:])],
        body=backward,
        length=params["length"],
        reverse=not params["reverse"],
        captured=start,
        carries=len(sums) + len(seeds),
        every=0,
    )
    terms = iter(found)
    full = [next(terms) if f else None for f in active]
    return [term if w else None for term, w in zip(full, wanted, strict=True)]


def _backward_body(
    body: Graph,
    active: Sequence[bool],
    given: Sequence[bool],
    masked: bool,
    params: dict[str, Any],
) -> tuple[Graph, list[bool]]:
    """One step back, and which carries it reads.

    Inputs: captured; sums of captured cotangents, carry cotangents; carries that are read, x,
    cotangents of y.  Outputs: the sums, the carry cotangents, the cotangents of x.
    """
    pull = pullback_graph(body, given, active, masked)
    read = {n for node in pull.nodes for n in node.inputs} | set(pull.outputs)
    p, a = Parts(pull.inputs[: len(active)], params), Parts(active, params)
    needed = [n in read for n in p.carries]
    count = sum(a.captured)
    shared, moving = len(p.captured), sum(a.carries)
    kinds = Parts(input_types(pull)[: len(active)], params)
    ct_types = [n.type for n in pull.inputs[len(active) :]]
    carry_types = chosen(kinds.captured, a.captured) + ct_types[:moving]
    types = [
        *kinds.captured, *carry_types, *chosen(kinds.carries, needed), *kinds.xs,
        *ct_types[moving:],
    ]  # fmt: skip

    def step(operands: list[Any]) -> list[Any]:
        rest = iter(operands)
        captured = [next(rest) for _ in range(shared)]
        sums = [next(rest) for _ in range(count)]
        seeds = [next(rest) for _ in range(moving)]
        carry = [next(rest) if n else zeros_for(t) for n, t in zip(needed, kinds.carries,
                                                                   strict=True)]  # fmt: skip
        xs = [next(rest) for _ in kinds.xs]
        found = apply_graph(pull, [*captured, *carry, *xs, *seeds, *rest])
        return [*(s + f for s, f in zip(sums, found[:count], strict=True)), *found[count:]]

    return build(types, step), needed


def _stored_carries(
    operands: Sequence[Any], needed: Sequence[bool], params: dict[str, Any]
) -> list[Any]:
    """The needed carries before each step, stacked."""
    if not any(needed):
        return []
    body, carries = params["body"], params["carries"]
    before = Parts(body.inputs, params).carries
    storing = Graph(body.scope, body.inputs, [*body.outputs[:carries], *chosen(before, needed)])
    return apply(SCAN, operands, **params | {"body": storing})[carries:]


def _pull_back_segments(
    operands: list[Any],
    cts: Sequence[Any],
    wanted: Flags,
    masked: bool,
    every: int,
    params: dict[str, Any],
) -> list[Any]:
    """The same for a loop over segments and, if the length does not divide, the steps after it."""
    p = Parts(operands, params)
    length, carries = params["length"], params["carries"]
    segments = length // every
    done = segments * every
    first, second = _split(params, done)
    nested = _nested(params, segments, every)
    head = [*p.captured, *p.carries, *(x[first] for x in p.xs)]
    head_cts = [*cts[:carries], *(c if c is None else c[first] for c in cts[carries:])]
    tail_terms: list[Any] | None = None
    if done < length:
        middle = apply(SCAN, head, **params | {"length": done})[:carries]
        tail = [*p.captured, *middle, *(x[second] for x in p.xs)]
        tail_cts = [*cts[:carries], *(c if c is None else c[second] for c in cts[carries:])]
        flags = carried(params["body"], wanted, params["captured"], carries, floats=True)
        tail_terms = _pull_back_all(
            tail, tail_cts, flags, masked, params | {"length": length - done, "every": 0}
        )
        head_cts[:carries] = Parts(tail_terms, params).carries
    blocks = [x.reshape(segments, every, *x.shape[1:]) for x in Parts(head, params).xs]
    head = [*p.captured, *p.carries, *blocks]
    head_cts[carries:] = [
        c if c is None else c.reshape(segments, every, *c.shape[1:]) for c in head_cts[carries:]
    ]
    terms = pull_back(SCAN, tuple(head), head_cts, wanted, masked, **nested)
    return _joined(terms, tail_terms, length, params)


def _split(params: dict[str, Any], done: int) -> tuple[slice, slice]:
    """Where the first steps and the remaining ones lie in the scanned arrays."""
    rest = params["length"] - done
    if params["reverse"]:
        return slice(rest, None), slice(0, rest)
    return slice(0, done), slice(done, None)


def _nested(params: dict[str, Any], segments: int, every: int) -> dict[str, Any]:
    """A scan over segments whose body is the scan of one segment."""
    body, carries = params["body"], params["carries"]
    first = params["captured"] + carries
    types = input_types(body)
    types = types[:first] + [t._replace(shape=(every, *t.shape)) for t in types[first:]]
    inner = params | {"length": every, "every": 0}
    graph = build(types, lambda operands: SCAN(*operands, **inner))
    return params | {"body": graph, "length": segments, "every": 0}


def _joined(
    head: Sequence[Any], tail: Sequence[Any] | None, length: int, params: dict[str, Any]
) -> list[Any]:
    """The cotangents of a whole loop from those of its segments and of the rest."""
    h = Parts(head, params)
    flat = [None if x is None else x.reshape(-1, *x.shape[2:]) for x in h.xs]
    if tail is None:
        return [*h.captured, *h.carries, *flat]
    t = Parts(tail, params)
    captured = [None if a is None else a + b for a, b in zip(h.captured, t.captured, strict=True)]
    pairs = [(b, a) if params["reverse"] else (a, b) for a, b in zip(flat, t.xs, strict=True)]
    xs = [None if a is None or b is None else np.concatenate([a, b]) for a, b in pairs]
    return [*captured, *h.carries, *xs]


# -- batches --------------------------------------------------------------------------------------


def batch(self: Any, operands: tuple[Any, ...], batched: Flags, size: int, **params: Any) -> Any:
    """The same loop with a batch axis: in front in carries, second in scanned arrays."""
    body, start, carries = params["body"], params["captured"], params["carries"]
    flags = carried(body, batched, start, carries, floats=False)
    forced = [*Parts(flags, params).carries, *([False] * (len(body.outputs) - carries))]
    graph, vary = batched_graph(body, flags, size, forced)
    full = [
        np.broadcast_to(o, (size, *np.shape(o))) if f and not b else o
        for o, f, b in zip(operands, flags, batched, strict=True)
    ]
    p, f = Parts(full, params), Parts(flags, params)
    xs = [np.moveaxis(x, 0, 1) if b else x for x, b in zip(p.xs, f.xs, strict=True)]
    found = apply(SCAN, [*p.captured, *p.carries, *xs], **params | {"body": graph})
    results = []
    for i, (value, b) in enumerate(zip(found, vary, strict=True)):
        if not b:
            results.append(np.broadcast_to(value, (size, *np.shape(value))))
        else:
            results.append(value if i < carries else np.moveaxis(value, 1, 0))
    return tuple(results)
