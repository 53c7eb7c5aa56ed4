"""The inside of a loop: elements of operations, computed where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from llvmlite import ir

from adjoint.codegen.elements import I64, cast, emitter, literal
from adjoint.codegen.faults import note
from adjoint.codegen.loopnest import Index, View, contiguous_strides
from adjoint.codegen.patterns import advanced_axes, loop_letters, terms_of
from adjoint.codegen.program import Op

ZERO = ir.Constant(I64, 0)
_BOOL = np.dtype(np.bool_)
_INT64 = np.dtype(np.int64)


class Body:
    """Emits elements of operations at an index, each once per index.

    ``views`` says where stored operations are in memory.  ``flat`` treats everything of the loop's
    shape as one axis.  ``fault`` points to a flag that is set when an index array points outside.
    With ``calls``, long functions are called and not inlined.
    """

    def __init__(
        self,
        builder: Any,
        views: Mapping[Op, View],
        *,
        flat: tuple[int, ...] | None = None,
        fault: Any = None,
        calls: bool = False,
    ) -> None:
        self.builder = builder
        self.views = views
        self.flat = flat
        self.fault = fault
        self.calls = calls
        self.memo: dict[tuple[Any, ...], tuple[Index, Any]] = {}

    def element(self, op: Op, index: Index) -> Any:
        """The element of an operation, from memory if it is stored there."""
        key = (op, *map(id, index))
        found = self.memo.get(key)
        if found is not None:
            return found[1]
        if op.kind == "literal":
            value = literal(op.value, op.dtype)
        elif op in self.views:
            value = self._load(op, index)
        else:
            value = self.compute(op, index)
        self.memo[key] = (index, value)
        return value

    def remember(self, op: Op, index: Index, value: Any) -> None:
        """Makes later readers at the same index use the register."""
        self.memo[(op, *map(id, index))] = (index, value)

    def _load(self, op: Op, index: Index) -> Any:
        view = self.views[op]
        if self.flat is not None and op.shape == self.flat:
            view = View(view.pointer, (op.size,), (1,), op.dtype, view.start)
        elif self.flat is not None:
            index = (ZERO,) * len(op.shape)
        return view.load(self.builder, index)

    def compute(self, op: Op, index: Index) -> Any:
        """The element of an operation, from its operands."""
        if op.kind == "einsum":
            return self._product(op, index)
        if op.kind == "reshape":
            return self._reshaped(op, index)
        if op.kind == "getitem":
            return self._selected(op, index)
        operands = [self.element(i, self._aligned(op, i, index)) for i in op.inputs]
        return self._apply(op, operands)

    def _apply(self, op: Op, values: list[Any]) -> Any:
        if op.kind == "convert":
            return cast(self.builder, values[0], op.inputs[0].dtype, op.dtype)
        if op.kind == "where":
            condition = cast(self.builder, values[0], op.inputs[0].dtype, _BOOL)
            pairs = zip(values[1:], op.inputs[1:], strict=True)
            a, b = (cast(self.builder, v, i.dtype, op.dtype) for v, i in pairs)
            return self.builder.select(condition, a, b)
        emit = emitter(op, self.calls)
        assert emit is not None, op
        return emit(self.builder, *values)

    def _aligned(self, op: Op, operand: Op, index: Index) -> Index:
        """The operand's index under NumPy's broadcasting."""
        if self.flat is not None:
            return index if operand.shape == self.flat else (ZERO,) * len(operand.shape)
        tail = index[len(index) - len(operand.shape) :]
        return tuple(
            i if n == m else ZERO
            for i, n, m in zip(
                tail, operand.shape, op.shape[len(op.shape) - len(operand.shape) :], strict=True
            )
        )

    def _product(self, op: Op, index: Index) -> Any:
        """Views, diagonals, broadcasts and products without a sum, by the names of the axes."""
        _, result = terms_of(op)
        if self.flat is not None:
            return self._multiply([
                self.element(i, index if i.shape == self.flat else (ZERO,) * len(i.shape))
                for i in op.inputs
            ])  # fmt: skip
        place: dict[str, Any] = {}
        on_diagonal = None
        for c, position in zip(result, index, strict=True):
            if c in place:
                equal = self.builder.icmp_signed("==", place[c], position)
                on_diagonal = (
                    equal if on_diagonal is None else self.builder.and_(on_diagonal, equal)
                )
            else:
                place[c] = position
        value = self.factors(op, place)
        if on_diagonal is None:
            return value
        return self.builder.select(on_diagonal, value, literal(0, op.dtype))

    def factors(self, op: Op, place: Mapping[str, Any]) -> Any:
        """The product of the operands' elements at named indices."""
        terms, _ = terms_of(op)
        values = []
        for term, i in zip(terms, op.inputs, strict=True):
            values.append(self.element(i, tuple(place[c] for c in term)))
        return self._multiply(values)

    def _multiply(self, values: list[Any]) -> Any:
        if len(values) == 1:
            return values[0]
        floating = isinstance(values[0].type, ir.DoubleType | ir.FloatType)
        return (self.builder.fmul if floating else self.builder.mul)(*values)

    def _reshaped(self, op: Op, index: Index) -> Any:
        operand = op.inputs[0]
        if operand.size == 1:
            return self.element(operand, (ZERO,) * len(operand.shape))
        if operand in self.views and [n for n in op.shape if n != 1] != [
            n for n in operand.shape if n != 1
        ]:
            view = self.views[operand]
            other = View(view.pointer, op.shape, contiguous_strides(op.shape), op.dtype, view.start)
            return other.load(self.builder, index)
        kept = iter([i for i, n in zip(index, op.shape, strict=True) if n != 1])
        return self.element(operand, tuple(ZERO if n == 1 else next(kept) for n in operand.shape))

    # -- indexing -------------------------------------------------------------------------------

    def _selected(self, op: Op, index: Index) -> Any:
        x = op.inputs[0]
        return self.element(x, self.source_index(x.shape, op.params["template"], op.inputs[1:],
                                                 index))  # fmt: skip

    def source_index(
        self,
        shape: tuple[int, ...],
        template: tuple[Any, ...],
        arrays: tuple[Op, ...],
        index: Index,
    ) -> Index:
        """The index into an array that an index into a selection of it stands for."""
        if not arrays:
            return self._basic_source(shape, template, index)
        found = advanced_axes(shape, template)
        assert found is not None
        width = max(len(a.shape) for a in arrays)
        before, chosen = index[: found.place], index[found.place : found.place + width]
        after = index[found.place + width :]
        free = iter((*before, *after))
        source: list[Any] = []
        pointers = iter(arrays)
        for axis, entry in enumerate(found.entries):
            if isinstance(entry, slice):
                source.append(self._stepped(next(free), entry, shape[axis]))
            elif isinstance(entry, str):
                source.append(self._pointed(next(pointers), chosen, shape[axis]))
            else:
                source.append(ir.Constant(I64, entry % shape[axis]))
        return tuple(source)

    def _basic_source(self, shape: tuple[int, ...], template: Any, index: Index) -> Index:
        positions = iter(index)
        used = sum(1 for p in template if p is not None and p is not Ellipsis)
        entries: list[Any] = []
        for part in template:
            entries += [slice(None)] * (len(shape) - used) if part is Ellipsis else [part]
        entries += [slice(None)] * (len(shape) - sum(1 for e in entries if e is not None))
        source: list[Any] = []
        for entry in entries:
            if entry is None:
                next(positions)
            elif isinstance(entry, slice):
                source.append(self._stepped(next(positions), entry, shape[len(source)]))
            else:
                source.append(ir.Constant(I64, entry % shape[len(source)]))
        return tuple(source)

    def _stepped(self, position: Any, part: slice, extent: int) -> Any:
        start, _, step = part.indices(extent)
        if step != 1:
            position = self.builder.mul(position, ir.Constant(I64, step), flags=["nsw"])
        if start:
            position = self.builder.add(position, ir.Constant(I64, start), flags=["nsw"])
        return position

    def _pointed(self, array: Op, chosen: Index, extent: int) -> Any:
        """An index read from an index array: counted from the end if negative, checked."""
        tail = chosen[len(chosen) - len(array.shape) :]
        at = tuple(ZERO if n == 1 else i for i, n in zip(tail, array.shape, strict=True))
        b = self.builder
        raw = cast(b, self.element(array, at), array.dtype, _INT64)
        size = ir.Constant(I64, extent)
        wrapped = b.select(b.icmp_signed("<", raw, ZERO), b.add(raw, size), raw)
        inside = b.icmp_unsigned("<", wrapped, size)
        note(b, self.fault, b.not_(inside))
        return b.select(inside, wrapped, ZERO)


def named_index(op: Op, index: Index) -> dict[str, Any]:
    """The loops' counters by the names of a contraction's indices."""
    return dict(zip(loop_letters(op), index, strict=True))
