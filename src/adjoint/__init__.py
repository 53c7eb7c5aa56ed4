"""Adjoint: plain NumPy functions in, exact derivatives out.

>>> import numpy as np, adjoint as ad
>>> float(ad.grad(lambda x: x**3)(2.0))
12.0
"""

import importlib as _importlib
import typing as _typing

from adjoint import primitives as _primitives
from adjoint import version as _version
from adjoint.api import graph  # the function; the folder of that name is found as adjoint.graph.*
from adjoint.calculus.gradients import grad, value_and_grad
from adjoint.calculus.matrices import derivative_tensor, hessian, jacobian
from adjoint.calculus.products import hvp, jvp, linearize, vjp
from adjoint.calculus.scalars import derivative, directional, partial
from adjoint.calculus.vectorize import vmap

if _typing.TYPE_CHECKING:
    from adjoint.calculus.ascent import steepest_ascent
    from adjoint.calculus.control import checkpoint, cond, scan, stop_gradient, while_loop
    from adjoint.calculus.custom import custom_derivative
    from adjoint.calculus.differences import convergence_table, difference_quotient
    from adjoint.calculus.formulas import formula, latex, source
    from adjoint.calculus.jets import jet
    from adjoint.calculus.series import TaylorPolynomial, taylor
    from adjoint.calculus.shapes import chain, dimension_report
    from adjoint.compilation.compiled import compile
    from adjoint.printing.derivation import derivation
    from adjoint.printing.trace_table import explain

__version__ = _version.VERSION

_LAZY = {
    "TaylorPolynomial": "adjoint.calculus.series",
    "chain": "adjoint.calculus.shapes",
    "check_derivatives": "adjoint.testing.derivatives",
    "checkpoint": "adjoint.calculus.control",
    "compile": "adjoint.compilation.compiled",
    "cond": "adjoint.calculus.control",
    "convergence_table": "adjoint.calculus.differences",
    "custom_derivative": "adjoint.calculus.custom",
    "derivation": "adjoint.printing.derivation",
    "difference_quotient": "adjoint.calculus.differences",
    "dimension_report": "adjoint.calculus.shapes",
    "explain": "adjoint.printing.trace_table",
    "formula": "adjoint.calculus.formulas",
    "jet": "adjoint.calculus.jets",
    "latex": "adjoint.calculus.formulas",
    "scan": "adjoint.calculus.control",
    "source": "adjoint.calculus.formulas",
    "steepest_ascent": "adjoint.calculus.ascent",
    "stop_gradient": "adjoint.calculus.control",
    "taylor": "adjoint.calculus.series",
    "while_loop": "adjoint.calculus.control",
}
"""Names whose modules are imported when they are first used: ``import adjoint`` stays quick."""

__all__ = [
    "TaylorPolynomial",
    "chain",
    "check_derivatives",
    "compile",
    "checkpoint",
    "cond",
    "convergence_table",
    "custom_derivative",
    "derivation",
    "derivative",
    "derivative_tensor",
    "difference_quotient",
    "dimension_report",
    "directional",
    "explain",
    "formula",
    "grad",
    "graph",
    "hessian",
    "hvp",
    "jacobian",
    "jet",
    "jvp",
    "latex",
    "linearize",
    "partial",
    "scan",
    "source",
    "steepest_ascent",
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
