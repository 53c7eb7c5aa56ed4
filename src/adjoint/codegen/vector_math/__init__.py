"""Vector mathematics: scalar functions as LLVM IR that the loop vectoriser turns into SIMD.

`SCALAR_FUNCTIONS` maps the name of a NumPy or SciPy ufunc to an `Emitter`:

    value = SCALAR_FUNCTIONS["sin"](builder, x)

puts sin x, for an x of float64 or float32, at the end of the builder's block. The first use in a
module defines a private function there; it is always inlined. All code is straight-line
(selections, no branches, no tables), so a loop around it stays vectorisable, and sin x, cos x and
exp x of one x share their common parts. Results are within 2 units in the last place of the exact
value for every argument, subnormal ones included, and follow IEEE 754 and C at signed zeros,
infinities and NaN. Where terms cancel without remedy it is 2 units of the largest one: in
`logaddexp` and `logaddexp2`, and near the zeros of log Γ and ψ on the negative axis.

`LIBM_FUNCTIONS` holds calls of the C library for others; `scalar_function(name)` looks in both.

For the caller:

1. `prepare(module, vector_bits)` tells which vector widths loops in this module may get; without it
   all are assumed. `prepare(module, ())` is for modules without loops. `shared=True` leaves out the
   slow functions for rare arguments, which take as long to compile as a loop: `support_module()`
   has them, to be compiled once per process, and the linker must know their names.
2. Give the functions that hold loops the attribute "prefer-vector-width"="512" where the processor
   has AVX-512, and run LLVM's pipeline at level 3 with loop vectorisation.
3. Then run `finish(module_ref, pass_builder)`. It inlines the vector variants of rare repairs
   (sin of a huge argument, see `definitions`); code is right without it, only slower.

>>> from llvmlite import ir
>>> kind = ir.DoubleType()
>>> function = ir.Function(ir.Module(), ir.FunctionType(kind, [kind]), "f")
>>> builder = ir.IRBuilder(function.append_basic_block())
>>> print(builder.ret(SCALAR_FUNCTIONS["exp"](builder, function.args[0])))
ret double %".4"

Sources of the methods: Cody & Waite, Software Manual for the Elementary Functions (1980); Payne &
Hanek (1983); Dekker (1971); fdlibm (1993); Shepherd & Laframboise (1981). The coefficients are our
own, by tools/vector_math_coefficients.py.
"""

from __future__ import annotations

from math import pi
from typing import Any

from llvmlite import binding

from adjoint.codegen.vector_math import (
    entropy,
    error_function,
    exponential,
    gamma,
    hyperbolic,
    inverse_trigonometric,
    logarithm,
    normal,
    power,
    rounding,
    trigonometric,
)
from adjoint.codegen.vector_math.definitions import Body, Emitter, prepare, support_module

__all__ = [
    "LIBM_FUNCTIONS",
    "SCALAR_FUNCTIONS",
    "Emitter",
    "finish",
    "prepare",
    "scalar_function",
    "support_module",
]

_UNARY: dict[str, Body] = {
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "exp10": exponential.exp10,
    "expm1": exponential.expm1,
    "expit": exponential.logistic,
    "log": logarithm.log,
    "log2": logarithm.log2,
    "log10": logarithm.log10,
    "log1p": logarithm.log1p,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "sinc": trigonometric.sinc,
    "sinh": hyperbolic.sinh,
    "cosh": hyperbolic.cosh,
    "tanh": hyperbolic.tanh,
    "arcsinh": hyperbolic.arcsinh,
    "arccosh": hyperbolic.arccosh,
    "arctanh": hyperbolic.arctanh,
    "arcsin": inverse_trigonometric.arcsin,
    "arccos": inverse_trigonometric.arccos,
    "arctan": inverse_trigonometric.arctan,
    "sqrt": rounding.intrinsic("sqrt"),
    "cbrt": power.cbrt,
    "erf": error_function.erf,
    "erfc": error_function.erfc,
    "erfcx": normal.erfcx,
    "ndtr": normal.ndtr,
    "log_ndtr": normal.log_ndtr,
    "gammaln": gamma.gammaln,
    "psi": gamma.psi,
    "entr": entropy.entr,
    "logit": entropy.logit,
    "log_expit": entropy.log_expit,
    "sinpi": trigonometric.sinpi,
    "cospi": trigonometric.cospi,
    "softplus": error_function.softplus,
    "floor": rounding.intrinsic("floor"),
    "ceil": rounding.intrinsic("ceil"),
    "trunc": rounding.intrinsic("trunc"),
    "rint": rounding.intrinsic("rint"),
    "absolute": rounding.intrinsic("fabs"),
    "fabs": rounding.intrinsic("fabs"),
    "sign": rounding.sign,
    "negative": rounding.negative,
    "positive": rounding.positive,
    "square": rounding.square,
    "reciprocal": rounding.reciprocal,
    "spacing": rounding.spacing,
    "deg2rad": rounding.scaled(pi / 180.0),
    "radians": rounding.scaled(pi / 180.0),
    "rad2deg": rounding.scaled(180.0 / pi),
    "degrees": rounding.scaled(180.0 / pi),
}

_BINARY: dict[str, Body] = {
    "add": rounding.operator("fadd"),
    "subtract": rounding.operator("fsub"),
    "multiply": rounding.operator("fmul"),
    "divide": rounding.operator("fdiv"),
    "true_divide": rounding.operator("fdiv"),
    "power": power.pow,
    "float_power": power.pow,
    "hypot": power.hypot,
    "arctan2": inverse_trigonometric.arctan2,
    "logaddexp": error_function.logaddexp,
    "logaddexp2": error_function.logaddexp2,
    "xlogy": entropy.xlogy,
    "xlog1py": entropy.xlog1py,
    "rel_entr": entropy.rel_entr,
    "kl_div": entropy.kl_div,
    "huber": rounding.huber,
    "pseudo_huber": entropy.pseudo_huber,
    "xdivy": rounding.xdivy,
    "copysign": rounding.intrinsic("copysign"),
    "minimum": rounding.minimum,
    "maximum": rounding.maximum,
    "fmin": rounding.fmin,
    "fmax": rounding.fmax,
    "fmod": rounding.fmod,
    "remainder": rounding.remainder,
    "floor_divide": rounding.floor_divide,
    "heaviside": rounding.heaviside,
}

SCALAR_FUNCTIONS: dict[str, Emitter] = {
    **{name: Emitter(name, body) for name, body in _UNARY.items()},
    **{name: Emitter(name, body, 2) for name, body in _BINARY.items()},
}
"""Emitters by ufunc name."""

LIBM_FUNCTIONS: dict[str, Emitter] = {
    "nextafter": Emitter("nextafter", rounding.library("nextafter"), 2),
}
"""Calls of the C library, by ufunc name: right, but one call per element."""


def scalar_function(name: str) -> Emitter | None:
    """What emits the ufunc `name`: straight-line code, else a call of the C library, else None."""
    return SCALAR_FUNCTIONS.get(name) or LIBM_FUNCTIONS.get(name)


def finish(module: Any, pass_builder: Any) -> None:
    """Inline what vectorisation brought in: run once, after LLVM's optimisation pipeline.

    `module` is an llvmlite.binding.ModuleRef, `pass_builder` the PassBuilder of the pipeline.
    """
    manager = binding.create_new_module_pass_manager()
    manager.add_always_inliner_pass()
    manager.add_simplify_cfg_pass()  # and no NewGVN: that of LLVM 22 miscompiles nested selects
    manager.run(module, pass_builder)
