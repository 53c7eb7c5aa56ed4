"""Shapes: reshape, broadcast, transpose, concatenate, stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from adjoint.errors import TracedConversionError
from adjoint.graph.arraytype import ArrayType, describe
from adjoint.graph.binding import adopt, bind, index_of
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.graph.scope import NO_SCOPES
from adjoint.graph.sites import here
from adjoint.graph.tracer import TracedArray, Tracer
from adjoint.graph.views import as_view, layout
from adjoint.primitives.contraction import Sizes, contract, letter
from adjoint.primitives.selection import cast


class Reshape(Primitive):
    """The same elements in C order with another shape."""

    name = "reshape"
    linear = (0,)
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.reshape(operands[0], params["shape"])[()]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        result = ArrayType(params["shape"], types[0].dtype)
        if result.size != types[0].size:
            raise ValueError(f"cannot reshape {types[0]} into {params['shape']}")
        return result

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return np.reshape(ct, operands[0].shape)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return RESHAPE(operands[0], shape=(size, *params["shape"]))


RESHAPE = register(Reshape())


def array(x: Any) -> Any:
    """An operand that has a shape and a dtype: traced, or a NumPy array.

    >>> from adjoint.extend import array
    >>> array(2.0).shape
    ()
    """
    x = adopt(x)
    return x if isinstance(x, Tracer) else np.asarray(x)


def shape_tuple(shape: Any) -> tuple[int, ...]:
    """A shape argument: one integer or a sequence of them."""
    if isinstance(shape, Sequence | np.ndarray) or (isinstance(shape, Tracer) and shape.ndim):
        return tuple(index_of(n) for n in shape)  # type: ignore[union-attr]
    return (index_of(shape),)


def plain_reshape(x: Any, shape: tuple[int, ...]) -> Any:
    """A reshape that is not marked as a view of its operand."""
    return bind(RESHAPE, (x,), {"shape": shape})


def reshape_view(x: Any, shape: tuple[int, ...]) -> Any:
    """A reshape that shares its elements with x, as NumPy's does."""
    result = plain_reshape(x, shape)
    if not isinstance(result, TracedArray) or not isinstance(x, TracedArray):
        return result
    old = x.shape
    return as_view(result, x, lambda p: plain_reshape(p, shape), lambda p, v: plain_reshape(v, old))


@implements(np.reshape)
def reshape(a: Any, /, shape: Any = None, order: Any = "C", *, copy: Any = None) -> Any:
    """``np.reshape``; Fortran order reads and writes through transposes."""
    a = adopt(a)
    target = shape_tuple(shape)
    if target.count(-1) == 1:
        known = int(np.prod([n for n in target if n != -1]))
        size = int(np.prod(a.shape))
        if known == 0 or size % known:
            raise ValueError(f"cannot reshape array of size {size} into shape {target}")
        target = tuple(size // known if n == -1 else n for n in target)
    if order == "A":
        order = "F" if isinstance(a, TracedArray) and _is_fortran(a) else "C"
    if order == "F":
        return np.transpose(reshape(np.transpose(a), target[::-1], copy=copy))
    if copy is False and _copies(a, target):
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    return plain_reshape(a, target) if copy or _copies(a, target) else reshape_view(a, target)


def _is_fortran(a: TracedArray) -> bool:
    flags = layout(a).flags
    return bool(flags.f_contiguous and not flags.c_contiguous)


def _copies(a: Any, shape: tuple[int, ...]) -> bool:
    """Whether NumPy would have to copy the elements of a to give them this shape."""
    if not isinstance(a, TracedArray) or (
        a._view is None and (a.node.value is None or a.node.value.flags.c_contiguous)
    ):
        return False
    plain = layout(a)
    return not np.may_share_memory(plain, np.reshape(plain, shape))


def permute(x: Any, axes: tuple[int, ...]) -> Any:
    """The axes in another order."""
    names = "".join(letter(i) for i in range(len(axes)))
    return contract(f"{names}->{''.join(names[i] for i in axes)}", x)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """``np.transpose``; the result is a view."""
    a = adopt(a)
    ndim = np.ndim(a)
    order = tuple(range(ndim))[::-1] if axes is None else tuple(index_of(i) for i in axes)
    if sorted(i % ndim if ndim else i for i in order) != list(range(ndim)):
        raise ValueError(f"axes don't match array: {order} for {ndim} axes")
    order = tuple(i % ndim for i in order)
    if order == tuple(range(ndim)):
        return reshape_view(a, a.shape)
    inverse = tuple(int(i) for i in np.argsort(order))
    return as_view(
        permute(a, order), a, lambda p: permute(p, order), lambda p, v: permute(v, inverse)
    )


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """``np.broadcast_to``, as a contraction with indices that only the result has."""
    array, target = adopt(array), shape_tuple(shape)
    source = array.shape
    if source == target:
        return array
    if np.broadcast_shapes(source, target) != target:
        raise ValueError(f"cannot broadcast shape {source} to {target}")
    names = [letter(i) for i in range(len(target))]
    offset = len(target) - len(source)
    kept = [i for i, n in enumerate(source) if n == target[i + offset]]
    term = "".join(names[i + offset] for i in kept)
    sizes: Sizes = tuple((c, n) for c, n in zip(names, target, strict=True) if c not in term)

    def spread(x: Any) -> Any:
        kept_only = plain_reshape(x, tuple(source[i] for i in kept))
        return contract(f"{term}->{''.join(names)}", kept_only, sizes=sizes)

    result = spread(array)
    # A view that cannot be written to, because one element of it stands for many.
    return as_view(result, array, spread, None) if isinstance(array, TracedArray) else result


class Concatenate(Primitive):
    """Operands one after the other along an axis."""

    name = "concatenate"
    linear = "all"
    jointly_linear = True
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.concatenate(operands, axis=params["axis"])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        axis = params["axis"]
        shape = list(types[0].shape)
        for t in types[1:]:
            rest = t.shape[:axis] + t.shape[axis + 1 :]
            if rest != tuple(shape[:axis] + shape[axis + 1 :]):
                raise ValueError("all sizes must match except along the axis")
        shape[axis] = sum(t.shape[axis] for t in types)
        return ArrayType(tuple(shape), np.result_type(*(t.dtype for t in types)))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        axis = params["axis"]
        start = sum(o.shape[axis] for o in operands[:position])
        stop = start + operands[position].shape[axis]
        return ct[(slice(None),) * axis + (slice(start, stop),)]

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return CONCATENATE(*_all_batched(operands, batched, size), axis=params["axis"] + 1)


CONCATENATE = register(Concatenate())


class Stack(Primitive):
    """Operands of one shape side by side along a new axis."""

    name = "stack"
    linear = "all"
    jointly_linear = True
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.stack(operands, axis=params["axis"])

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        if any(t.shape != types[0].shape for t in types):
            raise ValueError("all arrays must have the same shape")
        shape = list(types[0].shape)
        shape.insert(params["axis"], len(types))
        return ArrayType(tuple(shape), np.result_type(*(t.dtype for t in types)))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return ct[(slice(None),) * params["axis"] + (position,)]

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return STACK(*_all_batched(operands, batched, size), axis=params["axis"] + 1)


STACK = register(Stack())


def _all_batched(operands: Any, batched: tuple[bool, ...], size: int) -> list[Any]:
    return [
        o if b else np.broadcast_to(o, (size, *np.shape(o)))
        for o, b in zip(operands, batched, strict=True)
    ]


def normalize_axis(axis: Any, ndim: int) -> int:
    """An axis as a number in [0, ndim)."""
    place = index_of(axis)
    if not -ndim <= place < ndim:
        raise np.exceptions.AxisError(place, ndim)
    return place % ndim


def _operands(arrays: Any, dtype: Any, casting: str) -> list[Any]:
    if casting not in ("no", "equiv", "safe", "same_kind", "unsafe"):
        raise ValueError(
            "casting must be one of 'no', 'equiv', 'safe', 'same_kind', or 'unsafe' "
            f"(got {casting!r})"
        )
    return [cast(a, dtype, casting) for a in arrays]


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """``np.concatenate``."""
    parts = _operands(arrays, dtype, casting)
    if axis is None:
        parts, axis = [np.ravel(p) for p in parts], 0
    result = CONCATENATE(*parts, axis=normalize_axis(axis, parts[0].ndim))
    return result if out is None else write_out(out, result)


@implements(np.stack)
def stack(
    arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """``np.stack``."""
    parts = _operands(arrays, dtype, casting)
    if not parts:
        raise ValueError("need at least one array to stack")
    result = STACK(*parts, axis=normalize_axis(axis, parts[0].ndim + 1))
    return result if out is None else write_out(out, result)


def write_out(out: Any, result: Any) -> Any:
    """Writes a result into an ``out=`` argument with NumPy's meaning, and returns that."""
    target = out[0] if isinstance(out, tuple) else out
    if target.shape != np.shape(result):
        raise ValueError(f"out has shape {target.shape}; the result has {np.shape(result)}")
    if not np.can_cast(result.dtype, target.dtype, "same_kind"):
        raise TypeError(f"cannot cast from {result.dtype} to {target.dtype} of out")
    if isinstance(result, Tracer) and not isinstance(target, Tracer):
        if result.node.scopes is not NO_SCOPES:
            refuse_plain_out("out= or an in-place operation such as +=", target)
        result = result.node.value
    target[...] = result
    return target


def refuse_plain_out(called: str, target: Any) -> NoReturn:
    """The error for a traced result on its way into a plain array."""
    raise TracedConversionError(
        f"{called} needs an array that can hold traced values; it got a plain {describe(target)}.",
        where=here(),
        hint="make the buffer with np.zeros_like(x), np.zeros(n, like=x) or "
        "`import adjoint.numpy as np`;\nfor a sum write total = total + x, not total += x.",
    )
