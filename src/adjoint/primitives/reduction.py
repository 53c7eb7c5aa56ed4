"""Reductions: largest and smallest elements, products, and what is true of all elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.primitives.folding import Element, flatten_axes, tree
from adjoint.primitives.products import given, keep_dims, reduction_axes
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, normalize_axis, plain_reshape, write_out


def is_masked(where: Any) -> bool:
    """Whether a ``where=`` argument was passed."""
    return where is not True and where is not np._NoValue and where is not None


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without the axes that are reduced."""
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def extent(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many elements are reduced to one."""
    count = 1
    for i in axes:
        count *= shape[i]
    return count


class _OverAxes(Primitive):
    """A reduction over the axes in ``axes``."""

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(reduced_shape(types[0].shape, params["axes"]), types[0].dtype)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(*operands, axes=tuple(i + 1 for i in params["axes"]))


class _Extremum(_OverAxes):
    """The largest or smallest element; where several are, the derivative is shared equally.

    With H the set of elements equal to the result, ẏ = Σ_{i ∈ H} ẋ_i / |H|: the mean of the
    one-sided derivatives, and a subgradient.  A NaN that makes the result NaN is in H.
    """

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        (x,), (dot,), axes = primals, tangents, params["axes"]
        y = plain_reshape(out, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))
        hits = (x == y) | (x != x)
        count = np.sum(hits, axis=axes, dtype=np.empty(0, x.dtype).real.dtype)
        return np.sum(np.where(hits, dot, 0.0), axis=axes) / count


class Max(_Extremum):
    """The largest element over some axes."""

    name = "max"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.maximum.reduce(operands[0], axis=params["axes"])


class Min(_Extremum):
    """The smallest element over some axes."""

    name = "min"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.minimum.reduce(operands[0], axis=params["axes"])


def product_rule(first: Element, second: Element) -> Element:
    """Two factors with their tangents: (p, ṗ)(q, q̇) = (pq, ṗq + pq̇)."""
    (p, p_dot), (q, q_dot) = first, second
    return p * q, p_dot * q + p * q_dot


class Prod(_OverAxes):
    """The product over some axes.

    The derivative is a tree of products of factors and tangents, without a division, so that it and
    all higher derivatives are exact whatever number of factors is zero.
    """

    name = "prod"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.multiply.reduce(operands[0], axis=params["axes"], dtype=operands[0].dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        (x,), (dot,), axes = primals, tangents, params["axes"]
        if extent(x.shape, axes) == 0:
            return None
        if not axes:
            return dot
        x, dot = flatten_axes(x, axes), flatten_axes(dot, axes)
        return tree(product_rule, (x, dot), x.ndim - 1)[1]


MAX = register(Max())
MIN = register(Min())
PROD = register(Prod())


class _Fact(_OverAxes):
    """Something that is true, or counted, over axes: its derivative is zero."""

    flat = True
    dtype: Any = np.bool_

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(reduced_shape(types[0].shape, params["axes"]), np.dtype(self.dtype))


class All(_Fact):
    """Whether every element is nonzero."""

    name = "all"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.logical_and.reduce(operands[0], axis=params["axes"])


class Any_(_Fact):
    """Whether some element is nonzero."""

    name = "any"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.logical_or.reduce(operands[0], axis=params["axes"])


class CountNonzero(_Fact):
    """How many elements are nonzero."""

    name = "count_nonzero"
    dtype = np.intp

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.add.reduce(operands[0] != 0, axis=params["axes"], dtype=np.intp)


ALL = register(All())
ANY = register(Any_())
COUNT_NONZERO = register(CountNonzero())


class _Position(Primitive):
    """The index of an element along one axis: an integer, with derivative zero."""

    flat = True

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(reduced_shape(types[0].shape, (params["axis"],)), np.dtype(np.intp))

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(*operands, axis=params["axis"] + 1)


class ArgMax(_Position):
    """The first index of the largest element."""

    name = "argmax"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.argmax(operands[0], axis=params["axis"])


class ArgMin(_Position):
    """The first index of the smallest element."""

    name = "argmin"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return np.argmin(operands[0], axis=params["axis"])


ARGMAX = register(ArgMax())
ARGMIN = register(ArgMin())


# -- NumPy's functions ----------------------------------------------------------------------------


def finish(
    result: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: Any, out: Any
) -> Any:
    """The end of every reduction: ``keepdims=`` and ``out=``."""
    result = keep_dims(result, shape, axes, keepdims)
    return result if out is None else write_out(out, result)


def _extremum(
    primitive: Primitive, combine: np.ufunc, a: Any, axis: Any, out: Any, keepdims: Any,
    initial: Any, where: Any,
) -> Any:  # fmt: skip
    a = array(a)
    if is_masked(where):
        if not given(initial):
            raise ValueError(
                f"reduction operation '{combine.__name__}' does not have an identity, so to use a "
                "where mask one has to specify 'initial'"
            )
        a = np.where(where, a, initial)
    axes = reduction_axes(axis, a.ndim)
    if extent(a.shape, axes) == 0 and 0 not in reduced_shape(a.shape, axes):
        if not given(initial):
            raise ValueError(
                f"zero-size array to reduction operation {combine.__name__} which has no identity"
            )
        result = np.broadcast_to(convert(initial, a.dtype), reduced_shape(a.shape, axes))
    else:
        result = primitive(a, axes=axes)
        if given(initial):
            result = combine(result, initial)
    return finish(result, a.shape, axes, keepdims, out)


@implements(np.max, np.amax)
def max_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
    where: Any = True,
) -> Any:  # fmt: skip
    """``np.max``; elements that share the largest value share the derivative equally."""
    return _extremum(MAX, np.maximum, a, axis, out, keepdims, initial, where)


@implements(np.min, np.amin)
def min_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None,
    where: Any = True,
) -> Any:  # fmt: skip
    """``np.min``; elements that share the smallest value share the derivative equally."""
    return _extremum(MIN, np.minimum, a, axis, out, keepdims, initial, where)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """``np.ptp``: largest minus smallest."""
    a = array(a)
    result = max_(a, axis, None, keepdims) - min_(a, axis, None, keepdims)
    return result if out is None else write_out(out, result)


@implements(np.prod)
def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """``np.prod``; exact with zeros, in every order of derivative."""
    a = array(a)
    if dtype is None and a.dtype.kind in "iub":
        dtype = np.multiply.reduce(np.ones(0, a.dtype)).dtype
    if dtype is not None:
        a = convert(a, dtype)
    if is_masked(where):
        a = np.where(where, a, np.ones((), a.dtype))
    axes = reduction_axes(axis, a.ndim)
    result = PROD(a, axes=axes)
    if given(initial):
        result = result * initial
    return finish(result, a.shape, axes, keepdims, out)


@implements(np.all)
def all_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    """``np.all``."""
    a = array(a)
    if is_masked(where):
        a = np.where(where, a, np.ones((), a.dtype))
    axes = reduction_axes(axis, a.ndim)
    return finish(ALL(a, axes=axes), a.shape, axes, keepdims, out)


@implements(np.any)
def any_(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = True
) -> Any:
    """``np.any``."""
    a = array(a)
    if is_masked(where):
        a = np.where(where, a, np.zeros((), a.dtype))
    axes = reduction_axes(axis, a.ndim)
    return finish(ANY(a, axes=axes), a.shape, axes, keepdims, out)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """``np.count_nonzero``."""
    a = array(a)
    axes = reduction_axes(axis, a.ndim)
    return finish(COUNT_NONZERO(a, axes=axes), a.shape, axes, keepdims, None)


def _position(primitive: Primitive, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    a = array(a)
    flat = axis is None or a.ndim == 0
    x = np.reshape(a, -1) if flat else a
    place = 0 if axis is None else normalize_axis(axis, max(a.ndim, 1))
    if x.shape[place] == 0:
        raise ValueError(f"attempt to get {primitive.name} of an empty sequence")
    axes = tuple(range(a.ndim)) if flat else (place,)
    return finish(primitive(x, axis=place), a.shape, axes, keepdims, out)


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """``np.argmax``."""
    return _position(ARGMAX, a, axis, out, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    """``np.argmin``."""
    return _position(ARGMIN, a, axis, out, keepdims)
