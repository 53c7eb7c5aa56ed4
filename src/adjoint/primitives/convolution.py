"""Convolution and correlation of sequences."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.errors import UnknownNameError, nearest
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.graph.sites import here
from adjoint.primitives.shaping import array

MODES = ("full", "same", "valid")


class Convolve(Primitive):
    """c[k] = Σᵢ a[i] b[k − i] over the last axis, every k where the operands overlap.

    Bilinear; the transpose convolves the cotangent with the other operand reversed.  Leading axes
    are those of a batch, the same for both operands.
    """

    name = "convolve"
    linear = (0, 1)

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        a, b = operands
        if a.ndim == 1:
            return np.convolve(a, b)
        if a.shape[-1] < b.shape[-1]:
            a, b = b, a
        n, m = a.shape[-1], b.shape[-1]
        total = np.zeros((*a.shape[:-1], n + m - 1), np.result_type(a, b))
        for k in range(m):
            total[..., k : k + n] += a * b[..., k, None]
        return total

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        a, b = types
        size = a.shape[-1] + b.shape[-1] - 1
        return ArrayType((*a.shape[:-1], size), np.result_type(a.dtype, b.dtype))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        other, size = operands[1 - position], operands[position].shape[-1]
        start = other.shape[-1] - 1
        return CONVOLVE(ct, other[..., ::-1])[..., start : start + size]

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        full = [
            o if b else np.broadcast_to(o, (size, *o.shape))
            for o, b in zip(operands, batched, strict=True)
        ]
        return CONVOLVE(*full)


CONVOLVE = register(Convolve())


def _sequences(a: Any, v: Any, called: str) -> tuple[Any, Any]:
    found = []
    for name, x in (("a", array(a)), ("v", array(v))):
        if x.ndim > 1:
            raise ValueError("object too deep for desired array")
        if not x.size:
            raise ValueError(f"{called}: {name} cannot be empty")
        found.append(np.reshape(x, (-1,)))
    return found[0], found[1]


def _mode(mode: Any, called: str) -> int:
    """0 full, 1 same, 2 valid; NumPy takes the first letter of the name too."""
    names = [name for name in MODES if name == mode or (mode and name[0] == mode)]
    if not names:
        close = nearest(str(mode), MODES) or ["full"]
        raise UnknownNameError(
            f"{called} knows the modes {', '.join(MODES)}; got {mode!r}.",
            where=here(),
            hint=f"use mode={close[0]!r}.",
        )
    return MODES.index(names[0])


def _cut(full: Any, n: int, m: int, mode: int, swapped: bool) -> Any:
    """The part of the full result that a mode keeps; n ≥ m."""
    if mode == 0:
        return full
    if mode == 2:
        return full[m - 1 : n]
    start = m // 2 if swapped else (m - 1) // 2
    return full[start : start + n]


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """``np.convolve``."""
    a, v = _sequences(a, v, "np.convolve")
    n, m = max(a.size, v.size), min(a.size, v.size)
    return _cut(CONVOLVE(a, v), n, m, _mode(mode, "np.convolve"), False)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """``np.correlate``: c[k] = Σₙ a[n + k] conj(v[n])."""
    a, v = _sequences(a, v, "np.correlate")
    n, m = max(a.size, v.size), min(a.size, v.size)
    full = CONVOLVE(a, np.conj(v)[::-1])
    return _cut(full, n, m, _mode(mode, "np.correlate"), a.size < v.size)
