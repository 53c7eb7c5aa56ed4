"""``scipy.linalg`` for traced values: the same names and arguments.

Plain values go straight to SciPy.  A function of SciPy's that has no rule here works on plain
values and raises `UntraceableFunctionError` on traced ones.

>>> import numpy as np, adjoint as ad
>>> from adjoint.scipy import linalg
>>> b = np.array([1.0, 2.0])
>>> ad.grad(lambda a: linalg.solve_triangular(a, b, lower=True)[1])(np.eye(2))
array([[ 0.,  0.],
       [-1., -2.]])
"""

from __future__ import annotations

from typing import Any

from adjoint.scipy.linalg import factors, functions, special_matrices, systems
from adjoint.scipy.linalg.dispatch import OFFERED, passthrough

globals().update(OFFERED)

__all__ = sorted(OFFERED)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import scipy.linalg

    if not hasattr(scipy.linalg, name):
        raise AttributeError(f"module 'scipy.linalg' has no attribute {name!r}")
    return passthrough(name)


def __dir__() -> list[str]:
    import scipy.linalg

    return sorted({*OFFERED, *scipy.linalg.__all__})


del factors, functions, special_matrices, systems
