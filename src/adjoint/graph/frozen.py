"""Arrays that nobody can ever write to: they lie in a `bytes` object.

Compiled code reads anew, at every call, the arrays that a function closes over, since their owner
can write to them; one that is read-only can be made writeable again.  What lies in a `bytes` object
is the same for ever, so that code may rely on its contents.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A copy that stays what it is.

    >>> frozen(np.eye(2)).flags.writeable
    False
    """
    return np.ndarray(array.shape, array.dtype, array.tobytes())


def frozen_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros that stay zeros."""
    return np.ndarray(shape, dtype, bytes(math.prod(shape) * dtype.itemsize))


def frozen_bytes(value: Any) -> bytes | None:
    """The bytes in which an array, or a view of one, lies for ever; None if it can change."""
    while isinstance(value, np.ndarray):
        value = value.base
    return value if type(value) is bytes else None
