"""``scipy.special`` for traced values: the same names and arguments.

Its ufuncs take traced values by themselves and are passed on as they are.  Its ordinary functions
take plain values to SciPy; those listed in ``__all__`` differentiate traced ones, any other raises
`UntraceableFunctionError` for them.

>>> import numpy as np, adjoint as ad
>>> from adjoint.scipy import special
>>> ad.grad(special.logsumexp)(np.array([1000.0, 1000.0]))
array([0.5, 0.5])
>>> float(ad.grad(lambda x: special.gammaln(x) + special.polygamma(1, x))(2.0))
0.0186705...
"""

from __future__ import annotations

from typing import Any

from adjoint.scipy.special import bessel, exponentials, gammas, polynomials
from adjoint.scipy.special.dispatch import OFFERED, passthrough

globals().update(OFFERED)

__all__ = sorted(OFFERED)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import scipy.special

    if not hasattr(scipy.special, name):
        raise AttributeError(f"module 'scipy.special' has no attribute {name!r}")
    return passthrough(name)


def __dir__() -> list[str]:
    import scipy.special

    return sorted({*OFFERED, *scipy.special.__all__})


del bessel, exponentials, gammas, polynomials
