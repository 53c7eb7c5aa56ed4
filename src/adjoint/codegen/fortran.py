"""Calls of Fortran routines from generated code: every argument is passed by reference."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.blas_symbols import blas, lapack
from adjoint.codegen.elements import I8, I32, register_type

POINTER = ir.PointerType()

Argument = Any
"""A letter, an integer, a float (in the precision of the routine), or a pointer."""


def routine_name(stem: str, dtype: np.dtype[Any]) -> str:
    """The routine for a dtype: gemm is dgemm or sgemm."""
    return ("d" if dtype == np.float64 else "s") + stem


def call(builder: Any, library: str, stem: str, dtype: np.dtype[Any], *given: Argument) -> None:
    """A call of the routine ``stem`` for this dtype."""
    module = builder.module
    function = _declared(module, f"{library}.{routine_name(stem, dtype)}", len(given))
    builder.call(function, [_passed(module, value, dtype) for value in given])


def _passed(module: ir.Module, value: Argument, dtype: np.dtype[Any]) -> Any:
    if isinstance(value, str):
        return constant(module, ir.Constant(I8, ord(value)))
    if isinstance(value, int):
        return constant(module, ir.Constant(I32, value))
    if isinstance(value, float):
        return constant(module, ir.Constant(register_type(dtype), float(dtype.type(value))))
    return value


def _declared(module: ir.Module, symbol: str, arity: int) -> Any:
    found = module.globals.get(symbol)
    if found is None:
        library, _, name = symbol.partition(".")
        (blas if library == "blas" else lapack)(name)
        signature = ir.FunctionType(ir.VoidType(), [POINTER] * arity)
        found = ir.Function(module, signature, symbol)
    return found


def constant(module: ir.Module, value: Any) -> Any:
    """A constant in memory, one per value and module."""
    name = f"constant.{value.type}.{value.constant}"
    found = module.globals.get(name)
    if found is None:
        found = ir.GlobalVariable(module, value.type, name)
        found.initializer = value
        found.global_constant = True
        found.linkage = "internal"
    return found


def workspace(stem: str, dtype: np.dtype[Any], given: Sequence[Argument | None]) -> tuple[int, ...]:
    """What a LAPACK routine says that it needs as workspace, asked while compiling.

    ``given`` are its arguments: numbers and letters as they will be, -1 for a length that is asked
    for, the word "work" or "iwork" for the arrays that receive the answers, None for all others.
    """
    routine = lapack(routine_name(stem, dtype))
    real = ctypes.c_double if dtype == np.float64 else ctypes.c_float
    answers: dict[str, Any] = {"work": real(0), "iwork": ctypes.c_int(0)}
    kept = [_place(value, real, answers) for value in given]
    signature = ctypes.CFUNCTYPE(None, *(ctypes.c_void_p for _ in kept))
    signature(routine.address)(*(ctypes.addressof(cell) for cell in kept))
    asked = [answers[v] for v in given if isinstance(v, str) and v in answers]
    return tuple(int(np.ceil(cell.value)) for cell in asked)


def _place(value: Argument | None, real: Any, answers: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return answers[value] if value in answers else ctypes.c_char(value.encode())
    if isinstance(value, int):
        return ctypes.c_int(value)
    if isinstance(value, float):
        return real(value)
    return (ctypes.c_double * 8)()  # not looked at, or a place for `info`
