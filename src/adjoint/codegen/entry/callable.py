"""A Python object with attributes and methods that costs no more to call than a builtin.

A builtin cannot carry attributes, and the code behind it cannot be exchanged.  `NativeCallable`
has both: CPython calls it through a function pointer inside the object (PEP 590), which leads to a
few machine instructions that pass the call on, arguments untouched, to `target`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from adjoint.codegen.entry.ir_writer import symbol
from adjoint.codegen.llvm_session import CompiledModule, compile_ir
from adjoint.codegen.numpy_abi import native_abi, why_not_native

_WORD = ctypes.sizeof(ctypes.c_void_p)
_POINTER_AT = object.__basicsize__  # where an instance keeps the function pointer
_TARGET_AT = _POINTER_AT + _WORD  # the only slot of the class follows it
_TP_CALL, _TP_MEMBERS = 50, 72  # slot numbers of CPython's stable ABI
_T_PYSSIZET, _READONLY = 19, 1
_BASETYPE, _HAVE_VECTORCALL = 1 << 10, 1 << 11
_TP_FLAGS_AT = object.__basicsize__ + 19 * _WORD  # in PyTypeObject; compared before it is used

# The target is held during the call, since the call may replace it.
_PASS_ON = f"""
declare void {symbol("Py_IncRef")}(ptr)
declare void {symbol("Py_DecRef")}(ptr)
declare void {symbol("PyErr_SetString")}(ptr, ptr)
declare ptr {symbol("PyObject_Vectorcall")}(ptr, ptr, i64, ptr)
{symbol("type.TypeError")} = external global i8
@message = private constant [27 x i8] c"this object has no target.\\00"
define ptr @pass_on(ptr %self, ptr %args, i64 %nargsf, ptr %kwnames) nounwind {{
  %place = getelementptr i8, ptr %self, i64 {_TARGET_AT}
  %target = load ptr, ptr %place
  %none = icmp eq ptr %target, null
  br i1 %none, label %missing, label %found
found:
  call void {symbol("Py_IncRef")}(ptr %target)
  %result = call ptr {symbol("PyObject_Vectorcall")}(
      ptr %target, ptr %args, i64 %nargsf, ptr %kwnames)
  call void {symbol("Py_DecRef")}(ptr %target)
  ret ptr %result
missing:
  call void {symbol("PyErr_SetString")}(ptr {symbol("type.TypeError")}, ptr @message)
  ret ptr null
}}
"""


class _Slot(ctypes.Structure):
    _fields_ = (("slot", ctypes.c_int), ("function", ctypes.c_void_p))


class _Member(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Spec(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    )


class _PortableBase:
    """The same in Python, for interpreters whose memory layout is not known."""

    __slots__ = ()

    target: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)


def _function(name: str) -> int:
    return int(ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0)


def _compile_pass_on() -> CompiledModule:
    symbols = dict(native_abi().symbols)
    symbols["PyErr_SetString"] = _function("PyErr_SetString")
    symbols["type.TypeError"] = id(TypeError)
    bound = {f"adjoint.{name}": address for name, address in symbols.items()}
    return compile_ir(_PASS_ON, opt_level=1, exports=["pass_on"], symbols=bound)


def _make_base() -> type:
    """A type with room for the function pointer, and the declaration of where it is."""
    where = _Member(b"__vectorcalloffset__", _T_PYSSIZET, _POINTER_AT, _READONLY, None)
    members = (_Member * 2)(where)
    slots = (_Slot * 3)(
        _Slot(_TP_CALL, _function("PyVectorcall_Call")),
        _Slot(_TP_MEMBERS, ctypes.addressof(members)),
    )
    flags = _BASETYPE | _HAVE_VECTORCALL
    spec = _Spec(b"adjoint.NativeBase", _TARGET_AT, 0, flags, slots)
    _kept_forever.extend((members, slots, spec))
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p)(
        ("PyType_FromSpec", ctypes.pythonapi)
    )
    made: type = make(ctypes.addressof(spec))
    return made


_kept_forever: list[object] = []
_pass_on = _compile_pass_on() if why_not_native() is None else None
_address = 0 if _pass_on is None else _pass_on.address("pass_on")
_base: Any = _PortableBase if _pass_on is None else _make_base()


class NativeCallable(_base):  # type: ignore[misc]
    """An object whose call is a call of `target`, at the cost of a few nanoseconds.

    Subclasses add attributes and methods, but no slots before `target` and no `__call__`.  The
    target may be assigned at any time, from any thread; calls under way finish with the old one.

    >>> class Named(NativeCallable):
    ...     def describe(self):
    ...         return f"calls {self.target.__name__}"
    >>> named = Named(len)
    >>> named([1, 2]), named.describe()
    (2, 'calls len')
    >>> named.target = sum
    >>> named([1, 2])
    3
    """

    __slots__ = ("__dict__", "__weakref__", "target")

    target: Callable[..., Any]

    def __new__(cls, *_args: Any, **_kwargs: Any) -> NativeCallable:
        made: NativeCallable = super().__new__(cls)
        if _address:
            ctypes.c_void_p.from_address(id(made) + _POINTER_AT).value = _address
        return made

    def __init__(self, target: Callable[..., Any]) -> None:
        self.target = target

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__call__" in vars(cls):
            raise TypeError(f"{cls.__name__} needs to set `target`; it defines __call__.")
        _call_directly(cls)


def _call_directly(cls: type) -> None:
    """Let instances be called without building a tuple of their arguments.

    From 3.12 on a subclass inherits this; 3.11 does not, as it would not notice an assignment to
    `cls.__call__`.  Without the flag everything works, some 30 ns slower.
    """
    if not _address or cls.__flags__ & _HAVE_VECTORCALL:
        return
    known = (object, int, _base, NativeCallable)
    if all(_flags_of(kind).value == kind.__flags__ for kind in (cls, *known)):
        _flags_of(cls).value |= _HAVE_VECTORCALL
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(cls))


def _flags_of(kind: type) -> ctypes.c_ulong:
    return ctypes.c_ulong.from_address(id(kind) + _TP_FLAGS_AT)


def _target_is_in_place() -> bool:
    """Whether the slot `target` is where the machine code looks for it."""
    probe = NativeCallable(len)
    return ctypes.c_size_t.from_address(id(probe) + _TARGET_AT).value == id(len)


if _address:
    if _target_is_in_place():
        _call_directly(NativeCallable)
    else:  # nothing was called yet: leave the pointer null, and say how to call in Python
        _address = 0
        NativeCallable.__call__ = _PortableBase.__call__
