"""The primitives and what NumPy's functions are made of.

Importing this package fills the registry; nothing else refers to its modules by name.
"""

from adjoint.primitives import (  # noqa: F401
    arithmetic,
    contraction,
    creation,
    elementwise,
    indexing,
    methods,
    products,
    reshaping,
    selection,
    shaping,
)
