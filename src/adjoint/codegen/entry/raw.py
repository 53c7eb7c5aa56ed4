"""Calling the kernel itself, on arrays that are already in the form it was compiled for."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adjoint.codegen.entry.recycling import empty_array
from adjoint.codegen.entry.spec import TypeSpec
from adjoint.errors import InternalError

_KERNEL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
_ALIGNMENT = 64
_BYTE = np.dtype(np.uint8)


@dataclass(frozen=True)
class RawKernel:
    """The kernel as a Python callable `(inputs, outputs) -> code`; the GIL is released.

    All operands are C-contiguous, aligned arrays of the compiled dtype and shape, with shape ()
    for scalars; outputs are writeable and overlap nothing.  The returned code is 0 for success;
    any other is the kernel's own.  A wrong operand is an `InternalError`, as the caller had to
    convert it.  Keeps the compiled code alive.
    """

    address: int
    inputs: tuple[TypeSpec, ...]
    outputs: tuple[TypeSpec, ...]
    arena_bytes: int
    anchor: NDArray[np.uint8]
    kept: object = None

    def __call__(self, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> int:
        sources = _pointers("input", inputs, self.inputs, writeable=False)
        targets = _pointers("output", outputs, self.outputs, writeable=True)
        arena = empty_array((self.arena_bytes + _ALIGNMENT,), _BYTE)
        start = -(-arena.ctypes.data // _ALIGNMENT) * _ALIGNMENT
        return int(_KERNEL(self.address)(sources, targets, start))

    def empty_outputs(self) -> list[NDArray[Any]]:
        """Fresh arrays for the results, of shape () for scalars."""
        return [empty_array(spec.shape, spec.dtype) for spec in self.outputs]


def _pointers(
    role: str, arrays: Sequence[NDArray[Any]], specs: Sequence[TypeSpec], *, writeable: bool
) -> Any:
    if len(arrays) != len(specs):
        raise InternalError(f"the kernel needs {len(specs)} {role}s; it got {len(arrays)}.")
    for number, (array, spec) in enumerate(zip(arrays, specs, strict=True)):
        if not _fits(array, spec) or (writeable and not array.flags.writeable):
            raise InternalError(
                f"{role} {number} of the kernel needs a contiguous {spec.dtype}{spec.shape}; "
                f"it got {getattr(array, 'dtype', type(array))}{getattr(array, 'shape', '')}."
            )
    # ctypes.data of a zero-size array may be any address; the kernel does not follow it.
    return (ctypes.c_void_p * max(1, len(arrays)))(*(array.ctypes.data for array in arrays))


def _fits(array: object, spec: TypeSpec) -> bool:
    if not isinstance(array, np.ndarray):
        return False
    layout = array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative
    return bool(layout and array.dtype == spec.dtype and array.shape == spec.shape)
