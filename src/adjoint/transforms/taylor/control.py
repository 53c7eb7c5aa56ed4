"""Loops, branches and checkpoints on series: the body is run on the coefficients of its operands.

A carry becomes the tuple of its coefficients, so the series of a loop is one loop, whose body costs
O(order²) times the body of the first: nothing is nested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import outward, variable
from adjoint.graph.ir import Graph, Node
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import zeros_for
from adjoint.primitives.control.body import apply, as_node
from adjoint.primitives.control.checkpointing import checkpointed
from adjoint.primitives.control.conditional import COND
from adjoint.primitives.control.loops import WHILE
from adjoint.primitives.control.scan import SCAN
from adjoint.transforms.control_rules import loops
from adjoint.transforms.control_rules.bodies import (
    apply_graph,
    build,
    carried,
    depends,
    floating,
    input_types,
    known,
    output_types,
)
from adjoint.transforms.control_rules.parts import Parts
from adjoint.transforms.taylor.series import RULES, Coefficient, Joint, Series, fitted
from adjoint.transforms.taylor.walk import series_of

Inputs = list[Series]
Mask = tuple[bool, ...]
"""Of the coefficients of order 1, 2, …, k of an operand, which are not zero."""


def masks_of(inputs: Sequence[Series], moving: Sequence[bool], order: int) -> list[Mask]:
    """Which coefficients are there."""
    orders = range(1, order + 1)
    return [
        tuple(s[k] is not None for k in orders) if m else (False,) * order
        for s, m in zip(inputs, moving, strict=True)
    ]


def present(inputs: Sequence[Series], masks: Sequence[Mask], types: Sequence[ArrayType]) -> Any:
    """The coefficients that have a mark, one operand after the other; zeros where None has one."""
    return [
        zeros_for(t) if s[k] is None else s[k]
        for s, mask, t in zip(inputs, masks, types, strict=True)
        for k, there in enumerate(mask, 1)
        if there
    ]


def repeated(values: Sequence[Any], masks: Sequence[Mask]) -> list[Any]:
    """Each value once per mark."""
    return [v for v, mask in zip(values, masks, strict=True) for m in mask if m]


def columns_of(
    outputs: Callable[[list[Any]], Sequence[Any]], operands: Sequence[Any], masks: Sequence[Mask],
    coefficients: Sequence[Any], order: int,
) -> list[list[Coefficient]]:  # fmt: skip
    """The coefficients of order 0 … k of the results of a function of operands."""
    rest = iter(coefficients)
    with Scope("a series", internal=True) as scope:
        inner, given = [], {}
        for operand, mask in zip(operands, masks, strict=True):
            traced = variable(scope, operand) if any(mask) else operand
            inner.append(traced)
            if any(mask):
                series = Series(operand)
                series.known += [next(rest) if there else None for there in mask]
                given[traced.node] = series
        nodes = [as_node(r) for r in outputs(inner)]
        found = series_of(nodes, given, order, scope)
        columns = [
            [outward(n), *(_outside(fitted(c, n.type)) for c in s.known[1 : order + 1])]
            for s, n in zip(found, nodes, strict=True)
        ]
    return [[*c, *[None] * (order + 1 - len(c))] for c in columns]


def _outside(value: Any) -> Any:
    return outward(value.node) if isinstance(value, Tracer) else value


def _full(column: Sequence[Coefficient], type_: ArrayType) -> list[Any]:
    """The coefficients of order 1 and more, zeros written out."""
    return [zeros_for(type_) if c is None else c for c in column[1:]]


def _together(
    firsts: Sequence[Any], compute: Callable[[int], list[list[Coefficient]]]
) -> tuple[Series, ...]:
    """Results whose coefficients 1 … k are computed together, for all results."""
    found: list[Series] = []

    def fill(k: int) -> None:
        for series, column in zip(found, compute(k), strict=True):
            series.known += column[len(series.known) - 1 :]

    found += [Joint(first, fill) for first in firsts]
    return tuple(found)


def _moving(node: Node, inputs: Inputs) -> list[bool]:
    return [not s.constant and floating(n.type) for s, n in zip(inputs, node.inputs, strict=True)]


def _firsts(inputs: Inputs) -> list[Any]:
    return known([s[0] for s in inputs])


# -- scan -----------------------------------------------------------------------------------------


def _scan(node: Node, out: Any, inputs: Inputs) -> Any:
    params, body = node.params, node.params["body"]
    count, total = params["carries"], len(body.outputs)
    flags = carried(body, _moving(node, inputs), params["captured"], count, floats=True)
    moving = Parts(flags, params).carries
    has = [*moving, *depends(body, flags, floats=True)[count:]]
    types = [n.type for n in node.inputs]

    def compute(order: int) -> list[list[Coefficient]]:
        masks = masks_of(inputs, flags, order)
        start = params["captured"]
        masks[start : start + count] = [(m,) * order for m in moving]
        graph = _scan_body(body, masks, has, order, params)
        p, f = Parts(_firsts(inputs), params), Parts(masks, params)
        s, t = Parts(inputs, params), Parts(types, params)
        captured = [*p.captured, *present(s.captured, f.captured, t.captured)]
        init = [*p.carries, *present(s.carries, f.carries, t.carries)]
        found = apply(
            SCAN,
            [*captured, *init, *p.xs, *present(s.xs, f.xs, t.xs)],
            **params | {"body": graph, "captured": len(captured), "carries": len(init)},
        )
        rest = iter(found[count:])
        return [[next(rest) for _ in range(order)] if h else [None] * order for h in has]

    assert len(out) == total
    return _together(out, compute)


def _scan_body(
    body: Graph, masks: Sequence[Mask], has: Sequence[bool], order: int, params: dict[str, Any]
) -> Graph:
    """One step on series: inputs and outputs by kind, each followed by its coefficients."""
    kinds, marks = Parts(input_types(body), params), Parts(masks, params)
    groups = [(kinds.captured, marks.captured), (kinds.carries, marks.carries),
              (kinds.xs, marks.xs)]  # fmt: skip
    types = [t for own, mask in groups for t in [*own, *repeated(own, mask)]]
    results, carries = output_types(body), params["carries"]

    def step(operands: list[Any]) -> list[Any]:
        rest = iter(operands)
        own, more = [], []
        for values, mask in groups:
            own += [next(rest) for _ in values]
            more += [next(rest) for _ in repeated(values, mask)]
        columns = columns_of(lambda i: apply_graph(body, i), own, masks, more, order)
        full = [_full(c, t) if h else [] for c, t, h in zip(columns, results, has, strict=True)]
        firsts = [c[0] for c in columns[:carries]]
        return [*firsts, *(v for column in full for v in column)]

    return build(types, step)


# -- while ----------------------------------------------------------------------------------------


class _SeriesLoop:
    """A loop that carries series.  ``flags`` say for the body's operands which have one."""

    def __init__(
        self, inputs: Inputs, types: Sequence[ArrayType], flags: Sequence[bool], whole: bool,
        order: int, params: dict[str, Any],
    ) -> None:  # fmt: skip
        tests, start = params["tests"], params["captured"]
        body = params["body"]
        count = len(body.outputs)
        self.moving = list(flags[start:])
        masks = masks_of(inputs[tests:], flags, order)
        if whole:
            masks = [(f,) * order for f in flags]
        masks[start:] = [(m,) * order for m in self.moving]
        self.masks, self.order, self.count = masks, order, count
        firsts = _firsts(inputs)
        first, second = slice(tests, tests + start), slice(tests + start, None)
        shared = [*firsts[first], *present(inputs[first], masks[:start], types[first])]
        init = [*firsts[second], *present(inputs[second], masks[start:], types[second])]
        self.operands = [*firsts[:tests], *shared, *init]
        self.params = params | {
            "body": self._body(body, start),
            "condition": self._condition(params["condition"], tests, body),
            "captured": len(shared),
        }

    def _body(self, body: Graph, start: int) -> Graph:
        masks, types = self.masks, input_types(body)
        captured, carry = types[:start], types[start:]
        first, second = repeated(captured, masks[:start]), repeated(carry, masks[start:])

        def step(operands: list[Any]) -> list[Any]:
            rest = iter(operands)
            own = [next(rest) for _ in captured]
            more = [next(rest) for _ in first]
            own += [next(rest) for _ in carry]
            columns = columns_of(
                lambda i: apply_graph(body, i), own, masks, [*more, *rest], self.order
            )
            pairs = zip(columns, output_types(body), self.moving, strict=True)
            full = [_full(c, t) for c, t, m in pairs if m]
            return [*(c[0] for c in columns), *(v for column in full for v in column)]

        return build([*captured, *first, *carry, *second], step)

    def _condition(self, condition: Graph, tests: int, body: Graph) -> Graph:
        types = input_types(condition)
        start = len(self.masks) - self.count
        more = repeated(input_types(body)[start:], self.masks[start:])
        return build([*types, *more], lambda o: apply_graph(condition, o[: len(types)]))


def _while(node: Node, out: Any, inputs: Inputs) -> Any:
    params, body = node.params, node.params["body"]
    tests, start = params["tests"], params["captured"]
    count = len(body.outputs)
    flags = carried(body, _moving(node, inputs)[tests:], start, count, floats=True)
    types = [n.type for n in node.inputs]

    def compute(order: int) -> list[list[Coefficient]]:
        loop = _SeriesLoop(inputs, types, flags, False, order, params)
        rest = iter(apply(WHILE, loop.operands, **loop.params)[count:])
        return [[next(rest) for _ in range(order)] if m else [None] * order for m in loop.moving]

    return _together(out, compute)


def _while_pullback(node: Node, out: Any, inputs: Inputs) -> Any:
    """The reverse sweep of the loop on series, with the cotangents in reverse order.

    For y = F(s) on series, ∂yᵢ/∂sⱼ = Jᵢ₋ⱼ, the coefficient of F′(s(t)).  So with the cotangent cₖ₋ᵢ
    for yᵢ, that of sⱼ is Σᵢ Jᵀᵢ₋ⱼ cₖ₋ᵢ, the coefficient of order k − j of F′(s(t))ᵀ c(t).
    """
    params = node.params
    loop_params, active, wanted = loops.without_backward(params)
    tests, start = params["tests"], params["captured"]
    count = len(inputs) - sum(active)
    types = [n.type for n in node.inputs]
    own, cts = inputs[:count], inputs[count:]
    moving = [a or b for a, b in zip(_moving(node, inputs)[tests:count], (*wanted, *active),
                                     strict=True)]  # fmt: skip
    flags = carried(params["body"], moving, start, len(active), floats=True)

    def compute(order: int) -> list[list[Coefficient]]:
        loop = _SeriesLoop(own, types[:count], flags, True, order, loop_params)
        rest = iter(cts)
        series = [next(rest) if a else None for a in active]
        seeds = [None if s is None else s[order] for s in series]
        for s, m in zip(series, loop.moving, strict=True):
            if m:
                seeds += [None if s is None else s[order - i] for i in range(1, order + 1)]
        marks = [*[False] * tests]
        for marked, mask in (
            (wanted, loop.masks[:start]), (active, loop.masks[start:])
        ):  # fmt: skip
            marks += [*marked, *(w for w, m in zip(marked, mask, strict=True) for f in m if f)]
        terms = loops.pull_back(
            WHILE, tuple(loop.operands), seeds, tuple(marks), params["mask"], **loop.params
        )
        return _by_operand(terms[tests:], (wanted, active), (loop.masks[:start],
                           loop.masks[start:]), order)  # fmt: skip

    return _together(out, compute)


def _by_operand(terms: Sequence[Any], groups: Any, masks: Any, order: int) -> list[list[Any]]:
    """The coefficients of the cotangents of the marked operands: slot j has order k − j."""
    rest = iter(terms)
    found = []
    for marked, mask in zip(groups, masks, strict=True):
        lasts = [next(rest) for _ in marked]
        for last, wanted, m in zip(lasts, marked, mask, strict=True):
            column = [last, *(next(rest) for f in m if f)]
            if wanted:
                found.append([*reversed(column)][1:])
    return found


# -- branches and checkpoints ---------------------------------------------------------------------


def _cond(node: Node, out: Any, inputs: Inputs) -> Any:
    branches = node.params["branches"]
    moving = _moving(node, inputs)[1:]
    has = [any(p) for p in zip(*(depends(b, moving, floats=True) for b in branches), strict=True)]
    types = [n.type for n in node.inputs]

    def compute(order: int) -> list[list[Coefficient]]:
        masks = masks_of(inputs[1:], moving, order)
        more = present(inputs[1:], masks, types[1:])
        graphs = tuple(_branch(b, masks, has, order) for b in branches)
        rest = iter(apply(COND, [*_firsts(inputs), *more], branches=graphs))
        return [[next(rest) for _ in range(order)] if h else [None] * order for h in has]

    return _together(out, compute)


def _branch(graph: Graph, masks: Sequence[Mask], has: Sequence[bool], order: int) -> Graph:
    types = input_types(graph)
    count = len(types)

    def run(operands: list[Any]) -> list[Any]:
        columns = columns_of(
            lambda i: apply_graph(graph, i), operands[:count], masks, operands[count:], order
        )
        pairs = zip(columns, output_types(graph), has, strict=True)
        return [v for c, t, h in pairs if h for v in _full(c, t)]

    return build([*types, *repeated(types, masks)], run)


def _checkpoint(node: Node, out: Any, inputs: Inputs) -> Any:
    body, moving = node.params["body"], _moving(node, inputs)
    has = depends(body, moving, floats=True)
    types, count = [n.type for n in node.inputs], len(inputs)

    def compute(order: int) -> list[list[Coefficient]]:
        masks = masks_of(inputs, moving, order)

        def run(*operands: Any) -> list[Any]:
            columns = columns_of(
                lambda i: apply_graph(body, i), operands[:count], masks, operands[count:], order
            )
            pairs = zip(columns, output_types(body), has, strict=True)
            return [v for c, t, h in pairs if h for v in _full(c, t)]

        operands = [*_firsts(inputs), *present(inputs, masks, types)]
        rest = iter(checkpointed(run, operands))
        return [[next(rest) for _ in range(order)] if h else [None] * order for h in has]

    return _together(out, compute)


RULES.update({
    "scan": _scan,
    "while_loop": _while,
    "while_pullback": _while_pullback,
    "cond": _cond,
    "checkpoint": _checkpoint,
})  # fmt: skip
