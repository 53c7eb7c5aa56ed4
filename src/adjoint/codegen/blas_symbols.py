"""BLAS and LAPACK for generated code: the function pointers that SciPy exports to Cython.

SciPy is imported when the first routine is asked for.  The routines have the Fortran interface:
every argument is a pointer, matrices are column-major, integers have 32 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from adjoint.codegen.cython_exports import address, exports, signature
from adjoint.codegen.llvm_session import register_symbols
from adjoint.errors import InternalError

Library = Literal["blas", "lapack"]


@dataclass(frozen=True)
class Routine:
    """One routine: the symbol by which IR calls it, its address, and its C signature.

    In a signature Cython's names for the numeric types end in `d` (double), `s` (float), `z` and
    `c` (complex double and complex float).
    """

    symbol: str
    address: int
    signature: str


def blas(name: str) -> Routine:
    """The BLAS routine `name`, registered for modules compiled from now on.

    >>> routine = blas("ddot")
    >>> routine.symbol, routine.signature
    ('blas.ddot', '__pyx_t_5scipy_6linalg_11cython_blas_d (int *, ..._d *, int *)')
    """
    return _routine("blas", name)


def lapack(name: str) -> Routine:
    """The LAPACK routine `name`, registered for modules compiled from now on."""
    return _routine("lapack", name)


def register_imports(names: Iterable[str]) -> None:
    """Register the routines among the imports of object code that a cache kept."""
    for name in names:
        library, _, routine = name.partition(".")
        if library == "blas":
            blas(routine)
        elif library == "lapack":
            lapack(routine)


def _routine(library: Library, name: str) -> Routine:
    exported = exports(f"scipy.linalg.cython_{library}")
    if name not in exported:
        raise InternalError(f"SciPy exports no {library.upper()} routine {name}.")
    capsule = exported[name]
    routine = Routine(f"{library}.{name}", address(capsule), signature(capsule))
    register_symbols({routine.symbol: routine.address})
    return routine
