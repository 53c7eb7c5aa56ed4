"""Derivatives of the ufuncs of `scipy.special`, as tables of rows.

    load_rows()          the rows by ufunc name; imports SciPy, so call it when a ufunc is first met
    load_kernels()       the kernels whose partials a test should try
    WITHOUT_DERIVATIVE   the reasons of the ufuncs that have no row

Importing this package imports neither SciPy nor the rows.  Functions of scipy.special that are not
ufuncs (polygamma, multigammaln, logsumexp, …) do not arrive here.  zeta and lambertw call ufuncs
with an underscore, which have rows; so do spherical_jn and its relatives, but only after coercing
their argument to an array, so for those the rows serve a wrapper that calls the ufunc itself.
"""

from functools import cache
from importlib import import_module

from .row import Kernel, SpecialRow, apply_kernel
from .without import WITHOUT_DERIVATIVE

__all__ = [
    "WITHOUT_DERIVATIVE", "Kernel", "SpecialRow", "apply_kernel", "load_kernels", "load_rows",
]  # fmt: skip

ROW_MODULES = (
    "bessel", "elementary", "elliptic", "error_functions", "gamma", "hypergeometric", "integrals",
    "orthogonal", "statistics", "waves",
)  # fmt: skip
KERNEL_MODULES = (
    "numerics.bessel_order", "numerics.carlson", "numerics.faddeeva", "numerics.gamma",
    "numerics.hypergeometric", "numerics.incomplete_beta", "numerics.incomplete_gamma",
    "numerics.kelvin", "numerics.kolmogorov", "numerics.noncentral", "numerics.quotients",
    "numerics.zeta",
)  # fmt: skip


@cache
def load_rows() -> dict[str, SpecialRow]:
    """Every row, by the `__name__` of its ufunc.

    >>> load_rows()["gammaln"].partials[0](2.0, 0.0).round(6)
    np.float64(0.422784)
    """
    rows: dict[str, SpecialRow] = {}
    for name in ROW_MODULES:
        for row in import_module(f"{__name__}.{name}").ROWS:
            if row.name in rows:
                raise AssertionError(f"scipy.special.{row.name} has two rows")
            rows[row.name] = row
    return rows


@cache
def load_kernels() -> dict[str, Kernel]:
    """A sample of every family of kernels, and every component of a ufunc with several outputs."""
    modules = [import_module(f"{__name__}.{name}") for name in (*ROW_MODULES, *KERNEL_MODULES)]
    return {kernel.name: kernel for module in modules for kernel in getattr(module, "KERNELS", [])}
