"""Traced values: what user code computes with while a transform looks on.

A traced value stands for a node.  It answers NumPy's protocols, so plain ``np.*`` code works on it,
and it knows no primitive: everything is found in the registry under the name of a NumPy function.
A traced array is a handle that writes go through; nodes themselves never change (see `views`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from adjoint.errors import (
    AbstractValueError,
    EscapedTracerError,
    TracedConversionError,
    UntraceableFunctionError,
    nearest,
)
from adjoint.graph import registry
from adjoint.graph.ir import Node
from adjoint.graph.scope import NO_SCOPES
from adjoint.graph.sites import describe_site, here
from adjoint.graph.views import View, write


class Tracer:
    """Base of `TracedArray` and `TracedScalar`."""

    __slots__ = ("_node", "_version", "_view")
    __array_priority__ = 1000.0
    __hash__ = None  # type: ignore[assignment]

    _node: Node
    _version: int
    _view: View | None

    def __init__(self, node: Node) -> None:
        self._node = node
        self._view = None
        self._version = 0

    @property
    def node(self) -> Node:
        """The node this value stands for now, after any write through an alias."""
        if self._view is not None:
            self._view.refresh(self)
        return self._node

    # -- NumPy's protocols ------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        handler = registry.find_ufunc(ufunc)
        if handler is None:
            raise untraceable(ufunc.__name__)
        if method == "__call__" and not kwargs:
            return handler(*inputs)
        return registry.UFUNC_METHODS[method](ufunc, handler, inputs, kwargs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        handler = registry.FUNCTIONS.get(function)
        if handler is None:
            raise untraceable(qualified_name(function))
        return handler(*args, **kwargs)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        import adjoint.numpy as namespace

        return namespace

    # -- what a traced value cannot become --------------------------------------------------

    def _refuse(self, called: str, becomes: str, hint: str) -> NoReturn:
        raise TracedConversionError(
            f"{called} needs {becomes}; it got a traced {self.node.type}.", where=here(), hint=hint
        )

    def _constant(self) -> Any:
        """The value, if nothing that is differentiated or mapped over went into it, else None."""
        node = self.node
        return node.value if node.scopes is NO_SCOPES else None

    def __float__(self) -> float:
        value = self._constant()
        if value is not None:
            return float(value)
        self._refuse(
            "float(x), math.sin(x) or a write into an array made by plain NumPy",
            "a plain number",
            "for mathematics use np.sin(x) in place of math.sin(x);\n"
            "for a buffer use np.zeros(n, like=x), np.zeros_like(x) or "
            "`import adjoint.numpy as np`;\n"
            "for np.mean or np.std of np.array([u, v]) use np.stack([u, v]);\n"
            "to print it use f'{x}'; to take it out return it, with has_aux=True.",
        )

    def __complex__(self) -> complex:
        value = self._constant()
        if value is not None:
            return complex(value)
        self._refuse("complex(x)", "a plain number", "use x + 0j, or x.astype(complex).")

    # -- decisions ---------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(decide(self, bool, "a branch (if, while, and, or, not, assert)"))

    def __int__(self) -> int:
        return int(decide(self, int, "int(x)"))

    def __index__(self) -> int:
        if self.node.type.dtype.kind not in "iub":
            raise TypeError(f"only integers can be an index; this is a traced {self.node.type}")
        return int(decide(self, operator.index, "an index or a count"))

    # -- what can be read --------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        return self.node.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.node.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.node.type.shape)

    @property
    def size(self) -> int:
        return self.node.type.size

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def item(self, *index: int) -> Any:
        """The one element, still traced (NumPy would return a Python number)."""
        if index:
            return self.ravel()[index[0]] if len(index) == 1 else self.reshape(self.shape)[index]
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.reshape(())

    def copy(self, order: str = "C") -> Any:
        """A traced value that writes to this one no longer reach."""
        node = self.node
        if node.value is not None and len(node.type.shape) > 1:
            # The order in memory decides which later reshapes are views.
            laid_out = np.asarray(node.value, order=order)  # type: ignore[call-overload]
            if laid_out is not node.value:
                result = registry.PRIMITIVES["reshape"](self, shape=node.type.shape)
                result._node.value = laid_out
                return result
        return type(self)(node)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> NoReturn:
        self._refuse("pickle", "plain values", "return the value from the function first.")

    def __repr__(self) -> str:
        node = self.node
        value = "" if node.value is None else f", value={node.value!r}"
        return f"Traced({node.type}{value})"

    def __format__(self, spec: str) -> str:
        value = self.node.value
        return repr(self) if value is None else format(value, spec)

    def __str__(self) -> str:
        value = self.node.value
        return repr(self) if value is None else str(value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # NumPy and Python probe for these at every turn
        close = nearest(name, dir(type(self)))
        raise AttributeError(
            f"a traced {self.node.type} has no attribute {name!r}"
            + (f"; nearest: {', '.join(close)}" if close else "")
        )


class TracedArray(Tracer):
    """A traced array of any number of axes; it can be indexed and written to."""

    __slots__ = ()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        value = self._constant()
        if value is not None and copy is not False:
            return np.array(value, dtype)
        self._refuse(
            "np.asarray or a function that NumPy cannot hand over",
            "a plain array",
            "for np.array([u, v]) use np.stack([u, v]);\n"
            "for SciPy functions that are not ufuncs use adjoint.scipy (same names);\n"
            "for a buffer use np.zeros_like(x) or `import adjoint.numpy as np`.",
        )

    def __len__(self) -> int:
        shape = self.node.type.shape
        if not shape:
            raise TypeError("len() of unsized object")
        return shape[0]

    def __iter__(self) -> Iterator[Any]:
        for i in range(len(self)):
            yield self[i]

    def __getitem__(self, index: Any) -> Any:
        return registry.FUNCTIONS[operator.getitem](self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        registry.FUNCTIONS[operator.setitem](self, index, value)

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())


class TracedScalar(Tracer):
    """A traced number.  Like a Python number it cannot be written to."""

    # No __getitem__ and no __array__: NumPy would take it for a sequence, or a plain array, and
    # np.array([u, v]) of two of them would be an error in place of an array of traced numbers; and
    # a write into a plain array would be a ValueError about sequences.
    __slots__ = ()

    def __round__(self, digits: int | None = None) -> Any:
        if digits is None:
            return decide(self, round, "round(x)")
        return registry.FUNCTIONS[np.round](self, digits)

    def __floor__(self) -> int:
        return int(decide(self, math.floor, "math.floor(x)"))

    def __ceil__(self) -> int:
        return int(decide(self, math.ceil, "math.ceil(x)"))

    def __trunc__(self) -> int:
        return int(decide(self, math.trunc, "math.trunc(x)"))

    def __getattr__(self, name: str) -> Any:
        # NumPy applies a ufunc to an array of objects by calling their method of that name.
        ufunc = getattr(np, name, None) if not name.startswith("_") else None
        if isinstance(ufunc, np.ufunc):
            handler = registry.find_ufunc(ufunc)
            if handler is not None:
                found: Callable[..., Any] = handler
                return lambda *others: found(self, *others)
        return super().__getattr__(name)


def wrap(node: Node) -> Tracer:
    """The traced value of a node with one result."""
    return TracedArray(node) if node.type.shape else TracedScalar(node)


def check_alive(tracer: Tracer) -> None:
    """Raises if the transform this value belongs to has returned."""
    node = tracer._node
    if node.scopes.dead:
        raise EscapedTracerError(
            f"{node.scopes.escaped().name} has returned, and this traced {node.type} made inside "
            "it is still used.",
            where=here() + (f"\nmade {describe_site(node.site)}" if node.site else ""),
            hint="return the value from the function (has_aux=True returns extra values).",
        )


def decide(tracer: Tracer, read: Callable[[Any], Any], what: str) -> Any:
    """The value a Python decision needs; recorded where a transform keeps guards."""
    node = tracer.node
    check_alive(tracer)
    if node.value is None:
        reasons = (s.abstract for s in node.scopes.members if s.abstract)
        reason = next(reasons, "it is a symbol while a derivative is brought into closed form")
        raise AbstractValueError(
            f"{what} needs the value of a traced {node.type}, but {reason}.",
            where=here(),
            hint="use np.where(condition, a, b) for a choice between values, or "
            "ad.cond(condition, f, g, x) for a choice between computations.",
        )
    value = read(node.value)
    for scope in node.scopes.recorders:
        if scope.decisions is not None:
            scope.decisions.append((node, value))
    return value


def qualified_name(function: Any) -> str:
    """``np.linalg.norm`` for the function of that name."""
    module = str(getattr(function, "__module__", "") or "")
    name = getattr(function, "__name__", str(function))
    return f"{module.replace('numpy', 'np', 1)}.{name}" if module.startswith("numpy") else name


def untraceable(name: str) -> UntraceableFunctionError:
    """The error for a function without a rule, with the nearest that have one."""
    known = [qualified_name(f) for f in registry.FUNCTIONS]
    known += [f"np.{u.__name__}" for u in registry.UFUNCS]
    close = nearest(name, [k for k in known if k != name])
    reason = registry.REASONS.get(name) or registry.REASONS.get(name.rpartition(".")[0])
    return UntraceableFunctionError(
        f"{name} has no rule for traced values"
        + (f": {reason}." if reason else ".")
        + (f" Nearest: {', '.join(dict.fromkeys(close))}." if close else ""),
        where=here(),
        hint="`adjoint primitives` lists what can be traced; ad.custom_derivative(f, ...) "
        "gives a function of your own a rule.",
    )


def assign(target: Tracer, node: Node) -> None:
    """Makes a traced array, and everything it is a view of, show a new value."""
    check_alive(target)
    if type(target) is TracedScalar:
        raise TypeError(f"a traced number cannot be written to ({here()})")
    write(target, node)
