"""Linear algebra: the functions of `np.linalg`, and the primitives they stand on."""

from adjoint.primitives.linalg import (  # noqa: F401
    determinants,
    equations,
    factorizations,
    inverses,
    least_squares,
    lu,
    matrix_functions,
    namespace,
    norms,
    singular,
    solving,
    spectral,
)
