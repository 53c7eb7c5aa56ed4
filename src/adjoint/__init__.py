"""Adjoint: plain NumPy functions in, exact derivatives out.

>>> import numpy as np, adjoint as ad
>>> float(ad.grad(lambda x: x**3)(2.0))
12.0
"""

from adjoint import primitives as _primitives
from adjoint.calculus.gradients import grad, value_and_grad
from adjoint.calculus.matrices import derivative_tensor, hessian, jacobian
from adjoint.calculus.products import hvp, jvp, linearize, vjp
from adjoint.calculus.scalars import derivative, directional, partial
from adjoint.calculus.vectorize import vmap

__version__ = "0.1.0"

__all__ = [
    "derivative",
    "derivative_tensor",
    "directional",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "linearize",
    "partial",
    "value_and_grad",
    "vjp",
    "vmap",
]
del _primitives
