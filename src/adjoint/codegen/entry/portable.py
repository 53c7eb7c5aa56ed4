"""The entry in plain Python, for interpreters whose memory layout the native one does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adjoint.codegen.entry.raw import RawKernel
from adjoint.codegen.entry.spec import Argument, Same, Structure, TypeSpec


class _Different(Exception):
    """An argument is not exactly what the kernel was compiled for."""


def portable_entry(
    arguments: tuple[Argument, ...],
    structure: Structure,
    raw: RawKernel,
    fallback: Callable[..., Any],
    name: str,
) -> Callable[..., Any]:
    """A Python function that does what the native entry does, at some microseconds per call."""

    def entry(*args: Any, **kwargs: Any) -> Any:
        inputs: list[NDArray[Any]] = []
        try:
            if kwargs:
                raise _Different
            _read(args, arguments, inputs)
        except _Different:
            return fallback(*args, **kwargs)
        outputs = raw.empty_outputs()
        if raw(inputs, outputs) != 0:
            return fallback(*args, **kwargs)
        pairs = zip(outputs, raw.outputs, strict=True)
        return _assembled(structure, [out[()] if spec.scalar else out for out, spec in pairs])

    entry.__name__ = entry.__qualname__ = name
    return entry


def _read(thing: object, wanted: Argument, found: list[NDArray[Any]]) -> None:
    if isinstance(wanted, TypeSpec):
        found.append(_read_data(thing, wanted))
    elif isinstance(wanted, Same):
        _require(thing is wanted.value)
    elif isinstance(wanted, dict):
        _require(type(thing) is dict and thing.keys() == wanted.keys())
        for key, inner in wanted.items():
            _read(thing[key], inner, found)  # type: ignore[index]
    else:
        _require(type(thing) is type(wanted) and len(thing) == len(wanted))
        for part, inner in zip(thing, wanted, strict=True):  # type: ignore[call-overload]
            _read(part, inner, found)


def _read_data(thing: object, spec: TypeSpec) -> NDArray[Any]:
    if spec.scalar:
        _require(type(thing) in (spec.python_type, spec.numpy_type))
        return np.asarray(thing, spec.dtype)
    _require(type(thing) is np.ndarray)
    assert isinstance(thing, np.ndarray)
    _require(thing.dtype is spec.dtype and thing.shape == spec.shape)
    _require(thing.flags.c_contiguous and thing.flags.aligned)
    return thing


def _require(condition: object) -> None:
    if not condition:
        raise _Different


def _assembled(structure: Structure, results: list[Any]) -> Any:
    if isinstance(structure, int):
        return results[structure]
    if isinstance(structure, dict):
        return {key: _assembled(part, results) for key, part in structure.items()}
    return type(structure)(_assembled(part, results) for part in structure)
