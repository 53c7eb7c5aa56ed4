"""Loops and branches on intervals: their bodies are walked, with every choice the same on a piece.

A row gets where to refuse pieces, a function that walks a body, the node, and the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.enclosure.interval import Interval
from adjoint.enclosure.refusals import Refusals
from adjoint.graph.ir import Graph, Node

Body = Callable[[Graph, Sequence[Interval]], list[Interval]]
Row = Callable[[Refusals, Body, Node, Sequence[Interval]], Any]


def _checkpoint(run: Refusals, body: Body, node: Node, operands: Sequence[Interval]) -> Any:
    return tuple(body(node.params["body"], operands))


def _scan(run: Refusals, body: Body, node: Node, operands: Sequence[Interval]) -> Any:
    params = node.params
    start, carries = params["captured"], params["carries"]
    captured, carry = operands[:start], list(operands[start : start + carries])
    xs = operands[start + carries :]
    rows: list[list[Interval]] = []
    for i in range(params["length"]):
        place = params["length"] - 1 - i if params["reverse"] else i
        slices = [Interval(x.lo[:, place], x.hi[:, place]) for x in xs]
        found = body(params["body"], [*captured, *carry, *slices])
        carry = found[:carries]
        rows.append(found[carries:])
    if params["reverse"]:
        rows.reverse()
    types = node.types[carries:]
    return (*carry, *(_stacked([r[k] for r in rows], t.shape) for k, t in enumerate(types)))


def _stacked(parts: list[Interval], shape: tuple[int, ...]) -> Interval:
    """The results of all steps along the axis after the pieces."""
    if not parts:
        return Interval(*(np.zeros((1, *shape)) for _ in range(2)))
    count = max(p.lo.shape[0] for p in parts)
    full = (count, *shape[1:])
    return Interval(*(np.stack([np.broadcast_to(e, full) for e in ends], 1)
                      for ends in zip(*parts, strict=True)))  # fmt: skip


def _holds(run: Refusals, condition: Interval) -> Any:
    """For each piece whether a condition holds; a piece that does not know is given up."""
    surely, possibly = condition
    if surely.dtype != np.bool_:
        surely = ~condition.contains(0.0)
        possibly = ~(condition.known & (condition.lo == 0))
    run.give_up(surely != possibly)
    return np.broadcast_to(surely & possibly, run.flags.shape)


def _only(
    run: Refusals, pieces: Any, body: Body, graph: Graph, operands: Sequence[Interval]
) -> list[Interval]:
    """What a body gives, whose refusals count for some pieces only: others do not run it."""
    before = run.flags
    run.flags = np.zeros_like(before)
    found = body(graph, operands)
    run.flags = before | (run.flags & pieces)
    return found


def _chosen(pieces: Any, a: Interval, b: Interval) -> Interval:
    beside = pieces.reshape((-1,) + (1,) * (a.ndim - 1))
    return Interval(np.where(beside, a.lo, b.lo), np.where(beside, a.hi, b.hi))


def _cond(run: Refusals, body: Body, node: Node, operands: Sequence[Interval]) -> Any:
    holds, (first, second) = _holds(run, operands[0]), node.params["branches"]
    if not np.any(holds):
        return tuple(body(second, operands[1:]))
    left = _only(run, holds, body, first, operands[1:])
    if np.all(holds):
        return tuple(left)
    right = _only(run, ~holds, body, second, operands[1:])
    return tuple(_chosen(holds, a, b) for a, b in zip(left, right, strict=True))


def _while(run: Refusals, body: Body, node: Node, operands: Sequence[Interval]) -> Any:
    """Pieces that have left the loop keep their carry."""
    params = node.params
    tests, captured = params["tests"], params["captured"]
    first, second = operands[:tests], operands[tests : tests + captured]
    carry = list(operands[tests + captured :])
    active = ~run.flags
    while True:
        condition = _only(run, active, body, params["condition"], [*first, *carry])[0]
        before = run.flags
        run.flags = np.zeros_like(before)
        holds = _holds(run, condition)
        run.flags = before | (run.flags & active)
        active = active & holds & ~run.flags
        if not np.any(active):
            return tuple(carry)
        found = _only(run, active, body, params["body"], [*second, *carry])
        carry = [_chosen(active, a, b) for a, b in zip(found, carry, strict=True)]


ROWS: dict[str, Row] = {
    "checkpoint": _checkpoint, "scan": _scan, "cond": _cond, "while_loop": _while,
}  # fmt: skip
