"""Whether a kernel can find, when it is half done, that its results are of no use.

A fault is a flag in memory that a kernel sets and whose value it returns: an index outside its
array, a singular matrix.  A loop gets a pointer to the flag whether it can fail or not, so this
looks at what is done with the pointers whose names begin with `FLAG`.
"""

from __future__ import annotations

import re
from typing import Any

from llvmlite import ir

FLAG = "fault"
"""How the name of every pointer to a flag begins."""

_STORE = re.compile(rf'\s*store i32 (?!0,)[^,]+, ptr %"?{FLAG}')
_CALL = re.compile(rf'.*\bcall [^@]*@"?([^"(]+)"?\(.*ptr %"?{FLAG}')


def sets_fault(function: Any) -> bool:
    """Whether a function sets the flag, or hands it to code from elsewhere that may."""
    return any(_sets_fault(i) for block in function.blocks for i in block.instructions)


def _sets_fault(instruction: Any) -> bool:
    # Most instructions are lines of text (`builder.Line`); of others only these two can.
    text = getattr(instruction, "text", "")
    if not text and isinstance(instruction, ir.StoreInstr | ir.CallInstr):
        text = str(instruction)
    if FLAG not in text:
        return False
    if _STORE.match(text):
        return True
    called = _CALL.match(text)
    known = called and instruction.parent.module.globals.get(called[1])
    return bool(called) and (known is None or known.is_declaration)
