"""Whether a kernel can find, when it is half done, that its results are of no use.

A fault is a flag in memory that a kernel sets and whose value it returns: an index outside its
array, for one.  A loop gets a pointer to the flag whether it can fail or not, so this looks at what
is done with the pointers that are named `FLAG`.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

FLAG = "fault"
"""The name of every pointer to a flag, or the start of it."""


def sets_fault(function: Any) -> bool:
    """Whether a function sets the flag, or hands it to code from elsewhere that may."""
    return any(_sets_fault(i) for block in function.blocks for i in block.instructions)


def _sets_fault(instruction: Any) -> bool:
    if isinstance(instruction, ir.StoreInstr):
        value, pointer = instruction.operands
        return _is_fault(pointer) and not isinstance(value, ir.Constant)
    if isinstance(instruction, ir.CallInstr):
        called = instruction.callee
        outside = not isinstance(called, ir.Function) or called.is_declaration
        return outside and any(map(_is_fault, instruction.args))
    return False


def _is_fault(value: Any) -> bool:
    return getattr(value, "name", "").startswith(FLAG)
