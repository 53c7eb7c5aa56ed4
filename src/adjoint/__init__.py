"""Adjoint: plain NumPy functions in, exact derivatives out.

>>> import numpy as np, adjoint as ad
>>> float(ad.grad(lambda x: x**3)(2.0))
12.0
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from adjoint import primitives as _primitives
from adjoint.calculus.control import checkpoint, cond, scan, stop_gradient, while_loop
from adjoint.calculus.custom import custom_derivative
from adjoint.calculus.gradients import grad, value_and_grad
from adjoint.calculus.jets import jet
from adjoint.calculus.matrices import derivative_tensor, hessian, jacobian
from adjoint.calculus.products import hvp, jvp, linearize, vjp
from adjoint.calculus.scalars import derivative, directional, partial
from adjoint.calculus.series import TaylorPolynomial, taylor
from adjoint.calculus.vectorize import vmap
from adjoint.printing.drawing import graph  # the function; the folder is found as adjoint.graph.*

if TYPE_CHECKING:
    from adjoint.compilation.compiled import compile
    from adjoint.printing.trace_table import explain

__version__ = "0.1.0"

_LAZY = {
    "explain": "adjoint.printing.trace_table",
    "check_derivatives": "adjoint.testing.derivatives",
    "compile": "adjoint.compilation.compiled",
}
"""Names whose modules load LLVM, SciPy or Matplotlib: imported when they are first used."""

__all__ = [
    "explain",
    "graph",
    "TaylorPolynomial",
    "check_derivatives",
    "compile",
    "checkpoint",
    "cond",
    "custom_derivative",
    "derivative",
    "derivative_tensor",
    "directional",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jet",
    "jvp",
    "linearize",
    "partial",
    "scan",
    "stop_gradient",
    "taylor",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]
del _primitives


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'adjoint' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
