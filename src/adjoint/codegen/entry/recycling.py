"""Large result arrays in memory that an earlier one has left.

The kernel of Linux hands out memory page by page, each cleared at its first use: for results of
some megabytes that takes as long as computing them.  So large results are ordinary arrays, owners
of their data, but with a memory handler of their own (NEP 49, field `mem_handler`): when such an
array is freed its block is kept, and the next result of nearly that size gets it.

At most `MOST_BYTES` in at most `PLACES` blocks are kept; when another comes, the block whose turn
it is goes back to the system.  Each place is one pointer that is exchanged atomically, so there
is no lock and no order of threads that can lose or double a block.  Blocks are found by the size
they were made for, which stands in front of their data, and are used for sizes down to 8/9 of that.

A kernel writes every element of its results before anybody sees them, so nothing of what was in a
block shows; where it fails the unfinished arrays are freed unseen.

The code stays for the life of the process, as arrays may outlive everything else.
The environment variable ADJOINT_RECYCLE=0 switches recycling off.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adjoint.codegen.entry.ir_writer import symbol
from adjoint.codegen.llvm_session import CompiledModule, compile_ir, keep_forever
from adjoint.codegen.numpy_abi import (
    C_CONTIGUOUS_AND_ALIGNED,
    OWNDATA,
    WRITEABLE,
    memory_handler_offset,
    native_abi,
)

RECYCLED_FROM = 1 << 18
"""Bytes from which on a result is made in recycled memory."""

MOST_BYTES = 128 << 20
"""Bytes that are kept at most, counted as they were asked for."""

PLACES = 16
"""Blocks that are kept at most."""

# Bytes in front of the data; the first eight say how many follow.  They are a page, so that data
# begin where a page does: NumPy's own large arrays begin 16 bytes later, and a loop that writes up
# to a vector ahead of where it reads, modulo a page, waits at every store (measured: 4 %).
_HEAD = 4096
_HUGE_FROM, _HUGE_PAGE = 3 << 20, 2 << 20
_ADVICE = 14  # MADV_HUGEPAGE of Linux
_TRACE_DOMAIN = 389047  # that of NumPy's data, for tracemalloc
_NAME = b"adjoint"

_IR = f"""
declare ptr @aligned_alloc(i64, i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)
declare i32 @madvise(ptr, i64, i32)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare void {symbol("Py_IncRef")}(ptr)
declare void {symbol("Py_DecRef")}(ptr)
declare ptr {symbol("PyErr_NoMemory")}()
declare i32 {symbol("PyTraceMalloc_Track")}(i32, i64, i64)
declare ptr {symbol("PyArray_NewFromDescr")}(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
{symbol("type.ndarray")} = external global i8
@handler = global ptr null
@places = internal global [{PLACES} x ptr] zeroinitializer
@sizes = internal global [{PLACES} x i64] zeroinitializer
@kept = global i64 0
@turn = internal global i64 0

define internal i64 @size_of(ptr %data) alwaysinline nounwind {{
  %head = getelementptr i8, ptr %data, i64 -{_HEAD}
  %size = load i64, ptr %head
  ret i64 %size
}}

define internal void @release(ptr %data) nounwind {{
  %head = getelementptr i8, ptr %data, i64 -{_HEAD}
  call void @free(ptr %head)
  ret void
}}

define internal ptr @fresh(i64 %size) nounwind {{
  %huge = icmp uge i64 %size, {_HUGE_FROM}
  %alignment = select i1 %huge, i64 {_HUGE_PAGE}, i64 {_HEAD}
  %mask = sub i64 0, %alignment
  %above = sub i64 %alignment, 1
  %whole = add i64 %size, {_HEAD}
  %raised = add i64 %whole, %above
  %bytes = and i64 %raised, %mask
  %overflow = icmp ult i64 %bytes, %size
  br i1 %overflow, label %none, label %try
try:
  %head = call ptr @aligned_alloc(i64 %alignment, i64 %bytes)
  %missing = icmp eq ptr %head, null
  br i1 %missing, label %none, label %have
have:
  store i64 %size, ptr %head
  br i1 %huge, label %advise, label %done
advise:
  ADVICE
  br label %done
done:
  %data = getelementptr i8, ptr %head, i64 {_HEAD}
  ret ptr %data
none:
  ret ptr null
}}

define ptr @take(i64 %size) nounwind {{
start:
  %eighth = lshr i64 %size, 3
  %most = add i64 %size, %eighth
  br label %look
look:
  %k = phi i64 [0, %start], [%k1, %next]
  %k1 = add i64 %k, 1
  %sizeat = getelementptr i64, ptr @sizes, i64 %k
  ; Only a hint: what counts is the size in the block, once it is ours.
  %hint = load atomic i64, ptr %sizeat monotonic, align 8
  %enough = icmp uge i64 %hint, %size
  %close = icmp ule i64 %hint, %most
  %fits = and i1 %enough, %close
  br i1 %fits, label %grab, label %next
grab:
  %place = getelementptr ptr, ptr @places, i64 %k
  %found = atomicrmw xchg ptr %place, ptr null acq_rel
  %some = icmp ne ptr %found, null
  br i1 %some, label %verify, label %next
verify:
  %real = call i64 @size_of(ptr %found)
  %less = atomicrmw sub ptr @kept, i64 %real monotonic
  %really = icmp uge i64 %real, %size
  %closely = icmp ule i64 %real, %most
  %good = and i1 %really, %closely
  br i1 %good, label %hit, label %wrong
hit:
  ret ptr %found
wrong:
  call void @release(ptr %found)
  br label %next
next:
  %more = icmp ult i64 %k1, {PLACES}
  br i1 %more, label %look, label %miss
miss:
  %made = call ptr @fresh(i64 %size)
  ret ptr %made
}}

define void @give(ptr %data) nounwind {{
start:
  %size = call i64 @size_of(ptr %data)
  %small = icmp ult i64 %size, {RECYCLED_FROM}
  %large = icmp ugt i64 %size, {MOST_BYTES}
  %odd = or i1 %small, %large
  br i1 %odd, label %drop, label %try
try:
  %tries = phi i64 [0, %start], [%tries1, %again]
  %before = atomicrmw add ptr @kept, i64 %size monotonic
  %after = add i64 %before, %size
  %room = icmp ule i64 %after, {MOST_BYTES}
  br i1 %room, label %search, label %full
search:
  %k = phi i64 [0, %try], [%k1, %taken]
  %k1 = add i64 %k, 1
  %place = getelementptr ptr, ptr @places, i64 %k
  %pair = cmpxchg ptr %place, ptr null, ptr %data acq_rel monotonic
  %won = extractvalue {{ ptr, i1 }} %pair, 1
  br i1 %won, label %keep, label %taken
keep:
  %sizeat = getelementptr i64, ptr @sizes, i64 %k
  store atomic i64 %size, ptr %sizeat monotonic, align 8
  ret void
taken:
  %more = icmp ult i64 %k1, {PLACES}
  br i1 %more, label %search, label %full
full:
  ; Someone else's block goes, by turns, and then there may be room for this one.
  %undone = atomicrmw sub ptr @kept, i64 %size monotonic
  %number = atomicrmw add ptr @turn, i64 1 monotonic
  %which = urem i64 %number, {PLACES}
  %victimat = getelementptr ptr, ptr @places, i64 %which
  %victim = atomicrmw xchg ptr %victimat, ptr null acq_rel
  %none = icmp eq ptr %victim, null
  br i1 %none, label %again, label %evict
evict:
  %freed = call i64 @size_of(ptr %victim)
  %less = atomicrmw sub ptr @kept, i64 %freed monotonic
  call void @release(ptr %victim)
  br label %again
again:
  %tries1 = add i64 %tries, 1
  %patient = icmp ule i64 %tries1, {PLACES}
  br i1 %patient, label %try, label %drop
drop:
  call void @release(ptr %data)
  ret void
}}

define ptr @handler_malloc(ptr %context, i64 %size) nounwind {{
  %made = call ptr @take(i64 %size)
  ret ptr %made
}}

define ptr @handler_calloc(ptr %context, i64 %count, i64 %each) nounwind {{
  %size = mul i64 %count, %each
  %made = call ptr @take(i64 %size)
  %none = icmp eq ptr %made, null
  br i1 %none, label %done, label %clear
clear:
  call void @llvm.memset.p0.i64(ptr %made, i8 0, i64 %size, i1 false)
  br label %done
done:
  ret ptr %made
}}

define ptr @handler_realloc(ptr %context, ptr %data, i64 %size) nounwind {{
  %head = getelementptr i8, ptr %data, i64 -{_HEAD}
  %whole = add i64 %size, {_HEAD}
  %moved = call ptr @realloc(ptr %head, i64 %whole)
  %none = icmp eq ptr %moved, null
  br i1 %none, label %fail, label %done
done:
  store i64 %size, ptr %moved
  %made = getelementptr i8, ptr %moved, i64 {_HEAD}
  ret ptr %made
fail:
  ret ptr null
}}

define void @handler_free(ptr %context, ptr %data, i64 %size) nounwind {{
  ; The size is NumPy's; the one in the block cannot be wrong.
  %none = icmp eq ptr %data, null
  br i1 %none, label %done, label %some
some:
  call void @give(ptr %data)
  br label %done
done:
  ret void
}}

define ptr @new_recycled(ptr %descr, i32 %rank, ptr %shape, i64 %size) nounwind {{
  %data = call ptr @take(i64 %size)
  %none = icmp eq ptr %data, null
  br i1 %none, label %nomemory, label %make
make:
  %array = call ptr {symbol("PyArray_NewFromDescr")}(ptr {symbol("type.ndarray")}, ptr %descr,
      i32 %rank, ptr %shape, ptr null, ptr %data, i32 CARRAY, ptr null)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %giveback, label %own
own:
  %flagsat = getelementptr i8, ptr %array, i64 FLAGS
  %flags = load i32, ptr %flagsat
  %owning = or i32 %flags, {OWNDATA}
  store i32 %owning, ptr %flagsat
  %capsule = load ptr, ptr @handler
  call void {symbol("Py_IncRef")}(ptr %capsule)
  %handlerat = getelementptr i8, ptr %array, i64 HANDLER
  store ptr %capsule, ptr %handlerat
  %address = ptrtoint ptr %data to i64
  %traced = call i32 {symbol("PyTraceMalloc_Track")}(i32 {_TRACE_DOMAIN}, i64 %address, i64 %size)
  ret ptr %array
giveback:
  call void @give(ptr %data)
  ret ptr null
nomemory:
  call void {symbol("Py_DecRef")}(ptr %descr)
  %error = call ptr {symbol("PyErr_NoMemory")}()
  ret ptr null
}}
"""

_FUNCTIONS = ("malloc", "calloc", "realloc", "free")


class _Handler(ctypes.Structure):
    """`PyDataMem_Handler`, version 1."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in _FUNCTIONS),
    )


def recycling_symbols() -> Mapping[str, int]:
    """What an entry needs to make results in recycled memory; empty where that is switched off or
    not possible.

    >>> set(recycling_symbols()) <= {"new_recycled"}
    True
    """
    if os.environ.get("ADJOINT_RECYCLE") == "0":
        return {}
    code = _code()
    return {} if code is None else {"new_recycled": code.address("new_recycled")}


def empty_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """`np.empty`, in recycled memory if it is large.

    >>> empty_array((2, 3), np.dtype(float)).shape
    (2, 3)
    """
    size = math.prod(shape) * dtype.itemsize
    make = _maker() if size >= RECYCLED_FROM and recycling_symbols() else None
    if make is None:
        return np.empty(shape, dtype)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(dtype))  # the function takes this reference
    made: NDArray[Any] = make(dtype, len(shape), (ctypes.c_ssize_t * len(shape))(*shape), size)
    return made


def kept_bytes() -> int:
    """How much memory is kept for results to come."""
    code = _code()
    return 0 if code is None else ctypes.c_int64.from_address(code.address("kept")).value


@functools.lru_cache(maxsize=1)
def _code() -> CompiledModule | None:
    if os.name != "posix" or memory_handler_offset() is None:
        return None
    abi = native_abi()
    outside = ("Py_IncRef", "Py_DecRef", "PyErr_NoMemory", "PyArray_NewFromDescr", "type.ndarray")
    symbols = {f"adjoint.{name}": abi.symbols[name] for name in outside}
    track = ctypes.cast(ctypes.pythonapi.PyTraceMalloc_Track, ctypes.c_void_p).value
    symbols["adjoint.PyTraceMalloc_Track"] = int(track or 0)
    advice = f"%advised = call i32 @madvise(ptr %head, i64 %bytes, i32 {_ADVICE})"
    text = _IR.replace("ADVICE", advice if sys.platform == "linux" else "")
    text = text.replace("CARRAY", str(C_CONTIGUOUS_AND_ALIGNED | WRITEABLE))
    text = text.replace("FLAGS", str(abi.array_flags))
    text = text.replace("HANDLER", str(memory_handler_offset()))
    handlers = [f"handler_{name}" for name in _FUNCTIONS]
    code = compile_ir(
        text, opt_level=1, exports=["new_recycled", "kept", "handler", *handlers], symbols=symbols
    )
    # Arrays may be freed when all modules are gone: what their handler needs is never freed.
    keep_forever(code.anchor)
    handler = _Handler(_NAME, 1, None, *(code.address(name) for name in handlers))
    ctypes.c_void_p.from_address(code.address("handler")).value = id(_capsule(handler))
    return code if _makes_arrays(code) else None


def _capsule(handler: _Handler) -> object:
    name = ctypes.create_string_buffer(b"mem_handler")
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
        ("PyCapsule_New", ctypes.pythonapi)
    )
    capsule: object = make(ctypes.addressof(handler), ctypes.addressof(name), None)
    for thing in (handler, name, capsule):
        keep_forever(thing)
    return capsule


def _constructor(code: CompiledModule) -> Callable[..., Any]:
    return ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.c_void_p, ctypes.c_int64
    )(code.address("new_recycled"))


@functools.lru_cache(maxsize=1)
def _maker() -> Callable[..., Any] | None:
    code = _code()
    return None if code is None else _constructor(code)


def _makes_arrays(code: CompiledModule) -> bool:
    """Whether an array made by this code is like one of NumPy's, under another handler."""
    dtype, shape = np.dtype(np.float32), (3, 5)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(dtype))  # the function takes this reference
    made: NDArray[Any] = _constructor(code)(dtype, 2, (ctypes.c_ssize_t * 2)(*shape), 60)
    usual = np.empty(shape, dtype)
    alike = (made.shape, made.strides, made.dtype, made.base, made.flags.num)
    return alike == (shape, usual.strides, dtype, None, usual.flags.num)
