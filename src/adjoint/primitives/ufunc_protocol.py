"""Calls of ufuncs with keyword arguments: ``out``, ``where``, ``dtype``, ``casting``, ``axes``.

A call without them goes straight to the ufunc's own handler.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.errors import ArgumentError
from adjoint.graph import registry
from adjoint.graph.sites import here
from adjoint.graph.tracer import Tracer
from adjoint.primitives.reduction import is_masked
from adjoint.primitives.scalar import Elementwise
from adjoint.primitives.selection import convert
from adjoint.primitives.shaping import array, write_out

Handler = Callable[..., Any]

LAYOUT_ONLY = ("order", "subok")
"""Arguments about memory and classes, which have no meaning for a traced value."""


def refuse_unknown(ufunc: np.ufunc, options: dict[str, Any]) -> None:
    """Raises for an option that has no meaning here, rather than ignoring it."""
    if options:
        name = next(iter(options))
        raise ArgumentError(
            f"np.{ufunc.__name__} on traced values has no argument {name}=.", where=here()
        )


def loop_operands(
    ufunc: np.ufunc, inputs: tuple[Any, ...], dtype: Any, signature: Any, casting: str
) -> tuple[Any, ...]:
    """The operands in the dtypes of the loop that ``dtype=`` or ``signature=`` chooses."""
    if signature is not None and not isinstance(signature, tuple | str):
        signature = (signature,)
    if signature is None:
        signature = (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout
    elif isinstance(signature, str):
        signature = tuple(np.dtype(c) for c in signature.replace("->", ""))
    if len(signature) == 1:
        signature = (None,) * ufunc.nin + signature * ufunc.nout
    python = (bool, int, float, complex)
    types = tuple(type(x) if type(x) in python[1:] else array(x).dtype for x in inputs)
    resolved = ufunc.resolve_dtypes(
        (*types, *(None,) * ufunc.nout),
        signature=signature,
        casting=casting,  # type: ignore[arg-type]
    )
    return tuple(convert(x, d) for x, d in zip(inputs, resolved, strict=False))


def _harmless(handler: Any, position: int, dtype: Any) -> Any:
    """A value at which the function and its derivative are finite, for elements left out."""
    if isinstance(handler, Elementwise):
        low, high = handler.domain[position]
        return np.asarray(0.5 * (low + high)).astype(dtype)
    return np.ones((), dtype)


def _where_computed(handler: Any, inputs: tuple[Any, ...], mask: Any) -> tuple[Any, ...]:
    """The operands with every element that is not asked for replaced by a harmless one, so that
    neither the value nor a derivative there is infinite, undefined or warned about."""
    found = []
    for position, operand in enumerate(inputs):
        x = array(operand)
        found.append(np.where(mask, x, _harmless(handler, position, x.dtype)))
    return tuple(found)


def call(ufunc: np.ufunc, handler: Handler, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc(*inputs, out=, where=, dtype=, casting=, …)``."""
    options = dict(kwargs)
    for name in LAYOUT_ONLY:
        options.pop(name, None)
    out = options.pop("out", None) or (None,) * ufunc.nout
    where = options.pop("where", True)
    dtype, signature = options.pop("dtype", None), options.pop("signature", None)
    casting = options.pop("casting", "same_kind")
    if dtype is not None or signature is not None:
        inputs = loop_operands(ufunc, inputs, dtype, signature, casting)
    if ufunc.signature is not None:
        results = handler(*inputs, **options)
    else:
        refuse_unknown(ufunc, options)
        masked = is_masked(where)
        results = handler(*(_where_computed(handler, inputs, where) if masked else inputs))
    several = isinstance(results, tuple)
    found = results if several else (results,)
    if is_masked(where):
        found = tuple(_left_out(where, r, o) for r, o in zip(found, out, strict=True))
    found = tuple(
        r if o is None else deliver(ufunc, o, r, casting) for r, o in zip(found, out, strict=True)
    )
    return found if several else found[0]


def _left_out(where: Any, result: Any, out: Any) -> Any:
    """The result where the mask is true; elsewhere what ``out`` holds, and 0 without an ``out``
    (NumPy leaves such elements undefined)."""
    if out is None:
        return np.where(where, result, np.zeros((), result.dtype))
    old = out if isinstance(out, Tracer) else np.asarray(out)
    return np.where(where, result, old)


def deliver(ufunc: np.ufunc, out: Any, result: Any, casting: str = "same_kind") -> Any:
    """Writes a ufunc's result into its ``out=``, which may be larger by broadcasting."""
    shape = np.shape(result)
    with contextlib.suppress(ValueError):
        if np.broadcast_shapes(shape, out.shape) == out.shape:
            result = np.broadcast_to(result, out.shape)
    if np.shape(result) != out.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {out.shape} doesn't match the broadcast "
            f"shape {shape}"
        )
    if not np.can_cast(result.dtype, out.dtype, casting):  # type: ignore[arg-type]
        raise TypeError(
            f"Cannot cast ufunc '{ufunc.__name__}' output from {result.dtype!r} to {out.dtype!r} "
            f"with casting rule '{casting}'"
        )
    return write_out(out, convert(result, out.dtype))


registry.UFUNC_METHODS["__call__"] = call
