"""What eigenvectors and singular vectors leave undetermined, and how a rule says so.

The derivative of an eigenvector divides by differences of eigenvalues, and leaves its phase free.
Where an eigenvalue repeats, no derivative exists.  The primitives here are the linear maps in which
those two facts stand: pulled back, they raise `UndefinedDerivativeError` if the loss really depends
on what is undetermined, and give the exact result if it does not.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from adjoint.errors import UndefinedDerivativeError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.doubts import leave_reason
from adjoint.graph.registry import register
from adjoint.graph.sites import here
from adjoint.primitives.linalg.common import MatrixPrimitive, adjoint, lead_shape, smallest


def denominators(w: Any, sign: int) -> tuple[Any, Any]:
    """w_j ± w_i (for sign 0 just w_j), and where it is zero to rounding."""
    d = w[..., None, :] + sign * w[..., :, None] if sign else w[..., None, :]
    size = np.max(np.abs(w), axis=-1, keepdims=True, initial=0.0)[..., None]
    return d, np.abs(d) <= 4 * w.shape[-1] * smallest(w.dtype) * size


def _touched(m: Any, same: Any, sign: int) -> Any:
    """Where a matrix has more than rounding in the places of denominators that are zero.

    The diagonal of differences holds no derivative and is left out.
    """
    n = m.shape[-1]
    size = np.max(np.abs(m), axis=(-2, -1), keepdims=True, initial=0.0)
    small = np.abs(m) <= 64 * n * smallest(m.dtype) * size
    touched = same & ~small
    return touched & ~np.eye(n, dtype=bool) if sign else touched


def divided(m: Any, w: Any, sign: int) -> tuple[Any, Any]:
    """M_ij / (w_j ± w_i) with zeros for zero denominators, and where M has something there."""
    d, same = denominators(w, sign)
    found = np.where(same, 0.0, m / np.where(same, 1, d)).astype(np.result_type(m, w))
    return found, _touched(m, same, sign)


class _Quotient(MatrixPrimitive):
    """M_ij / (w_j ± w_i), or M_ij / w_j, and zero where the denominator is zero."""

    ranks: ClassVar[tuple[int, ...] | int] = (2, 1)
    linear = (0,)
    mixed = True

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        lead = lead_shape(types, (2, 1))
        shape = (*lead, *types[0].shape[-2:])
        return ArrayType(shape, np.result_type(types[0].dtype, types[1].dtype))

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        m_dot, w_dot = tangents
        if w_dot is not None:
            sign, d_dot = params["sign"], w_dot[..., None, :]
            if sign:
                d_dot = d_dot + sign * w_dot[..., :, None]
            m_dot = -out * d_dot if m_dot is None else m_dot - out * d_dot
        return self(m_dot, primals[1], **params)


class DifferenceQuotient(_Quotient):
    """M_ij / (w_j ± w_i) of a tangent: where the denominator is zero, 0 for M_ij = 0 and else NaN,
    which reaches only the vectors concerned, and is an error if it reaches a result."""

    name = "difference_quotient"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        m, w = operands
        out, touched = divided(m, w, params["sign"])
        touched = np.broadcast_to(touched, out.shape)
        if np.any(touched):
            out[touched] = np.nan
            values = np.broadcast_to(w[..., None, :], touched.shape)[touched]
            leave_reason(_repeated(params["of"], values))
        return out

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return PULLED_QUOTIENT(ct, operands[1], **params)


class PulledQuotient(_Quotient):
    """The transpose of `DifferenceQuotient`: a cotangent that reaches a quotient with denominator
    zero is an error, because it asks for a derivative that does not exist."""

    name = "pulled_quotient"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        m, w = operands
        out, touched = divided(m, w, params["sign"])
        if np.any(touched):
            raise _repeated(params["of"], np.broadcast_to(w[..., None, :], touched.shape)[touched])
        return out

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return DIFFERENCE_QUOTIENT(ct, operands[1], **params)


def _repeated(called: str, values: Any) -> UndefinedDerivativeError:
    return UndefinedDerivativeError(
        f"{called} has no derivative for the vectors of the repeated value {values[0]:.6g}: any "
        "rotation of them is as good, and a change of a picks one.",
        where=here(),
        hint="differentiate the values, vectors of values that do not repeat, or a function of "
        "the matrix written as one product:\n(V * f(w)) @ V.conj().T, or expm, logm, sqrtm of "
        "adjoint.scipy.linalg.",
    )


class _Guard(MatrixPrimitive):
    """The tangent of vectors, given the values they belong to; the identity."""

    ranks: ClassVar[tuple[int, ...] | int] = (2, 1)
    linear = (0,)
    mixed = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        v, w = operands
        lead = np.broadcast_shapes(v.shape[:-2], w.shape[:-1])
        return np.broadcast_to(v, (*lead, *v.shape[-2:]))

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        lead = lead_shape(types, (2, 1))
        return ArrayType((*lead, *types[0].shape[-2:]), types[0].dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        return None if tangents[0] is None else self(tangents[0], primals[1], **params)


class VectorTangent(_Guard):
    """The tangents of vectors, on their way forward."""

    name = "vector_tangent"

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return CHECKED_VECTORS(ct, operands[1], **params)


def repeated_vectors(ct: Any, w: Any) -> Any:
    """Which columns of a cotangent belong to repeated values and hold more than rounding."""
    same = denominators(w, -1)[1] & ~np.eye(w.shape[-1], dtype=bool)
    columns = np.max(np.abs(ct), axis=-2, initial=0.0)
    size = np.max(columns, axis=-1, keepdims=True, initial=0.0)
    large = columns > 64 * w.shape[-1] * smallest(ct.dtype) * size
    return np.any(same, axis=-2) & large


class CheckedVectors(_Guard):
    """Their cotangents: an error if one reaches a vector of a repeated value.

    Symmetric coincidences are no exception: v[0] at v = (1, 0) does not move to first order when v
    rotates, but v jumps.
    """

    name = "checked_vectors"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        ct, w = operands
        touched = repeated_vectors(ct, w)
        if np.any(touched):
            raise _repeated(params["of"], np.broadcast_to(w, touched.shape)[touched])
        return super().evaluate(ct, w)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return VECTOR_TANGENT(ct, operands[1], **params)


VECTOR_TANGENT = register(VectorTangent())
CHECKED_VECTORS = register(CheckedVectors())
DIFFERENCE_QUOTIENT = register(DifferenceQuotient())
PULLED_QUOTIENT = register(PulledQuotient())


def vector_tangent(v_dot: Any, w: Any, of: str) -> Any:
    """The tangent of the vectors that belong to the values w, unchanged; pulled back it raises if
    a vector of a repeated value is differentiated."""
    return VECTOR_TANGENT(v_dot, w, of=of)


def quotient(m: Any, w: Any, of: str, sign: int = -1) -> Any:
    """M_ij / (w_j ± w_i) for a tangent M; for sign 0, M_ij / w_j."""
    return DIFFERENCE_QUOTIENT(m, w, sign=sign, of=of)


class _Undetermined(MatrixPrimitive):
    """A part of a tangent that the function leaves free: zero, of the shape of the operand."""

    linear = (0,)

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.zeros_like(operands[0])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return types[0]


class UndeterminedPhase(_Undetermined):
    """The derivatives of the phases of the columns; the loss must not depend on them."""

    name = "undetermined_phase"

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return CHECKED_PHASE(ct, **params)


class CheckedPhase(_Undetermined):
    """Raises unless the cotangents of each column's phase add up to zero."""

    name = "checked_phase"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        ct = np.real(operands[0])
        # Rounding is relative to the complex cotangent: for |v|² its real part is nothing else.
        total, size = np.abs(np.sum(ct, axis=-2)), np.sum(np.abs(operands[0]), axis=-2)
        # Relative to all columns: one that the loss hardly touches holds rounding only.
        size = np.max(size, axis=-1, keepdims=True, initial=0.0)
        if np.any(total > 1e3 * ct.shape[-1] * smallest(ct.dtype) * size):
            raise UndefinedDerivativeError(
                f"{params['of']} returns vectors whose phase is arbitrary, and the result depends "
                "on it; its derivative does not exist.",
                where=here(),
                hint="use a function of the vectors that is the same for v and v·exp(iφ), such as "
                "np.abs(v)**2.",
            )
        return np.zeros_like(operands[0])

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return UNDETERMINED_PHASE(ct, **params)


class UndeterminedRotation(_Undetermined):
    """The skew matrix by which vectors that are only fixed as a basis of a space rotate."""

    name = "undetermined_rotation"

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return CHECKED_ROTATION(ct, **params)


def turned_places(ct: Any) -> Any:
    """Where the skew part of a cotangent is more than rounding."""
    skew = np.abs(ct - adjoint(ct))
    size = np.max(np.abs(ct), axis=(-2, -1), keepdims=True, initial=0.0)
    return skew > 1e3 * ct.shape[-1] * smallest(ct.dtype) * size


class CheckedRotation(_Undetermined):
    """Raises unless the skew part of the cotangent is zero."""

    name = "checked_rotation"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        ct = operands[0]
        if np.any(turned_places(ct)):
            raise UndefinedDerivativeError(
                f"{params['of']} completes its vectors by an arbitrary basis of a space, and the "
                "result depends on which; its derivative does not exist.",
                where=here(),
                hint="use mode='reduced' or full_matrices=False, or a function of the space such "
                "as Q2 @ Q2.T.",
            )
        return np.zeros_like(ct)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return UNDETERMINED_ROTATION(ct, **params)


UNDETERMINED_PHASE = register(UndeterminedPhase())
CHECKED_PHASE = register(CheckedPhase())
UNDETERMINED_ROTATION = register(UndeterminedRotation())
CHECKED_ROTATION = register(CheckedRotation())


def undetermined_phase(tangent: Any, of: str) -> Any:
    """iφ for every entry of a tangent of column vectors: zero, but the loss is checked."""
    return 1j * UNDETERMINED_PHASE(tangent, of=of)


def undetermined_rotation(tangent: Any, basis: Any, of: str = "np.linalg.qr(a)") -> Any:
    """The square zero matrix by which the vectors of ``basis`` may rotate; the loss is checked.

    ``tangent`` has one row per vector and only ties the check to the derivative that is taken.
    """
    square = tangent[..., :, :1] @ np.zeros((1, basis.shape[-1]), tangent.dtype)
    return UNDETERMINED_ROTATION(square, of=of)
