"""Python's operators and NumPy's methods on traced values, as tables.

Each entry says which NumPy function an operator or a method is; the registry has the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from adjoint.errors import ShapeMismatchError
from adjoint.graph import registry
from adjoint.graph.sites import here
from adjoint.graph.tracer import TracedArray, TracedScalar, Tracer, assign, untraceable

_KNOWN = frozenset(
    (float, int, bool, complex, TracedScalar, TracedArray, np.ndarray, np.float64, np.float32)
)

BINARY: dict[str, np.ufunc] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
}

COMPARISONS: dict[str, np.ufunc] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}

UNARY: dict[str, np.ufunc] = {
    "neg": np.negative,
    "pos": np.positive,
    "abs": np.absolute,
    "invert": np.invert,
}

_SAME_NAME = (
    "all", "any", "argmax", "argmin", "argsort", "choose", "clip", "compress", "cumprod", "cumsum",
    "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ptp", "put", "ravel", "repeat",
    "reshape", "round", "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace",
    "transpose", "var",
)  # fmt: skip

METHODS: dict[str, Callable[..., Any]] = {name: getattr(np, name) for name in _SAME_NAME} | {
    "conj": np.conjugate,
    "conjugate": np.conjugate,
    "argpartition": np.argpartition,
}

_UFUNCS = registry.UFUNCS


def _acceptable(other: Any) -> bool:
    """Whether an operand is ours to handle; other classes get their turn by NotImplemented."""
    return (
        type(other) in _KNOWN
        or isinstance(other, np.ndarray | np.generic | list | tuple)
        or (hasattr(other, "__array__") and getattr(other, "__array_ufunc__", 0) is not None)
    )


def _install_binary(name: str, ufunc: np.ufunc, reflected: bool) -> None:
    def forward(self: Tracer, other: Any) -> Any:
        if type(other) not in _KNOWN and not _acceptable(other):
            return NotImplemented
        return _UFUNCS[ufunc](self, other)

    def backward(self: Tracer, other: Any) -> Any:
        if type(other) not in _KNOWN and not _acceptable(other):
            return NotImplemented
        return _UFUNCS[ufunc](other, self)

    def in_place(self: TracedArray, other: Any) -> Any:
        result = _UFUNCS[ufunc](self, other)
        return assign_result(self, result)

    setattr(Tracer, f"__{name}__", forward)
    if reflected:
        setattr(Tracer, f"__r{name}__", backward)
        setattr(TracedArray, f"__i{name}__", in_place)


def assign_result(target: TracedArray, result: Any) -> TracedArray:
    """``x += y``: the result goes into x itself, so that aliases see it."""
    if result.shape != target.shape:
        raise ShapeMismatchError(
            f"an in-place operation needs a result of type {target.node.type}; "
            f"it got {result.node.type}.",
            where=here(),
            hint="write x = x + y, which makes a new array.",
        )
    if not np.can_cast(result.dtype, target.dtype, "same_kind"):
        raise TypeError(f"cannot cast an in-place result from {result.dtype} to {target.dtype}")
    assign(target, result.astype(target.dtype).node)
    return target


def _install_unary(name: str, ufunc: np.ufunc) -> None:
    def apply(self: Tracer) -> Any:
        return _UFUNCS[ufunc](self)

    setattr(Tracer, f"__{name}__", apply)


def _install_method(name: str, function: Callable[..., Any]) -> None:
    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        handler: Any = registry.FUNCTIONS.get(function) or _UFUNCS.get(cast(np.ufunc, function))
        if handler is None:
            raise untraceable(f"the method {name}")
        return handler(self, *args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"As ``np.ndarray.{name}``."
    setattr(Tracer, name, method)


def _divmod(self: Tracer, other: Any) -> Any:
    return self // other, self % other


def _rdivmod(self: Tracer, other: Any) -> Any:
    return other // self, other % self


def _pow_with_modulus(self: Tracer, other: Any, modulus: Any = None) -> Any:
    if modulus is not None:
        raise TypeError("pow() with a third argument is not defined for arrays")
    return _UFUNCS[np.power](self, other)


def _reshape(self: Tracer, *shape: Any, order: str = "C", copy: Any = None) -> Any:
    target = shape[0] if len(shape) == 1 else shape
    return registry.FUNCTIONS[np.reshape](self, target, order=order, copy=copy)


def _transpose(self: Tracer, *axes: Any) -> Any:
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else (axes or None)
    return registry.FUNCTIONS[np.transpose](self, order)


for _name, _ufunc in BINARY.items():
    _install_binary(_name, _ufunc, reflected=True)
for _name, _ufunc in COMPARISONS.items():
    _install_binary(_name, _ufunc, reflected=False)
for _name, _ufunc in UNARY.items():
    _install_unary(_name, _ufunc)
for _name, _function in METHODS.items():
    _install_method(_name, _function)

for _name, _method in {
    "__divmod__": _divmod,
    "__rdivmod__": _rdivmod,
    "__pow__": _pow_with_modulus,
    "reshape": _reshape,
    "transpose": _transpose,
}.items():
    setattr(Tracer, _name, _method)
