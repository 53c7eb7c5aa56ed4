"""Where the running CPython and NumPy keep things in memory, and where their C functions are.

The native entry reads floats and arrays straight from their objects.  The offsets come from the
public C structures, but nothing is taken on trust: `native_abi` compares every one with real
objects of this process before any code may use it, and says why not when one differs.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.errors import InternalError

_BOOL = np.dtype(np.bool_)
_INTEGERS = [np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)]
_INEXACT = [np.dtype(kind) for kind in ("float32", "float64", "complex64", "complex128")]
SCALAR_DTYPES: tuple[np.dtype[Any], ...] = (_BOOL, *_INTEGERS, *_INEXACT)

C_CONTIGUOUS_AND_ALIGNED = 0x0001 | 0x0100  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED
WRITEABLE = 0x0400  # NPY_ARRAY_WRITEABLE
OWNDATA = 0x0004  # NPY_ARRAY_OWNDATA

_PYTHON_FUNCTIONS = (
    "Py_IncRef",
    "Py_DecRef",
    "PyTuple_New",
    "PyObject_Vectorcall",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyMem_RawMalloc",
    "PyMem_RawFree",
    "PyErr_NoMemory",
    "PyErr_Clear",
    "PyList_New",
    "PyDict_New",
    "PyDict_SetItem",
    "PyDict_Size",
    "PyDict_GetItemWithError",
)
_NEW_FROM_DESCR = 94  # places in NumPy's table of C functions, fixed by its ABI
_ARRAY_TYPE = 2
_GET_HANDLER = 305
_TP_ALLOC = 47  # a slot number of CPython's stable ABI
_HEADER = object.__basicsize__
_WORD = ctypes.sizeof(ctypes.c_void_p)


class _ArrayFields(ctypes.Structure):
    """The public head of `PyArrayObject_fields`; what follows is NumPy's own business."""

    _fields_ = (
        ("header", ctypes.c_char * _HEADER),
        ("data", ctypes.c_void_p),
        ("nd", ctypes.c_int),
        ("dimensions", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("base", ctypes.c_void_p),
        ("descr", ctypes.c_void_p),
        ("flags", ctypes.c_int),
    )


@dataclass(frozen=True)
class NativeAbi:
    """Byte offsets inside objects, and addresses of functions and types by symbol name."""

    object_type: int
    tuple_size: int
    tuple_items: int
    list_items: int
    array_data: int
    array_ndim: int
    array_shape: int
    array_strides: int
    array_descr: int
    array_flags: int
    symbols: Mapping[str, int]

    def scalar_value(self, dtype: np.dtype[Any]) -> int:
        """Offset of the number inside a NumPy scalar, or a Python float or complex."""
        return _scalar_value(dtype)

    def fingerprint(self) -> str:
        """What object code made for these offsets depends on."""
        offsets = [value for value in vars(self).values() if isinstance(value, int)]
        return f"{sys.implementation.cache_tag} | numpy {np.__version__} | {offsets}"


class _Mismatch(Exception):
    """One of the checks below failed: the native entry cannot be used here."""


def _require(condition: object, what: str) -> None:
    if not condition:
        raise _Mismatch(what)


def _scalar_value(dtype: np.dtype[Any]) -> int:
    return -(-_HEADER // dtype.alignment) * dtype.alignment


def _word_at(address: int) -> int:
    return ctypes.c_size_t.from_address(address).value


def _check_interpreter() -> None:
    _require(sys.implementation.name == "cpython", "the interpreter is not CPython")
    _require(not sysconfig.get_config_var("Py_GIL_DISABLED"), "CPython was built without the GIL")
    _require(_WORD == 8, "pointers do not have 64 bits")
    _require(sys.byteorder == "little", "the machine is not little-endian")


def _check_objects() -> None:
    offset = _HEADER - _WORD
    samples: list[object] = [1.5, (1, 2), [1], np.float64(2.5), np.zeros(3)]
    for thing in samples:
        _require(_word_at(id(thing) + offset) == id(type(thing)), "ob_type is elsewhere")
    for count in (0, 1, 2, 5):
        things = tuple(object() for _ in range(count))
        _require(_word_at(id(things) + _HEADER) == count, "a tuple's size is elsewhere")
        for k, thing in enumerate(things):
            address = id(things) + tuple.__basicsize__ + k * _WORD
            _require(_word_at(address) == id(thing), "a tuple's items are elsewhere")
        listed = list(things)
        _require(_word_at(id(listed) + _HEADER) == count, "a list's size is elsewhere")
        if listed:
            items = _word_at(id(listed) + _HEADER + _WORD)
            _require(items != 0, "a list's items are elsewhere")
            _require(_word_at(items) == id(listed[0]), "a list's items are elsewhere")


def _raw(thing: object, dtype: np.dtype[Any]) -> bytes:
    return ctypes.string_at(id(thing) + _scalar_value(dtype), dtype.itemsize)


def _check_scalars() -> None:
    for number in (1.5, -0.1, 1e300):
        _require(_raw(number, np.dtype(float)) == np.float64(number).tobytes(), "float differs")
    number_z = 1.5 - 2.5j
    expected = np.complex128(number_z).tobytes()
    _require(_raw(number_z, np.dtype(complex)) == expected, "complex differs")
    for dtype in SCALAR_DTYPES:
        for value in (1, 0) if dtype is _BOOL else (7, 90, 33):
            scalar = dtype.type(value)
            size = _scalar_value(dtype) + dtype.itemsize
            _require(type(scalar).__basicsize__ >= size, f"{dtype} scalars are smaller")
            _require(_raw(scalar, dtype) == scalar.tobytes(), f"{dtype} scalars differ")
    _require(np.bool_(1) is np.bool_(True), "NumPy's booleans are not unique")


def _scalar_allocator(dtype: np.dtype[Any]) -> int:
    """`tp_alloc` of the scalar type: the only allocation that surely matches its `tp_free`."""
    slot = ctypes.pythonapi.PyType_GetSlot
    slot.restype, slot.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_int)
    address = int(slot(dtype.type, _TP_ALLOC) or 0)
    _require(address, f"{dtype} scalars have no allocator")
    allocate = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.c_ssize_t)(address)
    made = [allocate(dtype.type, 0) for _ in range(3)]
    right = all(type(scalar) is dtype.type for scalar in made)
    _require(right and made[0] is not made[1], f"{dtype} scalars are allocated otherwise")
    return address


def _check_arrays() -> None:
    whole = np.arange(105.0).reshape(3, 5, 7)
    views = [whole[1:, ::2, ::-1], whole.T, whole[0, 0], whole[:0], np.zeros((4, 1), np.int8)]
    for array in [whole, np.array(2.0), np.frombuffer(b"123456789", np.uint8), *views]:
        _require(np.ndarray.__basicsize__ >= ctypes.sizeof(_ArrayFields), "arrays are smaller")
        fields = _ArrayFields.from_address(id(array))
        base = 0 if array.base is None else id(array.base)
        _require(fields.data == array.ctypes.data, "an array's data pointer is elsewhere")
        _require(fields.nd == array.ndim, "an array's ndim is elsewhere")
        _require((fields.base or 0) == base, "an array's base is elsewhere")
        _require(fields.descr == id(array.dtype), "an array's dtype is elsewhere")
        _require(fields.flags & 0xFFFF == array.flags.num & 0xFFFF, "an array's flags differ")
        # Only now, with its neighbours on both sides confirmed, is the pointer followed.
        _require(tuple(fields.dimensions[: array.ndim]) == array.shape, "a shape differs")
        _require(tuple(fields.strides[: array.ndim]) == array.strides, "strides differ")
        wanted = array.flags.c_contiguous and array.flags.aligned
        has = fields.flags & C_CONTIGUOUS_AND_ALIGNED == C_CONTIGUOUS_AND_ALIGNED
        right = array.flags.writeable == bool(fields.flags & WRITEABLE)
        right &= array.flags.owndata == bool(fields.flags & OWNDATA)
        _require(has == wanted and right, "an array's flags mean something else")


def _python(name: str) -> int:
    try:
        function = getattr(ctypes.pythonapi, name)
    except AttributeError:
        raise _Mismatch(f"CPython does not export {name}") from None
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def _numpy_table() -> Any:
    try:
        from numpy._core import multiarray

        capsule = multiarray._ARRAY_API
    except (ImportError, AttributeError):
        raise _Mismatch("NumPy does not offer its table of C functions") from None
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    return ctypes.cast(get(capsule, None), ctypes.POINTER(ctypes.c_void_p))


def _check_new_array(address: int) -> None:
    make = ctypes.PYFUNCTYPE(
        ctypes.py_object,
        *(ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.POINTER(ctypes.c_ssize_t)),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p),
    )(address)
    dtype = np.dtype(np.float32)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(dtype))  # the function takes this reference
    made = make(np.ndarray, dtype, 2, (ctypes.c_ssize_t * 2)(3, 5), None, None, 0, None)
    right = type(made) is np.ndarray and made.shape == (3, 5) and made.dtype is dtype
    _require(right and made.flags.c_contiguous and made.flags.owndata, "PyArray_NewFromDescr")


def _symbols() -> dict[str, int]:
    found = {name: _python(name) for name in _PYTHON_FUNCTIONS}
    table = _numpy_table()
    _require(table[_ARRAY_TYPE] == id(np.ndarray), "NumPy's table of C functions differs")
    _check_new_array(table[_NEW_FROM_DESCR])
    found["PyArray_NewFromDescr"] = table[_NEW_FROM_DESCR]
    for kind in (float, complex, tuple, list, dict, np.ndarray):
        found[f"type.{kind.__name__}"] = id(kind)
    for dtype in SCALAR_DTYPES:
        # These are the interpreter's own unique objects; they live as long as the process.
        found[f"descr.{dtype.name}"] = id(dtype)
        found[f"type.{dtype.name}"] = id(dtype.type)
        if dtype is not _BOOL:
            found[f"alloc.{dtype.name}"] = _scalar_allocator(dtype)
    found["true"], found["false"] = id(np.True_), id(np.False_)
    return found


@functools.lru_cache(maxsize=1)
def _probe() -> NativeAbi | str:
    try:
        _check_interpreter()
        _check_objects()
        _check_scalars()
        _check_arrays()
        symbols = _symbols()
    except _Mismatch as mismatch:
        return str(mismatch)
    return NativeAbi(
        object_type=_HEADER - _WORD,
        tuple_size=_HEADER,
        tuple_items=tuple.__basicsize__,
        list_items=_HEADER + _WORD,
        array_data=_ArrayFields.data.offset,
        array_ndim=_ArrayFields.nd.offset,
        array_shape=_ArrayFields.dimensions.offset,
        array_strides=_ArrayFields.strides.offset,
        array_descr=_ArrayFields.descr.offset,
        array_flags=_ArrayFields.flags.offset,
        symbols=symbols,
    )


@functools.lru_cache(maxsize=1)
def memory_handler_offset() -> int | None:
    """Where an array that owns its data keeps who is to free it (NEP 49); None if not found.

    >>> memory_handler_offset() > native_abi().array_flags
    True
    """
    if why_not_native() is not None:
        return None
    get = ctypes.PYFUNCTYPE(ctypes.py_object)(_numpy_table()[_GET_HANDLER])
    handler = id(get())
    offset = ctypes.sizeof(_ArrayFields) + 2 * _WORD  # after weak references and buffers
    if np.ndarray.__basicsize__ < offset + _WORD:
        return None
    owner = np.zeros(3)
    for array, wanted in ((owner, handler), (owner[1:], 0), (np.zeros((2, 2), "f4"), handler)):
        if _word_at(id(array) + offset) != wanted:
            return None
    return offset


def why_not_native() -> str | None:
    """Why the native entry cannot be used in this process; None when it can."""
    found = _probe()
    return found if isinstance(found, str) else None


def native_abi() -> NativeAbi:
    """The layout of this process, every offset of it checked against real objects.

    Raises `InternalError` where `why_not_native` has a reason.

    >>> native_abi().array_data == object.__basicsize__
    True
    """
    found = _probe()
    if isinstance(found, str):
        raise InternalError(f"the native entry cannot be used here: {found}.")
    return found
