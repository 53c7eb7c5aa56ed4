"""Functions of a matrix: expm, logm, sqrtm and their kin, with Fréchet derivatives of any order."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.registry import register
from adjoint.primitives.linalg.common import DerivativeFamily, transposed

NAMES = ("expm", "logm", "sqrtm", "sinm", "cosm", "tanm", "sinhm", "coshm", "tanhm")


class MatrixFunction(DerivativeFamily):
    """f(A) and its Fréchet derivatives D^m f(A)[E₁, …, E_m], for an analytic f.

    f of the block triangular matrix [[A, E], [0, A]] has Df(A)[E] in its corner (Mathias 1996,
    theorem 2.1), and the same again gives every order (Higham and Relton 2014, algorithm 4.2).  It
    is exact where eigenvalues repeat.  Cost: one f of size 2^m n.

    The trace tr(Cᵀ D^m f(A)[E₁, …]) is symmetric in C ᵀ and the directions, so the cotangent of a
    direction is the derivative along Cᵀ in its place, transposed.
    """

    name = "matrix_function"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        lead = np.broadcast_shapes(*(o.shape[:-2] for o in operands))
        shape = lead + operands[0].shape[-2:]
        full = [np.broadcast_to(o, shape) for o in operands]
        found = [_corner([o[i] for o in full], params) for i in np.ndindex(*lead)]
        out = np.asarray(found).reshape(shape)
        dtype = np.result_type(*operands)
        return out.astype(np.result_type(dtype, np.complex64) if out.dtype.kind == "c" else dtype)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        others = (*operands[1:position], transposed(ct), *operands[position + 1 :])
        return transposed(MATRIX_FUNCTION(operands[0], *others, **params))


def _corner(operands: list[Any], params: dict[str, Any]) -> Any:
    import scipy.linalg

    if len(operands) > 1:
        # The corner of a block is smaller than the block: it is found in double precision.
        operands = [o.astype(np.result_type(o, np.float64), copy=False) for o in operands]
    block, n = operands[0], operands[0].shape[-1]
    for e in operands[1:]:
        side = np.kron(np.eye(block.shape[0] // n, dtype=e.dtype), e)
        block = np.block([[block, side], [np.zeros_like(block), block]])
    function = getattr(scipy.linalg, params["f"])
    result = function(block, params["power"]) if "power" in params else function(block)
    return result[:n, -n:]


MATRIX_FUNCTION = register(MatrixFunction())


def matrix_function(name: str, a: Any, *directions: Any, **params: Any) -> Any:
    """SciPy's matrix function of that name, or its derivative along the directions."""
    return MATRIX_FUNCTION(a, *directions, f=name, **params)
