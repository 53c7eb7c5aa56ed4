"""NumPy, for code that fills buffers: ``import adjoint.numpy as np``.

This is NumPy itself, name by name, with two differences.  While a transform is tracing on this
thread, the functions that create arrays (``zeros``, ``empty``, ``full``, ``eye``, ``arange``,
``array([...])`` and the others of `CREATION`) return arrays that accept traced values; everywhere
else they return plain arrays.  And functions given a list of traced values stack them.

It is also the array-API namespace that traced values report.  Types, constants and ufuncs are
NumPy's own objects: ``adjoint.numpy.float64 is numpy.float64``.

>>> import adjoint as ad
>>> import adjoint.numpy as np
>>> def powers(x):
...     out = np.empty(4)
...     out[0] = 1.0
...     for k in range(1, 4):
...         out[k] = out[k - 1] * x
...     return out
>>> ad.jacobian(powers)(2.0)
array([ 0.,  1.,  4., 12.])
>>> powers(2.0)
array([1., 2., 4., 8.])
"""

from __future__ import annotations

from typing import Any

import numpy as _np

from adjoint.numpy import fft, linalg, random
from adjoint.numpy._calls import vectorize
from adjoint.numpy._creation import CREATION
from adjoint.numpy._wrapping import passed_on

_OWN: dict[str, Any] = {**CREATION, "vectorize": vectorize}


def __getattr__(name: str) -> Any:
    found = _OWN.get(name)
    if found is None:
        found = passed_on(_np, name, __name__)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return dir(_np)


__all__ = ["fft", "linalg", "random", "vectorize"]
