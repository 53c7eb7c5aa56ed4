"""The arguments of a compiled call: which are data, which are fixed, and what tells calls apart."""

from __future__ import annotations

import enum
import types
from typing import Any

import numpy as np

from adjoint.codegen.elements import NATIVE_DTYPES
from adjoint.graph.containers import flatten, unflatten

_PYTHON = (float, int, complex)
_INT64 = np.iinfo(np.int64)

_FIXED = (
    type(None), bool, str, bytes, np.bool_, enum.Enum, type, type(...), np.dtype, np.ufunc,
    frozenset, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
)  # fmt: skip
"""What code may be compiled for as it is: nothing in it changes between two calls."""


class Arguments:
    """A call's arguments, flattened: ``data`` leaves are inputs of the kernel, the others are part
    of the key.

    ``compilable`` says whether there is anything to compile for: numbers to compute with, and no
    traced values nor objects whose contents may change.
    """

    __slots__ = ("compilable", "data", "key", "leaves", "structure")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.leaves, self.structure = flatten((args, kwargs))
        self.data = tuple(i for i, leaf in enumerate(self.leaves) if is_data(leaf))
        fixed = all(is_data(leaf) or is_fixed(leaf) for leaf in self.leaves)
        self.compilable = bool(self.data) and fixed
        self.key = (self.structure, *map(leaf_key, self.leaves)) if self.compilable else None

    def rebuild(self, data: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments again, with other data."""
        leaves = list(self.leaves)
        for i, value in zip(self.data, data, strict=True):
            leaves[i] = value
        args, kwargs = unflatten(self.structure, leaves)
        return args, kwargs


def is_data(leaf: Any) -> bool:
    """Whether a leaf is a number or an array of them."""
    kind = type(leaf)
    if kind is int:
        return bool(_INT64.min <= leaf <= _INT64.max)
    if kind in _PYTHON:
        return True
    return (kind is np.ndarray and leaf.dtype.kind in "fciub") or isinstance(leaf, np.number)


def is_fixed(leaf: Any) -> bool:
    """Whether a leaf that is no data is the same for all calls with an equal one."""
    if not isinstance(leaf, _FIXED):
        return False
    try:
        hash(leaf)
    except TypeError:
        return False
    return True


def leaf_key(leaf: Any) -> Any:
    """What has to be equal for two calls to share compiled code."""
    if not is_data(leaf):
        return ("same", type(leaf), leaf)
    if type(leaf) in _PYTHON:
        return type(leaf)
    return (type(leaf) is np.ndarray, leaf.shape, leaf.dtype.newbyteorder("="))


def canonical(leaf: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A leaf as the contiguous, aligned array that a kernel reads."""
    array = np.asarray(leaf, dtype=dtype)
    return np.require(array, requirements=["C", "A"])


def is_native(dtype: np.dtype[Any]) -> bool:
    return dtype in NATIVE_DTYPES
