"""The C functions that SciPy's Cython modules export: capsules with an address and a signature."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Mapping

_get_name = ("PyCapsule_GetName", ctypes.pythonapi)
_get_pointer = ("PyCapsule_GetPointer", ctypes.pythonapi)


def exports(module: str) -> Mapping[str, object]:
    """The capsules of a Cython module, by the names of its functions; imports the module."""
    found: Mapping[str, object] = importlib.import_module(module).__pyx_capi__
    return found


def signature(capsule: object) -> str:
    """The C signature of an exported function: result type, then parameters in brackets.

    >>> signature(exports("scipy.special.cython_special")["gammaln"])
    'double (double, int __pyx_skip_dispatch)'
    """
    return _label(capsule).decode()


def address(capsule: object) -> int:
    """Where an exported function is."""
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(_get_pointer)
    return int(get(capsule, _label(capsule)))


def _label(capsule: object) -> bytes:
    get = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(_get_name)
    return bytes(get(capsule))
