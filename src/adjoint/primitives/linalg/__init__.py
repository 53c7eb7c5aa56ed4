"""Linear algebra: the functions of `np.linalg`, and the primitives they stand on."""

from adjoint.primitives.linalg import (  # noqa: F401
    determinants,
    factorizations,
    inverses,
    least_squares,
    namespace,
    norms,
    singular,
    solving,
    spectral,
)
