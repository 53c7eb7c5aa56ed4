"""Functions that appear only in simplified formulas: they have a name, a value, and no rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.primitive import Primitive


class LogSumExp(Primitive):
    """log Σ exp(x) along an axis, shifted by the maximum so that nothing overflows."""

    name = "logsumexp"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        (x,), axis = operands, params["axis"]
        top = np.max(x, axis=axis, keepdims=True)
        top = np.where(np.isfinite(top), top, 0.0)
        total = np.sum(np.exp(x - top), axis=axis)
        return np.log(total) + np.squeeze(top, axis)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = types[0].shape
        axis = params["axis"]
        return ArrayType(shape[:axis] + shape[axis + 1 :], types[0].dtype)


class Softmax(Primitive):
    """exp(x) / Σ exp(x) along an axis, shifted by the maximum so that nothing overflows."""

    name = "softmax"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        (x,), axis = operands, params["axis"]
        powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
        return powers / np.sum(powers, axis=axis, keepdims=True)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return types[0]


LOGSUMEXP = LogSumExp()
SOFTMAX = Softmax()
