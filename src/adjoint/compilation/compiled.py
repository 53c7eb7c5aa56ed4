"""The public `compile` and the object it returns."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from adjoint.codegen.entry import NativeCallable
from adjoint.codegen.llvm_session import CompiledModule
from adjoint.compilation.arguments import Arguments
from adjoint.compilation.explain import describe_paths
from adjoint.compilation.paths import ClosesOverTraced, Path
from adjoint.compilation.segments import GuardFailed, Refused
from adjoint.graph.containers import flatten
from adjoint.graph.tracing import require_callable

MAX_PATHS = 16
"""Ways through the branches of a function that are compiled for one kind of arguments."""

MAX_KEYS = 64
"""Kinds of arguments (structures, shapes, dtypes) for which code is kept."""


_MANY_PATHS = (
    "{name} took more than {paths} ways through its branches for one kind of arguments; it is "
    "evaluated by NumPy from now on. Use np.where or ad.cond for choices that depend on values."
)
_MANY_KEYS = (
    "{name} was called with more than {keys} kinds of arguments (shapes, dtypes, options); new "
    "kinds are evaluated by NumPy from now on. Pad arrays to few shapes, or compile once per use."
)

Outcome = Literal["done", "refused", "other path"]
"""How a call of compiled paths ends: `Refused` leaves it to evaluation, `GuardFailed` to a path
that is not there yet."""


class TooManyPathsWarning(UserWarning):
    """A compiled function branches in too many ways; it is evaluated by NumPy instead."""


class Compiled(NativeCallable):
    """A function compiled to native code, path by path; made by `compile`.

    Calling it gives what the function gives.  The first call with a new kind of arguments, or along
    a new way through its branches, traces and compiles; later ones run native code.
    """

    def __init__(self, function: Callable[..., Any], parallel: bool | None = None) -> None:
        super().__init__(self._slow)
        functools.update_wrapper(self, function, updated=())
        if not hasattr(function, "__name__"):  # an object that can be called
            self.__name__ = getattr(function, "name", type(function).__name__)
        self._function = function
        self._parallel = parallel
        self._takes_out = not has_parameter(function, "out")
        self._paths: dict[Any, list[Path]] = {}
        self._given_up: set[Any] = set()
        self._lock = threading.RLock()

    def _slow(self, *args: Any, **kwargs: Any) -> Any:
        """Every call that no native entry took."""
        out = kwargs.pop("out", None) if self._takes_out else None
        result = self._evaluate(args, kwargs)
        return result if out is None else write_results(out, result)

    def _evaluate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = Arguments(args, kwargs)
        if not arguments.compilable:
            # Inside another transform the function is traced with it.
            return self._function(*args, **kwargs)
        known = tuple(self._paths.get(arguments.key, ()))
        outcome, result = _run_one(known, arguments)
        if outcome == "other path":
            return self._new_path(arguments, args, kwargs, len(known))
        # Evaluated, an error says what is wrong and where; no new path would do better.
        return result if outcome == "done" else self._function(*args, **kwargs)

    def _new_path(
        self, arguments: Arguments, args: tuple[Any, ...], kwargs: Any, tried: int
    ) -> Any:
        key = arguments.key
        with self._lock:
            known = self._paths.get(key, [])
            outcome, result = _run_one(known[tried:], arguments)  # other threads' in the meantime
            if outcome != "other path":
                return result if outcome == "done" else self._function(*args, **kwargs)
            if key in self._given_up:
                return self._function(*args, **kwargs)
            if len(known) >= MAX_PATHS:
                return self._give_up(key, _MANY_PATHS, args, kwargs)
            if len(self._paths) >= MAX_KEYS and not known:
                return self._give_up(None, _MANY_KEYS, args, kwargs)
            try:
                path = Path(self._function, arguments, self.target, self._parallel, self._takes_out)
            except ClosesOverTraced:
                return self._function(*args, **kwargs)
            self._paths.setdefault(key, []).append(path)
            if path.direct is not None:
                self.target = path.direct
            first = path.first
            del path.first  # it is the caller's, who may drop it
            return first

    def _give_up(self, key: Any, message: str, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Evaluates by NumPy from now on, and says so once."""
        if key not in self._given_up:
            self._given_up.add(key)
            text = message.format(name=self.__name__, paths=MAX_PATHS, keys=MAX_KEYS)
            warnings.warn(text, TooManyPathsWarning, stacklevel=5)
        return self._function(*args, **kwargs)

    def explain(self) -> str:
        """What was compiled: for each path its guards, loops, calls of BLAS and LAPACK, FLOPs,
        bytes, arena and compile time.

        >>> import adjoint as ad
        >>> square = ad.compile(lambda x: x * x)
        >>> _ = square(3.0)
        >>> print(square.explain().splitlines()[0])
        1 path compiled
        """
        return describe_paths(self._paths)

    def llvm_ir(self) -> str:
        """The optimised LLVM IR of every path."""
        return "\n".join(module.llvm_ir for module in self._modules())

    def assembly(self) -> str:
        """The machine code of every path, as assembly."""
        return "\n".join(module.assembly for module in self._modules())

    def _modules(self) -> list[CompiledModule]:
        return [module for path in self._all_paths() for module in path.modules]

    def _all_paths(self) -> list[Path]:
        return [p for paths in self._paths.values() for p in paths]

    def __repr__(self) -> str:
        return f"<compiled {self.__name__}, {len(self._all_paths())} paths>"

    def __reduce__(self) -> Any:
        return Compiled, (self._function, self._parallel)


def _run_one(paths: Sequence[Path], arguments: Arguments) -> tuple[Outcome, Any]:
    """The result by the newest path that these arguments take, if any does.

    It returns what happened, as an exception raised later would carry one from here along.
    """
    outcome: Outcome = "other path"
    for path in reversed(paths):
        try:
            return "done", path.run(arguments)
        except GuardFailed:
            continue
        except Refused:
            outcome = "refused"  # perhaps before a guard of its own has failed
    return outcome, None


def has_parameter(f: Callable[..., Any], name: str) -> bool:
    """Whether a function, or the one that it wraps, has a parameter of this name."""
    if isinstance(f, np.ufunc):
        return False  # their ``out`` is what ours is
    try:
        return name in inspect.signature(f).parameters
    except (TypeError, ValueError):
        return False


def write_results(out: Any, result: Any) -> Any:
    """Copies results into the arrays given as ``out=``; all of them, or none if one does not fit.

    Arrays of ``out`` may overlap each other, where later ones win, and what the results are views
    of.
    """
    given, structure = flatten(out)
    found, got = flatten(result)
    if structure != got:
        raise TypeError(f"out is nested as {structure or 'one array'}; the result as {got}")
    values = [np.asarray(value) for value in found]
    # A subclass may say anything about itself, so this looks at the array underneath.
    targets = [np.ndarray.view(t, np.ndarray) if isinstance(t, np.ndarray) else t for t in given]
    for target, value in zip(targets, values, strict=True):
        _require_target(target, value)
    views = [any(np.may_share_memory(v, t) for t in targets) for v in values]
    values = [v.copy() if shared else v for v, shared in zip(values, views, strict=True)]
    for target, value in zip(targets, values, strict=True):
        np.copyto(target, value, casting="same_kind")
    return out


def _require_target(target: Any, value: np.ndarray[Any, Any]) -> None:
    """Raises unless a result can be copied into a target."""
    if not isinstance(target, np.ndarray) or target.shape != value.shape:
        got = target.shape if isinstance(target, np.ndarray) else type(target).__name__
        raise ValueError(f"out needs an array of shape {value.shape}; got {got}")
    if not np.can_cast(value.dtype, target.dtype, "same_kind"):
        raise TypeError(f"out needs an array that can be cast from {value.dtype}; "
                        f"got {target.dtype}")  # fmt: skip
    if not target.flags.writeable:
        raise ValueError(f"out needs an array that can be written to; got a read-only one of "
                         f"shape {target.shape}")  # fmt: skip


def compile(f: Callable[..., Any] | None = None, *, parallel: bool | None = None) -> Any:
    """f as native code: a call, or a decorator.

    Parameters
    ----------
    f: any function that can be traced, or a transform of one: ``compile(value_and_grad(loss))``.
        It has to be pure; arrays that it closes over are read anew at every call, wherever they
        meet an argument.  (What it computes from such arrays alone is computed once.)
    parallel: threads over large loops, as many as there are CPUs: None where they surely pay, True
        also in loops of moderate size, False never.  The matrix products of BLAS have their own.

    Returns
    -------
    A `Compiled` function with the same arguments and results.  Branches on values are recorded as
    guards: a call that decides otherwise compiles its own path and keeps it beside the first.
    Where an operation has no native form, NumPy computes it between native segments; where a
    matrix turns out singular, or a derivative does not exist, the call is evaluated and raises what
    evaluation raises.

    ``fast(x, out=…)`` takes arrays nested like the result, copies or writes the results into them
    and returns them; they may overlap anything.  A call that raises has changed none of them.  A
    function with a parameter ``out`` of its own keeps it.

    Notes
    -----
    Compiling takes some milliseconds per kind of arguments (structure, shapes, dtypes); ``explain``
    of the result says what was made.  Machine code is kept in a directory that only its owner can
    enter (``~/.cache/adjoint``; the environment variable ADJOINT_CACHE names another, 0 is none).
    Of large results that are no longer used, up to 128 MiB of memory are kept for later ones
    (ADJOINT_RECYCLE=0 is none).

    >>> import numpy as np, adjoint as ad
    >>> fast = ad.compile(ad.value_and_grad(lambda x: np.sum(x**2)))
    >>> fast(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    if f is None:
        return functools.partial(compile, parallel=parallel)
    require_callable(f, "compile(f)")
    return f if isinstance(f, Compiled) else Compiled(f, parallel)
