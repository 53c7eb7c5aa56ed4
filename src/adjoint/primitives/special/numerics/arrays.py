"""How a kernel meets its operands: broadcasting, types, and quadrature nodes."""

from collections.abc import Callable
from functools import cache, wraps
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adjoint.errors import DtypeError

__all__ = ["Array", "gauss_legendre", "on_complex_vectors", "on_real_vectors", "panel_nodes"]

Array = NDArray[Any]


def _result_type(operands: list[Any]) -> np.dtype[Any]:
    kind: np.dtype[Any] = np.result_type(*operands)
    return kind if np.issubdtype(kind, np.inexact) else np.dtype(np.float64)


def _prepare(operands: tuple[Any, ...]) -> tuple[list[Array], np.dtype[Any], tuple[int, ...]]:
    # Python numbers must not widen float32 operands, so the type is asked of the operands as given.
    kind = _result_type([x if isinstance(x, (int, float, complex)) else np.asarray(x)
                         for x in operands])  # fmt: skip
    arrays = np.broadcast_arrays(*operands)
    return list(arrays), kind, arrays[0].shape


def on_real_vectors(name: str) -> Callable[[Callable[..., Array]], Callable[..., Any]]:
    """Let a function of float64 vectors of one length take real operands of any shape and type."""

    def decorate(function: Callable[..., Array]) -> Callable[..., Any]:
        @wraps(function)
        def evaluate(*operands: Any) -> Any:
            arrays, kind, shape = _prepare(operands)
            if np.issubdtype(kind, np.complexfloating):
                raise DtypeError(
                    f"{name} needs real arguments; it got {kind}.",
                    hint="evaluate at real points, or differentiate in the other arguments only.",
                )
            vectors = [np.asarray(x, dtype=np.float64).ravel() for x in arrays]
            with np.errstate(all="ignore"):
                result = function(*vectors)
            return result.reshape(shape).astype(kind)[()]

        return evaluate

    return decorate


def on_complex_vectors(function: Callable[[Array], Array]) -> Callable[[Any], Any]:
    """Let a function of one float64 or complex128 vector take an operand of any shape and type."""

    @wraps(function)
    def evaluate(operand: Any) -> Any:
        arrays, kind, shape = _prepare((operand,))
        wide = np.complex128 if np.issubdtype(kind, np.complexfloating) else np.float64
        with np.errstate(all="ignore"):
            result = function(arrays[0].astype(wide).ravel())
        return result.reshape(shape).astype(kind)[()]

    return evaluate


@cache
def gauss_legendre(count: int) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


@cache
def panel_nodes(breaks: tuple[float, ...], count: int) -> tuple[Array, Array]:
    """Composite Gauss-Legendre rule with `count` nodes on each panel between the breaks."""
    nodes, weights = gauss_legendre(count)
    edges = list(pairwise(breaks))
    return (
        np.concatenate([lo + (hi - lo) * nodes for lo, hi in edges]),
        np.concatenate([(hi - lo) * weights for lo, hi in edges]),
    )
