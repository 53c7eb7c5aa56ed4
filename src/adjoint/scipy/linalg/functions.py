"""Functions of a matrix and matrix equations, under SciPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import ArgumentValueError
from adjoint.graph.arraytype import describe
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.linalg.common import adjoint, matrix, same_dtype
from adjoint.primitives.linalg.equations import (
    CONTINUOUS_RICCATI,
    DISCRETE_LYAPUNOV,
    DISCRETE_RICCATI,
    SYLVESTER,
)
from adjoint.primitives.linalg.matrix_functions import matrix_function
from adjoint.primitives.shaping import array
from adjoint.scipy.linalg.dispatch import offers, operand, refuse


def _square(a: Any, called: str) -> Any:
    return matrix(a, f"scipy.linalg.{called}(A)", square=True)


@offers
def expm(A: Any) -> Any:
    """The exponential of a matrix, or of each matrix of a stack.

    The derivative is the Fréchet derivative, of any order, exact also where eigenvalues repeat or
    the matrix has no eigenvector basis.  Cost: order m takes one exponential of size 2^m n.

    >>> import numpy as np, adjoint as ad
    >>> from adjoint.scipy.linalg import expm
    >>> ad.grad(lambda a: np.trace(expm(a)))(np.zeros((2, 2)))
    array([[1., 0.],
           [0., 1.]])
    """
    return matrix_function("expm", _square(A, "expm"))


@offers
def logm(A: Any) -> Any:
    """The principal logarithm of a matrix."""
    return matrix_function("logm", _square(A, "logm"))


@offers
def sqrtm(A: Any) -> Any:
    """The principal square root of a matrix."""
    return matrix_function("sqrtm", _square(A, "sqrtm"))


@offers
def sinm(A: Any) -> Any:
    """The sine of a matrix."""
    return matrix_function("sinm", _square(A, "sinm"))


@offers
def cosm(A: Any) -> Any:
    """The cosine of a matrix."""
    return matrix_function("cosm", _square(A, "cosm"))


@offers
def tanm(A: Any) -> Any:
    """The tangent of a matrix."""
    return matrix_function("tanm", _square(A, "tanm"))


@offers
def sinhm(A: Any) -> Any:
    """The hyperbolic sine of a matrix."""
    return matrix_function("sinhm", _square(A, "sinhm"))


@offers
def coshm(A: Any) -> Any:
    """The hyperbolic cosine of a matrix."""
    return matrix_function("coshm", _square(A, "coshm"))


@offers
def tanhm(A: Any) -> Any:
    """The hyperbolic tangent of a matrix."""
    return matrix_function("tanhm", _square(A, "tanhm"))


@offers
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """A^t for a number t; the derivative is with respect to A."""
    if isinstance(t, Tracer):
        raise refuse(
            "fractional_matrix_power(A, t)",
            "a plain number t",
            describe(t),
            "expm(t * logm(A)) is the same and has a derivative in t.",
        )
    return matrix_function(
        "fractional_matrix_power", _square(A, "fractional_matrix_power"), power=float(t)
    )


@offers
def expm_frechet(A: Any, E: Any, method: Any = None, compute_expm: bool = True) -> Any:
    """The exponential of A and its Fréchet derivative along E, both differentiable again."""
    a, e = same_dtype(_square(A, "expm_frechet"), _square(E, "expm_frechet"))
    derivative = matrix_function("expm", a, e)
    return (matrix_function("expm", a), derivative) if compute_expm else derivative


@offers
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """X of A X + X B = Q."""
    operands = same_dtype(*(operand(x) for x in (a, b, q)))
    _require_fit("solve_sylvester(a, b, q)", operands)
    return SYLVESTER(*operands)


def _require_fit(called: str, operands: tuple[Any, ...]) -> None:
    a, b, q = operands
    for x in (a, b):
        matrix(x, f"scipy.linalg.{called}", square=True)
    if q.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise ArgumentValueError(
            f"scipy.linalg.{called} needs q with as many rows as a and columns as b; "
            f"it got {', '.join(map(describe, operands))}.",
            where=here(),
        )


@offers
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """X of A X + X Aᴴ = Q."""
    a, q = same_dtype(_square(a, "solve_continuous_lyapunov"), operand(q))
    _require_fit("solve_continuous_lyapunov(a, q)", (a, a, q))
    return SYLVESTER(a, adjoint(a), q)


@offers
def solve_lyapunov(a: Any, q: Any) -> Any:
    """The same as `solve_continuous_lyapunov`."""
    return solve_continuous_lyapunov(a, q)


@offers
def solve_discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """X of A X Aᴴ − X + Q = 0."""
    a, q = same_dtype(_square(a, "solve_discrete_lyapunov"), operand(q))
    _require_fit("solve_discrete_lyapunov(a, q)", (a, a, q))
    return DISCRETE_LYAPUNOV(a, q, method=method)


def _riccati(primitive: Any, called: str, arguments: tuple[Any, ...], e: Any, s: Any) -> Any:
    if e is not None or s is not None:
        raise refuse(f"{called}(a, b, q, r)", "e=None and s=None", "another matrix")
    return primitive(*same_dtype(*(matrix(x, f"scipy.linalg.{called}") for x in arguments)))


@offers
def solve_continuous_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """X of Aᴴ X + X A − X B R⁻¹ Bᴴ X + Q = 0."""
    return _riccati(CONTINUOUS_RICCATI, "solve_continuous_are", (a, b, q, r), e, s)


@offers
def solve_discrete_are(
    a: Any, b: Any, q: Any, r: Any, e: Any = None, s: Any = None, balanced: bool = True
) -> Any:
    """X of Aᴴ X A − X − Aᴴ X B (R + Bᴴ X B)⁻¹ Bᴴ X A + Q = 0."""
    return _riccati(DISCRETE_RICCATI, "solve_discrete_are", (a, b, q, r), e, s)


@offers
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """As `np.linalg.norm`."""
    return np.linalg.norm(array(a), ord, axis, keepdims)
