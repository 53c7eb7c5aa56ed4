"""For those who add primitives and NumPy functions: everything a rule needs, under one import.

* `row` adds a scalar function: one row gives forward, reverse, Taylor and batch rules.
* A subclass of `Primitive`, given to `register`, adds a structural primitive: one block.
* `implements` answers a NumPy function with a function of others.

>>> import numpy as np, adjoint as ad
>>> from adjoint.extend import row
>>> cosine_squared = row(
...     lambda x: np.cos(x) ** 2, lambda x, y: -np.sin(2 * x), name="cosine_squared"
... )
>>> bool(np.isclose(ad.grad(cosine_squared)(0.3), -np.sin(0.6)))
True
"""

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import adopt, value_or_raise
from adjoint.graph.primitive import Hole, Primitive
from adjoint.graph.registry import FUNCTIONS, implements, register
from adjoint.graph.views import as_view
from adjoint.primitives.contraction import contract
from adjoint.primitives.scalar import Elementwise, recognises, row
from adjoint.primitives.shaping import array

__all__ = [
    "FUNCTIONS",
    "ArrayType",
    "Elementwise",
    "Hole",
    "Primitive",
    "adopt",
    "array",
    "as_view",
    "contract",
    "implements",
    "recognises",
    "register",
    "row",
    "value_or_raise",
]
