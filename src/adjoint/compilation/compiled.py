"""The public `compile` and the object it returns."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.codegen.entry import NativeCallable
from adjoint.codegen.llvm_session import CompiledModule
from adjoint.compilation.arguments import Arguments
from adjoint.compilation.explain import describe_paths
from adjoint.compilation.paths import Path
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
        self._function = function
        self._parallel = parallel
        self._paths: dict[Any, list[Path]] = {}
        self._given_up: set[Any] = set()
        self._lock = threading.RLock()

    def _slow(self, *args: Any, **kwargs: Any) -> Any:
        """Every call that no native entry took."""
        out = kwargs.pop("out", None) if "out" in kwargs and not self._takes_out() else None
        result = self._evaluate(args, kwargs)
        return result if out is None else write_results(out, result)

    def _takes_out(self) -> bool:
        code = getattr(self._function, "__code__", None)
        return code is not None and "out" in code.co_varnames[: code.co_argcount
                                                              + code.co_kwonlyargcount]  # fmt: skip

    def _evaluate(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        arguments = Arguments(args, kwargs)
        if not arguments.compilable:
            # Inside another transform the function is traced with it.
            return self._function(*args, **kwargs)
        refused = False
        for path in reversed(self._paths.get(arguments.key, [])):
            try:
                return path.run(arguments)
            except GuardFailed:
                continue
            except Refused:
                refused = True  # perhaps before a guard of its own has failed
        if refused:
            # Evaluated, an error says what is wrong and where; no new path would do better.
            return self._function(*args, **kwargs)
        return self._new_path(arguments, args, kwargs)

    def _new_path(self, arguments: Arguments, args: tuple[Any, ...], kwargs: Any) -> Any:
        key = arguments.key
        with self._lock:
            known = self._paths.get(key, [])
            if key in self._given_up:
                return self._function(*args, **kwargs)
            if len(known) >= MAX_PATHS:
                return self._give_up(key, _MANY_PATHS, args, kwargs)
            if len(self._paths) >= MAX_KEYS and not known:
                return self._give_up(None, _MANY_KEYS, args, kwargs)
            path = Path(self._function, arguments, self.target, self._parallel)
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


def write_results(out: Any, result: Any) -> Any:
    """Copies results into the arrays given as ``out=``."""
    targets, structure = flatten(out)
    values, got = flatten(result)
    if structure != got:
        raise TypeError(f"out is nested as {structure or 'one array'}; the result as {got}")
    for target, value in zip(targets, values, strict=True):
        if not isinstance(target, np.ndarray) or target.shape != np.shape(value):
            got_shape = getattr(target, "shape", target)
            raise ValueError(f"out needs an array of shape {np.shape(value)}; got {got_shape}")
        np.copyto(target, value, casting="same_kind")
    return out


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
    evaluation raises.  ``out=``
    takes arrays for the results.

    Notes
    -----
    Compiling takes some milliseconds per kind of arguments (structure, shapes, dtypes); ``explain``
    of the result says what was made.  Machine code is kept in a directory that only its owner can
    enter (``~/.cache/adjoint``; the environment variable ADJOINT_CACHE names another, 0 is none).

    >>> import numpy as np, adjoint as ad
    >>> fast = ad.compile(ad.value_and_grad(lambda x: np.sum(x**2)))
    >>> fast(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """
    if f is None:
        return functools.partial(compile, parallel=parallel)
    require_callable(f, "compile(f)")
    return f if isinstance(f, Compiled) else Compiled(f, parallel)
