"""SciPy's scalar functions for generated code: the pointers `scipy.special.cython_special` exports.

A ufunc of `scipy.special` has one loop per signature; the exported functions are what those loops
call, so an element computed here is bit for bit the element of the ufunc. (In float32 a few exports
exist for float64 alone; they are called with the operand widened and the result rounded, which is
what most of SciPy's own float32 loops do.)

The functions keep no state and need no GIL, so loops on several threads may call them. Like all
native code they give values and no warnings. Those that SciPy takes from Boost, and Carlson's
integrals, still look at `scipy.special.errstate` of the calling thread: then they take the GIL
themselves, and the entry raises what they raised. Functions that may warn whatever the state
(`FLOAT_ORDERS`) are not called.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.cython_exports import address, exports, signature
from adjoint.codegen.llvm_session import register_symbols
from adjoint.codegen.vector_math.definitions import Attributes
from adjoint.errors import InternalError
from adjoint.graph.primitive import Primitive
from adjoint.primitives.special.function import SpecialFunction

PREFIX = "scipy.special."
_MODULE = "scipy.special.cython_special"
_PURE = ("nounwind", "willreturn", "memory(none)")
_FILLS = ("nounwind", "willreturn", "memory(argmem: write)")

_DTYPES: dict[str, np.dtype[Any]] = {
    "double": np.dtype(np.float64), "float": np.dtype(np.float32), "long": np.dtype(np.int_),
    "Py_ssize_t": np.dtype(np.intp),
}  # fmt: skip
_REGISTERS: dict[np.dtype[Any], Any] = {
    np.dtype(np.float64): ir.DoubleType(), np.dtype(np.float32): ir.FloatType(),
    np.dtype(np.int_): ir.IntType(8 * np.dtype(np.int_).itemsize),
}  # fmt: skip


FLOAT_ORDERS = frozenset(
    ("bdtr", "bdtrc", "bdtri", "expn", "kn", "nbdtr", "nbdtrc", "nbdtri", "pdtri", "smirnov",
     "smirnovi", "yn")
)  # fmt: skip
"""Functions that warn, and take the GIL for it, where a float order is cut to an integer."""


@dataclass(frozen=True)
class Export:
    """An exported function: its name, the dtypes of its operands, and of its result.

    ``outputs`` is the number of pointers through which it returns several results; ``dispatch``
    says that a last argument asks Cython whether a subclass overrides the function.
    """

    name: str
    operands: tuple[np.dtype[Any], ...]
    result: np.dtype[Any]
    outputs: int
    dispatch: bool

    @property
    def symbol(self) -> str:
        return PREFIX + self.name

    def declared(self, module: ir.Module) -> Any:
        """The function in a module."""
        present = module.globals.get(self.symbol)
        if present is not None:
            return present
        kinds = [_REGISTERS[d] for d in self.operands] + [ir.PointerType()] * self.outputs
        kinds += [ir.IntType(32)] * self.dispatch
        result = ir.VoidType() if self.outputs else _REGISTERS[self.result]
        function = ir.Function(module, ir.FunctionType(result, kinds), self.symbol)
        function.attributes = Attributes(_FILLS if self.outputs else _PURE)
        return function

    def call(self, builder: Any, values: tuple[Any, ...], which: int) -> Any:
        """The result numbered ``which`` for operands of the right types."""
        zero = [ir.Constant(ir.IntType(32), 0)] * self.dispatch
        function = self.declared(builder.module)
        if not self.outputs:
            return builder.call(function, [*values, *zero])
        kind = _REGISTERS[self.result]
        with builder.goto_entry_block():  # else a loop would take more stack at every turn
            places = [builder.alloca(kind) for _ in range(self.outputs)]
        for place in places:
            place.type = ir.PointerType()
        builder.call(function, [*values, *places, *zero])
        return builder.load(places[which], typ=kind)


def special_call(
    primitive: Primitive | None, dtypes: tuple[np.dtype[Any], ...]
) -> tuple[Callable[..., Any], tuple[np.dtype[Any], ...], np.dtype[Any]] | None:
    """What emits a function of `scipy.special` for operands of these dtypes, with the dtypes that
    it takes and gives; None if SciPy exports none that does the same."""
    if not isinstance(primitive, SpecialFunction) or not dtypes:
        return None
    name, which = special_name(primitive)
    floats = [d for d in dtypes if d.kind == "f"]
    if not name or not floats or (name in FLOAT_ORDERS and len(floats) == len(dtypes)):
        return None
    outputs = getattr(primitive.ufunc, "nout", 0)
    wide = tuple(np.dtype(np.float64) if d.kind == "f" else d for d in dtypes)
    for wanted in (dtypes, wide):
        found = _exports().get((name, wanted))
        if found is None or (found.outputs == 0) != (outputs == 1):
            continue
        return functools.partial(_emit, found, which), found.operands, found.result
    return None


def _emit(found: Export, which: int, builder: Any, *values: Any) -> Any:
    return found.call(builder, values, which)


def special_name(primitive: SpecialFunction) -> tuple[str, int]:
    """The ufunc of `scipy.special` that a primitive evaluates, and which of its results; "" for
    an algorithm of our own."""
    from scipy.special import _ufuncs

    ufunc = primitive.ufunc
    if isinstance(ufunc, np.ufunc):
        title = str(getattr(ufunc, "__name__", ""))
        return title if getattr(_ufuncs, title, None) is ufunc else "", 0
    name, _, index = primitive.name.removeprefix("scipy.").rpartition("_")
    several = getattr(_ufuncs, name, None)
    if index.isdigit() and isinstance(several, np.ufunc) and int(index) < several.nout != 1:
        return name, int(index)
    return "", 0


def may_report(symbol: str) -> bool:
    """Whether a function may leave a Python exception behind, as `errstate` of SciPy asks."""
    return symbol.startswith(PREFIX)


def register_special(symbol: str) -> None:
    """Make a function known under its symbol to modules compiled or loaded from now on."""
    name = symbol.removeprefix(PREFIX)
    found = exports(_MODULE)
    if name not in found:
        raise InternalError(f"SciPy exports no special function {name}.")
    register_symbols({symbol: address(found[name])})


@functools.cache
def _exports() -> dict[tuple[str, tuple[np.dtype[Any], ...]], Export]:
    """The exports that loops can call, by the ufunc's name and the dtypes of its operands."""
    found = {}
    for name, capsule in exports(_MODULE).items():
        export = _parsed(name, signature(capsule))
        if export is not None:
            found[re.sub(r"^__pyx_fuse_\d(_\d)?", "", name), export.operands] = export
    return found


def _parsed(name: str, text: str) -> Export | None:
    """The export with this C signature; None if it has types that loops do not compute with."""
    result, _, rest = text.partition(" (")
    parameters = rest.rstrip(")").split(", ")
    dispatch = parameters[-1].startswith("int ")
    outputs = [p for p in parameters if p.endswith("*")]
    operands = parameters[: len(parameters) - dispatch - len(outputs)]
    kind = outputs[0].removesuffix(" *") if outputs else result
    if kind not in _DTYPES or any(o not in _DTYPES for o in operands):
        return None
    dtypes = tuple(_DTYPES[o] for o in operands)
    return Export(name, dtypes, _DTYPES[kind], len(outputs), dispatch)
