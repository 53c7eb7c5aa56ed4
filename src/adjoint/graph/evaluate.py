"""Evaluating a graph: a list of NumPy calls on numbered slots, made once and run many times.

The body of a loop is evaluated at every step, so what can be decided beforehand is: which function
each node is, where its operands lie, and after which call a value is dead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from adjoint.graph.binding import PROJECTION, VARIABLE
from adjoint.graph.ir import Graph, Node

Step = tuple[Callable[..., Any], tuple[int, ...], int, tuple[int, ...]]
"""A function, the slots of its operands, the slot of its result, and the slots it was last to
read."""


class Program:
    """A graph as straight-line code over slots.

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

    __slots__ = ("outputs", "steps", "template")

    def __init__(self, graph: Graph) -> None:
        places = {node: i for i, node in enumerate(graph.inputs)}
        self.template: list[Any] = [None] * len(graph.inputs)
        steps: list[list[Any]] = []
        for node in graph.nodes:
            if node.primitive is VARIABLE and node.inputs:
                # A variable of an inner transform is its own input under another name.
                places[node] = self._place(node.inputs[0], places)
                continue
            operands = tuple(self._place(n, places) for n in node.inputs)
            places[node] = len(self.template)
            self.template.append(None)
            steps.append([_function(node), operands, places[node], ()])
        self.outputs = tuple(self._place(n, places) for n in graph.outputs)
        self._drop_dead(steps)
        self.steps: list[Step] = [tuple(s) for s in steps]

    def _place(self, node: Node, places: dict[Node, int]) -> int:
        found = places.get(node)
        if found is None:
            found = places[node] = len(self.template)
            self.template.append(node.value)
        return found

    def _drop_dead(self, steps: list[list[Any]]) -> None:
        kept = set(self.outputs)
        kept.update(i for i, value in enumerate(self.template) if value is not None)
        for step in reversed(steps):
            dead = {i for i in (*step[1], step[2]) if i not in kept}
            step[3] = tuple(dead)
            kept |= dead

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The outputs, from NumPy operands for the graph's inputs."""
        slots = self.template.copy()
        slots[: len(inputs)] = inputs
        for function, operands, place, dead in self.steps:
            if len(operands) == 2:
                slots[place] = function(slots[operands[0]], slots[operands[1]])
            else:
                slots[place] = function(*[slots[i] for i in operands])
            for i in dead:
                slots[i] = None
        return [slots[i] for i in self.outputs]


def _function(node: Node) -> Callable[..., Any]:
    primitive, params = node.primitive, node.params
    if primitive is PROJECTION:
        index = params["index"]
        return lambda results: results[index]
    return functools.partial(primitive.evaluate, **params) if params else primitive.evaluate


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
