"""Views of stored arrays that need no copy: transposes, slices and axes of length 1."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.axes import is_permutation, unit_axes_only
from adjoint.codegen.elements import I64, memory_type
from adjoint.codegen.loopnest import View, contiguous_strides
from adjoint.codegen.program import Op
from adjoint.primitives.contraction import parse


def storage_root(op: Op) -> Op:
    """The operation whose memory a chain of transposes, slices and unit axes shows."""
    while _is_strided(op):
        op = op.inputs[0]
    return op


def _is_strided(op: Op) -> bool:
    if is_permutation(op):
        return True
    if op.kind == "reshape":
        return unit_axes_only(op.inputs[0].shape, op.shape)
    if op.kind == "getitem":
        return not any(isinstance(p, str | bool | np.bool_) for p in op.params["template"])
    return False


def strided_view(builder: Any, op: Op, views: Mapping[Op, View]) -> View:
    """The memory of an operation as a strided view of what is stored."""
    found = views.get(op)
    return _from_its_first(builder, _shown(op, strided_view(builder, op.inputs[0], views))
                           if found is None else found)  # fmt: skip


def layout(op: Op, stored: Collection[Op]) -> View:
    """The strides that `strided_view` will find, known before there is any memory."""
    if op not in stored and _is_strided(op):
        return _shown(op, layout(op.inputs[0], stored))
    strides = contiguous_strides(op.shape)
    if op.kind == "array":
        strides = tuple(s // op.dtype.itemsize for s in op.value.strides)
    return View(None, op.shape, strides, op.dtype)


def _shown(op: Op, base: View) -> View:
    """A transpose, slice or change of unit axes of a view."""
    if op.kind == "einsum":
        (term,), result = parse(op.params["subscripts"])
        strides = tuple(base.strides[term.index(c)] for c in result)
        return View(base.pointer, op.shape, strides, op.dtype)
    if op.kind == "reshape":
        kept = [s for s, n in zip(base.strides, base.shape, strict=True) if n != 1]
        rest = iter(kept)
        strides = tuple(0 if n == 1 else next(rest) for n in op.shape)
        return View(base.pointer, op.shape, strides, op.dtype)
    return _selected(base, op.params["template"])


def _from_its_first(builder: Any, view: View) -> View:
    """The same view with its pointer at the first element."""
    if not view.start:
        return view
    pointer = builder.gep(
        view.pointer, [ir.Constant(I64, view.start)], inbounds=True,
        source_etype=memory_type(view.dtype),
    )  # fmt: skip
    return View(pointer, view.shape, view.strides, view.dtype)


def sliced(builder: Any, base: View, template: tuple[Any, ...]) -> View:
    """The view that a basic index selects."""
    return _from_its_first(builder, _selected(base, template))


def _selected(base: View, template: tuple[Any, ...]) -> View:
    used = sum(1 for p in template if p is not None and p is not Ellipsis)
    entries: list[Any] = []
    for part in template:
        entries += [slice(None)] * (len(base.shape) - used) if part is Ellipsis else [part]
    entries += [slice(None)] * (len(base.shape) - sum(1 for e in entries if e is not None))
    offset, axis = 0, 0
    shape: list[int] = []
    strides: list[int] = []
    for entry in entries:
        if entry is None:
            shape.append(1)
            strides.append(0)
            continue
        extent, stride = base.shape[axis], base.strides[axis]
        axis += 1
        if isinstance(entry, slice):
            start, stop, step = entry.indices(extent)
            count = len(range(start, stop, step))
            offset += start * stride if count else 0
            shape.append(count)
            strides.append(stride * step)
        else:
            offset += (entry % extent) * stride
    return View(base.pointer, tuple(shape), tuple(strides), base.dtype, base.start + offset)
