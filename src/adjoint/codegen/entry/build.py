"""Linking a kernel with its entry, and making a Python builtin of the two."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import NDArray

from adjoint.codegen import object_cache, support
from adjoint.codegen.blas_symbols import register_imports
from adjoint.codegen.entry.entry_ir import STACK_ARENA_LIMIT, EntryPlan, EntryText, entry_ir
from adjoint.codegen.entry.overlap import overlap_code, overlap_symbols
from adjoint.codegen.entry.portable import portable_entry
from adjoint.codegen.entry.raw import RawKernel
from adjoint.codegen.entry.recycling import RECYCLED_FROM, recycling_symbols
from adjoint.codegen.entry.spec import (
    Argument,
    Captured,
    OutArgument,
    Structure,
    TypeSpec,
    leaves,
    result_structure,
)
from adjoint.codegen.llvm_session import CompiledModule, compile_ir, load_object, when_unloaded
from adjoint.codegen.numpy_abi import native_abi, why_not_native
from adjoint.errors import ArgumentValueError, InternalError

_METH_FASTCALL, _METH_KEYWORDS = 0x0080, 0x0002


@dataclass(frozen=True)
class Entry:
    """A compiled callable.

    `call` is what users call; `raw` runs the kernel on converted arrays, for the fallback;
    `module` is the compiled code (with `object_code` for a cache); `native` says whether `call`
    is a builtin made of machine code or its equal in Python.
    """

    call: Callable[..., Any]
    raw: RawKernel
    module: CompiledModule
    native: bool


class NativeFunction(tuple[object, ...]):
    """What a native entry keeps alive: its method definition, its code, and every object in it.

    It is a tuple because the garbage collector never empties one: when a cycle through the entry
    is collected, these stay until the entry itself is gone.
    """

    __slots__ = ()


def build_entry(
    module: object,
    kernel: str,
    inputs: Sequence[Argument],
    outputs: Sequence[TypeSpec],
    *,
    fallback: Callable[..., Any],
    result: Literal["single", "tuple"] | Structure = "single",
    arena_bytes: int = 0,
    release_gil: bool = False,
    name: str = "compiled",
    doc: str | None = None,
    opt_level: int = 2,
    unroll: bool = True,
    object_code: bytes | None = None,
    imports: Sequence[str] | None = None,
    portable: bool = False,
    captured: Sequence[NDArray[Any]] = (),
    out: OutArgument = "refused",
) -> Entry:
    """Compile the IR `module` and an entry that calls its function `kernel` from Python.

    The kernel is `i32 kernel(ptr inputs, ptr outputs, ptr arena)`: tables of pointers to
    C-contiguous data, one per leaf of `inputs` and per output, and 64-byte aligned working
    memory of `arena_bytes`.  It returns 0, or any other code for "not this path".

    The callable checks its positional arguments against `inputs` and returns fresh results,
    arranged as `result` says.  Whatever is not exactly as compiled, and every call whose kernel
    returned another code than 0, goes to `fallback(*args, **kwargs)` unchanged.  `release_gil`
    lets other threads run while the kernel does; it costs some tens of nanoseconds.

    With `object_code`, which an earlier `Entry.module` had for the same specification, nothing is
    compiled and `module` is not looked at.  `portable` asks for the entry in Python.

    `captured` are arrays whose data the kernel reads: their addresses stand, in order, in the
    table that it knows as the external symbol `captured`.  While one of them is not where and how
    it was, calls go to the fallback (`raw` leaves this to its caller).

    With `out` other than "refused", a keyword argument of this name takes arrays nested like the
    result, which is then returned: "written" lets the kernel write there where nothing overlaps,
    for kernels that return 0 always; "copied" copies finished results.

    >>> ir = '''define i32 @double_it(ptr %in, ptr %out, ptr %arena) {
    ...   %p = load ptr, ptr %in
    ...   %x = load double, ptr %p
    ...   %y = fadd double %x, %x
    ...   %q = load ptr, ptr %out
    ...   store double %y, ptr %q
    ...   ret i32 0
    ... }'''
    >>> import numpy as np
    >>> number = TypeSpec((), np.dtype(float), scalar=True)
    >>> entry = build_entry(ir, "double_it", [number], [number], fallback=lambda *a: "not mine")
    >>> entry.call(1.5), entry.call("x")
    (np.float64(3.0), 'not mine')
    """
    specs = tuple(inputs)
    structure = result_structure(result, len(outputs))
    native = not portable and why_not_native() is None
    plan = EntryPlan(
        name=f"adjoint.entry.{kernel}",
        kernel=kernel,
        arguments=specs,
        inputs=tuple(leaves(specs)),
        outputs=tuple(outputs),
        structure=structure,
        arena_bytes=arena_bytes,
        release_gil=release_gil,
        out=out,
        captured=tuple(map(Captured, captured)),
        recycled=any(spec.byte_count >= RECYCLED_FROM for spec in outputs)
        and bool(recycling_symbols()),
    )
    code = (object_code, imports)
    levels = (opt_level, unroll)
    table = (ctypes.c_void_p * max(1, len(captured)))(*(a.ctypes.data for a in captured))
    kept = (table, tuple(captured))
    outside = {"captured": ctypes.addressof(table)} if captured else {}
    if native:
        compiled, call = _native(module, plan, fallback, name, doc, levels, code, outside, kept)
    else:
        compiled = _compiled(module, "", [kernel], outside, levels, code)
    address = compiled.address(kernel)
    raw = RawKernel(address, plan.inputs, plan.outputs, arena_bytes, compiled.anchor, kept)
    if not native:
        call = portable_entry(specs, structure, raw, fallback, name)
    return Entry(call, raw, compiled, native)


def _compiled(
    module: object,
    entry: str,
    exports: list[str],
    symbols: dict[str, int],
    levels: tuple[int, bool],
    code: tuple[bytes | None, Sequence[str] | None],
) -> CompiledModule:
    object_code, imports = code
    if object_code is not None:
        return load_object(object_code, imports=imports, exports=exports, symbols=symbols)
    text = str(module)
    key = object_cache.key_of(text, entry, levels) if object_cache.directory() else ""
    kept = object_cache.load(key) if key else None
    if kept is not None:
        with contextlib.suppress(ArgumentValueError, InternalError):
            support.provide(kept[1])
            register_imports(kept[1])
            made = load_object(kept[0], imports=kept[1], exports=exports, symbols=symbols)
            return replace(made, _source=text, _opt_level=levels[0])
    made = compile_ir(
        text,
        opt_level=levels[0],
        unroll=levels[1],
        unoptimised=entry,
        exports=exports,
        symbols=symbols,
    )
    if key:
        object_cache.store(key, made.object_code, made.imports)
    return made


def _native(
    module: object,
    plan: EntryPlan,
    fallback: Callable[..., Any],
    name: str,
    doc: str | None,
    levels: tuple[int, bool],
    code: tuple[bytes | None, Sequence[str] | None],
    outside: dict[str, int],
    kept: tuple[object, ...],
) -> tuple[CompiledModule, Callable[..., Any]]:
    abi = native_abi()
    plan, text = _named_by_content(plan, entry_ir(plan, abi))
    objects = {"fallback": fallback, **text.objects}
    spare = ctypes.c_void_p(None)  # the arena kept between calls
    symbols = {**abi.symbols, **{key: id(value) for key, value in objects.items()}}
    symbols["arena"] = ctypes.addressof(spare)
    if plan.out != "refused":
        symbols.update(overlap_symbols())
        kept = (*kept, overlap_code().anchor)
    if plan.recycled:
        symbols.update(recycling_symbols())
    # In the IR every one of these names has a prefix; the kernel's own names cannot clash.
    bound = {f"adjoint.{key}": symbols[key] for key in text.names} | outside
    exports = [plan.kernel, plan.name]
    compiled = _compiled(module, text.ir, exports, bound, levels, code)
    if plan.arena_bytes > STACK_ARENA_LIMIT:
        when_unloaded(compiled.anchor, _free_arena, spare)
    held = (compiled.anchor, spare, *kept, *objects.values())
    return compiled, _builtin(compiled.address(plan.name), name, doc, held)


def _named_by_content(plan: EntryPlan, text: EntryText) -> tuple[EntryPlan, EntryText]:
    """Put a digest of the IR into the entry's name.

    Object code made for other arguments, or for another layout of NumPy's arrays, then lacks the
    symbol and does not link, instead of reading the wrong memory.
    """
    digest = hashlib.sha256(text.ir.encode()).hexdigest()[:16]
    named = replace(plan, name=f"{plan.name}.{digest}")
    return named, replace(text, ir=text.ir.replace(f'@"{plan.name}"', f'@"{named.name}"'))


def _free_arena(spare: ctypes.c_void_p) -> None:
    free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(native_abi().symbols["PyMem_RawFree"])
    free(spare)


def _builtin(
    address: int, name: str, doc: str | None, held: tuple[object, ...]
) -> Callable[..., Any]:
    """A builtin with the fast calling convention.

    Everything its method definition points to is in `bytes` objects, which nothing can resize or
    clear, held by the builtin's own `__self__`; CPython frees that after the builtin.
    """
    label = name.encode() + b"\0"
    text = None if doc is None else doc.encode() + b"\0"
    flags = _METH_FASTCALL | _METH_KEYWORDS
    pointers = (_address(label), address, flags, 0 if text is None else _address(text))
    definition = struct.pack("=QQixxxxQ", *pointers)
    state = NativeFunction((definition, label, text, *held))
    make = ctypes.PYFUNCTYPE(
        ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.py_object, ctypes.c_void_p
    )(("PyCMethod_New", ctypes.pythonapi))
    made: Callable[..., Any] = make(_address(definition), state, "adjoint", None)
    return made


def _address(data: bytes) -> int:
    return int(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0)
