"""The type of an array: its shape and its dtype, printed as ``f64[3,4]``."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

_SHORT = {
    "float64": "f64",
    "float32": "f32",
    "float16": "f16",
    "longdouble": "f128",
    "float128": "f128",
    "complex128": "c128",
    "complex64": "c64",
    "bool": "bool",
    **{f"int{n}": f"i{n}" for n in (8, 16, 32, 64)},
    **{f"uint{n}": f"u{n}" for n in (8, 16, 32, 64)},
}

_PYTHON_DTYPES: dict[type, np.dtype[Any]] = {
    float: np.dtype(np.float64),
    int: np.dtype(np.int64),
    bool: np.dtype(np.bool_),
    complex: np.dtype(np.complex128),
}


def dtype_name(dtype: np.dtype[Any]) -> str:
    """The short name of a dtype, as used in messages.

    >>> dtype_name(np.dtype("float64"))
    'f64'
    """
    return _SHORT.get(dtype.name, dtype.name)


class ArrayType(NamedTuple):
    """Shape and dtype of an array; ``weak`` marks a Python number, which promotes weakly.

    >>> str(ArrayType((3, 4), np.dtype("float64")))
    'f64[3,4]'
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weak: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        count = 1
        for n in self.shape:
            count *= n
        return count

    def __str__(self) -> str:
        if not self.shape:
            return dtype_name(self.dtype)
        return f"{dtype_name(self.dtype)}[{','.join(map(str, self.shape))}]"


def type_of(value: Any) -> ArrayType:
    """The type of a concrete value: a Python number, a NumPy scalar or an array."""
    python = _PYTHON_DTYPES.get(type(value))
    if python is not None:
        return ArrayType((), python, True)
    return ArrayType(value.shape, value.dtype)


def describe(value: object) -> str:
    """How a message shows a value: arrays by type, numbers and strings by repr, others by class.

    >>> describe(np.zeros((2, 3))), describe(1.5), describe([1, 2])
    ('f64[2,3]', '1.5', 'list')
    """
    python = isinstance(value, int | float | complex | str | bool) or value is None
    if python and not isinstance(value, np.generic):
        text = repr(value)
        return text if len(text) <= 60 else text[:57] + "..."
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return str(ArrayType(tuple(value.shape), np.dtype(value.dtype)))
    return type(value).__name__


def is_differentiable(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype can carry a derivative (floating or complex)."""
    return dtype.kind in "fc"
