"""Faults: what a kernel finds when it is half done, and its results are of no use.

A fault is a flag in memory that a kernel sets and whose value it returns: an index outside its
array, a matrix without an inverse.  A function is marked when something in it sets a flag, since
results may be written straight into a caller's array only where nothing can.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

_I32 = ir.IntType(32)


def note(builder: Any, flag: Any, code: Any) -> None:
    """Sets a flag where ``code`` is not zero."""
    if code.type != _I32:
        code = builder.zext(code, _I32)
    builder.store(builder.or_(builder.load(flag, typ=_I32), code), flag)
    builder.function.can_fault = True


def can_fault(function: Any) -> bool:
    """Whether something in a function of this module sets a flag."""
    return bool(getattr(function, "can_fault", False))
