"""Sums of exponentials, and what is normalised by them."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.primitives.control.checkpointing import STOP_GRADIENT
from adjoint.primitives.products import reduction_axes
from adjoint.primitives.special.exponential_sums import LOG_SUM_EXP
from adjoint.scipy.special.dispatch import offers, operand, refuse

Axis = int | tuple[int, ...] | None


def _shift(a: Any, axes: tuple[int, ...]) -> Any:
    """The maximum over the axes as a constant: what is computed does not depend on it, and so
    neither does a derivative.  0 where no element is finite."""
    largest = np.max(np.real(a), axis=axes, keepdims=True)
    return STOP_GRADIENT(np.where(np.isfinite(largest), largest, 0.0))


@offers
def logsumexp(
    a: Any, axis: Axis = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """log Σ b eᵃ over an axis, shifted by the maximum; with ``return_sign`` the pair
    (log |Σ b eᵃ|, its sign).

    ∂/∂aᵢ = bᵢ eᵃⁱ⁻ʸ, which is 0 where every element is −∞, as in a row that is masked entirely.
    """
    a = operand(a)
    if a.ndim == 0:
        a = np.reshape(a, (1,))
    if b is not None:
        b = operand(b)
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = np.broadcast_to(a, shape), np.broadcast_to(b, shape)
    axes = reduction_axes(axis, a.ndim)
    if b is None and not return_sign and a.dtype.kind == "f":
        y = LOG_SUM_EXP(a, axis=axes)
        return np.expand_dims(y, axes) if keepdims else y
    if return_sign and (a.dtype.kind == "c" or (b is not None and b.dtype.kind == "c")):
        raise refuse("logsumexp(return_sign=True)", "real operands", "complex ones")
    y, sign = _weighted(a, b, axes, return_sign)
    if not keepdims:
        y, sign = np.squeeze(y, axes), np.squeeze(sign, axes)
    return (y, sign) if return_sign else y


def _weighted(a: Any, b: Any, axes: tuple[int, ...], signed: bool) -> tuple[Any, Any]:
    if b is None:
        shift = _shift(a, axes)
        terms = np.exp(a - shift)
    else:
        # A weight of 0 removes its element, also one that would overflow beside the others.
        absent = b == 0
        shift = _shift(np.where(absent, -np.inf, np.real(a)), axes)
        gap = a - shift
        terms = b * np.exp(np.where(absent & (np.real(gap) > 700.0), 700.0, gap))
    total = np.sum(terms, axis=axes, keepdims=True)
    sign = np.sign(total)
    if signed:
        total = np.abs(total)
    none = total == 0
    y = np.where(none, -np.inf, np.log(np.where(none, 1.0, total)) + shift)
    return y, sign


@offers
def softmax(x: Any, axis: Axis = None) -> Any:
    """eˣ/Σ eˣ over an axis, shifted by the maximum."""
    x = operand(x)
    axes = reduction_axes(axis, x.ndim)
    e = np.exp(x - _shift(x, axes))
    return e / np.sum(e, axis=axes, keepdims=True)


@offers
def log_softmax(x: Any, axis: Axis = None) -> Any:
    """x − log Σ eˣ over an axis, shifted by the maximum."""
    x = operand(x)
    axes = reduction_axes(axis, x.ndim)
    shifted = x - _shift(x, axes)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axes, keepdims=True))


@offers
def softplus(x: Any, **kwargs: Any) -> Any:
    """log(1 + eˣ)."""
    return np.logaddexp(0, x, **kwargs)
