"""Discrete Fourier transforms: ``np.fft``.

One axis at a time there are three linear maps, and everything in ``np.fft`` is made of them:

* the complex transform, whose matrix is symmetric, so that it is its own transpose;
* the real transform, which keeps the first half of the complex one;
* its inverse, which counts the frequencies strictly between the ends twice.

Transposes are under the bilinear pairing Re(c·t); cost is that of one transform each.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import index_of
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.graph.tracer import Tracer
from adjoint.primitives.products import axes_tuple
from adjoint.primitives.shaping import array, normalize_axis, write_out

SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm with which the opposite transform carries the same factor."""


def _complex_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64) if dtype.kind in "fc" else np.dtype(np.complex128)


def _with_length(shape: tuple[int, ...], axis: int, length: int) -> tuple[int, ...]:
    return (*shape[:axis], length, *shape[axis + 1 :])


def fit_length(x: Any, axis: int, length: int) -> Any:
    """x cropped, or filled with zeros at the end, to a length along an axis."""
    present = x.shape[axis]
    if present >= length:
        return x if present == length else x[(slice(None),) * axis + (slice(0, length),)]
    zeros = np.zeros(_with_length(x.shape, axis, length - present), x.dtype)
    return np.concatenate([x, zeros], axis=axis)


class _Fourier(Primitive):
    """A transform along one axis: params ``n`` (points), ``axis`` ≥ 0 and ``norm``."""

    linear = (0,)
    numpy_function: Callable[..., Any]

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return self.numpy_function(operands[0], params["n"], params["axis"], params["norm"])

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(operands[0], **(params | {"axis": params["axis"] + 1}))


class ComplexTransform(_Fourier):
    """y_k = s Σ_j x_j exp(∓2πi jk/n); the matrix is symmetric."""

    def __init__(self, name: str, numpy_function: Callable[..., Any]) -> None:
        self.name = name  # type: ignore[misc]
        self.numpy_function = numpy_function

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = _with_length(types[0].shape, params["axis"], params["n"])
        return ArrayType(shape, _complex_dtype(types[0].dtype))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        axis = params["axis"]
        return fit_length(self(ct, **params), axis, operands[0].shape[axis])


FFT = register(ComplexTransform("fft", np.fft.fft))
IFFT = register(ComplexTransform("ifft", np.fft.ifft))


def _weights(n: int, ends: float, middle: float, axis: int, ndim: int, dtype: Any) -> Any:
    """One weight per frequency 0 … n//2: the zero one and, for even n, the last are ends."""
    w = np.full(n // 2 + 1, middle, np.empty(0, dtype).real.dtype)
    w[0] = ends
    if n % 2 == 0:
        w[-1] = ends
    return w.reshape((-1,) + (1,) * (ndim - axis - 1))


class RealTransform(_Fourier):
    """The frequencies 0 … n//2 of a real signal."""

    name = "rfft"
    numpy_function = staticmethod(np.fft.rfft)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = _with_length(types[0].shape, params["axis"], params["n"] // 2 + 1)
        return ArrayType(shape, _complex_dtype(types[0].dtype))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        # Re Σ_k c_k exp(−iθ) is the real inverse transform of conj(c), which doubles the middle.
        n, axis = params["n"], params["axis"]
        halved = np.conj(ct) * _weights(n, 1.0, 0.5, axis, ct.ndim, ct.dtype)
        full = IRFFT(halved, n=n, axis=axis, norm=SWAPPED[params["norm"]])
        return fit_length(full, axis, operands[0].shape[axis])


class RealInverse(_Fourier):
    """The real signal of length n whose frequencies 0 … n//2 are given."""

    name = "irfft"
    numpy_function = staticmethod(np.fft.irfft)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = _with_length(types[0].shape, params["axis"], params["n"])
        return ArrayType(shape, np.empty(0, _complex_dtype(types[0].dtype)).real.dtype)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        n, axis = params["n"], params["axis"]
        found = np.conj(RFFT(ct, n=n, axis=axis, norm=SWAPPED[params["norm"]]))
        doubled = found * _weights(n, 1.0, 2.0, axis, ct.ndim, ct.dtype)
        return fit_length(doubled, axis, operands[0].shape[axis])


RFFT = register(RealTransform())
IRFFT = register(RealInverse())


# -- NumPy's functions ----------------------------------------------------------------------------


def _along(kind: Primitive, a: Any, n: Any, axis: Any, norm: Any) -> Any:
    """One transform along one axis, with NumPy's checks."""
    place = normalize_axis(axis, a.ndim)
    if n is None:
        n = 2 * (a.shape[place] - 1) if kind is IRFFT else a.shape[place]
    points = index_of(n)
    if points < 1:
        raise ValueError(f"Invalid number of FFT data points ({points}) specified.")
    norm = "backward" if norm is None else norm
    if norm not in SWAPPED:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    if kind is RFFT and a.dtype.kind == "c":
        raise TypeError("np.fft.rfft needs a real array; for a complex one use np.fft.fft.")
    return kind(a, n=points, axis=place, norm=norm)


def _finish(result: Any, out: Any) -> Any:
    return result if out is None else write_out(out, result)


def _one_axis(function: Callable[..., Any], kind: Primitive) -> None:
    def transform(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
        return _finish(_along(kind, array(a), n, axis, norm), out)

    implements(function)(transform)


for _function, _kind in (
    (np.fft.fft, FFT),
    (np.fft.ifft, IFFT),
    (np.fft.rfft, RFFT),
    (np.fft.irfft, IRFFT),
):
    _one_axis(_function, _kind)


@implements(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """``np.fft.hfft``: the transform of a signal with Hermitian symmetry."""
    swapped = SWAPPED.get("backward" if norm is None else norm, norm)
    return _finish(_along(IRFFT, np.conj(array(a)), n, axis, swapped), out)


@implements(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """``np.fft.ihfft``: the inverse of `hfft`."""
    swapped = SWAPPED.get("backward" if norm is None else norm, norm)
    return _finish(np.conj(_along(RFFT, array(a), n, axis, swapped)), out)


def _extents(a: Any, s: Any, axes: Any, half: bool) -> tuple[list[int], list[int]]:
    """Lengths and axes of a transform over several axes."""
    if s is not None and (axes is None or None in tuple(s)):
        warnings.warn(
            "np.fft: `s` needs `axes`, and a length for each of them (Deprecated in NumPy 2.0)",
            DeprecationWarning,
            stacklevel=5,
        )
    if axes is None:
        axes = range(a.ndim) if s is None else range(-len(s), 0)
    places = [normalize_axis(axis, a.ndim) for axis in axes]
    lengths = [None] * len(places) if s is None else list(s)
    if len(lengths) != len(places):
        raise ValueError("Shape and axes have different lengths.")
    known = [
        a.shape[p] if n is None or index_of(n) == -1 else index_of(n)
        for n, p in zip(lengths, places, strict=True)
    ]
    if half and places and lengths[-1] is None:
        known[-1] = 2 * (a.shape[places[-1]] - 1)
    return known, places


def _complex_many(kind: Primitive, a: Any, s: Any, axes: Any, norm: Any) -> Any:
    lengths, places = _extents(a, s, axes, half=False)
    for n, axis in reversed(list(zip(lengths, places, strict=True))):
        a = _along(kind, a, n, axis, norm)
    return a


def _real_many(a: Any, s: Any, axes: Any, norm: Any) -> Any:
    lengths, places = _extents(a, s, axes, half=False)
    a = _along(RFFT, a, lengths[-1], places[-1], norm)
    for n, axis in reversed(list(zip(lengths[:-1], places[:-1], strict=True))):
        a = _along(FFT, a, n, axis, norm)
    return a


def _real_inverse_many(a: Any, s: Any, axes: Any, norm: Any) -> Any:
    lengths, places = _extents(a, s, axes, half=True)
    for n, axis in zip(lengths[:-1], places[:-1], strict=True):
        a = _along(IFFT, a, n, axis, norm)
    return _along(IRFFT, a, lengths[-1], places[-1], norm)


def _many_axes(
    function: Callable[..., Any], of_two: Callable[..., Any], rule: Callable[..., Any]
) -> None:
    def over_all(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
        return _finish(rule(array(a), s, axes, norm), out)

    def over_two(
        a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None
    ) -> Any:
        return _finish(rule(array(a), s, axes, norm), out)

    implements(function)(over_all)
    implements(of_two)(over_two)


_many_axes(np.fft.fftn, np.fft.fft2, lambda *a: _complex_many(FFT, *a))
_many_axes(np.fft.ifftn, np.fft.ifft2, lambda *a: _complex_many(IFFT, *a))
_many_axes(np.fft.rfftn, np.fft.rfft2, _real_many)
_many_axes(np.fft.irfftn, np.fft.irfft2, _real_inverse_many)


def _rotate(x: Any, axes: Any, back: bool) -> Any:
    x = array(x)
    for axis in axes_tuple(axes, x.ndim):
        n = x.shape[axis]
        cut = n // 2 if back else n - n // 2
        before = (slice(None),) * axis
        if 0 < cut < n:
            parts = [x[(*before, slice(cut, None))], x[(*before, slice(0, cut))]]
            x = np.concatenate(parts, axis=axis)
    return x if not isinstance(x, Tracer) else x.copy()


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """``np.fft.fftshift``: the zero frequency goes to the middle."""
    return _rotate(x, axes, back=False)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """``np.fft.ifftshift``: the inverse of `fftshift`."""
    return _rotate(x, axes, back=True)
