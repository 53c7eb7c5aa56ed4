"""Inverses: inv, pinv, tensorinv, matrix_power, cond."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from adjoint.errors import ShapeMismatchError, UndefinedDerivativeWarning
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.binding import index_of, value_or_raise
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.primitives.linalg.common import (
    MatrixPrimitive,
    adjoint,
    hermitian_part,
    identity,
    matrix,
    peek,
)
from adjoint.primitives.shaping import array


class Inv(MatrixPrimitive):
    """Y = A⁻¹; Ẏ = −Y Ȧ Y (Giles 2008, section 2.2.2)."""

    name = "inv"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.linalg.inv(operands[0])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return types[0]

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        return -(out @ tangents[0] @ out)


INV = register(Inv())


def warn_if_deficient(a: Any, rank: Any, called: str) -> None:
    """Warns, once a derivative is taken, where it exists only along changes that keep the rank."""
    if not np.any(np.asarray(rank) < min(a.shape[-2:])):
        return
    warnings.warn(
        f"{called} is not continuous at a rank-deficient matrix ({describe(a)} of rank "
        f"{int(np.min(rank))}); its derivative is that along changes that keep the rank.",
        UndefinedDerivativeWarning,
        stacklevel=2,
    )


class PInv(MatrixPrimitive):
    """P = A⁺ (Moore and Penrose), by the constant-rank formula

    Ṗ = −P Ȧ P + P Pᴴ Ȧᴴ (1 − A P) + (1 − P A) Ȧᴴ Pᴴ P

    (Golub and Pereyra 1973, equation 4.12).  Where the rank is not full, other directions change
    the rank and A⁺ jumps: a warning says so when a derivative is taken.
    """

    name = "pinv"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.linalg.pinv(operands[0], **params)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        *lead, m, n = types[0].shape
        return ArrayType((*lead, n, m), types[0].dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        a, a_dot = primals[0], tangents[0]
        found = peek(out)
        if found is not None:
            # A⁺ has the rank of A as pinv counted it: trace of the projector P A.
            rank = np.round(np.trace(found @ peek(a), axis1=-2, axis2=-1).real)
            warn_if_deficient(a, rank, "np.linalg.pinv(a)")
        if params["hermitian"]:
            a_dot = hermitian_part(a_dot)
        ph, ah_dot = adjoint(out), adjoint(a_dot)
        m, n = a.shape[-2:]
        left = out @ (ph @ (ah_dot @ (identity(m, a.dtype) - a @ out)))
        right = (identity(n, a.dtype) - out @ a) @ (ah_dot @ (ph @ out))
        return left + right - out @ a_dot @ out


PINV = register(PInv())


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """``np.linalg.inv``."""
    return INV(matrix(a, "np.linalg.inv(a)", square=True))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """``np.linalg.pinv``."""
    params: dict[str, Any] = {"hermitian": bool(hermitian)}
    if rcond is not None:
        params["rcond"] = value_or_raise(rcond, "rcond, a threshold,")
    if rtol is not np._NoValue:
        params["rtol"] = value_or_raise(rtol, "rtol, a threshold,")
    return PINV(matrix(a, "np.linalg.pinv(a)"), **params)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """``np.linalg.tensorinv``."""
    a, ind = array(a), index_of(ind)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = a.shape[ind:] + a.shape[:ind]
    count = int(np.prod(a.shape[ind:]))
    if count * count != a.size:
        raise ShapeMismatchError(
            "np.linalg.tensorinv(a, ind) needs prod(a.shape[:ind]) == prod(a.shape[ind:]); "
            f"it got {describe(a)} and ind={ind}.",
            where=here(),
        )
    return np.reshape(inv(np.reshape(a, (count, count))), shape)


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Any:
    """``np.linalg.matrix_power``, by repeated squaring; a negative n inverts first."""
    power = index_of(n)
    a = array(a)
    if power <= 0 or a.dtype.kind not in "iu":
        a = matrix(a, "np.linalg.matrix_power(a, n)", square=True)
    if power == 0:
        return np.zeros_like(a) + identity(a.shape[-1], a.dtype)
    if power < 0:
        a, power = inv(a), -power
    result = None
    while power:
        if power & 1:
            result = a if result is None else result @ a
        power >>= 1
        if power:
            a = a @ a
    return result
