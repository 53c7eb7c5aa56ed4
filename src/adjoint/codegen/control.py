"""Loops and branches whose bodies are graphs: each body is a kernel of its own, called from a loop.

A body has the form of every kernel, ``i32 body(ptr inputs, ptr outputs, ptr arena)``, so what is
left is to keep its tables of pointers: the carry alternates between two places, and slices of the
scanned arrays are read and written where they lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.elements import I1, I8, I32, I64
from adjoint.codegen.loopnest import loop
from adjoint.codegen.program import Op, Program
from adjoint.graph.ir import Graph

CONTROL = frozenset(("scan", "while_loop", "cond"))

POINTER = ir.PointerType()
_WORD = 8
_ALIGNMENT = 64


def bodies(op: Op) -> list[Graph]:
    """The graphs of a control operation."""
    p = op.params
    if op.kind == "scan":
        return [p["body"]]
    return [p["condition"], p["body"]] if op.kind == "while_loop" else list(p["branches"])


def programs(op: Op) -> list[Program]:
    """The graphs of a control operation as programs, made once per operation."""
    if op.parts is None:
        op.parts = [Program(g.inputs, g.outputs, ()) for g in bodies(op)]
    found: list[Program] = op.parts
    return found


def carried(op: Op) -> slice:
    """Which operands are the first carry."""
    p = op.params
    if op.kind == "scan":
        return slice(p["captured"], p["captured"] + p["carries"])
    return slice(p["tests"] + p["captured"], None)


def has_native_form(op: Op, is_native: Callable[[Program], bool]) -> bool:
    """Whether loops and bodies have a lowering, and every value keeps its type."""
    parts = programs(op)
    if not all(is_native(p) and not p.arrays and not p.bound for p in parts):
        return False
    main = parts[-1]
    if op.kind == "cond":
        given = list(op.inputs[1:])
        return op.inputs[0].size == 1 and all(
            _alike(given, p.inputs) and _alike(p.outputs, main.outputs) for p in parts
        )
    start = list(op.inputs[carried(op)])
    if not _alike(main.outputs[: len(start)], start):
        return False
    if op.kind == "scan":
        begin = op.params["captured"] + op.params["carries"]
        slices = [(i.shape[1:], i.dtype) for i in op.inputs[begin:]]
        wanted = [(i.shape, i.dtype) for i in main.inputs[begin:]]
        return slices == wanted and _alike(op.inputs[:begin], main.inputs[:begin])
    tests = op.params["tests"]
    proceed = parts[0]
    return (
        proceed.outputs[0].dtype == np.bool_
        and proceed.outputs[0].size == 1
        and _alike([*op.inputs[:tests], *start], proceed.inputs)
        and _alike(op.inputs[tests:], main.inputs)
    )


def _alike(a: Sequence[Op], b: Sequence[Op]) -> bool:
    return [(i.shape, i.dtype) for i in a] == [(i.shape, i.dtype) for i in b]


def _bytes(op: Op) -> int:
    return -(-max(1, op.size * op.dtype.itemsize) // _ALIGNMENT) * _ALIGNMENT


@dataclass
class Layout:
    """What a control operation needs of the arena, as offsets into its part of it."""

    tables: list[tuple[int, int]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    spares: list[int] = field(default_factory=list)
    copies: dict[Op, int] = field(default_factory=dict)
    arena: int = 0
    size: int = 0

    def take(self, count: int) -> int:
        """Room for some bytes."""
        start = self.size
        self.size += -(-max(1, count) // _ALIGNMENT) * _ALIGNMENT
        return start


def layout(op: Op, arena_bytes: int) -> Layout:
    """Tables of pointers, two places per carry, one spare per result, copies of operands that do
    not lie contiguously, and the bodies' arena."""
    made = Layout()
    for i in op.inputs:
        if i.kind == "array" and not i.value.flags.c_contiguous and i not in made.copies:
            made.copies[i] = made.take(_bytes(i))
    for program in programs(op):
        made.tables.append(
            (made.take(_WORD * len(program.inputs)), made.take(_WORD * len(program.outputs)))
        )
    main = programs(op)[-1]
    count = 0 if op.kind == "cond" else len(op.inputs[carried(op)])
    made.places = [made.take(2 * _bytes(o)) for o in main.outputs[:count]]
    made.spares = [made.take(_bytes(o)) for o in (*main.outputs, *programs(op)[0].outputs)]
    made.arena = made.take(arena_bytes)
    return made


@dataclass
class Control:
    """Everything that emitting one control operation needs.

    ``inputs`` are pointers to the operands, ``results`` to the results (None where nobody wants
    one), ``scratch`` to its part of the arena, ``functions`` the bodies.
    """

    builder: Any
    op: Op
    inputs: list[Any]
    results: list[Any]
    scratch: Any
    functions: list[Any]
    plan: Layout
    fault: Any

    def emit(self) -> None:
        """The loop or branch."""
        {"scan": self._scan, "while_loop": self._while, "cond": self._cond}[self.op.kind]()

    def _at(self, offset: Any) -> Any:
        where = ir.Constant(I64, offset) if isinstance(offset, int) else offset
        return self.builder.gep(self.scratch, [where], source_etype=I8)

    def _moved(self, pointer: Any, offset: Any) -> Any:
        return self.builder.gep(pointer, [offset], source_etype=I8)

    def _copy(self, target: Any, source: Any, op: Op) -> None:
        count = op.size * op.dtype.itemsize
        signature = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, I1])
        copy = self.builder.module.declare_intrinsic("llvm.memcpy", (POINTER, POINTER, I64),
                                                     signature)  # fmt: skip
        self.builder.call(copy, [target, source, ir.Constant(I64, count), ir.Constant(I1, 0)])

    def _fill(self, table: int, pointers: Sequence[Any]) -> None:
        for number, pointer in enumerate(pointers):
            self.builder.store(pointer, self._at(table + _WORD * number))

    def _call(self, number: int) -> None:
        b = self.builder
        given, made = self.plan.tables[number]
        code = b.call(
            self.functions[number], [self._at(given), self._at(made), self._at(self.plan.arena)]
        )
        b.store(b.or_(b.load(self.fault, typ=I32), code), self.fault)

    def _carries(self, odd: Any) -> tuple[list[Any], list[Any]]:
        """Where the carry is and where the next one goes, when ``odd`` steps were made."""
        b, now, then = self.builder, [], []
        for place, op in zip(self.plan.places, programs(self.op)[-1].outputs, strict=False):
            first, second = self._at(place), self._at(place + _bytes(op))
            now.append(b.select(odd, second, first))
            then.append(b.select(odd, first, second))
        return now, then

    def _begin(self) -> None:
        start = self.op.inputs[carried(self.op)]
        pointers = self.inputs[carried(self.op)]
        for place, op, pointer in zip(self.plan.places, start, pointers, strict=True):
            self._copy(self._at(place), pointer, op)

    def _end(self, carry: Sequence[Any]) -> None:
        start = self.op.inputs[carried(self.op)]
        for pointer, op, result in zip(carry, start, self.results, strict=False):
            if result is not None:
                self._copy(result, pointer, op)

    def _scan(self) -> None:
        b, p = self.builder, self.op.params
        main = programs(self.op)[0]
        begin = p["captured"] + p["carries"]
        self._begin()
        with loop(b, p["length"], "step") as i:
            last = ir.Constant(I64, p["length"] - 1)
            at = b.sub(last, i) if p["reverse"] else i
            now, then = self._carries(b.trunc(i, I1))
            slices = [
                self._moved(pointer, b.mul(at, ir.Constant(I64, s.size * s.dtype.itemsize)))
                for pointer, s in zip(self.inputs[begin:], main.inputs[begin:], strict=True)
            ]
            ys = [
                self._at(spare)
                if y is None
                else self._moved(y, b.mul(at, ir.Constant(I64, o.size * o.dtype.itemsize)))
                for y, o, spare in zip(
                    self.results[p["carries"] :],
                    main.outputs[p["carries"] :],
                    self.plan.spares[p["carries"] :],
                    strict=False,
                )
            ]
            given, made = self.plan.tables[0]
            self._fill(given, [*self.inputs[: p["captured"]], *now, *slices])
            self._fill(made, [*then, *ys])
            self._call(0)
        self._end(self._carries(ir.Constant(I1, p["length"] % 2))[0])

    def _while(self) -> None:
        b, tests = self.builder, self.op.params["tests"]
        start = carried(self.op).start
        flag = self._at(self.plan.spares[len(programs(self.op)[1].outputs)])
        self._begin()
        before, head = b.block, b.append_basic_block("while.test")
        body, after = b.append_basic_block("while.body"), b.append_basic_block("while.end")
        b.branch(head)
        b.position_at_end(head)
        odd = b.phi(I1, "odd")
        odd.add_incoming(ir.Constant(I1, 0), before)
        now, then = self._carries(odd)
        self._fill(self.plan.tables[0][0], [*self.inputs[:tests], *now])
        self._fill(self.plan.tables[0][1], [flag])
        self._call(0)
        fine = b.icmp_signed("==", b.load(self.fault, typ=I32), ir.Constant(I32, 0))
        holds = b.trunc(b.load(flag, typ=I8), I1)
        b.cbranch(b.and_(holds, fine), body, after)
        b.position_at_end(body)
        self._fill(self.plan.tables[1][0], [*self.inputs[tests:start], *now])
        self._fill(self.plan.tables[1][1], then)
        self._call(1)
        odd.add_incoming(b.not_(odd), b.block)
        b.branch(head)
        b.position_at_end(after)
        self._end(now)

    def _cond(self) -> None:
        b = self.builder
        results = [
            self._at(spare) if r is None else r
            for r, spare in zip(self.results, self.plan.spares, strict=False)
        ]
        for given, made in self.plan.tables:
            self._fill(given, self.inputs[1:])
            self._fill(made, results)
        with b.if_else(self._holds()) as (yes, no):
            with yes:
                self._call(0)
            with no:
                self._call(1)

    def _holds(self) -> Any:
        b, op = self.builder, self.op.inputs[0]
        if op.dtype.kind == "f":
            kind = ir.DoubleType() if op.dtype.itemsize == 8 else ir.FloatType()
            return b.fcmp_unordered("!=", b.load(self.inputs[0], typ=kind), ir.Constant(kind, 0.0))
        kind = ir.IntType(8 * op.dtype.itemsize)
        return b.icmp_signed("!=", b.load(self.inputs[0], typ=kind), ir.Constant(kind, 0))


def work(op: Op) -> int:
    """How many elements one run of a control operation computes, roughly."""
    steps = op.params.get("length", 100)
    return math.prod((steps, sum(o.size for p in programs(op) for o in p.ops)))
