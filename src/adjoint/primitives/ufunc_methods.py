"""The methods of ufuncs: ``reduce``, ``accumulate``, ``outer``, ``at``, ``reduceat``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.errors import UntraceableFunctionError
from adjoint.graph import registry
from adjoint.graph.binding import value_or_raise
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer, assign
from adjoint.primitives.cumulative import CUMMAX, CUMMIN, accumulation_operand
from adjoint.primitives.folding import flatten_axes, scan, sequential, slots, tree
from adjoint.primitives.indexing import HOLE, SCATTER_ADD, fill, put_index, split_index, take_index
from adjoint.primitives.products import given, reduction_axes
from adjoint.primitives.reduction import extent, finish, is_masked, reduced_shape
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, normalize_axis, refuse_plain_out, write_out
from adjoint.primitives.ufunc_protocol import Handler, call, loop_operands, refuse_unknown

ASSOCIATIVE = frozenset(
    (np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp, np.logaddexp2,
     np.hypot, np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or,
     np.bitwise_xor, np.gcd, np.lcm)
)  # fmt: skip
"""Ufuncs whose folds may be taken in any grouping; any other is folded from the left."""

MEET_IDENTITY = (np.hypot, np.gcd)
"""Ufuncs that make a single element nonnegative, by combining it with their identity."""

REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
"""Folds that have a function of their own."""


def _require_binary(ufunc: np.ufunc, method: str) -> None:
    if ufunc.nin != 2 or ufunc.nout != 1 or ufunc.signature is not None:
        raise ValueError(f"{method} only supported for binary functions; {ufunc.__name__} is not")


def _single(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) else out


def reduce(ufunc: np.ufunc, handler: Handler, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.reduce``; unlike the functions of the same meaning it goes over axis 0 by default."""
    _require_binary(ufunc, "reduce")
    options = dict(kwargs)
    axis = options.pop("axis", 0)
    dtype = options.pop("dtype", None)
    out = _single(options.pop("out", None))
    keepdims = options.pop("keepdims", False)
    initial = options.pop("initial", None)
    where = options.pop("where", True)
    refuse_unknown(ufunc, options)
    function = REDUCTIONS.get(ufunc)
    x = array(inputs[0])
    if function is None:
        return _reduce_any(ufunc, handler, x, axis, dtype, out, keepdims, initial, where)
    extra: dict[str, Any] = {}
    if function in (np.sum, np.prod):
        extra["dtype"] = dtype
    elif dtype is not None and function in (np.max, np.min):
        x = convert(x, dtype)
    if given(initial):
        if function in (np.all, np.any):
            return _reduce_any(ufunc, handler, x, axis, dtype, out, keepdims, initial, where)
        extra["initial"] = initial
    return registry.FUNCTIONS[function](
        x, axis=axis, out=out, keepdims=keepdims, where=where, **extra
    )


def _reduce_any(
    ufunc: np.ufunc, handler: Handler, x: Any, axis: Any, dtype: Any, out: Any, keepdims: Any,
    initial: Any, where: Any,
) -> Any:  # fmt: skip
    axes = reduction_axes(axis, x.ndim)
    if len(axes) > 1 and ufunc not in ASSOCIATIVE:
        raise ValueError(
            f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis may "
            "be specified"
        )
    if dtype is not None:
        x = loop_operands(ufunc, (x, x), dtype, None, "unsafe")[0]
    start = initial if given(initial) else None
    if start is None and ufunc in MEET_IDENTITY and extent(x.shape, axes) == 1:
        start = ufunc.identity
    if is_masked(where):
        neutral = start if start is not None else ufunc.identity
        if neutral is None:
            raise ValueError(
                f"reduction operation '{ufunc.__name__}' does not have an identity, so to use a "
                "where mask one has to specify 'initial'"
            )
        if ufunc not in ASSOCIATIVE:
            raise UntraceableFunctionError(
                f"np.{ufunc.__name__}.reduce with where= has no rule for traced values.",
                where=here(),
                hint="select the elements first: x[mask].",
            )
        x = np.where(where, x, neutral)
    shape = x.shape
    if not axes:
        result = _in_result_type(ufunc, x)
    elif extent(shape, axes) == 0:
        neutral = start if start is not None else ufunc.identity
        if neutral is None:
            raise ValueError(
                f"zero-size array to reduction operation {ufunc.__name__} which has no identity"
            )
        result, start = np.full(reduced_shape(shape, axes), neutral, like=x), None
    else:
        result, start = _fold(ufunc, handler, x, axes, start)
    if start is not None:
        result = handler(start, result)
    return finish(result, shape, axes, keepdims, out)


def _fold(ufunc: np.ufunc, handler: Handler, x: Any, axes: Any, start: Any) -> tuple[Any, Any]:
    """The fold, and the initial value if it still has to be combined with it."""
    if ufunc in ASSOCIATIVE:
        flat = flatten_axes(x, axes)
        flat = _in_result_type(ufunc, flat)
        return tree(lambda a, b: (handler(a[0], b[0]),), (flat,), flat.ndim - 1)[0], start
    if start is not None:
        first = x[slots(axes[0], slice(0, 1))]
        x = np.concatenate([np.broadcast_to(array(start), first.shape), x], axis=axes[0])
    return sequential(handler, x, axes[0])[-1], None


def _in_result_type(ufunc: np.ufunc, x: Any) -> Any:
    """Operands in the dtype that the ufunc gives, so that a single element has it too."""
    dtype = ufunc.resolve_dtypes((x.dtype, x.dtype, None))[-1]
    return x if x.dtype == dtype else convert(x, dtype)


def accumulate(ufunc: np.ufunc, handler: Handler, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.accumulate`` along one axis."""
    _require_binary(ufunc, "accumulate")
    options = dict(kwargs)
    axis = options.pop("axis", 0)
    dtype = options.pop("dtype", None)
    out = _single(options.pop("out", None))
    refuse_unknown(ufunc, options)
    x = array(inputs[0])
    if x.ndim == 0:
        raise TypeError("cannot accumulate on a scalar")
    if ufunc in (np.add, np.multiply):
        x, place = accumulation_operand(x, axis, dtype, ufunc)
        function = np.cumsum if ufunc is np.add else np.cumprod
        return registry.FUNCTIONS[function](x, place, x.dtype, out)
    place = normalize_axis(axis, x.ndim)
    if dtype is not None:
        x = loop_operands(ufunc, (x, x), dtype, None, "unsafe")[0]
    if x.shape[place] == 0:
        result = x
    elif ufunc in (np.maximum, np.minimum):
        result = (CUMMAX if ufunc is np.maximum else CUMMIN)(x, axis=place)
    elif ufunc in ASSOCIATIVE:
        x = _in_result_type(ufunc, np.moveaxis(x, place, -1))
        found = scan(lambda a, b: (handler(a[0], b[0]),), (x,), x.ndim - 1)[0]
        result = np.moveaxis(found, -1, place)
    else:
        result = np.stack(sequential(handler, x, place), axis=place)
    return result if out is None else write_out(out, result)


def outer(ufunc: np.ufunc, handler: Handler, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.outer``: every element of the first operand with every element of the second."""
    if ufunc.nin != 2 or ufunc.signature is not None:
        raise ValueError("outer product only supported for binary functions")
    a, b = (array(x) for x in inputs)
    a = np.reshape(a, a.shape + (1,) * b.ndim)
    return call(ufunc, handler, (a, b), kwargs) if kwargs else handler(a, b)


# -- at -------------------------------------------------------------------------------------------


def at(ufunc: np.ufunc, handler: Handler, inputs: Any, kwargs: dict[str, Any]) -> None:
    """``ufunc.at(a, indices, b)``: in place, once for every time that a position occurs."""
    refuse_unknown(ufunc, kwargs)
    target, index, *rest = inputs
    if not isinstance(target, Tracer):
        refuse_plain_out(f"np.{ufunc.__name__}.at(a, ...)", target)
    template, arrays = split_index(index)
    current = type(target)(target.node)
    if ufunc in (np.add, np.subtract):
        value = array(rest[0])
        value = value if ufunc is np.add else -value
        _require_castable(ufunc, np.result_type(value.dtype, target.dtype), target.dtype)
        value = convert(value, target.dtype)
        result = SCATTER_ADD(current, value, *arrays, template=template)
    else:
        result = _apply_by_rounds(ufunc, handler, current, template, arrays, rest)
    assign(target, result.node)


def _require_castable(ufunc: np.ufunc, source: Any, target: Any) -> None:
    if not np.can_cast(source, target, "same_kind"):
        raise TypeError(
            f"Cannot cast ufunc '{ufunc.__name__}' output from {source!r} to {target!r} with "
            "casting rule 'same_kind'"
        )


def _apply_by_rounds(
    ufunc: np.ufunc, handler: Handler, x: Any, template: Any, arrays: Any, rest: Any
) -> Any:
    """In round r, the r-th occurrence of every position: the order in which NumPy goes through
    repeated indices, in as many steps as one position is repeated."""
    plain = [np.asarray(value_or_raise(a, f"np.{ufunc.__name__}.at's indices")) for a in arrays]
    places = np.arange(x.size).reshape(x.shape)[fill(template, plain)]
    shape, flat = places.shape, places.reshape(-1)
    values = [np.reshape(np.broadcast_to(array(v), shape), -1) for v in rest]
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], flat[order], side="left")
    turn = np.empty(flat.size, np.intp)
    turn[order] = np.arange(flat.size) - starts
    result = np.reshape(x, -1).copy()
    for r in range(int(turn.max(initial=-1)) + 1):
        chosen = np.flatnonzero(turn == r)
        old = take_index(result, (HOLE,), [flat[chosen]])
        new = handler(old, *(v[chosen] for v in values))
        _require_castable(ufunc, new.dtype, x.dtype)
        result = put_index(result, new, (HOLE,), [flat[chosen]])
    return np.reshape(result, x.shape)


# -- reduceat -------------------------------------------------------------------------------------


def reduceat(ufunc: np.ufunc, handler: Handler, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.reduceat``: the fold of x[i_k : i_{k+1}], or x[i_k] where that is empty."""
    _require_binary(ufunc, "reduceat")
    options = dict(kwargs)
    axis = options.pop("axis", 0)
    dtype = options.pop("dtype", None)
    out = _single(options.pop("out", None))
    x = array(inputs[0])
    indices = inputs[1] if len(inputs) > 1 else options.pop("indices")
    refuse_unknown(ufunc, options)
    place = normalize_axis(axis, x.ndim)
    if dtype is None and ufunc in (np.add, np.multiply) and x.dtype.kind in "iub":
        dtype = ufunc.reduce(np.zeros(0, x.dtype)).dtype
    if dtype is not None:
        x = convert(x, dtype)
    n = x.shape[place]
    starts = np.asarray(value_or_raise(indices, f"np.{ufunc.__name__}.reduceat's indices"))
    for i in starts:
        if not 0 <= i < n:
            raise IndexError(f"index {i} out-of-bounds in {ufunc.__name__}.reduceat [0, {n})")
    stops = np.maximum(np.append(starts[1:], n), starts + 1)
    x = np.moveaxis(x, place, 0)
    if not len(starts):
        result = x[:0]
    elif ufunc is np.add:
        result = _segment_sums(x, starts, stops)
    else:
        parts = [
            reduce(ufunc, handler, (x[int(a) : int(b)],), {"axis": 0})
            for a, b in zip(starts, stops, strict=True)
        ]
        result = np.stack(parts)
    result = np.moveaxis(result, 0, place)
    return result if out is None else write_out(out, result)


def _segment_sums(x: Any, starts: Any, stops: Any) -> Any:
    """Sums over segments that may overlap: one gather, one scatter."""
    rows = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)])
    owner = np.repeat(np.arange(len(starts)), stops - starts)
    zeros = np.zeros((len(starts), *x.shape[1:]), x.dtype)
    return SCATTER_ADD(zeros, take_index(x, (HOLE,), [rows]), owner, template=(HOLE,))


registry.UFUNC_METHODS.update(
    {"reduce": reduce, "accumulate": accumulate, "outer": outer, "at": at, "reduceat": reduceat}
)
