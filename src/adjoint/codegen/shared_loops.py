"""Scans that make the same steps become one.

Reverse mode runs a scan a second time, to store the carries.  Where the first run is part of the
same program, one loop gives both the results and the carries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adjoint.graph.ir import Graph

if TYPE_CHECKING:
    from adjoint.codegen.program import Op, Program


def share_scans(program: Program) -> None:
    """Gives the first of several scans with the same steps the results of all."""
    first: dict[Any, Op] = {}
    place: dict[Op, tuple[Op, list[int]]] = {}
    for op in program.ops:
        if op.kind == "scan":
            kept = first.setdefault(_steps(op), op)
            place[op] = kept, _joined(kept, op)
    if len(first) < len(place):
        _redirect(program, place)


def _steps(op: Op) -> Any:
    """Equal for scans that make the same steps, whatever they collect on the way."""
    p = op.params
    body: Graph = p["body"]
    steps = (body.scope, body.inputs, body.outputs[: p["carries"]])
    return (*steps, op.inputs, p["length"], p["reverse"], p["captured"], p["carries"])


def _joined(kept: Op, op: Op) -> list[int]:
    """Adds the results of a scan to those of another; where they are among them."""
    if op is kept:
        return list(range(len(op.value)))
    body, other = kept.params["body"], op.params["body"]
    carries, before = op.params["carries"], len(kept.value)
    outputs = (*body.outputs, *other.outputs[carries:])
    kept.params = kept.params | {"body": Graph(body.scope, body.inputs, outputs)}
    kept.value = (*kept.value, *op.value[carries:])
    return [*range(carries), *range(before, len(outputs))]


def _redirect(program: Program, place: dict[Op, tuple[Op, list[int]]]) -> None:
    """Takes every result from the scan that now has it."""
    instead: dict[Op, Op] = {}
    parts: dict[tuple[Op, int], Op] = {}
    for op in program.ops:
        op.inputs = tuple(instead.get(i, i) for i in op.inputs)
        if op.kind == "projection" and op.inputs[0] in place:
            scan, where = place[op.inputs[0]]
            number = where[op.params["index"]]
            op.inputs, op.params = (scan,), {"index": number}
            instead[op] = parts.setdefault((scan, number), op)
    program.outputs = [instead.get(op, op) for op in program.outputs]
    program.guards = [(instead.get(op, op), expected) for op, expected in program.guards]
