"""A graph made ready for native code: aliases resolved, equal operations merged.

`Op` is what the back end works on.  It differs from `Node` in that it has no scopes and no values,
only types, so one program serves every call with these types.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

import numpy as np

from adjoint.codegen.captures import GRAPHS, live_array, plain_graph, with_captures
from adjoint.codegen.contractions import is_product, stages
from adjoint.codegen.identities import without_identities
from adjoint.codegen.lapack.expansions import Expansion, expansion
from adjoint.codegen.pairs import pair, reshaped, transposed_at_once
from adjoint.codegen.shared_loops import share_scans
from adjoint.errors import InternalError
from adjoint.graph.ir import Node
from adjoint.graph.primitive import Primitive
from adjoint.primitives.contraction import parse

EVALUATE: Any = object()
"""In place of the value that a guard expects: where the operation is true, the call is left to
evaluation."""

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
        self._numbers = count()  # goes on after operations have been dropped: it is their order
        self.ops: list[Op] = []
        self.arrays: list[Op] = []
        self.bound: list[np.ndarray[Any, Any]] = []
        self.inputs = [self._input(node, i) for i, node in enumerate(inputs)]
        self._refused: dict[Op, None] = {}
        self._results_of: dict[Node, list[Op]] = {}
        self._translate_all([*outputs, *(node for node, _ in guards)], set(inputs))
        self.outputs = [self._op_of[n] for n in outputs]
        self.guards = [(self._op_of[n], expected) for n, expected in guards]
        self.guards += [(op, EVALUATE) for op in self._refused]
        self._drop_unused()
        share_scans(self)
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
            copies[op].parts = op.parts
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
        op = Op(kind, inputs, params, shape, dtype, next(self._numbers), primitive, value)
        self.ops.append(op)
        return op

    def add_input(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Op:
        """One more input, after the others."""
        op = self._new("input", (), {"index": len(self.inputs)}, shape, dtype)
        op.value = False
        self.inputs.append(op)
        return op

    def add_operation(self, kind: str, operands: tuple[Op, Op]) -> Op:
        """An elementwise operation on two values of one type, after all others."""
        return self._new(kind, operands, {}, operands[0].shape, operands[0].dtype)

    def _input(self, node: Node, index: int) -> Op:
        dtype = node.type.dtype.newbyteorder("=")
        op = self._new("input", (), {"index": index}, node.type.shape, dtype)
        op.value = node.type.weak
        self._op_of[node] = op
        return op

    def _translate_all(self, wanted: Sequence[Node], known: set[Node]) -> None:
        for node in _ordered(wanted, known):
            name = node.primitive.name
            if name == "custom_derivative" and self._inline(node):
                continue
            inputs, params = node.inputs, node.params
            if name in GRAPHS:
                inputs, params = with_captures(name, inputs, params)
                for array in inputs:
                    if array not in self._op_of:
                        self._op_of[array] = self._constant(array)
            self._op_of[node] = self._translate(node, inputs, params)

    def _expanded(self, formula: Expansion, inputs: tuple[Op, ...]) -> Op:
        """The formula of a primitive, in its place."""
        self._op_of.update(zip(formula.inputs, inputs, strict=True))
        refused = [] if formula.refused is None else [formula.refused]
        self._translate_all([formula.output, *refused], set(formula.inputs))
        self._refused.update(dict.fromkeys(self._op_of[node] for node in refused))
        return self._op_of[formula.output]

    def _inline(self, node: Node) -> bool:
        """A custom function, operation by operation if it is plain NumPy."""
        graph = plain_graph(node)
        if graph is None:
            return False
        operands = [self._op_of[n] for n in node.inputs]
        self._op_of.update(zip(graph.inputs, operands, strict=True))
        self._translate_all(graph.outputs, set(graph.inputs))
        self._results_of[node] = [self._op_of[n] for n in graph.outputs]
        return True

    def _translate(self, node: Node, operands: Sequence[Node], params: Any) -> Op:
        if not node.inputs and node.primitive.name in ("constant", "variable"):
            return self._constant(node)
        name = node.primitive.name
        if name == "projection" and node.inputs[0] in self._results_of:
            index: int = params["index"]
            return self._results_of[node.inputs[0]][index]
        inputs = tuple(self._op_of[n] for n in operands)
        if name in _IDENTITIES and inputs:
            return inputs[0]
        formula = expansion(node)
        if formula is not None:
            return self._expanded(formula, inputs)
        if name == "reshape" or (name == "getitem" and _selects_all(node, inputs[0])):
            return reshaped(inputs[0], node.type.shape, self._once)
        if name == "einsum" and node.type.dtype.kind in "fib":
            fewer = without_identities(inputs, params)
            if np.result_type(*(i.dtype for i in fewer[0])) == node.type.dtype:
                inputs, params = fewer  # an identity may have made the result wider
            return self._contraction(node.primitive, inputs, params)
        multiple = node.primitive.multiple_results
        return self._once(
            name,
            inputs,
            params,
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
            operands = tuple(self._matching(o, operands) for o in operands)
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

    def _matching(self, operand: Op, operands: tuple[Op, ...]) -> Op:
        """A number in the dtype of what it multiplies."""
        common = np.result_type(*(o.dtype for o in operands))
        if operand.kind != "literal" or operand.dtype == common:
            return operand
        return self._literal(operand.value, common, False)

    def _literal(self, number: Any, dtype: np.dtype[Any], weak: bool) -> Op:
        key = ("literal", dtype, weak, repr(number))
        if key not in self._made:
            self._made[key] = self._new("literal", (), {"weak": weak}, (), dtype, value=number)
        return self._made[key]

    def _constant(self, node: Node) -> Op:
        """A constant, or a variable of an inner transform that starts from a plain number."""
        value = node.value
        if value is None:
            raise InternalError(f"{node} has no value and is no input of the compiled function.")
        held = live_array(node)
        if held is not None:
            key: Any = ("array", id(held))
            if key not in self._made:
                self._made[key] = self._array(held)
            return self._made[key]
        number = value.item() if isinstance(value, np.ndarray | np.generic) else value
        return self._literal(number, node.type.dtype, node.type.weak)

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
