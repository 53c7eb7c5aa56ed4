"""Adjoint: plain NumPy functions in, exact derivatives out.

>>> import numpy as np, adjoint as ad
>>> float(ad.grad(lambda x: x**3)(2.0))
12.0
"""

import importlib as _importlib
import typing as _typing

from adjoint import primitives as _primitives
from adjoint.api import graph  # the function; the folder of that name is found as adjoint.graph.*
from adjoint.calculus.gradients import grad, value_and_grad
from adjoint.calculus.matrices import derivative_tensor, hessian, jacobian
from adjoint.calculus.products import hvp, jvp, linearize, vjp
from adjoint.calculus.scalars import derivative, directional, partial
from adjoint.calculus.vectorize import vmap

if _typing.TYPE_CHECKING:
    from adjoint.calculus.control import checkpoint, cond, scan, stop_gradient, while_loop
    from adjoint.calculus.custom import custom_derivative
    from adjoint.calculus.jets import jet
    from adjoint.calculus.series import TaylorPolynomial, taylor
    from adjoint.compilation.compiled import compile
    from adjoint.printing.trace_table import explain

__version__ = "0.1.0"

_LAZY = {
    "TaylorPolynomial": "adjoint.calculus.series",
    "check_derivatives": "adjoint.testing.derivatives",
    "checkpoint": "adjoint.calculus.control",
    "compile": "adjoint.compilation.compiled",
    "cond": "adjoint.calculus.control",
    "custom_derivative": "adjoint.calculus.custom",
    "explain": "adjoint.printing.trace_table",
    "jet": "adjoint.calculus.jets",
    "scan": "adjoint.calculus.control",
    "stop_gradient": "adjoint.calculus.control",
    "taylor": "adjoint.calculus.series",
    "while_loop": "adjoint.calculus.control",
}
"""Names whose modules are imported when they are first used: ``import adjoint`` stays quick."""

__all__ = [
    "TaylorPolynomial",
    "check_derivatives",
    "compile",
    "checkpoint",
    "cond",
    "custom_derivative",
    "derivative",
    "derivative_tensor",
    "directional",
    "explain",
    "grad",
    "graph",
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


def __getattr__(name: str) -> _typing.Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'adjoint' has no attribute {name!r}")
    value = globals()[name] = getattr(_importlib.import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
