"""Loops and branches as LLVM IR: each body is a function that is called with pointers.

A small carry lives in a place of its own in the function's frame and is copied at each step, so
that LLVM keeps it in registers once it has put the body in place; a large one alternates between
two places of the arena.  Slices of the scanned arrays are read and written where they lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from adjoint.codegen.control import (
    Layout,
    bytes_of,
    carried,
    carry_types,
    padded,
    programs,
)
from adjoint.codegen.elements import I1, I8, I32, I64
from adjoint.codegen.faults import note
from adjoint.codegen.loopnest import POINTER, frame_bytes, loop
from adjoint.codegen.program import Op


class Variable:
    """A value that changes, in the function's frame; LLVM makes a register of it."""

    def __init__(self, builder: Any, kind: Any, start: Any) -> None:
        self.builder, self.kind = builder, kind
        self.place = frame_bytes(builder, 8)
        self.set(start)

    def get(self) -> Any:
        return self.builder.load(self.place, typ=self.kind)

    def set(self, value: Any) -> None:
        self.builder.store(value, self.place)


def number(value: int) -> Any:
    """A constant count."""
    return ir.Constant(I64, value)


@contextmanager
def repeat_while(builder: Any, test: Callable[[], Any]) -> Iterator[None]:
    """``while test(): …``: inside the block, the builder is at the body."""
    head, body = (builder.append_basic_block(f"while.{n}") for n in ("test", "body"))
    builder.branch(head)
    builder.position_at_end(head)
    holds = test()
    after = builder.append_basic_block("while.end")
    builder.cbranch(holds, body, after)
    builder.position_at_end(body)
    yield
    builder.branch(head)
    builder.position_at_end(after)


def copy_bytes(builder: Any, target: Any, source: Any, count: int) -> None:
    """Copies memory that does not overlap."""
    if not count:
        return
    signature = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, I64, I1])
    copy = builder.module.declare_intrinsic("llvm.memcpy", (POINTER, POINTER, I64), signature)
    builder.call(copy, [target, source, number(count), ir.Constant(I1, 0)])


class Carry:
    """One value that a loop carries: where it is, and where the next one goes."""

    def __init__(self, builder: Any, op: Op, first: Any, second: Any, local: bool) -> None:
        self.builder, self.op, self.local = builder, op, local
        self.places = first, second
        if not local:
            self._now = Variable(builder, POINTER, first)
            self._then = Variable(builder, POINTER, second)

    def now(self) -> Any:
        return self.places[0] if self.local else self._now.get()

    def then(self) -> Any:
        return self.places[1] if self.local else self._then.get()

    def set(self, source: Any) -> None:
        """Copies a value into it."""
        copy_bytes(self.builder, self.now(), source, bytes_of(self.op))

    def step(self) -> None:
        """Makes the next value the current one."""
        if self.local:
            self.set(self.places[1])
            return
        now, then = self._now.get(), self._then.get()
        self._now.set(then)
        self._then.set(now)


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
        {
            "scan": self._scan,
            "while_loop": self._while,
            "cond": self._cond,
            "checkpoint": self._checkpoint,
        }[self.op.kind]()

    # -- what they have in common ---------------------------------------------------------------

    def at(self, offset: Any) -> Any:
        """A place in the scratch memory."""
        where = number(offset) if isinstance(offset, int) else offset
        return self.moved(self.scratch, where)

    def moved(self, pointer: Any, offset: Any) -> Any:
        """A pointer some bytes further."""
        return self.builder.gep(pointer, [offset], source_etype=I8)

    def call(self, which: int, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Runs a body; what faults there is a fault here."""
        b = self.builder
        code = b.call(self.functions[which], [*inputs, *outputs, self.at(self.plan.arena)])
        note(b, self.fault, code)

    def fine(self) -> Any:
        """Whether no index was outside its array so far."""
        b = self.builder
        return b.icmp_signed("==", b.load(self.fault, typ=I32), ir.Constant(I32, 0))

    def carries(self, first: int, count: int) -> list[Carry]:
        """Some of the carries."""
        found = []
        for k, op in enumerate(carry_types(self.op)[first : first + count], first):
            local = k not in self.plan.places
            if local:
                places = [frame_bytes(self.builder, max(1, bytes_of(op))) for _ in range(2)]
            else:
                places = [self.at(self.plan.places[k] + n) for n in (0, padded(op))]
            found.append(Carry(self.builder, op, places[0], places[1], local))
        return found

    def begun(self) -> list[Carry]:
        """The carries of a loop, with the first values in them."""
        where = carried(self.op)
        found = self.carries(0, len(self.op.inputs[where]))
        for carry, pointer in zip(found, self.inputs[where], strict=True):
            carry.set(pointer)
        return found

    def deliver(self, carries: Sequence[Carry]) -> None:
        """Copies the last values to where they are wanted."""
        for carry, result in zip(carries, self.results, strict=False):
            if result is not None:
                copy_bytes(self.builder, result, carry.now(), bytes_of(carry.op))

    def wanted(self) -> list[Any]:
        """A place for each result."""
        return [
            self.at(spare) if r is None else r
            for r, spare in zip(self.results, self.plan.spares, strict=True)
        ]

    # -- each of them ---------------------------------------------------------------------------

    def _scan(self) -> None:
        b, p = self.builder, self.op.params
        body = programs(self.op)[0]
        begin, count = p["captured"] + p["carries"], p["carries"]
        carries = self.begun()
        if p["length"] == 0:
            self.deliver(carries)
            return
        with loop(b, p["length"], "step") as i:
            at = b.sub(number(p["length"] - 1), i) if p["reverse"] else i
            slices = [
                self.moved(pointer, b.mul(at, number(bytes_of(s))))
                for pointer, s in zip(self.inputs[begin:], body.inputs[begin:], strict=True)
            ]
            ys = [
                self.at(spare) if y is None else self.moved(y, b.mul(at, number(bytes_of(o))))
                for y, o, spare in zip(
                    self.results[count:], body.outputs[count:], self.plan.spares[count:],
                    strict=True,
                )
            ]  # fmt: skip
            given = [*self.inputs[: p["captured"]], *(c.now() for c in carries), *slices]
            self.call(0, given, [*(c.then() for c in carries), *ys])
            for carry in carries:
                carry.step()
        self.deliver(carries)

    def proceeds(self, carries: Sequence[Carry]) -> Any:
        """Whether a while loop's condition holds for the carry."""
        b = self.builder
        flag = frame_bytes(b, 1)
        tests = self.inputs[: self.op.params["tests"]]
        self.call(0, [*tests, *(c.now() for c in carries)], [flag])
        return b.and_(b.trunc(b.load(flag, typ=I8), I1), self.fine())

    def advance(self, carries: Sequence[Carry]) -> None:
        """One step of a while loop."""
        shared = self.inputs[self.op.params["tests"] : carried(self.op).start]
        self.call(1, [*shared, *(c.now() for c in carries)], [c.then() for c in carries])
        for carry in carries:
            carry.step()

    def _while(self) -> None:
        carries = self.begun()
        with repeat_while(self.builder, lambda: self.proceeds(carries)):
            self.advance(carries)
        self.deliver(carries)

    def _cond(self) -> None:
        with self.builder.if_else(self._holds()) as branches:
            for which, branch in enumerate(branches):
                with branch:
                    self.call(which, self.inputs[1:], self.wanted())

    def _checkpoint(self) -> None:
        # Put in place, its computations could be shared with those it is to do again.
        self.functions[0].attributes.add("noinline")
        self.call(0, self.inputs, self.wanted())

    def _holds(self) -> Any:
        b, op = self.builder, self.op.inputs[0]
        if op.dtype.kind == "f":
            kind = ir.DoubleType() if op.dtype.itemsize == 8 else ir.FloatType()
            return b.fcmp_unordered("!=", b.load(self.inputs[0], typ=kind), ir.Constant(kind, 0.0))
        kind = ir.IntType(8 * op.dtype.itemsize)
        return b.icmp_signed("!=", b.load(self.inputs[0], typ=kind), ir.Constant(kind, 0))
