"""What the blocks of linear algebra share: operands, transposes, batching and checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.ir import Node
from adjoint.graph.primitive import Primitive
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, permute


class MatrixShapeError(ShapeMismatchError, np.linalg.LinAlgError):
    """The operand of a matrix function does not have the shape of a matrix it is defined for."""


class MatrixPrimitive(Primitive):
    """A function of matrices that works on stacks of them, as NumPy's do.

    ``ranks`` are the numbers of axes of one matrix (2) or vector (1) operand, or one number for
    all; the axes in front broadcast, so a batch is one axis more.
    """

    ranks: ClassVar[tuple[int, ...] | int] = 2

    def rank(self, position: int) -> int:
        return self.ranks if isinstance(self.ranks, int) else self.ranks[position]

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        leads = [
            np.ndim(o) - b - self.rank(i)
            for i, (o, b) in enumerate(zip(operands, batched, strict=True))
        ]
        width = max(leads)
        aligned = [
            np.reshape(o, (size,) + (1,) * (width - lead) + o.shape[1:])
            if b and lead < width
            else o
            for o, b, lead in zip(operands, batched, leads, strict=True)
        ]
        return self(*aligned, **params)


def matrix(a: Any, called: str, square: bool = False) -> Any:
    """An operand that is a matrix or a stack of them; integers become float64, as in NumPy."""
    a = array(a)
    if a.ndim < 2 or (square and a.shape[-1] != a.shape[-2]):
        kind = "a square matrix" if square else "a matrix"
        raise MatrixShapeError(
            f"{called} needs {kind}, or a stack of them; it got {describe(a)}.", where=here()
        )
    return inexact(a)


def inexact(a: Any) -> Any:
    """Integers and booleans as float64."""
    return convert(a, np.float64) if a.dtype.kind in "iub" else a


def same_dtype(*operands: Any) -> tuple[Any, ...]:
    """The operands in their common dtype, which LAPACK needs."""
    dtype = np.result_type(*(o.dtype for o in operands))
    return tuple(o if o.dtype == dtype else convert(o, dtype) for o in operands)


def transposed(a: Any) -> Any:
    """Aᵀ over the last two axes."""
    if not isinstance(a, Tracer):
        return np.swapaxes(a, -1, -2)
    n = a.ndim
    return permute(a, (*range(n - 2), n - 1, n - 2))


def adjoint(a: Any) -> Any:
    """Aᴴ over the last two axes."""
    return np.conj(transposed(a)) if a.dtype.kind == "c" else transposed(a)


def hermitian_part(a: Any) -> Any:
    """(A + Aᴴ)/2."""
    return (a + adjoint(a)) * real_scalar(a.dtype, 0.5)


def real_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype of the real parts."""
    return np.zeros((), dtype).real.dtype


def real_scalar(dtype: Any, value: float) -> Any:
    """A number that does not change the precision of what it multiplies."""
    return real_dtype(dtype).type(value)


def identity(n: int, dtype: Any) -> Any:
    """The n×n identity."""
    return np.eye(n, dtype=dtype)


def lead_shape(types: Sequence[ArrayType], ranks: Sequence[int]) -> tuple[int, ...]:
    """The stack that the leading axes of the operands broadcast to."""
    leads = [t.shape[: len(t.shape) - r] for t, r in zip(types, ranks, strict=True)]
    return np.broadcast_shapes(*leads)


def peek(operand: Any) -> Any:
    """The value of an operand if it is known, for checks that only warn or raise; else None."""
    if isinstance(operand, Tracer):
        node: Node = operand.node
        return node.value
    return operand


def smallest(dtype: Any) -> float:
    """The relative rounding error of a dtype."""
    return float(np.finfo(real_dtype(dtype)).eps)


class DerivativeFamily(MatrixPrimitive):
    """A function of a matrix together with all its derivatives D^m f(A)[E₁, …, E_m].

    The operands are A and the directions.  Such a family is multilinear in the directions, and its
    derivative in A is the member with one direction more, so it is closed under differentiation.
    """

    mixed = True
    linear = tuple(range(1, 64))

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        lead = lead_shape(types, [2] * len(types))
        return ArrayType((*lead, *types[0].shape[-2:]), np.result_type(*(t.dtype for t in types)))

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        terms = []
        for i, tangent in enumerate(tangents):
            if tangent is not None:
                found = list(primals)
                if i == 0:
                    found.append(tangent)
                else:
                    found[i] = tangent
                terms.append(self(*found, **params))
        return sum(terms[1:], terms[0])
