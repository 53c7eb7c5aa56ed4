"""Functions that are compiled once per process and called from many modules.

Two kinds: the general functions behind rare arguments (sin of 1e300), and scalar functions as
calls, for straight-line programs with so many of them that inlining each would take too long.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from llvmlite import ir

from adjoint.codegen import special_symbols
from adjoint.codegen.llvm_session import CompiledModule, compile_ir, register_symbols
from adjoint.codegen.vector_math import SCALAR_FUNCTIONS, prepare
from adjoint.codegen.vector_math.definitions import Attributes, support_for
from adjoint.codegen.vector_math.ir_helpers import format_of

_PREFIX = "adjoint.call."
_CHEAP = frozenset(
    ("add", "subtract", "multiply", "divide", "true_divide", "negative", "positive", "square",
     "reciprocal", "sqrt", "absolute", "fabs", "minimum", "maximum", "fmin", "fmax", "copysign",
     "floor", "ceil", "trunc", "rint", "sign", "deg2rad", "rad2deg", "radians", "degrees")
)  # fmt: skip
"""Functions of a few instructions: a call would be longer."""

_lock = threading.RLock()
_provided: dict[str, CompiledModule] = {}


def is_dear(name: str) -> bool:
    """Whether a function is dozens of instructions."""
    return name in SCALAR_FUNCTIONS and name not in _CHEAP


def call_scalar(builder: Any, name: str, *operands: Any) -> Any:
    """A call of the scalar function `name`, which `provide` compiles."""
    kind = format_of(operands[0])
    symbol = f"{_PREFIX}{name}.{kind.name}"
    function = builder.module.globals.get(symbol)
    if function is None:
        signature = ir.FunctionType(kind.float_type, [kind.float_type] * len(operands))
        function = ir.Function(builder.module, signature, symbol)
        function.attributes = Attributes(("nounwind", "willreturn", "memory(none)"))
    return builder.call(function, operands)


def provide(names: Iterable[str]) -> None:
    """Compile what modules need from here, unless it is there already; register the functions of
    SciPy among the names."""
    for name in names:
        if name.startswith(special_symbols.PREFIX):
            special_symbols.register_special(name)
        if name in _provided or not _is_ours(name):
            continue
        with _lock:
            if name not in _provided:
                _compile(name)


def _is_ours(name: str) -> bool:
    return name.startswith(_PREFIX) or (
        name.startswith("adjoint.") and (".slow." in name or ".lanes." in name)
    )


def _compile(name: str) -> None:
    made = _scalar_call(name) if name.startswith(_PREFIX) else support_for(name)
    if made is None:
        return
    module, defined = made
    compiled = compile_ir(module, opt_level=2, exports=defined)
    register_symbols({symbol: compiled.address(symbol) for symbol in defined})
    _provided.update(dict.fromkeys(defined, compiled))


def _scalar_call(name: str) -> tuple[ir.Module, tuple[str, ...]]:
    stem, _, format_name = name.removeprefix(_PREFIX).rpartition(".")
    kind = ir.DoubleType() if format_name == "f64" else ir.FloatType()
    emitter = SCALAR_FUNCTIONS[stem]
    module = ir.Module(name)
    prepare(module, (), shared=True)
    function = ir.Function(module, ir.FunctionType(kind, [kind] * emitter.arity), name)
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(emitter(builder, *function.args))
    provide(other for other in module.globals if other != name)
    return module, (name,)
