"""The primitives and what NumPy's functions are made of.

Importing this package fills the registry with what nearly every function uses; the registry imports
the rest when it is first asked for something it does not have.
"""

from adjoint.graph.registry import LATE_MODULES
from adjoint.primitives import (  # noqa: F401
    arithmetic,
    contraction,
    creation,
    cumulative,
    elementwise,
    indexing,
    joining,
    methods,
    products,
    ranges,
    reduction,
    reshaping,
    rounding,
    selection,
    shaping,
    sorting,
    statistics,
    taking,
    ufunc_methods,
    ufunc_protocol,
)

LATE_MODULES.extend(
    f"{__name__}.{module}"
    for module in (
        "control",
        "convolution",
        "counting",
        "diagonals",
        "fft",
        "linalg",
        "mapping",
        "nan_functions",
        "padding",
        "placing",
        "polynomials",
        "quantiles",
        "queries",
        "rearranging",
        "sampling",
        "scimath",
        "sinc",
        "special",
        "ufunc_tuples",
        "untraceable",
    )
)
