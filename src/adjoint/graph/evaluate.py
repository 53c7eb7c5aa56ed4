"""Evaluating a graph: straight-line Python, written once and run many times.

The body of a loop is evaluated at every step, so what can be decided beforehand is: which function
each node is, where its operands lie, and after which line a value is dead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Constant, Graph, Node

_BLOCK = 500
"""Lines per generated function: Python's compiler takes more than linear time for long ones."""

_OPERATORS: dict[Any, str] = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/"}
"""On NumPy's own scalars an operator gives what the ufunc gives, in a tenth of the time."""


class Program:
    """A graph as straight-line code.

    A value is dropped right after its last use, so memory is what the graph needs at its widest.

    >>> import numpy as np, adjoint as ad
    >>> from adjoint.graph.binding import variable
    >>> from adjoint.graph.scope import Scope
    >>> with Scope("example") as scope:
    ...     x = variable(scope, 2.0)
    ...     graph = Graph(scope, [x.node], [(x * x + 1.0).node])
    >>> [float(y) for y in Program(graph).run([3.0])]
    [10.0]
    """

    __slots__ = ("run",)

    run: Callable[[Sequence[Any]], list[Any]]
    """The outputs, from NumPy operands for the graph's inputs."""

    def __init__(self, graph: Graph) -> None:
        source = _Source(graph)
        if len(graph.nodes) <= _BLOCK:
            self.run = source.single()
        else:
            self.run = source.blocks()


class _Source:
    """The lines of a program: one per node, and what is dead after it."""

    def __init__(self, graph: Graph) -> None:
        self.names: dict[Node, str] = {n: f"x{i}" for i, n in enumerate(graph.inputs)}
        self.inputs = [self.names[n] for n in graph.inputs]
        self.constants: dict[str, Any] = {}
        self.lines: list[tuple[str, str, list[str]]] = []
        for node in graph.nodes:
            if node.primitive is VARIABLE and node.inputs:
                # A variable of an inner transform is its own input under another name.
                self.names[node] = self.name(node.inputs[0])
                continue
            operands = [self.name(n) for n in node.inputs]
            self.names[node] = f"v{len(self.lines)}"
            self.lines.append((self.names[node], self.expression(node, operands), operands))
        self.outputs = [self.name(n) for n in graph.outputs]

    def name(self, node: Node) -> str:
        found = self.names.get(node)
        if found is None:
            found = self.names[node] = self.constant(node.value)
        return found

    def constant(self, value: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def expression(self, node: Node, operands: list[str]) -> str:
        primitive, params = node.primitive, node.params
        if primitive is PROJECTION:
            return f"{operands[0]}[{params['index']}]"
        function: Any = primitive.evaluate
        symbol = _OPERATORS.get(function) if _is_scalar_sum(node) else None
        if symbol:
            return f"{operands[0]} {symbol} {operands[1]}"
        if params:
            function = functools.partial(function, **params)
        return f"{self.constant(function)}({', '.join(operands)})"

    def written(self) -> list[str]:
        """The lines as text, each followed by the deletion of what it was the last to read."""
        kept = {*self.outputs, *self.constants}
        text: list[str] = []
        for name, expression, operands in reversed(self.lines):
            dead = [n for n in dict.fromkeys([*operands, name]) if n not in kept]
            kept.update(dead)
            text.append(f"{name} = {expression}" + (f"; del {', '.join(dead)}" if dead else ""))
        return text[::-1]

    def single(self) -> Callable[[Sequence[Any]], list[Any]]:
        """All lines as the body of one function."""
        unpack = [f"[{', '.join(self.inputs)}] = inputs"] if self.inputs else []
        body = [*unpack, *self.written(), f"return [{', '.join(self.outputs)}]"]
        source = "def run(inputs):\n" + "".join(f"    {line}\n" for line in body)
        space = dict(self.constants)
        exec(source, space)  # nothing in it but names made here
        run: Callable[[Sequence[Any]], list[Any]] = space["run"]
        return run

    def blocks(self) -> Callable[[Sequence[Any]], list[Any]]:
        """Long programs: blocks of lines, run one after the other in one namespace."""
        lines = self.written()
        codes = [
            compile("\n".join(lines[i : i + _BLOCK]), "<graph>", "exec")
            for i in range(0, len(lines), _BLOCK)
        ]

        def run(inputs: Sequence[Any]) -> list[Any]:
            space = self.constants | dict(zip(self.inputs, inputs, strict=True))
            for code in codes:
                exec(code, space)
            return [space[name] for name in self.outputs]

        return run


def _is_scalar_sum(node: Node) -> bool:
    """Whether a node is arithmetic on float scalars, at least one of which is NumPy's."""
    if node.primitive.multiple_results or node.type.shape or node.type.dtype.kind != "f":
        return False
    own = [n.type for n in node.inputs]
    numbers = [isinstance(n, Constant) and isinstance(n.value, int | float) for n in node.inputs]
    return all(t.dtype.kind == "f" for t in own) and not all(numbers)


_programs: WeakKeyDictionary[Graph, Program] = WeakKeyDictionary()


def program(graph: Graph) -> Program:
    """The program of a graph, made at its first evaluation."""
    found = _programs.get(graph)
    if found is None:
        found = _programs[graph] = Program(graph)
    return found


def evaluate(graph: Graph, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a graph for other values of its inputs.

    Whatever the graph captures besides its inputs has to be a constant.
    """
    return program(graph).run(inputs)
