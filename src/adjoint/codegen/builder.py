"""An instruction builder that writes text at once.

llvmlite keeps an object for every instruction, with operands, metadata and a name that is checked
against all others, and formats it when the module is printed.  In a long program that takes longer
than LLVM does.  What loops and numbers mostly consist of is written here as one line each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

_VOID = ir.VoidType()


class Line(ir.Instruction):  # type: ignore[misc]
    """An instruction as text, and how others refer to its value."""

    def __init__(self, block: Any, kind: Any, text: str, reference: str) -> None:
        # Without the base class's initialiser: that is what takes the time.
        self.parent = block
        self.type = kind
        self.text = text
        self.reference = reference
        self.metadata: dict[str, Any] = {}

    def __str__(self) -> str:
        return self.text

    def get_reference(self) -> str:
        """The name of the value."""
        return self.reference


def _binary(instruction: str) -> Callable[..., Any]:
    def method(self: Builder, lhs: Any, rhs: Any, name: str = "", flags: Sequence[str] = ()) -> Any:
        kind = lhs.type
        if kind is not rhs.type and kind != rhs.type:
            raise ValueError(f"{instruction} needs operands of one type, got ({kind}, {rhs.type})")
        words = f"{instruction} {' '.join(flags)}" if flags else instruction
        return self.line(kind, f"{words} {kind} {lhs.get_reference()}, {rhs.get_reference()}")

    return method


class Builder(ir.IRBuilder):  # type: ignore[misc]
    """An `ir.IRBuilder` whose most frequent instructions are lines; one for each function, because
    it numbers their values."""

    def __init__(self, block: Any) -> None:
        super().__init__(block)
        self._count = 0

    def line(self, kind: Any, text: str) -> Line:
        """An instruction with a value of this type."""
        self._count += 1
        reference = f"%v{self._count}"
        made = Line(self._block, kind, f"{reference} = {text}", reference)
        self._insert(made)
        return made

    fadd, fsub, fmul, fdiv = map(_binary, ("fadd", "fsub", "fmul", "fdiv"))
    add, sub, mul = map(_binary, ("add", "sub", "mul"))
    and_, or_, xor = map(_binary, ("and", "or", "xor"))
    shl, lshr, ashr = map(_binary, ("shl", "lshr", "ashr"))

    def load(self, ptr: Any, name: str = "", align: int | None = None, typ: Any = None) -> Any:
        """The value at an address."""
        if typ is None:
            return super().load(ptr, name, align)
        aligned = "" if align is None else f", align {align}"
        return self.line(typ, f"load {typ}, {ptr.type} {ptr.get_reference()}{aligned}")

    def store(self, value: Any, ptr: Any, align: int | None = None) -> Any:
        """Writes a value to an address."""
        aligned = "" if align is None else f", align {align}"
        made = Line(
            self._block, _VOID, f"store {value.type} {value.get_reference()}, "
            f"{ptr.type} {ptr.get_reference()}{aligned}", "",
        )  # fmt: skip
        self._insert(made)
        return made

    def gep(
        self, ptr: Any, indices: Sequence[Any], inbounds: bool = False, name: str = "",
        source_etype: Any = None,
    ) -> Any:  # fmt: skip
        """An address at an offset."""
        if source_etype is None:
            return super().gep(ptr, indices, inbounds, name)
        words = "getelementptr inbounds" if inbounds else "getelementptr"
        steps = ", ".join([f"{i.type} {i.get_reference()}" for i in indices])
        text = f"{words} {source_etype}, {ptr.type} {ptr.get_reference()}, {steps}"
        return self.line(ptr.type, text)

    def call(self, fn: Any, args: Sequence[Any], *more: Any, **options: Any) -> Any:
        """A call; written as a line where it is an ordinary one that has a value."""
        signature = fn.function_type
        result = signature.return_type
        plain = isinstance(fn, ir.Function) and not (more or options or fn.calling_convention)
        if not plain or signature.var_arg or result == _VOID:
            return super().call(fn, args, *more, **options)
        given = []
        for expected, argument in zip(signature.args, args, strict=True):
            if argument.type is not expected and argument.type != expected:
                raise TypeError(f"{fn.name} needs {expected}, got {argument.type}")
            given.append(f"{expected} {argument.get_reference()}")
        return self.line(result, f"call {result} {fn.get_reference()}({', '.join(given)})")
