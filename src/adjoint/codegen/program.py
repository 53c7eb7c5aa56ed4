"""A graph made ready for native code: aliases resolved, equal operations merged.

`Op` is what the back end works on.  It differs from `Node` in that it has no scopes and no values,
only types, so one program serves every call with these types.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adjoint.codegen.contractions import is_product, stages
from adjoint.codegen.identities import without_identities
from adjoint.codegen.pairs import pair, reshaped, transposed_at_once
from adjoint.errors import InternalError
from adjoint.graph.ir import Constant, Node
from adjoint.graph.primitive import Primitive
from adjoint.primitives.contraction import parse

_IDENTITIES = frozenset(("variable", "positive", "stop_gradient"))


class Op:
    """One operation; ``kind`` is "input", "literal", "array" or the name of a primitive."""

    __slots__ = (
        "dtype", "inputs", "kind", "number", "params", "parts", "primitive", "role", "shape",
        "size", "value",
    )  # fmt: skip

    def __init__(
        self,
        kind: str,
        inputs: tuple[Op, ...],
        params: dict[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        number: int,
        primitive: Primitive | None = None,
        value: Any = None,
    ) -> None:
        self.kind = kind
        self.inputs = inputs
        self.params = params
        self.shape = shape
        self.dtype = dtype
        self.number = number
        self.primitive = primitive
        self.value = value
        self.size = math.prod(shape)
        self.role: str | None = None
        self.parts: list[Any] | None = None

    def __repr__(self) -> str:
        return f"%{self.number}:{self.kind}{list(self.shape)}"


class Program:
    """The operations of a graph in topological order, with its inputs, outputs and guards.

    ``inputs`` are the operations that stand for the caller's arrays; ``arrays`` are arrays that the
    traced function closed over, read anew at every call; those that loops cannot read where they
    are (other byte orders, odd strides) are further inputs, in ``bound``.
    """

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node], guards: Any) -> None:
        self._made: dict[Any, Op] = {}
        self._op_of: dict[Node, Op] = {}
        self.ops: list[Op] = []
        self.arrays: list[Op] = []
        self.bound: list[np.ndarray[Any, Any]] = []
        self.inputs = [self._input(node, i) for i, node in enumerate(inputs)]
        order = _ordered([*outputs, *(node for node, _ in guards)], set(inputs))
        for node in order:
            self._op_of[node] = self._translate(node)
        self.outputs = [self._op_of[n] for n in outputs]
        self.guards = [(self._op_of[n], expected) for n, expected in guards]
        self._drop_unused()
        self._write_transposed()
        # Nodes hold the values of the traced call: large arrays that nobody needs any more.
        self._op_of.clear()
        self._made.clear()

    @classmethod
    def part(
        cls, ops: Sequence[Op], given: Sequence[Op], wanted: Sequence[Op], guards: Any
    ) -> Program:
        """Some of the operations of a program as a program of its own: ``given`` are computed
        elsewhere and become its inputs, ``wanted`` its outputs."""
        made = cls((), (), ())
        copies: dict[Op, Op] = {}
        for index, op in enumerate(given):
            copies[op] = made._new("input", (), {"index": index}, op.shape, op.dtype)
            copies[op].value = op.value if op.kind == "input" else False
            made.inputs.append(copies[op])
        for op in ops:
            if op in copies:
                continue
            inputs = tuple(copies[i] for i in op.inputs)
            copies[op] = made._new(
                op.kind, inputs, op.params, op.shape, op.dtype,
                primitive=op.primitive, value=op.value,
            )  # fmt: skip
            if op.kind == "array":
                made.arrays.append(copies[op])
        made.outputs = [copies[op] for op in wanted]
        made.guards = [(copies[op], expected) for op, expected in guards]
        made._drop_unused()
        return made

    def _new(
        self,
        kind: str,
        inputs: tuple[Op, ...],
        params: dict[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        primitive: Primitive | None = None,
        value: Any = None,
    ) -> Op:
        op = Op(kind, inputs, params, shape, dtype, len(self.ops), primitive, value)
        self.ops.append(op)
        return op

    def _input(self, node: Node, index: int) -> Op:
        op = self._new("input", (), {"index": index}, node.type.shape, node.type.dtype)
        op.value = node.type.weak
        self._op_of[node] = op
        return op

    def _translate(self, node: Node) -> Op:
        if not node.inputs and node.primitive.name in ("constant", "variable"):
            return self._constant(node)
        inputs = tuple(self._op_of[n] for n in node.inputs)
        name = node.primitive.name
        if name in _IDENTITIES and inputs:
            return inputs[0]
        if name == "reshape" or (name == "getitem" and _selects_all(node, inputs[0])):
            return reshaped(inputs[0], node.type.shape, self._once)
        if name == "einsum" and node.type.dtype.kind in "fib":
            inputs, params = without_identities(inputs, node.params)
            return self._contraction(node.primitive, inputs, params)
        multiple = node.primitive.multiple_results
        return self._once(
            name,
            inputs,
            node.params,
            () if multiple else node.type.shape,
            np.dtype(object) if multiple else node.type.dtype,
            node.primitive,
            node.types if multiple else None,
        )

    def _once(self, name: str, inputs: tuple[Op, ...], params: Any, *rest: Any) -> Op:
        """An operation, unless an equal one is there."""
        key = (name, tuple([i.number for i in inputs]), _freeze(params) if params else ())
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._new(name, inputs, params, *rest)
        return found

    def _contraction(self, primitive: Primitive, inputs: tuple[Op, ...], params: Any) -> Op:
        subscripts = params["subscripts"]
        extents = extents_of(subscripts, inputs, params)
        live = list(inputs)
        for stage in stages(subscripts, extents):
            operands = tuple(live[n] for n in stage.operands)
            if is_product(stage.subscripts, extents):
                live.append(pair(operands, stage.subscripts, extents, self._once))
                continue
            given: dict[str, Any] = {"subscripts": stage.subscripts}
            if stage.sizes:
                given["sizes"] = stage.sizes
            shape = tuple(extents[c] for c in stage.subscripts.partition("->")[2])
            common = np.result_type(*(o.dtype for o in operands))
            live.append(self._once("einsum", operands, given, shape, common, primitive))
        return live[-1]

    def _constant(self, node: Node) -> Op:
        """A constant, or a variable of an inner transform that starts from a plain number."""
        value = node.value
        if value is None:
            raise InternalError(f"{node} has no value and is no input of the compiled function.")
        held = _live(value, node.source if isinstance(node, Constant) else value)
        if held is not None:
            key: Any = ("array", id(held))
            if key not in self._made:
                self._made[key] = self._array(held)
            return self._made[key]
        number = value.item() if isinstance(value, np.ndarray | np.generic) else value
        key = ("literal", node.type.dtype, node.type.weak, repr(number))
        if key not in self._made:
            weak = {"weak": node.type.weak}
            self._made[key] = self._new("literal", (), weak, (), node.type.dtype, value=number)
        return self._made[key]

    def _array(self, held: np.ndarray[Any, Any]) -> Op:
        dtype = held.dtype.newbyteorder("=")
        if is_addressable(held):
            op = self._new("array", (), {}, held.shape, dtype, value=held)
            self.arrays.append(op)
            return op
        # Loops cannot read it where it is: it is converted at every call, like an argument.
        op = self._new("input", (), {"index": len(self.inputs)}, held.shape, dtype, value=False)
        self.inputs.append(op)
        self.bound.append(held)
        return op

    def _write_transposed(self) -> None:
        """A matrix product that only its transpose reads is written transposed at once."""
        kept = {*self.outputs, *(op for op, _ in self.guards)}
        other = transposed_at_once(self.ops, consumers(self.ops), kept)
        self.outputs = [other.get(op, op) for op in self.outputs]
        self.guards = [(other.get(op, op), expected) for op, expected in self.guards]
        self.ops = [op for op in self.ops if op not in other]

    def _drop_unused(self) -> None:
        needed: set[Op] = set()
        stack = [*self.outputs, *(op for op, _ in self.guards)]
        while stack:
            op = stack.pop()
            if op not in needed:
                needed.add(op)
                stack.extend(op.inputs)
        self.ops = [op for op in self.ops if op in needed or op.kind == "input"]
        self.arrays = [op for op in self.arrays if op in needed]


def extents_of(subscripts: str, inputs: Sequence[Op], params: dict[str, Any]) -> dict[str, int]:
    """The extent of every index of a contraction."""
    extents = dict(params.get("sizes", ()))
    for term, i in zip(parse(subscripts)[0], inputs, strict=True):
        extents.update(zip(term, i.shape, strict=True))
    return extents


def _selects_all(node: Node, x: Op) -> bool:
    """Whether an index only adds or drops axes of length 1."""
    whole = (None, Ellipsis, slice(None), 0, -1)
    if not x.size or math.prod(node.type.shape) != x.size:
        return False
    return all(not isinstance(p, bool | np.bool_ | str) and p in whole
               for p in node.params["template"])  # fmt: skip


def is_addressable(array: np.ndarray[Any, Any]) -> bool:
    """Whether loops can read an array where it is."""
    size = array.dtype.itemsize
    regular = all(s % size == 0 for s in array.strides)
    return bool(array.flags.aligned and array.dtype.isnative and regular)


def _live(value: Any, source: Any) -> Any:
    """The array that a constant is read from at every call; None for a number.

    That is the user's own array.  If the traced function has written to it since, then it is a
    buffer of that function, and what was read from it is kept instead.
    """
    if not isinstance(value, np.ndarray):
        return None
    if isinstance(source, np.ndarray) and source.shape == value.shape:
        same = source is value or _bytes_equal(source, value)
        if same and (source.ndim or source.flags.writeable):
            return source
    return value if value.ndim else None


def _bytes_equal(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    if a.dtype != b.dtype:
        return False
    return a.tobytes() == b.tobytes()


def _ordered(outputs: Iterable[Node], stop: set[Node]) -> list[Node]:
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node in seen or node in stop:
            continue
        seen.add(node)
        stack.extend(node.inputs)
    return sorted(seen, key=lambda n: n.serial)


def _freeze(value: Any) -> Any:
    """A hashable key for parameters; what cannot be compared by value is compared by identity."""
    if isinstance(value, dict):
        return tuple((k, _freeze(v)) for k, v in sorted(value.items()))
    if isinstance(value, tuple | list):
        return tuple(_freeze(v) for v in value)
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    if isinstance(value, int | float | str | bool | type(None) | np.dtype):
        return (type(value).__name__, value)
    return ("object", id(value))


def consumers(ops: Sequence[Op]) -> dict[Op, list[Op]]:
    """Which operations use each operation's result."""
    users: dict[Op, list[Op]] = {op: [] for op in ops}
    for op in ops:
        for i in dict.fromkeys(op.inputs):
            users[i].append(op)
    return users
