"""What a compiled callable takes and returns, as data that both kinds of entry read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from adjoint.codegen.numpy_abi import SCALAR_DTYPES
from adjoint.errors import InternalError

Range: TypeAlias = tuple[int, int]
"""The first byte of an array and the one after its last, counted from its data pointer."""

Origin = Literal["any", "python", "numpy"]


@dataclass(frozen=True)
class TypeSpec:
    """One array or number: its shape, its dtype, and whether it is a scalar object.

    An argument with `scalar` set is a Python float or complex, or a NumPy scalar, of this very
    dtype; `origin` narrows it to one of the two, since only Python's own numbers leave the dtype
    of a result to the other operands.  Without `scalar` it is an exact `numpy.ndarray`, also when
    the shape is ().  A result with `scalar` set is a NumPy scalar.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scalar: bool = False
    origin: Origin = "any"

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype))
        if self.dtype not in SCALAR_DTYPES or not self.dtype.isnative:
            raise InternalError(f"a compiled kernel cannot take or return {self.dtype}.")
        # Two dtypes may be equal and yet two objects (C's long and long long): take NumPy's own.
        object.__setattr__(self, "dtype", SCALAR_DTYPES[SCALAR_DTYPES.index(self.dtype)])
        if self.scalar and self.shape != ():
            raise InternalError(f"a scalar has shape (); it got {self.shape}.")

    @property
    def byte_count(self) -> int:
        """Size of the data."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def python_type(self) -> type | None:
        """The Python number type that stands for this scalar, if there is one."""
        if not self.scalar or self.origin == "numpy":
            return None
        return {"float64": float, "complex128": complex}.get(self.dtype.name)

    @property
    def numpy_type(self) -> type | None:
        """The NumPy scalar type that stands for this scalar, if it is admitted."""
        return self.dtype.type if self.scalar and self.origin != "python" else None


@dataclass(frozen=True)
class Same:
    """An argument that has to be this very object (None, True, a string) and is not data."""

    value: object


class Captured:
    """An array that a kernel reads although it is no argument, and its layout when it was compiled.

    Its contents may change, but code that resizes it or gives it another shape or dtype in place
    would make the kernel read what is no longer there: `is_unchanged` tells.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.address: int = array.ctypes.data
        self.shape, self.strides, self.dtype = array.shape, array.strides, array.dtype

    @property
    def extent(self) -> Range:
        """The bytes that belong to it, counted from its first element."""
        if not self.array.size:
            return (0, 0)
        steps = [(n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)]
        low, high = sum(s for s in steps if s < 0), sum(s for s in steps if s > 0)
        return low, high + self.dtype.itemsize

    def is_unchanged(self) -> bool:
        """Whether the array is where and how it was.

        >>> array = np.zeros(6)
        >>> captured = Captured(array)
        >>> array[1], unchanged = 7.0, captured.is_unchanged()
        >>> array.resize((2, 3))
        >>> unchanged, captured.is_unchanged()
        (True, False)
        """
        array = self.array
        now = (array.shape, array.strides, array.dtype, array.ctypes.data)
        return now == (self.shape, self.strides, self.dtype, self.address)


Argument: TypeAlias = (
    "TypeSpec | Same | tuple[Argument, ...] | list[Argument] | dict[str, Argument]"
)
Structure: TypeAlias = "int | tuple[Structure, ...] | list[Structure] | dict[str, Structure]"
OutArgument = Literal["refused", "copied", "written"]
"""What an entry does with ``out=``: leave it to the fallback, copy finished results into the
arrays, or let the kernel write there where nothing overlaps."""


def leaves(argument: Argument | Sequence[Argument]) -> Iterator[TypeSpec]:
    """The data of an argument or of several, in the order in which the kernel gets it."""
    if isinstance(argument, TypeSpec):
        yield argument
    elif isinstance(argument, Mapping):
        for part in argument.values():
            yield from leaves(part)
    elif isinstance(argument, Sequence):
        for part in argument:
            yield from leaves(part)


def target_arguments(structure: Structure, outputs: Sequence[TypeSpec]) -> Argument:
    """What ``out=`` has to be for a result of this structure: arrays, also for numbers.

    >>> number = TypeSpec((), np.dtype(float), scalar=True)
    >>> target_arguments([0], [number])
    [TypeSpec(shape=(), dtype=dtype('float64'), scalar=False, origin='any')]
    """
    if isinstance(structure, int):
        return TypeSpec(outputs[structure].shape, outputs[structure].dtype)
    if isinstance(structure, dict):
        return {key: target_arguments(part, outputs) for key, part in structure.items()}
    parts = [target_arguments(part, outputs) for part in structure]
    return tuple(parts) if isinstance(structure, tuple) else parts


def result_structure(
    result: Literal["single", "tuple"] | Structure, output_count: int
) -> Structure:
    """The containers of output numbers that a call returns, with every output in them once.

    >>> result_structure("single", 1), result_structure("tuple", 2), result_structure((0, (1,)), 2)
    (0, (0, 1), (0, (1,)))
    """
    if result == "single":
        structure: Structure = 0
    elif result == "tuple":
        structure = tuple(range(output_count))
    else:
        structure = result
    if sorted(numbers(structure)) != list(range(output_count)):
        raise InternalError(
            f"a result needs each of its {output_count} outputs once; it got {result!r}."
        )
    return structure


def numbers(structure: Structure) -> Iterator[int]:
    """The output numbers of a structure, from left to right."""
    if isinstance(structure, int):
        yield structure
    else:
        for part in structure.values() if isinstance(structure, dict) else structure:
            yield from numbers(part)
