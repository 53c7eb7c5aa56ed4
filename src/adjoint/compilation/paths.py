"""One compiled path: a function for one kind of arguments and one way through its branches."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from adjoint.codegen.control import work
from adjoint.codegen.entry import Captured, Entry, OutArgument, Same, TypeSpec, build_entry
from adjoint.codegen.kernel import FAULT, Kernel
from adjoint.codegen.lapack.table import work as matrix_work
from adjoint.codegen.llvm_session import CompiledModule
from adjoint.codegen.patterns import classify
from adjoint.codegen.program import Op, Program
from adjoint.compilation.arguments import Arguments, canonical, is_data, is_native
from adjoint.compilation.closed_forms import (
    Assumption,
    NotFinite,
    in_closed_form,
    not_finite,
)
from adjoint.compilation.decisions import Decision, guards_of
from adjoint.compilation.segments import GuardFailed, Refused, Segments, is_host
from adjoint.graph.binding import variable
from adjoint.graph.containers import unflatten
from adjoint.graph.doubts import require_reasonless
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import Outputs, result_value

_LARGE = 400
"""Operations above which a program is compiled at a lower level of optimisation."""

_VERY_LARGE = 3000
"""Operations above which not even loops over arrays are worth LLVM's time."""

UNROLLED_LOOPS = 4
"""How many loops a program may have for LLVM to repeat their bodies in a row."""


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the cyclic garbage collector, which compiling only keeps busy: all is in use."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextmanager
def _rare_collection() -> Iterator[None]:
    """With a garbage collector that waits longer: the nodes of a graph are many objects, all in
    use, but what the user's function leaves behind while it is traced must not pile up."""
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, YOUNG_OBJECTS) if young else 0, *older)
    try:
        yield
    finally:
        gc.set_threshold(young, *older)


YOUNG_OBJECTS = 50_000
"""New objects before which nothing is collected while tracing: a few megabytes."""


class Path:
    """Compiled code for one key, valid while its guards hold.

    ``first`` is the result of the call that was traced.  Without ``takes_out`` a keyword argument
    ``out`` is the function's own.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        arguments: Arguments,
        fallback: Callable[..., Any],
        parallel: bool | None = None,
        takes_out: bool = True,
    ) -> None:
        self.parallel = parallel
        self.takes_out = takes_out
        start = time.perf_counter()
        self.program, self.outputs, self.decisions = self._trace(f, arguments)
        nodes = self.outputs.nodes
        known = all(n.value is not None for n in nodes)
        if known:
            self.first = self.outputs.tree([_as_result(result_value(n)) for n in nodes])
        self.captured = [Captured(op.value) for op in self.program.arrays]
        self.trace_seconds = time.perf_counter() - start
        self.kernel: Kernel | None = None
        self.entry: Entry | None = None
        self.segments: Segments | None = None
        with _no_collection():
            self._build(arguments, fallback)
        self.outputs.nodes.clear()  # with them goes the graph, and the values of this call
        self.compile_seconds = time.perf_counter() - start - self.trace_seconds
        if not known:
            self.first = self._first_result(f, arguments)

    def _first_result(self, f: Callable[..., Any], arguments: Arguments) -> Any:
        """The result of a call whose values were symbols while it was traced."""
        try:
            return self.run(arguments)
        except Refused:
            args, kwargs = arguments.rebuild([arguments.leaves[i] for i in arguments.data])
            return f(*args, **kwargs)

    def _trace(self, f: Callable[..., Any], arguments: Arguments) -> Traced:
        """What f does with arguments of this kind.

        Derivatives in full are symbols at first, so that they are simplified.  If f decides
        something by their values, or if that makes nothing simpler, they are computed.
        """
        scope = Scope("compile(f)", records=True, symbolic=True)
        with _rare_collection():
            try:
                return _trace_in(scope, f, arguments)
            except ClosesOverTraced:
                raise
            except NotFinite:
                scope = Scope("compile(f)", records=True)
                return _trace_in(scope, f, arguments, only_otherwise=True)
            except Exception:
                if not scope.has_symbols:
                    raise
                return _trace_in(Scope("compile(f)", records=True), f, arguments)

    def _build(self, arguments: Arguments, fallback: Callable[..., Any]) -> None:
        opt_level = _opt_level(self.program)
        if any(is_host(op) for op in self.program.ops):
            self.segments = Segments(self.program, opt_level, self.parallel)
            return
        self.kernel = Kernel(self.program, parallel=self.parallel)
        leaves = arguments.leaves
        simple = all(map(_expressible, leaves)) and not self.program.bound
        inputs: list[Any] = [TypeSpec(op.shape, op.dtype) for op in self.program.inputs]
        if simple:
            positional, keywords = unflatten(arguments.structure, list(map(_spec, leaves)))
            simple = not keywords and _is_plain_input(positional)
            inputs = [_in_flat_order(part) for part in positional] if simple else inputs
        outputs = [TypeSpec(n.type.shape, n.type.dtype, not n.type.shape)
                   for n in self.outputs.nodes]  # fmt: skip
        numbers = unflatten(self.outputs.structure, list(range(len(outputs))))
        plain = _is_plain(numbers)
        self.entry = build_entry(
            self.kernel.module,
            self.kernel.name,
            inputs,
            outputs,
            fallback=fallback,
            result=numbers if plain else "tuple",
            arena_bytes=self.kernel.arena_bytes,
            captured=self.kernel.captured,
            out=self._out(),
            release_gil=_long(self.program),
            opt_level=opt_level,
            unroll=self.kernel.loop_count <= UNROLLED_LOOPS,
        )
        self.kernel.forget_ir()
        self.direct = self.entry.call if simple and plain else None

    def _out(self) -> OutArgument:
        """What the native entry does with ``out=``."""
        if not self.takes_out:
            return "refused"
        assert self.kernel is not None
        return "copied" if self.kernel.can_fail else "written"

    direct: Callable[..., Any] | None = None
    """The native entry, where the arguments and the result have a form that it can read."""

    @property
    def modules(self) -> list[CompiledModule]:
        """The compiled code of all native parts."""
        if self.segments is not None:
            return self.segments.modules
        return [] if self.entry is None else [self.entry.module]

    def run(self, arguments: Arguments) -> Any:
        """The result for arguments with this key; raises `GuardFailed` for another path, and
        `Refused` where the call has to be evaluated."""
        data = [arguments.leaves[i] for i in arguments.data] + self.program.bound
        shapes = (op.shape for op in self.program.inputs[len(arguments.data) :])
        kept = all(x.shape == shape for x, shape in zip(self.program.bound, shapes, strict=True))
        if not kept or not all(c.is_unchanged() for c in self.captured):
            raise GuardFailed
        if self.segments is not None:
            return self.outputs.tree(self.segments(data))
        assert self.entry is not None
        raw = self.entry.raw
        arrays = [canonical(x, op.dtype) for x, op in zip(data, self.program.inputs, strict=True)]
        results = raw.empty_outputs()
        code = raw(arrays, results)
        if code:
            raise Refused if code == FAULT else GuardFailed
        return self.outputs.tree([r if r.shape else r[()] for r in results])


class ClosesOverTraced(Exception):
    """The function closes over a value that a transform around this call is looking at."""


Traced = tuple[Program, Outputs, list[Decision]]


def _trace_in(
    scope: Scope, f: Callable[..., Any], arguments: Arguments, only_otherwise: bool = False
) -> Traced:
    """With ``only_otherwise`` the path is for arguments that are not all finite."""
    data = [variable(scope, _snapshot(arguments.leaves[i])) for i in arguments.data]
    with scope:
        args, kwargs = arguments.rebuild(data)
        outputs = Outputs(f(*args, **kwargs), "compile(f)")
        inputs = [t.node for t in data]
        nodes = outputs.nodes
        decided = (node for node, _ in scope.decisions or ())
        if any(s is not scope and not s.closed for n in (*nodes, *decided)
               for s in n.scopes.members):  # fmt: skip
            raise ClosesOverTraced
        assumed: list[Assumption] = []
        if scope.has_symbols:
            nodes, assumed = in_closed_form(scope, inputs, nodes)
        elif only_otherwise:
            assumed = not_finite(scope, inputs, nodes)
        guards, decisions = guards_of(scope.decisions or [])
        for what, node, holds in assumed:
            guards.append((node, holds))
            decisions.append(Decision(what, None, str(holds)))
    return Program(inputs, nodes, guards), outputs, decisions


def _snapshot(leaf: Any) -> Any:
    """The value of an input while f is traced; the caller's array may change afterwards."""
    if not isinstance(leaf, np.ndarray):
        return leaf
    native = leaf.astype(leaf.dtype.newbyteorder("="))
    return native if native.shape else native[()]


def _as_result(value: Any) -> Any:
    """A result as native code returns it: numbers are NumPy's, arrays the caller's own.

    Raises if it has a NaN for which a rule left a reason, as a derivative does when it returns.
    """
    require_reasonless(value)
    if isinstance(value, np.ndarray) and value.shape:
        return value.copy() if value.base is not None or not value.flags.writeable else value
    return np.asarray(value)[()]


def _spec(leaf: Any) -> Any:
    if not is_data(leaf):
        return Same(leaf)
    if type(leaf) in (float, int, complex):
        dtype = np.dtype(type(leaf))
        return TypeSpec((), dtype, scalar=True, origin="python")
    dtype = leaf.dtype.newbyteorder("=")
    if not is_native(dtype):
        return Same(leaf)
    scalar = not isinstance(leaf, np.ndarray)
    return TypeSpec(leaf.shape, dtype, scalar=scalar, origin="numpy" if scalar else "any")


def _expressible(leaf: Any) -> bool:
    """Whether the native entry can check and read a leaf by itself."""
    if type(leaf) is int:
        return False
    return not is_data(leaf) or is_native(np.asarray(leaf).dtype.newbyteorder("="))


def _is_plain(numbers: Any) -> bool:
    if type(numbers) is dict:
        return all(type(k) is str and _is_plain(v) for k, v in numbers.items())
    if type(numbers) in (tuple, list):
        return all(map(_is_plain, numbers))
    return isinstance(numbers, int)


def _in_flat_order(tree: Any) -> Any:
    """The same tree with the keys of dictionaries in the order in which they are flattened, which
    is the order of the kernel's inputs."""
    if type(tree) is dict:
        return {key: _in_flat_order(tree[key]) for key in sorted(tree)}
    if type(tree) in (tuple, list):
        return type(tree)(map(_in_flat_order, tree))
    return tree


def _is_plain_input(tree: Any) -> bool:
    """Whether the entry can take apart arguments nested like this."""
    if type(tree) is dict:
        return all(type(k) is str and _is_plain_input(v) for k, v in tree.items())
    if type(tree) in (tuple, list):
        return all(map(_is_plain_input, tree))
    return isinstance(tree, TypeSpec | Same)


def _opt_level(program: Program) -> int:
    """How hard LLVM is to try: its time has to stay in proportion."""
    count = len(program.ops)
    if count <= _LARGE:
        return 3
    total = sum(op.size for op in program.ops)
    if count <= _VERY_LARGE and total > 64 * count:
        return 2  # loops over arrays are worth vectorising, which lower levels leave out
    # A long program of numbers runs each operation once: nothing is gained by polishing it.
    return 1 if total > 4 * count else 0


def _long(program: Program) -> bool:
    """Whether a call lasts long enough that other threads should run meanwhile."""
    total = sum(_work(op) for op in program.ops)
    return total > 20_000


def _work(op: Op) -> int:
    role = classify(op)
    return work(op) if role == "control" else matrix_work(op) if role == "routine" else op.size
