"""The operands of a loop by kind, and graphs whose inputs are brought into that order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adjoint.graph.ir import Graph


class Parts:
    """Operands of a scan, or anything that goes with them, by kind."""

    __slots__ = ("captured", "carries", "xs")

    def __init__(self, everything: Sequence[Any], params: dict[str, Any]) -> None:
        first, second = params["captured"], params["captured"] + params["carries"]
        self.captured = list(everything[:first])
        self.carries = list(everything[first:second])
        self.xs = list(everything[second:])


def chosen(values: Sequence[Any], flags: Sequence[bool]) -> list[Any]:
    """The values that have a flag."""
    return [v for v, f in zip(values, flags, strict=True) if f]


def reordered(graph: Graph, inputs: Sequence[int], outputs: Sequence[int]) -> Graph:
    """The graph with its inputs in another order and only some of its outputs."""
    return Graph(
        graph.scope, [graph.inputs[i] for i in inputs], [graph.outputs[i] for i in outputs]
    )


def joint_order(flags: Sequence[bool], params: dict[str, Any]) -> list[int]:
    """Where (captured, captured tangents, carry, carry tangents, x, x tangents) stand in a joint
    graph's inputs."""
    after = len(flags)
    places = []
    for flag in flags:
        places.append(after if flag else -1)
        after += flag
    kinds, dots = Parts(range(len(flags)), params), Parts(places, params)
    order: list[int] = []
    for own, tangent in (
        (kinds.captured, dots.captured),
        (kinds.carries, dots.carries),
        (kinds.xs, dots.xs),
    ):
        order += own + [i for i in tangent if i >= 0]
    return order
