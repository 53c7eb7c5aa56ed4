"""Derivatives of the ufuncs of `scipy.special`, as tables of rows.

    load_rows()          the rows by ufunc name; imports SciPy, so call it when a ufunc is first met
    load_kernels()       the kernels whose partials a test should try
    WITHOUT_DERIVATIVE   the reasons of the ufuncs that have no row

Importing this package imports neither SciPy nor the rows; `loader` does, when the first ufunc of
scipy.special meets a traced value.  Functions of scipy.special that are not ufuncs (polygamma,
multigammaln, logsumexp, …) do not arrive here: `adjoint.scipy.special` offers them.  zeta and
lambertw call ufuncs with an underscore, which have rows; so do spherical_jn and its relatives, but
only after coercing their argument to an array.
"""

from . import exponential_sums, loader
from .row import Kernel, SpecialRow, apply_kernel
from .tables import load_kernels, load_rows
from .without import WITHOUT_DERIVATIVE

__all__ = [
    "WITHOUT_DERIVATIVE", "Kernel", "SpecialRow", "apply_kernel", "load_kernels", "load_rows",
]  # fmt: skip

del exponential_sums, loader
