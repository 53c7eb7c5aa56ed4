"""Rules of `while_loop` and of its reverse sweep.

Let a loop compute s ↦ F(s), and G(s, c) = F′(s)ᵀ c be its reverse sweep.  The loop that carries
values and tangents together computes (s, v) ↦ (F(s), F′(s) v), and its reverse sweep with the
cotangents (a, c) gives, for s,  F′(s)ᵀ a + ∂ₛ⟨c, F′(s) v⟩.  Both derivatives of G are of that form:

* forward, along (v, ċ):  a = ċ and c;
* reverse, for a cotangent v of G:  a = 0 and c for s, and F′(s) v for c.

So two primitives are closed under differentiation of any order, whatever the number of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.ir import Graph
from adjoint.graph.tracing import zeros_for
from adjoint.primitives.control.body import apply
from adjoint.primitives.control.loops import WHILE, WHILE_PULLBACK
from adjoint.transforms.control_rules.bodies import (
    Flags,
    apply_graph,
    batched_graph,
    batched_results,
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

Params = dict[str, Any]


def _body_parts(everything: Sequence[Any], params: Params) -> Parts:
    """What belongs to the body, by kind."""
    rest = everything[params["tests"] :]
    return Parts(rest, {"captured": params["captured"], "carries": len(rest) - params["captured"]})


class _Joint:
    """The loop that carries values and tangents together."""

    def __init__(self, primals: Sequence[Any], tangents: Sequence[Any], params: Params) -> None:
        tests, start = params["tests"], params["captured"]
        body = params["body"]
        carries = len(body.outputs)
        given = [t is not None for t in tangents[tests:]]
        flags = carried(body, given, start, carries, floats=True)
        self.moving = flags[start:]
        count = {"captured": start, "carries": carries}
        joint, _ = joint_graph(body, flags)
        moved = [carries + j for j in range(carries) if self.moving[j]]
        p = _body_parts(primals, params)
        dots = Parts(
            [
                zeros_for(type_of_operand(x)) if t is None else t
                for x, t in zip(primals[tests:], tangents[tests:], strict=True)
            ],
            count,
        )
        f = Parts(flags, count)
        shared = p.captured + chosen(dots.captured, f.captured)
        init = p.carries + chosen(dots.carries, f.carries)
        self.operands = [*primals[:tests], *shared, *init]
        self.params = params | {
            "body": reordered(joint, joint_order(flags, count), [*range(carries), *moved]),
            "condition": _with_more_inputs(
                params["condition"], tests, [type_of_operand(c) for c in init]
            ),
            "captured": len(shared),
        }
        self.extra = (len(shared) - start, len(init) - carries)

    def layout(self, captured: Sequence[bool], carries: Sequence[bool]) -> Flags:
        """Flags of the loop's operands, from those of the values; tangents have none."""
        more, dots = self.extra
        nothing = [False] * self.params["tests"]
        return (*nothing, *captured, *[False] * more, *carries, *[False] * dots)

    def only_values(self, terms: Sequence[Any]) -> list[Any]:
        """Of something per operand, what belongs to values: the reverse of `layout`."""
        marks = self.layout(
            [True] * (self.params["captured"] - self.extra[0]), [True] * len(self.moving)
        )
        return chosen(terms, marks)


def _with_more_inputs(condition: Graph, tests: int, carry: Sequence[ArrayType]) -> Graph:
    """The condition as a function of its captured values and of a longer carry."""
    types = input_types(condition)
    return build(
        types[:tests] + list(carry), lambda operands: apply_graph(condition, operands[: len(types)])
    )


# -- the loop -------------------------------------------------------------------------------------


def jvp(
    self: Any, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
) -> Any:
    """One loop that carries values and tangents together."""
    joint = _Joint(primals, tangents, params)
    found = apply(WHILE, joint.operands, **joint.params)
    dots = iter(found[len(joint.moving) :])
    return tuple(next(dots) if m else None for m in joint.moving)


def pull_back(
    self: Any,
    primals: tuple[Any, ...],
    cts: Sequence[Any],
    wanted: Flags,
    masked: bool,
    **params: Any,
) -> list[Any]:
    """A reverse sweep, as a node of its own."""
    operands = known(primals)
    tests, start = params["tests"], params["captured"]
    body = params["body"]
    active = carried(body, wanted[tests:], start, len(body.outputs), floats=True)
    moving = active[start:]
    seeds = [
        zeros_for(t) if c is None else c
        for c, t in zip(chosen(cts, moving), chosen(output_types(body), moving), strict=True)
    ]
    found = iter(
        apply(
            WHILE_PULLBACK,
            [*operands, *seeds],
            **params,
            backward=pullback_graph(body, moving, active, masked),
            active=tuple(moving),
            mask=masked,
            summed=tuple(active[:start]),
        )
    )
    terms = [next(found) if f else None for f in active]
    return [None] * tests + [t if w else None for t, w in zip(terms, wanted[tests:], strict=True)]


class _Batched:
    """The loop for a whole batch: until the condition fails for every example.

    Where it fails for one example and not for another, the first keeps its carry.
    """

    def __init__(self, flags: Sequence[bool], size: int, params: Params) -> None:
        tests, start = params["tests"], params["captured"]
        body, condition = params["body"], params["condition"]
        self.size, self.tests = size, tests
        carries = len(body.outputs)
        self.flags = [*flags[:tests], *carried(body, flags[tests:], start, carries, floats=False)]
        first = tests + start
        self.differ = depends(condition, [*flags[:tests], *self.flags[first:]])[0]
        if self.differ:
            self.flags[first:] = [True] * carries
            self.params = params | self._masked(params)
            return
        batched = batched_graph(body, self.flags[tests:], size, self.flags[first:])[0]
        carry = [n.type for n in batched.inputs[start:]]
        self.params = params | {
            "body": batched, "condition": _with_more_inputs(condition, tests, carry)
        }  # fmt: skip

    def _masked(self, params: Params) -> Params:
        tests, size = self.tests, self.size
        body, condition = params["body"], params["condition"]
        first = tests + params["captured"]
        tested = [*self.flags[:tests], *self.flags[first:]]
        types = [
            ArrayType((size, *t.shape), t.dtype) if f else t
            for t, f in zip(
                [*input_types(condition)[:tests], *input_types(body)], self.flags, strict=True
            )
        ]

        def proceed(operands: list[Any]) -> Any:
            return batched_results(lambda i: apply_graph(condition, i), operands, tested, size)[0][
                0
            ]

        def step(operands: list[Any]) -> list[Any]:
            carry = operands[first:]
            keep = proceed([*operands[:tests], *carry])
            found, _ = batched_results(
                lambda i: apply_graph(body, i), operands[tests:], self.flags[tests:], size
            )
            return [
                np.where(np.reshape(keep, (size,) + (1,) * (c.ndim - 1)), f, c)
                for f, c in zip(found, carry, strict=True)
            ]

        return {
            "condition": build(types[:tests] + types[first:], lambda o: [np.any(proceed(o))]),
            "body": build(types, step),
            "captured": first,
            "quiet": True,
        }

    def operands(self, operands: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
        """The operands of the batched loop: what the mask captures comes a second time."""
        full = [
            np.broadcast_to(o, (self.size, *np.shape(o))) if f and not b else o
            for o, f, b in zip(operands, self.flags, batched, strict=True)
        ]
        return full[: self.tests] + full if self.differ else full


def batch(self: Any, operands: tuple[Any, ...], batched: Flags, size: int, **params: Any) -> Any:
    """One loop for all examples."""
    loop = _Batched(batched, size, params)
    found = apply(WHILE, loop.operands(operands, batched), **loop.params)
    flags = loop.flags[params["tests"] + params["captured"] :]
    return tuple(
        v if f else np.broadcast_to(v, (size, *np.shape(v)))
        for v, f in zip(found, flags, strict=True)
    )


# -- its reverse sweep ----------------------------------------------------------------------------


def without_backward(params: Params) -> tuple[Params, Flags, Flags]:
    """The parameters of the loop itself, its active carries, and the wanted captured values."""
    loop = {k: v for k, v in params.items() if k not in ("backward", "active", "summed", "mask")}
    return loop, params["active"], params["summed"]


def _spread(values: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """One value per flag that is set, None elsewhere."""
    remaining = iter(values)
    return [next(remaining) if f else None for f in flags]


def sweep_jvp(
    self: Any, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
) -> Any:
    """The reverse sweep of the joint loop, with cotangents (ċ, c)."""
    loop, active, wanted = without_backward(params)
    count = len(primals) - sum(active)
    operands = known(primals)
    values, cts = operands[:count], operands[count:]
    ct_dots = _spread(tangents[count:], active)
    if all(t is None for t in tangents[params["tests"] : count]):
        marks = (*[False] * params["tests"], *wanted, *active)
        terms = pull_back(WHILE, tuple(values), ct_dots, marks, params["mask"], **loop)
        return tuple(chosen(terms, marks))
    joint = _Joint(values, tangents[:count], loop)
    seeds = [*ct_dots, *chosen(_spread(cts, active), joint.moving)]
    marks = joint.layout(wanted, active)
    terms = pull_back(WHILE, tuple(joint.operands), seeds, marks, params["mask"], **joint.params)
    return tuple(chosen(terms, marks))


def sweep_pull_back(
    self: Any,
    primals: tuple[Any, ...],
    cts: Sequence[Any],
    wanted: Flags,
    masked: bool,
    **params: Any,
) -> list[Any]:
    """For s the reverse sweep of the joint loop, for c the joint loop itself."""
    loop, active, marked = without_backward(params)
    count, tests = len(primals) - sum(active), params["tests"]
    operands = known(primals)
    values, seeds = operands[:count], operands[count:]
    tangents = [None] * tests + _spread(cts, (*marked, *active))
    joint = _Joint(values, tangents, loop)
    terms: list[Any] = [None] * count
    if any(wanted[tests:count]):
        marks = joint.layout(
            wanted[tests : tests + params["captured"]], wanted[tests + params["captured"] : count]
        )
        given = [*[None] * len(active), *chosen(_spread(seeds, active), joint.moving)]
        found = pull_back(
            WHILE, tuple(joint.operands), given, marks, params["mask"], **joint.params
        )
        terms[tests:] = joint.only_values(found)
    if any(wanted[count:]):
        dots = jvp(WHILE, None, tuple(values), tuple(tangents), **loop)
        terms += [d if w else None for d, w in zip(chosen(dots, active), wanted[count:],
                                                   strict=True)]  # fmt: skip
    else:
        terms += [None] * (len(primals) - count)
    return terms


def sweep_batch(
    self: Any, operands: tuple[Any, ...], batched: Flags, size: int, **params: Any
) -> Any:
    """The reverse sweep of the batched loop; every example has a cotangent of its own."""
    loop, active, wanted = without_backward(params)
    count, tests = len(operands) - sum(active), params["tests"]
    first = tests + params["captured"]
    own = [False] * tests + list(wanted) + [True] * (count - first)
    flags = [b or o for b, o in zip(batched[:count], own, strict=True)]
    whole = _Batched(flags, size, loop)
    values = whole.operands(operands[:count], batched[:count])
    cts = [
        o if b else np.broadcast_to(o, (size, *np.shape(o)))
        for o, b in zip(operands[count:], batched[count:], strict=True)
    ]
    again = [False] * (len(values) - count)
    marks = (*again, *[False] * tests, *wanted, *active)
    terms = pull_back(
        WHILE, tuple(values), _spread(cts, active), marks, params["mask"], **whole.params
    )
    return tuple(chosen(terms, marks))
