"""log Σ eᵃ as one primitive: neither it nor its derivative eᵃ⁻ʸ can overflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import register
from adjoint.graph.tracer import Tracer
from adjoint.primitives.control.checkpointing import STOP_GRADIENT

__all__ = ["LOG_SUM_EXP"]


class LogSumExp(Primitive):
    """log Σ eᵃ of a real array over some of its axes."""

    name = "logsumexp"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        """m + log k + log1p(Σ' eᵃ⁻ᵐ/k), where m is the maximum, taken k times, and Σ' goes over
        the other elements: what they add is not lost beside m."""
        a, axis = np.asarray(operands[0]), params["axis"]
        largest = np.max(a, axis=axis, keepdims=True, initial=-np.inf)
        top = a == largest
        count = np.sum(top, axis=axis, dtype=a.dtype)
        shift = np.where(np.isinf(largest), np.zeros((), a.dtype), largest)
        with np.errstate(all="ignore"):
            rest = np.sum(np.where(top, 0.0, np.exp(a - shift)), axis=axis)
            count = np.where(count == 0, np.ones((), a.dtype), count)
            total = np.log1p(rest / count) + np.log(count)
        return (total + np.squeeze(largest, axis)).astype(a.dtype)[()]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape, dtype = types[0].shape, types[0].dtype
        return ArrayType(tuple(n for i, n in enumerate(shape) if i not in params["axis"]), dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        axis = params["axis"]
        # Normalised once more, for y is rounded.  The shift is a constant: nothing depends on it.
        y = np.expand_dims(out, axis)
        shift = np.where(np.isneginf(y), 0.0, y)
        e = np.exp(primals[0] - (STOP_GRADIENT(shift) if isinstance(shift, Tracer) else shift))
        total = np.sum(e, axis=axis, keepdims=True)
        # Where every element is −∞ so is y, and every share is 0.
        share = e / np.where(total == 0, 1.0, total)
        return np.sum(share * tangents[0], axis=axis)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(operands[0], axis=tuple(i + 1 for i in params["axis"]))


LOG_SUM_EXP = register(LogSumExp())
