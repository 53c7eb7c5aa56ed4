"""Loops and branches whose bodies are graphs: what they are, when they are native, what they need.

Each body is a kernel of its own, called with pointers to its operands and results: see
`control_loops` and `reverse_loops`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from adjoint.codegen.captures import GRAPHS, graphs
from adjoint.codegen.program import Op, Program
from adjoint.primitives.control import loops

CONTROL = frozenset(GRAPHS)

LOCAL_BYTES = 64
"""Up to this size a carry is copied at each step, and LLVM keeps it in registers; larger ones
alternate between two places."""

SWEEP_BYTES = 2**26
"""What the carries that a reverse sweep keeps may take together, as long as there are enough."""

FEWEST_KEPT = 8
"""How many carries a reverse sweep keeps at least, whatever their size."""

_ALIGNMENT = 64

_USUAL_STEPS = 100
"""How many steps a loop of unknown length is taken to make."""


def programs(op: Op) -> list[Program]:
    """The graphs of a control operation as programs, made once per operation.

    The pullback of a while loop's body adds its cotangents of captured operands to sums that are
    its last inputs.
    """
    if op.parts is None:
        op.parts = [Program(g.inputs, g.outputs, ()) for g in graphs(op.kind, op.params)]
        if op.kind == "while_pullback":
            _accumulate(op.parts[2], sum(op.params["summed"]))
    found: list[Program] = op.parts
    return found


def _accumulate(program: Program, count: int) -> None:
    """Makes the first results of a program their sums with further inputs."""
    for number, term in enumerate(program.outputs[:count]):
        total = program.add_input(term.shape, term.dtype)
        program.outputs[number] = program.add_operation("add", (total, term))


def carried(op: Op) -> slice:
    """Which operands are the first carry."""
    p = op.params
    if op.kind == "scan":
        return slice(p["captured"], p["captured"] + p["carries"])
    if op.kind == "while_pullback":
        return slice(p["tests"] + p["captured"], len(op.inputs) - sum(p["active"]))
    return slice(p["tests"] + p["captured"], None)


# -- when it is native ----------------------------------------------------------------------------


def has_native_form(op: Op, is_native: Callable[[Program], bool]) -> bool:
    """Whether loops and bodies have a lowering, and every value keeps its type."""
    parts = programs(op)
    if not all(is_native(p) and not p.arrays and not p.bound for p in parts):
        return False
    return _FORMS[op.kind](op, parts)


def _cond_form(op: Op, parts: list[Program]) -> bool:
    given = op.inputs[1:]
    return op.inputs[0].size == 1 and all(
        _alike(given, p.inputs) and _alike(p.outputs, parts[0].outputs) for p in parts
    )


def _checkpoint_form(op: Op, parts: list[Program]) -> bool:
    return _alike(op.inputs, parts[0].inputs)


def _scan_form(op: Op, parts: list[Program]) -> bool:
    (body,) = parts
    start = op.inputs[carried(op)]
    begin = op.params["captured"] + op.params["carries"]
    slices = [(i.shape[1:], i.dtype) for i in op.inputs[begin:]]
    return (
        _alike(body.outputs[: len(start)], start)
        and slices == [(i.shape, i.dtype) for i in body.inputs[begin:]]
        and _alike(op.inputs[:begin], body.inputs[:begin])
    )


def _while_form(op: Op, parts: list[Program]) -> bool:
    proceed, body = parts[:2]
    tests, start = op.params["tests"], op.inputs[carried(op)]
    given = op.inputs[tests : carried(op).stop]
    return (
        proceed.outputs[0].dtype == np.bool_
        and proceed.outputs[0].size == 1
        and _alike([*op.inputs[:tests], *start], proceed.inputs)
        and _alike(given, body.inputs)
        and _alike(body.outputs, start)
    )


def _sweep_form(op: Op, parts: list[Program]) -> bool:
    backward, count = parts[2], sum(op.params["summed"])
    cotangents = op.inputs[carried(op).stop :]
    given = op.inputs[op.params["tests"] :]
    sums = [i for i, w in zip(given, op.params["summed"], strict=False) if w]
    return (
        _while_form(op, parts)
        and _alike(backward.outputs, [*sums, *cotangents])
        and _alike(backward.inputs, [*given, *backward.outputs[:count]])
    )


_FORMS: dict[str, Callable[[Op, list[Program]], bool]] = {
    "scan": _scan_form,
    "while_loop": _while_form,
    "while_pullback": _sweep_form,
    "cond": _cond_form,
    "checkpoint": _checkpoint_form,
}


def _alike(a: Sequence[Op], b: Sequence[Op]) -> bool:
    return [(i.shape, i.dtype) for i in a] == [(i.shape, i.dtype) for i in b]


# -- memory ---------------------------------------------------------------------------------------


def bytes_of(op: Op) -> int:
    """The bytes of an operation's result."""
    return op.size * op.dtype.itemsize


def carry_types(op: Op) -> list[Op]:
    """One operation per carry, of its type."""
    if op.kind in ("cond", "checkpoint"):
        return []
    start = list(op.inputs[carried(op)])
    return start + programs(op)[2].outputs if op.kind == "while_pullback" else start


def kept_carries(op: Op) -> int:
    """Half of how many carries the forward part of a reverse sweep keeps at most."""
    size = max(1, sum(map(bytes_of, op.inputs[carried(op)])))
    most = loops.KEPT_CARRIES
    return max(min(most, FEWEST_KEPT), min(most, SWEEP_BYTES // (3 * size)))


@dataclass
class Layout:
    """What a control operation needs of the arena, as offsets into its part of it."""

    places: dict[int, int] = field(default_factory=dict)
    spares: list[int] = field(default_factory=list)
    copies: dict[Op, int] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)
    positions: int = 0
    arena: int = 0
    size: int = 0

    def take(self, count: int) -> int:
        """Room for some bytes."""
        start = self.size
        self.size += -(-count // _ALIGNMENT) * _ALIGNMENT
        return start


def layout(op: Op, arena_bytes: int) -> Layout:
    """Two places per large carry, a spare place per result that nobody may want, copies of operands
    that do not lie contiguously, the carries that a reverse sweep keeps, and the bodies' arena."""
    made = Layout()
    for i in op.inputs:
        if i.kind == "array" and not i.value.flags.c_contiguous and i not in made.copies:
            made.copies[i] = made.take(bytes_of(i))
    for number, carry in enumerate(carry_types(op)):
        if bytes_of(carry) > LOCAL_BYTES:
            made.places[number] = made.take(2 * padded(carry))
    if op.kind not in ("while_loop", "while_pullback"):
        made.spares = [made.take(bytes_of(o)) for o in programs(op)[0].outputs]
    if op.kind == "while_pullback":
        count = 3 * kept_carries(op)
        made.slots = [made.take(count * bytes_of(c)) for c in op.inputs[carried(op)]]
        made.positions = made.take(count * 8)
    made.arena = made.take(arena_bytes)
    return made


def padded(op: Op) -> int:
    """The bytes of a place for an operation's result, so that the next one is aligned as well."""
    return -(-bytes_of(op) // _ALIGNMENT) * _ALIGNMENT


def work(op: Op) -> int:
    """How many elements one run of a control operation computes, roughly."""
    steps: dict[str, int] = {"scan": op.params.get("length", 0), "cond": 1, "checkpoint": 1}
    elements = sum(o.size for p in programs(op) for o in p.ops)
    return steps.get(op.kind, _USUAL_STEPS) * elements
