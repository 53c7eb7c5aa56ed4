"""The LLVM session: IR text to machine code in this process, and object code for a cache.

One target machine per optimisation level is made for the CPU this process runs on; one ORC engine
holds everything that was linked.  Each compiled module is a library of its own in that engine, with
its own symbol scope, and is unloaded when the last holder of its anchor (`CompiledModule.anchor`)
is gone.

LLVM itself is not re-entrant for one target machine, so every step that uses it holds one lock.
Addresses never appear in the code: whatever a module needs from outside is an external symbol that
is bound at link time, so object code may be kept on disk and loaded by another process.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import itertools
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray

from adjoint.codegen.vector_math import finish
from adjoint.errors import ArgumentValueError, InternalError

_DIGEST_BYTES = hashlib.sha256().digest_size

_lock = threading.RLock()
_registered: dict[str, int] = {}
_library_numbers = itertools.count()
_state: _Session | None = None


@dataclass
class _Session:
    """What is made once: the JIT engine and one target machine per optimisation level."""

    triple: str
    cpu: str
    features: str
    engine: Any
    machines: dict[int, Any] = field(default_factory=dict)

    def machine(self, opt_level: int) -> Any:
        """The target machine for this host that generates code at `opt_level`."""
        found = self.machines.get(opt_level)
        if found is None:
            found = self.machines[opt_level] = self._new_machine(opt_level)
        return found

    def _new_machine(self, opt_level: int) -> Any:
        # Position-independent code reaches outside symbols through a table beside the code: the
        # interpreter may lie more than 2 GiB away, where the small model's own addresses fail.
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu,
            features=self.features,
            opt=opt_level,
            reloc="pic",
            codemodel="small",
        )


def _session() -> _Session:
    global _state
    with _lock:
        if _state is None:
            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            session = _Session(
                triple=llvm.get_process_triple(),
                cpu=llvm.get_host_cpu_name(),
                features=llvm.get_host_cpu_features().flatten(),
                engine=None,
            )
            session.engine = _new_engine(session)
            _state = session
        return _state


def _new_engine(session: _Session) -> Any:
    # JITLink takes a tenth of the memory per library of the older linker; where LLVM does not
    # have it for this object format, creation fails and the older one serves.
    try:
        return llvm.create_lljit_compiler(
            session._new_machine(2), use_jit_link=True, suppress_errors=True
        )
    except RuntimeError:
        return llvm.create_lljit_compiler(
            session._new_machine(2), use_jit_link=False, suppress_errors=True
        )


_exiting = False


@atexit.register
def _note_exit() -> None:
    """Code may still be on some thread's stack while the interpreter ends: unload none of it."""
    global _exiting
    _exiting = True


def _unload(trackers: list[Any]) -> None:
    # A finalizer may run at any allocation, also in a thread that is inside llvmlite and so holds
    # llvmlite's own (re-entrant) lock; taking ours as well could make two threads wait in a ring.
    if not _exiting:
        for tracker in trackers:
            tracker.close()


@dataclass(frozen=True)
class CompiledModule:
    """Machine code linked into this process.

    `object_code` is what a cache keeps, sealed with a digest; `imports` are the registered symbols
    it needs; `compile_seconds` is the time from IR text to linked code.

    The code stays loaded as long as `anchor` lives; whoever keeps an address must keep the anchor
    too.  The anchor is a NumPy array because the cyclic garbage collector does not look inside one:
    it dies only when nothing refers to it, never in the middle of a collection in which other
    finalizers may still call the code.
    """

    object_code: bytes
    imports: tuple[str, ...]
    compile_seconds: float
    anchor: NDArray[np.uint8]
    _library: str
    _addresses: dict[str, int]
    _trackers: list[Any]
    _source: str | None
    _opt_level: int

    def address(self, name: str) -> int:
        """The address of the function or variable `name` of this module."""
        with _lock:
            if name not in self._addresses:
                try:
                    tracker = _session().engine.lookup(self._library, name)
                except RuntimeError as error:
                    raise _defect(f"the compiled module has no symbol {name}", error) from None
                self._trackers.append(tracker)
                self._addresses[name] = int(tracker[name])
            return self._addresses[name]

    @property
    def llvm_ir(self) -> str:
        """The IR after optimisation; made again from the source, since few ever look at it."""
        with _lock:
            return str(_optimised(self._need_source(), self._opt_level))

    @property
    def assembly(self) -> str:
        """The assembly that `object_code` holds."""
        with _lock:
            machine = _session().machine(self._opt_level)
            module = _optimised(self._need_source(), self._opt_level)
            return str(machine.emit_assembly(module))

    def _need_source(self) -> str:
        if self._source is None:
            raise InternalError(
                "this module was loaded as object code, which does not carry its LLVM IR.",
                hint="switch the cache off and compile again to read the IR or the assembly.",
            )
        return self._source


def _defect(what: str, error: Exception, source: str | None = None) -> InternalError:
    listing = "" if source is None else f"\n{source}"
    return InternalError(
        f"this is a defect in adjoint: {what}.", hint=f"LLVM says: {str(error).strip()}{listing}"
    )


def _parsed(source: str) -> Any:
    # A context of its own, so that types and constants are freed together with the module.
    try:
        module = llvm.parse_assembly(source, llvm.create_context())
    except RuntimeError as error:
        raise _defect("the LLVM IR it generated does not parse", error, source) from None
    try:
        module.verify()
    except RuntimeError as error:
        raise _defect("the LLVM IR it generated does not verify", error, source) from None
    return module


def _targeted(source: str, machine: Any) -> Any:
    module = _parsed(source)
    module.triple = _session().triple
    module.data_layout = str(machine.target_data)
    return module


def _optimised(source: str, opt_level: int, unroll: bool = True) -> Any:
    """Parse, verify and run LLVM's default pipeline of this level with both vectorisers on."""
    machine = _session().machine(opt_level)
    module = _targeted(source, machine)
    tuning = llvm.create_pipeline_tuning_options(speed_level=opt_level)
    tuning.loop_vectorization = opt_level >= 2
    tuning.slp_vectorization = opt_level >= 2
    tuning.loop_interleaving = opt_level >= 2
    tuning.loop_unrolling = unroll
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    if "vector-function-abi-variant" in source:
        finish(module, builder)  # the vector variants of rare repairs
    return module


def compile_ir(
    source: object,
    *,
    opt_level: int = 2,
    unroll: bool = True,
    unoptimised: str = "",
    exports: Iterable[str] = (),
    symbols: Mapping[str, int] | None = None,
) -> CompiledModule:
    """Compile LLVM IR for this CPU and link it into this process.

    `source` is IR text, or anything whose `str` is (a `llvmlite.ir.Module`).  `opt_level` is 0 to
    3; without `unroll` no loop is repeated in a row.  `unoptimised` is more IR, in a module of its
    own, that is translated as it stands: for long glue that runs once.

    `symbols` binds external names for this module alone; names given to `register_symbols` and
    those of the process itself (the mathematics library, the interpreter) are found as well.
    `exports` are looked up at once, so that a missing symbol is an error here.

    Raises `InternalError` for IR that does not parse, verify or link.

    >>> text = "define double @twice(double %x) { %y = fadd double %x, %x ret double %y }"
    >>> module = compile_ir(text, exports=["twice"])
    >>> import ctypes
    >>> ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(module.address("twice"))(1.5)
    3.0
    """
    if opt_level not in (0, 1, 2, 3):
        raise InternalError(f"compile_ir needs opt_level 0, 1, 2 or 3; it got {opt_level!r}.")
    start = time.perf_counter()
    text = str(source)
    with _lock:
        machine = _session().machine(opt_level)
        module = _optimised(text, opt_level, unroll)
        images = [bytes(machine.emit_object(module))]
        names = _declared(module)
        if unoptimised:
            machine = _session().machine(0)
            module = _targeted(unoptimised, machine)
            images.append(bytes(machine.emit_object(module)))
            names += _declared(module)
        imports = tuple(dict.fromkeys(name for name in names if name in _registered))
        return _linked(_packed(images), imports, exports, symbols, text, opt_level, start)


def _sealed(code: bytes) -> bytes:
    """The code behind a digest of itself and of what it was made for.

    LLVM's linker trusts what it reads and can crash on a damaged file, so nothing unsealed ever
    reaches it.  The seal tells damage and foreign code, not malice: a cache has to be private.
    """
    return hashlib.sha256(fingerprint().encode() + code).digest() + code


def _packed(images: list[bytes]) -> bytes:
    return _sealed(b"".join(struct.pack("<Q", len(image)) + image for image in images))


def _unpacked(sealed: bytes) -> Iterator[bytes]:
    place = _DIGEST_BYTES
    while place < len(sealed):
        (size,) = struct.unpack_from("<Q", sealed, place)
        place += 8 + size
        yield sealed[place - size : place]


def _declared(module: Any) -> list[str]:
    functions = [f.name for f in module.functions if f.is_declaration]
    return functions + [v.name for v in module.global_variables if v.is_declaration]


def load_object(
    object_code: bytes,
    *,
    imports: Iterable[str] | None = None,
    exports: Iterable[str] = (),
    symbols: Mapping[str, int] | None = None,
) -> CompiledModule:
    """Link object code that `compile_ir` made, here or in another process on the same CPU.

    `imports` are the registered symbols it needs (`CompiledModule.imports`); without them every
    registered symbol is offered.  Raises `ArgumentValueError` for code that is damaged, was made
    for another CPU or LLVM, or has or needs other symbols: then compile again.

    >>> text = "define i32 @seven() { ret i32 7 }"
    >>> module = load_object(compile_ir(text).object_code, exports=["seven"])
    >>> import ctypes
    >>> ctypes.CFUNCTYPE(ctypes.c_int)(module.address("seven"))()
    7
    """
    start = time.perf_counter()
    if object_code != _sealed(object_code[_DIGEST_BYTES:]):
        raise _unusable("code that is damaged or was made elsewhere")
    with _lock:
        names = tuple(_registered) if imports is None else tuple(imports)
        missing = [name for name in names if name not in _registered]
        if missing:
            raise InternalError(f"object code needs {missing[0]}, which nobody has registered.")
        return _linked(object_code, names, exports, symbols, None, 2, start)


def _unusable(what: str) -> ArgumentValueError:
    return ArgumentValueError(
        f"load_object needs what compile_ir made with this LLVM for this CPU; it got {what}.",
        hint="compile again: compile_ir(source).object_code",
    )


def _linked(
    sealed: bytes,
    imports: tuple[str, ...],
    exports: Iterable[str],
    symbols: Mapping[str, int] | None,
    source: str | None,
    opt_level: int,
    start: float,
) -> CompiledModule:
    bound = {name: _registered[name] for name in imports} | dict(symbols or {})
    wanted = tuple(exports)
    builder = llvm.JITLibraryBuilder().add_current_process()
    for image in _unpacked(sealed):
        builder.add_object_img(image)
    for name, address in bound.items():
        builder.import_symbol(name, address)
    for name in wanted:
        builder.export_symbol(name)
    library = f"adjoint{next(_library_numbers)}"
    try:
        tracker = builder.link(_session().engine, library)
    except RuntimeError as error:
        if source is None:
            raise _unusable("code with other symbols") from None
        what = "code it generated does not link" + _unresolved(source, bound)
        raise _defect(what, error) from None
    addresses = {name: int(tracker[name]) for name in wanted}
    trackers = [tracker]
    anchor = np.zeros(1, np.uint8)
    weakref.finalize(anchor, _unload, trackers).atexit = False
    seconds = time.perf_counter() - start
    return CompiledModule(
        sealed, imports, seconds, anchor, library, addresses, trackers, source, opt_level
    )


def _unresolved(source: str, bound: Mapping[str, int]) -> str:
    """The declared names nobody defines: ORC reports only which definitions needed them."""
    names = [name for name in _declared(_parsed(source)) if not name.startswith("llvm.")]
    unknown = [name for name in names if name not in bound and not llvm.address_of_symbol(name)]
    return f"; nobody defines {', '.join(unknown)}" if unknown else ""


def register_symbols(symbols: Mapping[str, int]) -> None:
    """Make addresses known by name to every module compiled from now on.

    A name may be given again with the same address; another address is an `InternalError`, since
    modules already linked hold the first.
    """
    with _lock:
        for name, address in symbols.items():
            if not address:
                raise InternalError(f"register_symbols needs an address for {name}; it got 0.")
            if _registered.setdefault(name, address) != address:
                raise InternalError(f"register_symbols has {name} already, at another address.")


@functools.lru_cache(maxsize=1)
def fingerprint() -> str:
    """What object code depends on besides its source: LLVM, the target, the CPU's features."""
    session = _session()
    version = f"{llvm.llvm_version_info} {llvmlite.__version__}"
    return f"llvm {version} | {session.triple} | {session.cpu} | {session.features}"


def keep_forever(thing: object) -> None:
    """Never free an object, nor unload the code whose anchor it is, not even at exit."""
    for kept in (thing, _session().engine):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


def when_unloaded(anchor: NDArray[Any], action: Callable[..., object], *arguments: object) -> None:
    """Call `action(*arguments)` when the code that `anchor` keeps is no longer in use."""
    weakref.finalize(anchor, action, *arguments).atexit = False
