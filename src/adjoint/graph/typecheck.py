"""The type check of a graph: what a node holds is what its primitive says it makes.

A wrong rule or a wrong rewrite shows as a shape or a dtype that does not fit, at the node where it
was made and not at the end.  With the environment variable ``ADJOINT_CHECK=1`` every transform
checks the graph it returns.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from adjoint.errors import InternalError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.ir import Node
from adjoint.graph.sites import describe_site
from adjoint.graph.tracer import Tracer

_checking = os.environ.get("ADJOINT_CHECK", "0") not in ("", "0")
_passed: WeakSet[Node] = WeakSet()


@contextmanager
def checking(on: bool = True) -> Iterator[None]:
    """Checks the result of every transform inside the block (or, with False, of none)."""
    global _checking
    before, _checking = _checking, on
    try:
        yield
    finally:
        _checking = before


def after_transform(transform: str, results: Iterable[Any]) -> None:
    """Called by each transform with its results, as operands or as nodes; does nothing unless
    checking is on."""
    if _checking:
        nodes = (r.node if isinstance(r, Tracer) else r for r in results)
        check_graph((n for n in nodes if isinstance(n, Node)), transform)


def check_graph(outputs: Iterable[Node], transform: str = "tracing") -> None:
    """Raises `InternalError` at the first node, in no particular order, that does not fit.

    Nodes that passed before are not looked at again, so checking costs one inference per node.
    """
    pending = list(outputs)
    while pending:
        node = pending.pop()
        if node in _passed:
            continue
        check_node(node, transform)
        _passed.add(node)
        pending.extend(node.inputs)


def check_node(node: Node, transform: str = "tracing") -> None:
    """Compares the type of what a node holds with what its primitive infers from its inputs."""
    if not node.inputs:
        return
    got = _types(node.result_type)
    expected = _types(node.primitive.infer(*(n.result_type for n in node.inputs), **node.params))
    if got != expected:
        inputs = ", ".join(str(n.result_type) for n in node.inputs)
        raise InternalError(
            f"after {transform}, {node.primitive.name} of {inputs} should give "
            f"{_shown(expected)}; it gave {_shown(got)}.",
            where=f"{node!r} {node.params or ''}\n{describe_site(node.site)}",
            hint="this is a defect in adjoint, or in a primitive that was added to it.",
        )


def _types(found: Any) -> list[tuple[tuple[int, ...], Any]]:
    """Shapes and dtypes; whether a number is weak is a question of how it was written."""
    several = [found] if isinstance(found, ArrayType) else list(found)
    return [(tuple(t.shape), t.dtype) for t in several]


def _shown(types: list[tuple[tuple[int, ...], Any]]) -> str:
    return ", ".join(str(ArrayType(*t)) for t in types)
