"""The arguments of a compiled call: which are data, which are fixed, and what tells calls apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.codegen.elements import NATIVE_DTYPES
from adjoint.graph.containers import flatten, unflatten
from adjoint.graph.tracer import Tracer

_PYTHON = (float, int, complex)


class Arguments:
    """A call's arguments, flattened: ``data`` leaves are inputs of the kernel, the others are part
    of the key."""

    __slots__ = ("data", "key", "leaves", "structure", "traced")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.leaves, self.structure = flatten((args, kwargs))
        self.data = tuple(i for i, leaf in enumerate(self.leaves) if is_data(leaf))
        self.traced = any(isinstance(leaf, Tracer) or _is_object(leaf) for leaf in self.leaves)
        self.key = (self.structure, *map(leaf_key, self.leaves))

    def rebuild(self, data: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments again, with other data."""
        leaves = list(self.leaves)
        for i, value in zip(self.data, data, strict=True):
            leaves[i] = value
        args, kwargs = unflatten(self.structure, leaves)
        return args, kwargs


def is_data(leaf: Any) -> bool:
    """Whether a leaf is a number or an array of them."""
    if type(leaf) in _PYTHON:
        return True
    return (type(leaf) is np.ndarray and leaf.dtype.kind in "fciub") or isinstance(leaf, np.number)


def _is_object(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype.hasobject


def leaf_key(leaf: Any) -> Any:
    """What has to be equal for two calls to share compiled code."""
    if type(leaf) in _PYTHON:
        return type(leaf)
    if is_data(leaf):
        return (type(leaf) is np.ndarray, leaf.shape, leaf.dtype.newbyteorder("="))
    try:
        hash(leaf)
    except TypeError:
        return ("object", id(leaf), type(leaf))
    return ("same", type(leaf), leaf)


def canonical(leaf: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A leaf as the contiguous, aligned array that a kernel reads."""
    array = np.asarray(leaf, dtype=dtype)
    return np.require(array, requirements=["C", "A"])


def is_native(dtype: np.dtype[Any]) -> bool:
    return dtype.name in NATIVE_DTYPES
