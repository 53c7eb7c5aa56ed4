"""Attributes and methods of arrays that are not simply a NumPy function of the same name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from adjoint.graph.binding import adopt
from adjoint.graph.registry import implements
from adjoint.graph.tracer import TracedArray, TracedScalar, Tracer, assign
from adjoint.graph.views import as_view
from adjoint.primitives.selection import IMAG_PART, REAL_PART, convert
from adjoint.primitives.shaping import reshape_view


def _astype(
    self: Tracer, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True,
    copy: bool = True,
) -> Any:  # fmt: skip
    dtype = np.dtype(dtype)
    if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"cannot cast from {self.dtype} to {dtype} by the rule {casting!r}")
    return self.copy() if dtype == self.dtype and copy else convert(self, dtype)


@implements(np.real)
def _real(x: Any) -> Any:
    """Re x; for a complex array a view that can be written to."""
    x = adopt(x)
    if not isinstance(x, Tracer):
        return np.real(x)
    if x.dtype.kind != "c":
        return x
    result = REAL_PART(x)
    if isinstance(result, TracedArray):
        as_view(result, x, lambda p: REAL_PART(p), lambda p, v: v + 1j * IMAG_PART(p))
    return result


@implements(np.imag)
def _imag(x: Any) -> Any:
    """Im x; zeros for real values."""
    x = adopt(x)
    if not isinstance(x, Tracer):
        return np.imag(x)
    if x.dtype.kind != "c":
        return np.zeros_like(x)
    result = IMAG_PART(x)
    if isinstance(result, TracedArray):
        as_view(result, x, lambda p: IMAG_PART(p), lambda p, v: REAL_PART(p) + 1j * v)
    return result


def _set_real(self: Tracer, value: Any) -> None:
    if self.dtype.kind == "c":
        assign(self, (np.broadcast_to(value, self.shape) + 1j * IMAG_PART(self)).node)
    else:
        self[...] = value


def _set_imag(self: Tracer, value: Any) -> None:
    if self.dtype.kind != "c":
        raise TypeError("array does not have imaginary part to set")
    assign(self, (REAL_PART(self) + 1j * np.broadcast_to(value, self.shape)).node)


class _Flat:
    """``x.flat``: one-dimensional reading and writing in C order."""

    def __init__(self, array: Tracer) -> None:
        self._array = array

    def __getitem__(self, index: Any) -> Any:
        return reshape_view(self._array, (self._array.size,)).copy()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        flat = reshape_view(self._array, (self._array.size,))
        flat[index] = value

    def __len__(self) -> int:
        return self._array.size

    def __iter__(self) -> Iterator[Any]:
        for i in range(len(self)):
            yield self[i]


def _set_flat(self: Tracer, value: Any) -> None:
    flat = reshape_view(self, (self.size,))
    flat[...] = np.resize(value, self.size) if np.ndim(value) else value


def _flatten(self: Tracer, order: str = "C") -> Any:
    return self.reshape(-1, order=order).copy()


def _tolist(self: Tracer) -> Any:
    if isinstance(self, TracedScalar) or not self.ndim:
        return self.item()
    parts: Any = self
    return [_tolist(part) for part in parts]


def _fill(self: TracedArray, value: Any) -> None:
    self[...] = value


def _sort(self: TracedArray, axis: int = -1, kind: Any = None, order: Any = None) -> None:
    self[...] = np.sort(self, axis=axis)


def _partition(self: TracedArray, kth: Any, axis: int = -1, kind: Any = None) -> None:
    self[...] = np.partition(self, kth, axis=axis)


def _matrix_transpose(self: Tracer) -> Any:
    if self.ndim < 2:
        raise ValueError("matrix transpose with ndim < 2 is undefined")
    return np.swapaxes(self, -1, -2)


def _is_integer(self: Tracer) -> Any:
    return np.floor(self) == self


def _as_integer_ratio(self: Tracer) -> Any:
    raise TypeError("as_integer_ratio of a traced number has no meaning; use its value")


for _name, _method in {
    "astype": _astype, "flatten": _flatten, "tolist": _tolist, "is_integer": _is_integer,
    "as_integer_ratio": _as_integer_ratio,
}.items():  # fmt: skip
    if _method is not None:
        setattr(Tracer, _name, _method)
for _name, _inplace in {"fill": _fill, "sort": _sort, "partition": _partition}.items():
    setattr(TracedArray, _name, _inplace)
for _name, _property in {
    "T": property(lambda self: np.transpose(self) if self.ndim > 1 else self),
    "mT": property(_matrix_transpose),
    "real": property(_real, _set_real),
    "imag": property(_imag, _set_imag),
    "flat": property(_Flat, _set_flat),
    "strides": property(lambda self: np.empty(self.shape, self.dtype).strides),
    "flags": property(lambda self: np.empty(self.shape, self.dtype).flags),
    "device": property(lambda self: "cpu"),
    "base": property(lambda self: None if self._view is None else self._view.parent),
}.items():
    setattr(Tracer, _name, _property)
