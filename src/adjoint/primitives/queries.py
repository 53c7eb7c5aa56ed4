"""Questions about traced values: types, comparisons within a tolerance, shared memory, text."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.binding import value_or_raise
from adjoint.graph.registry import implements
from adjoint.graph.tracer import Tracer
from adjoint.primitives.shaping import array


def _as_dtype(x: Any) -> Any:
    return x.dtype if isinstance(x, Tracer) else x


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    """``np.result_type``: a fact, not a traced value."""
    return np.result_type(*map(_as_dtype, arrays_and_dtypes))


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """``np.can_cast``."""
    return np.can_cast(_as_dtype(from_), _as_dtype(to), casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """``np.common_type``."""
    return np.common_type(*(np.empty(0, array(a).dtype) for a in arrays))


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> Any:
    """``np.min_scalar_type``: for a number its value decides."""
    return np.min_scalar_type(value_or_raise(array(a), "np.min_scalar_type"))


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """``np.iscomplexobj``."""
    return bool(array(x).dtype.kind == "c")


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """``np.isrealobj``."""
    return not iscomplexobj(x)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """``np.iscomplex``."""
    return np.imag(array(x)) != 0


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """``np.isreal``."""
    return np.imag(array(x)) == 0


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """``np.isposinf``."""
    return np.logical_and(np.isinf(x), ~np.signbit(x), **({} if out is None else {"out": out}))


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """``np.isneginf``."""
    return np.logical_and(np.isinf(x), np.signbit(x), **({} if out is None else {"out": out}))


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """``np.isclose``: |a − b| ≤ atol + rtol |b|."""
    a, b = array(a), array(b)
    bound = atol + rtol * np.absolute(b)
    near = np.logical_and(np.absolute(a - b) <= bound, np.isfinite(b))
    found = np.logical_or(near, a == b)
    if equal_nan:
        found = np.logical_or(found, np.logical_and(a != a, b != b))
    return found


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """``np.allclose``, as a traced truth value: a branch on it is a decision."""
    return np.all(isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """``np.array_equal``."""
    a, b = array(a1), array(a2)
    return False if a.shape != b.shape else np.all(_equal(a, b, equal_nan))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    """``np.array_equiv``: equal after broadcasting."""
    a, b = array(a1), array(a2)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return np.all(_equal(a, b, False))


def _equal(a: Any, b: Any, equal_nan: bool) -> Any:
    found = a == b
    return np.logical_or(found, np.logical_and(a != a, b != b)) if equal_nan else found


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
    kind: Any = None,
) -> Any:  # fmt: skip
    """``np.isin``: each element against all candidates."""
    element, candidates = array(element), np.ravel(array(test_elements))
    found = np.any(element[..., None] == candidates, axis=-1)
    return np.logical_not(found) if invert else found


def _places(x: Any) -> Any:
    """For a traced array the numbers of its elements in the array it is a view of."""
    steps = []
    while x._view is not None:
        steps.append(x._view.read)
        x = x._view.parent
    places = np.arange(x.size).reshape(x.shape)
    for read in reversed(steps):
        places = read(places)
    return places


def _root(x: Any) -> Any:
    return x if x._view is None else x._view.root


def _shared(a: Any, b: Any) -> bool:
    if not (isinstance(a, Tracer) and isinstance(b, Tracer)) or _root(a) is not _root(b):
        return False
    return bool(np.intersect1d(_places(a), _places(b)).size)


@implements(np.shares_memory)
def shares_memory(a: Any, b: Any, /, max_work: Any = -1) -> bool:
    """``np.shares_memory``: whether a write to one is seen in the other."""
    return _shared(a, b)


@implements(np.may_share_memory)
def may_share_memory(a: Any, b: Any, /, max_work: Any = 0) -> bool:
    """``np.may_share_memory``, answered exactly."""
    return _shared(a, b)


if hasattr(np, "astype"):  # new in NumPy 2.1

    @implements(np.astype)
    def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
        """``np.astype``."""
        return array(x).astype(dtype, copy=copy)


def _text(function: Any) -> None:
    """A function that prints: of the value if it is known, else of the type."""

    @implements(function)
    def show(a: Any, *args: Any, **kwargs: Any) -> str:
        value = a.node.value
        return repr(a) if value is None else str(function(np.asarray(value), *args, **kwargs))


for _function in (np.array_repr, np.array_str, np.array2string):
    _text(_function)


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: bool = False) -> Any:
    """``np.einsum_path``: a question about shapes."""
    plain: list[Any] = [np.empty(x.shape) if isinstance(x, Tracer) else x for x in operands]
    return np.einsum_path(*plain, optimize=optimize)
