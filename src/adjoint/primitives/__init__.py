"""The primitives and what NumPy's functions are made of.

Importing this package fills the registry; nothing else refers to its modules by name.
"""

from adjoint.primitives import (  # noqa: F401
    arithmetic,
    contraction,
    creation,
    cumulative,
    diagonals,
    elementwise,
    indexing,
    joining,
    linalg,
    methods,
    padding,
    placing,
    products,
    rearranging,
    reduction,
    reshaping,
    selection,
    shaping,
    sorting,
    statistics,
    taking,
    ufunc_methods,
    ufunc_protocol,
    ufunc_tuples,
)
