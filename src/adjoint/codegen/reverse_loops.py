"""The reverse sweep of a while loop, native: memory for a fixed number of carries, whatever the
number of steps.

The forward part is that of the evaluated sweep (online checkpointing: Stumm and Walther, *SIAM J.
Sci. Comput.* 2010): it keeps every carry until there are 2·K, then every second one, and so on.
The reverse part is a stack of kept carries.  On its top is the last one before the step that is to
be pulled back, d steps before it.  If d carries fit into what is free of 3·K places, all are
computed and kept; else as many as take half of the free places, evenly spaced, and the last of
these stretches is treated in the same way (Griewank and Walther, *ACM TOMS* 2000).  So every number
of steps is possible; up to 2·K² of them take one forward sweep more, and each further one
multiplies that by about K/2, K/4, ….
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from adjoint.codegen.control import bytes_of, carried, kept_carries, programs
from adjoint.codegen.control_loops import (
    Carry,
    Control,
    Variable,
    copy_bytes,
    number,
    repeat_while,
)
from adjoint.codegen.elements import I1, I8, I64
from adjoint.codegen.loopnest import POINTER, loop


class Sweep(Control):
    """The emission of one ``while_pullback``."""

    def emit(self) -> None:
        self.kept = kept_carries(self.op)
        zero = number(0)
        self.carry = self.begun()
        self.count = Variable(self.builder, I64, zero)
        self.depth = Variable(self.builder, I64, zero)
        self._forward()
        self._backward()

    # -- the stack of kept carries --------------------------------------------------------------

    def _slot(self, which: Any, carry: Carry, base: int) -> Any:
        offset = self.builder.mul(which, number(bytes_of(carry.op)))
        return self.moved(self.at(base), offset)

    def _position(self, which: Any) -> Any:
        return self.moved(self.at(self.plan.positions), self.builder.mul(which, number(8)))

    def _push(self, position: Any) -> None:
        """Keeps the carry, which is the one before the step ``position``."""
        b, depth = self.builder, self.depth.get()
        for carry, base in zip(self.carry, self.plan.slots, strict=True):
            copy_bytes(b, self._slot(depth, carry, base), carry.now(), bytes_of(carry.op))
        b.store(position, self._position(depth))
        self.depth.set(b.add(depth, number(1)))

    def _top(self) -> tuple[Any, Any]:
        """The place of the last kept carry, and its position."""
        last = self.builder.sub(self.depth.get(), number(1))
        return last, self.builder.load(self._position(last), typ=I64)

    def _thin(self) -> None:
        """Drops every second of 2·K kept carries."""
        b = self.builder
        with loop(b, self.kept, "kept") as k:
            double = b.mul(k, number(2))
            with b.if_then(b.icmp_signed("!=", k, number(0))):
                for carry, base in zip(self.carry, self.plan.slots, strict=True):
                    source, target = (self._slot(n, carry, base) for n in (double, k))
                    copy_bytes(b, target, source, bytes_of(carry.op))
                b.store(b.load(self._position(double), typ=I64), self._position(k))
        self.depth.set(number(self.kept))

    # -- there and back -------------------------------------------------------------------------

    def _forward(self) -> None:
        b = self.builder
        stride, following = Variable(b, I64, number(1)), Variable(b, I64, number(0))
        with repeat_while(b, lambda: self.proceeds(self.carry)):
            count = self.count.get()
            with b.if_then(b.icmp_signed("==", count, following.get())):
                self._push(count)
                full = b.icmp_signed("==", self.depth.get(), number(2 * self.kept))
                with b.if_then(full):
                    self._thin()
                    stride.set(b.mul(stride.get(), number(2)))
                last = self._top()[1]
                following.set(b.add(last, stride.get()))
            self.advance(self.carry)
            self.count.set(b.add(count, number(1)))

    def _backward(self) -> None:
        b, op = self.builder, self.op
        backward = programs(op)[2]
        sums = sum(op.params["summed"])
        moving = self.carries(len(self.carry), len(backward.outputs))
        self._zero(moving[:sums])
        for carry, pointer in zip(moving[sums:], self.inputs[carried(op).stop :], strict=True):
            carry.set(pointer)
        shared = self.inputs[op.params["tests"] : carried(op).start]

        def steps_left() -> Any:
            return b.and_(b.icmp_signed(">", self.count.get(), number(0)), self.fine())

        with repeat_while(b, steps_left):
            step = b.sub(self.count.get(), number(1))
            self._restore(step)
            here = [c.now() for c in self.carry]
            terms = [c.now() for c in moving]
            given = [*shared, *here, *terms[sums:], *terms[:sums]]
            self.call(2, given, [c.then() for c in moving])
            for carry in moving:
                carry.step()
            self.count.set(step)
        self.deliver(moving)

    def _zero(self, sums: list[Carry]) -> None:
        signature = ir.FunctionType(ir.VoidType(), [POINTER, I8, I64, I1])
        module = self.builder.module
        fill = module.declare_intrinsic("llvm.memset", (POINTER, I64), signature)
        for total in sums:
            zeros = [ir.Constant(I8, 0), number(bytes_of(total.op)), ir.Constant(I1, 0)]
            self.builder.call(fill, [total.now(), *zeros])

    def _restore(self, step: Any) -> None:
        """Makes the carry the one before a step, and drops it from the stack."""
        b = self.builder
        last, position = self._top()
        for carry, base in zip(self.carry, self.plan.slots, strict=True):
            carry.set(self._slot(last, carry, base))
        reached = Variable(b, I64, position)
        with b.if_then(b.icmp_signed("<", position, step)):
            self._recompute(reached, step)
        last, position = self._top()
        with b.if_then(b.icmp_signed("==", position, step)):
            self.depth.set(last)

    def _recompute(self, reached: Variable, step: Any) -> None:
        """Goes on from the last kept carry, and keeps some of those on the way."""
        b, one = self.builder, number(1)
        distance = b.sub(step, reached.get())
        free = b.sub(number(3 * self.kept), self.depth.get())
        half = b.lshr(free, one)
        some = b.select(b.icmp_signed("<", half, one), one, half)
        apart = b.udiv(b.add(b.add(distance, some), one), b.add(some, one))
        stride = b.select(b.icmp_signed("<=", distance, free), one, apart)
        following = Variable(b, I64, b.add(reached.get(), stride))
        with repeat_while(b, lambda: b.icmp_signed("<", reached.get(), step)):
            self.advance(self.carry)
            now = b.add(reached.get(), one)
            reached.set(now)
            room = b.icmp_signed("<", self.depth.get(), number(3 * self.kept))
            with b.if_then(b.and_(b.icmp_signed("==", now, following.get()), room)):
                self._push(now)
                following.set(b.add(now, stride))
