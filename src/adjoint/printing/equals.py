"""Which nodes of a graph are the same value, and what the arrays in it are called."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from adjoint.graph.binding import VARIABLE
from adjoint.graph.ir import Constant, Node


def first_of_equals(nodes: Sequence[Node], variables: Container[Node]) -> dict[Node, Node]:
    """For each node the first one that is the same primitive of the same operands.

    Value numbering (Cocke, 1970): one pass over the nodes in the order in which they were made.  A
    variable of an inner transform is its own input.
    """
    found: dict[Node, Node] = {}
    known: dict[Any, Node] = {}
    for node in nodes:
        if node in variables:
            found[node] = node
        elif node.primitive is VARIABLE and node.inputs:
            found[node] = found.get(node.inputs[0], node.inputs[0])
        else:
            inputs = tuple([identity(found.get(n, n)) for n in node.inputs])
            key = (id(node.primitive), inputs, _key(node.params), str(node.result_type))
            first = known.setdefault(key, node)
            found[node] = first if first is node or _agree(first.value, node.value) else node
    return found


def identity(node: Node) -> Any:
    """What two nodes share if they are one value: constants their contents, others themselves."""
    if not isinstance(node, Constant):
        return id(node)
    return str(node.type), blake2b(np.asarray(node.value).tobytes()).digest()


def _agree(first: Any, second: Any) -> bool:
    """Whether two results are the same: not where an array outside was written to in between."""
    if isinstance(first, tuple):
        return all(map(_agree, first, second))
    return np.asarray(first).tobytes() == np.asarray(second).tobytes()


def _key(value: Any) -> Any:
    """Something to compare parameters by: what cannot be compared is equal to itself alone."""
    if isinstance(value, dict):
        return tuple((k, _key(v)) for k, v in sorted(value.items()))
    if isinstance(value, tuple | list):
        return type(value), tuple(map(_key, value))
    if isinstance(value, slice):
        return slice, _key((value.start, value.stop, value.step))
    if isinstance(value, str | int | float | complex | np.dtype | None | type(Ellipsis)):
        return type(value), repr(value)  # 1 and True are equal, 0.0 and −0.0 too
    return id(value)


def arrays_in_reach(f: Callable[..., Any]) -> dict[int, str]:
    """The arrays that f closes over or reads from its module, by identity, with their names."""
    return {id(value): name for name, value in _reach(f) if isinstance(value, np.ndarray)}


def _reach(f: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    code = getattr(f, "__code__", None)
    if code is None:
        return
    named = {n: f.__globals__[n] for n in code.co_names if n in f.__globals__}
    for name, cell in zip(code.co_freevars, f.__closure__ or (), strict=True):
        try:
            named[name] = cell.cell_contents
        except ValueError:
            continue  # not assigned yet
    for name, value in named.items():
        yield name, value
        if isinstance(value, dict):
            yield from ((key, v) for key, v in value.items() if isinstance(key, str))


__all__ = ["arrays_in_reach", "first_of_equals", "identity"]
