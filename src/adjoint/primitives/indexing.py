"""Indexing: reading, writing and adding at positions, with every kind of NumPy index.

An index is split into a template (slices, integers, None, Ellipsis, and holes) and the index arrays
that fill the holes, so that index arrays are operands like any other.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import adopt, bind, index_of, value_or_raise
from adjoint.graph.frozen import frozen_zeros
from adjoint.graph.primitive import Primitive
from adjoint.graph.registry import implements, register
from adjoint.graph.tracer import TracedArray, Tracer, assign
from adjoint.graph.views import as_view
from adjoint.primitives.selection import convert

HOLE = "array"
Template = tuple[Any, ...]


def split_index(index: Any) -> tuple[Template, list[Any]]:
    """The template of an index and the index arrays in it, booleans made into integers."""
    template: list[Any] = []
    arrays: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if part is None or part is Ellipsis:
            template.append(part)
        elif isinstance(part, slice):
            template.append(_plain_slice(part))
        elif isinstance(part, int | np.integer) and not isinstance(part, bool | np.bool_):
            template.append(int(part))
        else:
            _split_array(part, template, arrays)
    return tuple(template), arrays


def _plain_slice(part: slice) -> slice:
    return slice(*(None if v is None else index_of(v) for v in (part.start, part.stop, part.step)))


def _split_array(part: Any, template: list[Any], arrays: list[Any]) -> None:
    part = adopt(part)
    if not isinstance(part, Tracer):
        part = np.asarray(part)
        if part.size == 0 and part.dtype.kind == "f":
            part = part.astype(np.intp)
    if part.dtype == np.bool_:
        mask = np.asarray(value_or_raise(part, "a boolean index (its result has as many elements "
                                               "as there are True)"))  # fmt: skip
        if mask.ndim == 0:
            template.append(bool(mask))  # NumPy's own meaning: a new axis of length 1 or 0
            return
        for found in np.nonzero(mask):
            template.append(HOLE)
            arrays.append(found)
        return
    if part.dtype.kind not in "iu":
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
            f"boolean arrays are valid indices; got {part.dtype}"
        )
    if part.ndim == 0 and not isinstance(part, Tracer):
        template.append(int(part))
        return
    template.append(HOLE)
    arrays.append(part)


def fill(template: Template, arrays: Any) -> tuple[Any, ...]:
    """The NumPy index again."""
    if HOLE not in template:
        return template
    found = iter(arrays)
    return tuple(next(found) if part is HOLE or part == HOLE else part for part in template)


def is_basic(template: Template) -> bool:
    """Whether the index has no arrays, so that its result is a view and no element repeats."""
    return HOLE not in template


def selection_shape(shape: tuple[int, ...], template: Template, arrays: Any) -> tuple[int, ...]:
    """The shape of what an index selects."""
    probe = np.broadcast_to(np.empty((), np.bool_), shape)
    dummies = [np.zeros(a.shape, np.intp) for a in arrays]
    found: tuple[int, ...] = probe[fill(template, dummies)].shape
    return found


def _batched_index(template: Template, arrays: Any, batched: Any, size: int, rank: int) -> Any:
    """The index that applies the template to every example, for an operand that has a batch axis.

    With batched index arrays the batch axis becomes an index array too; all of them broadcast
    together, and NumPy puts their axes first because an integer array stands at position 0.  So it
    does for ``x[0, :, i]``, whose index axes come first in the result: a slice in front of it
    would be behind them.
    """
    together = is_basic(template) or _advanced_position(template, rank) is not None
    if together and not any(batched):
        return (slice(None), *template), list(arrays)
    arrays = [
        a if b else np.broadcast_to(a, (size, *np.shape(a)))
        for a, b in zip(arrays, batched, strict=True)
    ]
    width = max(np.ndim(a) for a in arrays)
    aligned = [np.reshape(a, (size,) + (1,) * (width - a.ndim) + a.shape[1:]) for a in arrays]
    rows = np.arange(size).reshape((size,) + (1,) * (width - 1))
    return (HOLE, *template), [rows, *aligned]


def _advanced_position(template: Template, rank: int) -> int | None:
    """Where in the result the broadcasted index axes stand: None if in front."""
    expanded: list[Any] = []
    used = sum(1 for p in template if p is not None and p is not Ellipsis)
    for part in template:
        expanded += [slice(None)] * (rank - used) if part is Ellipsis else [part]
    places = [
        i
        for i, p in enumerate(expanded)
        if isinstance(p, int) or (isinstance(p, str) and p == HOLE)
    ]
    if places[-1] - places[0] + 1 != len(places):
        return None
    return sum(1 for p in expanded[: places[0]] if p is None or isinstance(p, slice))


class GetItem(Primitive):
    """``x[index]``; the transpose adds into zeros."""

    name = "getitem"
    linear = (0,)
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return operands[0][fill(params["template"], operands[1:])]

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = selection_shape(types[0].shape, params["template"], types[1:])
        return ArrayType(shape, types[0].dtype)

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        zeros = frozen_zeros(operands[0].shape, ct.dtype)  # compiled code need not read them
        return SCATTER_ADD(zeros, ct, *operands[1:], **params)

    def selective(self, **params: Any) -> bool:
        return True

    def mark(self, live: Any, operands: tuple[Any, ...], **params: Any) -> None:
        """Marks what is read here."""
        live[fill(params["template"], operands[1:])] = True

    def accumulate(self, total: Any, ct: Any, operands: tuple[Any, ...], **params: Any) -> None:
        """Adds the cotangent into an array that the reverse pass owns: no zeros, no copy."""
        _add_at(total, params["template"], operands[1:], ct)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        x, *arrays = operands
        template = params["template"]
        if not batched[0]:
            x = np.broadcast_to(x, (size, *np.shape(x)))
        full, found = _batched_index(template, arrays, batched[1:], size, x.ndim - 1)
        result = GETITEM(x, *found, template=full)
        if any(batched[1:]):
            place = _advanced_position(template, x.ndim - 1)
            if place:
                width = max(np.ndim(a) for a in found) - 1
                source = tuple(range(1, 1 + width))
                result = np.moveaxis(result, source, tuple(range(1 + place, 1 + place + width)))
        return result


GETITEM = register(GetItem())


def _add_at(total: Any, template: Template, arrays: Any, values: Any) -> None:
    index = fill(template, arrays)
    if is_basic(template):
        total[index] += values
    else:
        np.add.at(total, index, values)


class ScatterAdd(Primitive):
    """``x`` with ``v`` added at an index; repeated positions add up."""

    name = "scatter_add"
    linear = (0, 1)
    jointly_linear = True
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        total = np.array(operands[0], np.result_type(operands[0], operands[1]))
        _add_at(total, params["template"], operands[2:], operands[1])
        return total

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        return ArrayType(types[0].shape, np.result_type(types[0].dtype, types[1].dtype))

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        return ct if position == 0 else GETITEM(ct, *operands[2:], **params)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return _batch_write(SCATTER_ADD, operands, batched, size, params)


SCATTER_ADD = register(ScatterAdd())


def _batch_write(
    kind: Any, operands: Any, batched: tuple[bool, ...], size: int, params: Any
) -> Any:
    x, v, *arrays = operands
    template = params["template"]
    if not batched[0]:
        x = np.broadcast_to(x, (size, *np.shape(x)))
    if not batched[1]:
        v = np.broadcast_to(v, (size, *np.shape(v)))
    full, found = _batched_index(template, arrays, batched[2:], size, x.ndim - 1)
    example = [_Shape(a, b) for a, b in zip(arrays, batched[2:], strict=True)]
    target = selection_shape(x.shape[1:], template, example)
    v = np.reshape(v, (size,) + (1,) * (len(target) - v.ndim + 1) + v.shape[1:])
    if any(batched[2:]):
        place = _advanced_position(template, x.ndim - 1)
        if place:
            v = np.broadcast_to(v, (size, *target))
            width = max(np.ndim(a) for a in found) - 1
            source = tuple(range(1 + place, 1 + place + width))
            v = np.moveaxis(v, source, tuple(range(1, 1 + width)))
    return kind(x, v, *found, template=full)


class _Shape:
    """The shape of one example of an index array."""

    def __init__(self, array: Any, batched: bool) -> None:
        self.shape = np.shape(array)[1:] if batched else np.shape(array)


class SetItem(Primitive):
    """``x`` with ``v`` written at an index; where a position repeats, the last value stays."""

    name = "setitem"
    linear = (0, 1)
    jointly_linear = True
    structural = True

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        result = np.array(operands[0])
        result[fill(params["template"], operands[2:])] = operands[1]
        return result

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = selection_shape(types[0].shape, params["template"], types[2:])
        if np.broadcast_shapes(shape, types[1].shape) != shape:
            raise ValueError(f"cannot write {types[1]} into a selection of shape {shape}")
        return ArrayType(types[0].shape, types[0].dtype)

    def selective(self, **params: Any) -> bool:
        return True

    def transpose(self, ct: Any, operands: tuple[Any, ...], position: int, **params: Any) -> Any:
        arrays = operands[2:]
        if position == 0:
            return SETITEM(ct, np.zeros((), ct.dtype), *arrays, **params)
        part = GETITEM(ct, *arrays, **params)
        if not is_basic(params["template"]):
            part = np.where(_last_writers(operands[0].shape, params["template"], arrays), part, 0.0)
        return fit_shape(part, operands[1].shape)

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return _batch_write(SETITEM, operands, batched, size, params)


SETITEM = register(SetItem())


def _last_writers(shape: tuple[int, ...], template: Template, arrays: Any) -> Any:
    """Which of the values written are the ones that stay."""
    plain = [value_or_raise(a, "a write at an index array") for a in arrays]
    index = fill(template, plain)
    owner = np.full(shape, -1, np.intp)
    count = np.arange(owner[index].size).reshape(owner[index].shape)
    owner[index] = count
    return owner[index] == count


def fit_shape(ct: Any, shape: tuple[int, ...]) -> Any:
    """Sums a cotangent over the axes that broadcasting expanded."""
    current = np.shape(ct)
    if current == shape:
        return ct
    extra = len(current) - len(shape)
    axes = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and current[i + extra] != 1
    )
    if axes:
        ct = np.sum(ct, axis=axes)
    return ct if ct.shape == shape else np.reshape(ct, shape)


# -- user code ------------------------------------------------------------------------------------


def take_index(x: Any, template: Template, arrays: Any) -> Any:
    """Reads at an index, without marking the result as a view."""
    return bind(GETITEM, (x, *arrays), {"template": template})


def put_index(x: Any, value: Any, template: Template, arrays: Any) -> Any:
    """x with a value written at an index."""
    if np.shape(value) and np.ndim(value) > 1:
        # NumPy drops leading axes of length 1 that the selection does not have.
        target = selection_shape(x.shape, template, arrays)
        while value.ndim > len(target) and value.shape[0] == 1:
            value = np.reshape(value, value.shape[1:])
    return bind(SETITEM, (x, convert_to(value, x.dtype), *arrays), {"template": template})


def convert_to(value: Any, dtype: Any) -> Any:
    """A value about to be written into an array of this dtype."""
    value = adopt(value)
    if isinstance(value, Tracer):
        if dtype.kind in "iub" and value.dtype.kind in "fc":
            raise TypeError(
                f"a traced {value.node.type} cannot be written into an array of {dtype}: the "
                "fraction and the derivative would be lost; make the array of floats"
            )
        if dtype.kind == "f" and value.dtype.kind == "c":
            raise TypeError(
                f"a traced {value.node.type} cannot be written into an array of {dtype}: the "
                "imaginary part would be lost; make the array complex, or write value.real"
            )
        return convert(value, dtype)
    return np.asarray(value, dtype)


@implements(operator.getitem)
def getitem(x: Any, index: Any) -> Any:
    """``x[index]``; a view where NumPy gives one."""
    template, arrays = split_index(index)
    result = take_index(x, template, arrays)
    if arrays or not isinstance(result, TracedArray) or any(isinstance(p, bool) for p in template):
        return result
    return as_view(
        result,
        x,
        lambda p: take_index(p, template, ()),
        lambda p, v: put_index(p, v, template, ()),
    )


@implements(operator.setitem)
def setitem(x: Any, index: Any, value: Any) -> None:
    """``x[index] = value``."""
    template, arrays = split_index(index)
    assign(x, put_index(type(x)(x.node), value, template, arrays).node)
