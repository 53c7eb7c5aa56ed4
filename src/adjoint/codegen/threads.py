"""One loop on several threads: its outermost axis is cut into as many parts as there are threads.

The threads are POSIX threads that live as long as the loop; making and joining them takes some
10 µs each, so only loops of a fraction of a millisecond and more are cut.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from adjoint.codegen.elements import I8, I32, I64

POINTER = ir.PointerType()
WORTH = 2_000_000
"""Operations in a loop from which on threads pay."""

WORTH_IF_ASKED = 20_000
"""The same where the user asked for threads."""

MOST = 16
_WORD = 8
_SLOT = 64  # results of two threads never share a cache line


def available() -> int:
    """How many threads loops may have: the CPUs this process may run on."""
    if os.name != "posix":
        return 1
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(MOST, count or 1)


class ParallelCall:
    """A call of ``function(pointers…, begin, end)`` in parts.

    ``private`` says for which pointers each part gets a slot of its own in place of the pointer;
    `slots` has their addresses afterwards.
    """

    def __init__(
        self, builder: Any, function: Any, pointers: Sequence[Any], private: Sequence[bool]
    ) -> None:
        self.builder = builder
        self.function = function
        self.pointers = pointers
        self.private = private
        count = len(pointers)
        self.table = -(-_WORD * (count + 2) // _SLOT) * _SLOT
        self.size = self.table + _SLOT * sum(private)
        self.slots: list[list[Any]] = [[] for _ in pointers]

    def emit(self, extent: int, threads: int, zero: Any) -> None:
        """Runs all parts and waits for them; ``zero`` is stored in each private slot first."""
        b = self.builder
        thunk = self._thunk()
        tasks = b.alloca(ir.ArrayType(I8, self.size * threads))
        tasks.align = _SLOT
        handles = b.alloca(ir.ArrayType(I64, threads))
        # llvmlite gives allocas typed pointers, through which only that type may be stored.
        tasks.type = handles.type = POINTER
        parts = [self._at(tasks, self.size * t) for t in range(threads)]
        for t, task in enumerate(parts):
            self._fill(task, extent * t // threads, extent * (t + 1) // threads, zero)
        create = self._outside("pthread_create", [POINTER] * 4)
        join = self._outside("pthread_join", [I64, POINTER])
        null = ir.Constant(POINTER, None)
        codes = []
        for t in range(1, threads):
            code = b.call(create, [self._at(handles, _WORD * t), null, thunk, parts[t]])
            with b.if_then(b.icmp_signed("!=", code, ir.Constant(I32, 0)), likely=False):
                b.call(thunk, [parts[t]])
            codes.append(code)
        b.call(thunk, [parts[0]])
        for t, code in enumerate(codes, 1):
            with b.if_then(b.icmp_signed("==", code, ir.Constant(I32, 0)), likely=True):
                handle = b.load(self._at(handles, _WORD * t), typ=I64)
                b.call(join, [handle, null])

    def _at(self, pointer: Any, offset: int) -> Any:
        return self.builder.gep(pointer, [ir.Constant(I64, offset)], source_etype=I8)

    def _fill(self, task: Any, begin: int, end: int, zero: Any) -> None:
        b, slot = self.builder, self.table
        for k, (pointer, own) in enumerate(zip(self.pointers, self.private, strict=True)):
            if own:
                pointer = self._at(task, slot)
                self.slots[k].append(pointer)
                b.store(zero, pointer)
                slot += _SLOT
            b.store(pointer, self._at(task, _WORD * k))
        count = len(self.pointers)
        b.store(ir.Constant(I64, begin), self._at(task, _WORD * count))
        b.store(ir.Constant(I64, end), self._at(task, _WORD * (count + 1)))

    def _thunk(self) -> Any:
        """The function that a thread starts with: it unpacks the task."""
        module = self.builder.module
        made = ir.Function(
            module, ir.FunctionType(POINTER, [POINTER]), f"{self.function.name}.task"
        )
        made.linkage = "internal"
        b = ir.IRBuilder(made.append_basic_block())
        values = []
        for k in range(len(self.pointers) + 2):
            place = b.gep(made.args[0], [ir.Constant(I64, _WORD * k)], source_etype=I8)
            values.append(b.load(place, typ=POINTER if k < len(self.pointers) else I64))
        b.call(self.function, values)
        b.ret(ir.Constant(POINTER, None))
        return made

    def _outside(self, name: str, operands: list[Any]) -> Any:
        module = self.builder.module
        found = module.globals.get(name)
        return found or ir.Function(module, ir.FunctionType(I32, operands), name)
