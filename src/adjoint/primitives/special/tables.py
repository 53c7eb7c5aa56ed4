"""Every row and kernel of the package, loaded with SciPy when they are first asked for."""

from functools import cache
from importlib import import_module

from .row import Kernel, SpecialRow

__all__ = ["load_kernels", "load_rows"]

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
        for row in import_module(f"{__package__}.{name}").ROWS:
            if row.name in rows:
                raise AssertionError(f"scipy.special.{row.name} has two rows")
            rows[row.name] = row
    return rows


@cache
def load_kernels() -> dict[str, Kernel]:
    """A sample of every family of kernels, and every component of a ufunc with several outputs."""
    modules = [import_module(f"{__package__}.{name}") for name in (*ROW_MODULES, *KERNEL_MODULES)]
    return {kernel.name: kernel for module in modules for kernel in getattr(module, "KERNELS", [])}
