"""Which primitives are LAPACK's: one row each, with the operands that the row does not cover.

What has no row is NumPy's or SciPy's, between native segments:

- complex operands: the loops around the calls have no complex numbers;
- eig, which is complex also for real matrices;
- lu: SciPy's list of row exchanges and permutation matrices are of no use to loops;
- expm, logm, sqrtm and their kin, Sylvester's, Lyapunov's and Riccati's equations: algorithms
  that SciPy has written in Python around LAPACK.

>>> import numpy as np, adjoint as ad
>>> fast = ad.compile(ad.value_and_grad(lambda a: np.linalg.slogdet(a)[1]))
>>> value, gradient = fast(np.array([[2.0, 1.0], [0.0, 4.0]]))
>>> for line in fast.explain().splitlines()[2:5]:
...     print(line)
  (f64[2,2]) -> f64, f64[2,2]
  LAPACK dgetrf: slogdet of f64[2,2]
  LAPACK dgetrs: inv of f64[2,2], with the factors of an earlier step
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from adjoint.codegen.lapack.call import LapackCall
from adjoint.codegen.lapack.cofactors import Cofactor
from adjoint.codegen.lapack.decompositions import QR, SVD, Eigh, LeastSquares
from adjoint.codegen.lapack.determinants import Det, SLogDet
from adjoint.codegen.lapack.systems import Cholesky, Inv, Solve, SolveTriangular
from adjoint.codegen.program import Op


class Row(NamedTuple):
    """How a primitive is called, and which of its forms are left to NumPy."""

    call: type[LapackCall]
    refuses: Callable[[Op], bool] = lambda op: False


ROWS: dict[str, Row] = {
    "solve": Row(Solve),
    "solve_triangular": Row(SolveTriangular),
    "inv": Row(Inv),
    "cholesky": Row(Cholesky),
    "det": Row(Det),
    "slogdet": Row(SLogDet),
    # Its derivatives, which have more operands, are formulas.
    "cofactor": Row(Cofactor, lambda op: len(op.inputs) > 1),
    "eigh": Row(Eigh),
    # NumPy takes eigh for them and sorts; pinv and matrix_rank of them stay with NumPy too.
    "svd": Row(SVD, lambda op: bool(op.params["hermitian"])),
    "qr": Row(QR),
    "lstsq": Row(LeastSquares),
}


def covers(op: Op) -> bool:
    """Whether LAPACK computes an operation inside the kernel."""
    row = ROWS.get(op.kind)
    if row is None or row.refuses(op):
        return False
    first = op.inputs[0].dtype
    # Of nothing there is nothing to decompose: empty matrices are NumPy's.
    return first in _DTYPES and all(i.dtype == first and i.size for i in op.inputs)


def lapack_call(op: Op, results: list[Op]) -> LapackCall:
    """The step for an operation, of which these results are used."""
    if op.dtype != np.object_:
        return ROWS[op.kind].call(op, (True,))
    used = {part.params["index"] for part in results}
    return ROWS[op.kind].call(op, tuple(k in used for k in range(len(op.value))))


_DTYPES = (np.dtype(np.float64), np.dtype(np.float32))

_ITERATIVE = ("eigh", "svd", "lstsq", "cofactor")


def work(op: Op) -> int:
    """Multiplications of one call, roughly."""
    *lead, m, n = op.inputs[0].shape
    factor = math.prod((*lead, m, n, min(m, n)))
    return factor * (10 if op.kind in _ITERATIVE else 1) + m * max(op.size, 1)
