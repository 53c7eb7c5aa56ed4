"""Functions that create arrays: traced constants while a transform looks on, else NumPy's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph import registry
from adjoint.graph.scope import is_tracing
from adjoint.graph.tracer import Tracer
from adjoint.numpy._wrapping import holds_traced
from adjoint.primitives.creation import buffer

_MAKERS = (
    "array", "ascontiguousarray", "asfortranarray", "copy", "empty", "empty_like", "eye",
    "frombuffer", "fromiter", "full", "full_like", "geomspace", "identity", "indices", "linspace",
    "logspace", "ones", "ones_like", "tri", "zeros", "zeros_like", "arange", "bartlett", "blackman",
    "hamming", "hanning", "kaiser",
)  # fmt: skip

_KEEPERS = ("asarray", "asanyarray")
"""These hand a plain array back as it is, so that a write to the result reaches the argument."""


def accepting(result: Any) -> Any:
    """A new plain array as one that takes traced values, if a transform is tracing."""
    if type(result) is np.ndarray and not result.dtype.hasobject and is_tracing():
        return buffer(result)
    return result


def _creator(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    keeps = name in _KEEPERS

    @functools.wraps(function)
    def create(*args: Any, **kwargs: Any) -> Any:
        if not is_tracing():
            return function(*args, **kwargs)
        if keeps and args and type(args[0]) is np.ndarray and not args[0].dtype.hasobject:
            return function(*args, **kwargs)
        if any(isinstance(a, Tracer) or holds_traced(a) for a in (*args, *kwargs.values())):
            handler = registry.FUNCTIONS.get(function)
            if handler is not None:
                return accepting(_from_traced(name, handler, args, kwargs))
        return accepting(function(*args, **kwargs))

    return create


def _from_traced(
    name: str, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if name in _KEEPERS and args and isinstance(args[0], Tracer):
        dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
        if kwargs.get("copy") is not True and (dtype is None or np.dtype(dtype) == args[0].dtype):
            return args[0]
    ndmin = kwargs.pop("ndmin", 0) if name == "array" else 0
    kwargs.pop("like", None)
    result = handler(*args, **kwargs)
    if ndmin > result.ndim:
        result = np.reshape(result, (1,) * (ndmin - result.ndim) + result.shape)
    return result


CREATION: dict[str, Callable[..., Any]] = {
    name: _creator(name) for name in (*_MAKERS, *_KEEPERS) if hasattr(np, name)
}
"""The functions of this namespace that make arrays."""


__all__ = ["CREATION", "accepting"]
