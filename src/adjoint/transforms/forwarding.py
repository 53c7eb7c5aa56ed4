"""What is read just after it was written: the value itself, without the array in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.graph.binding import LITERAL, as_tracer
from adjoint.graph.ir import Node
from adjoint.graph.tracer import wrap
from adjoint.primitives.indexing import SETITEM, selection_shape, take_index


def full_index(template: Sequence[Any], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index with one part for each axis, integers counted from the front."""
    used = sum(p is not Ellipsis for p in template)
    parts: list[Any] = []
    for p in template:
        parts += [slice(None)] * (len(shape) - used) if p is Ellipsis else [p]
    parts += [slice(None)] * (len(shape) - len(parts))
    return tuple(
        p % n if isinstance(p, int) else p for p, n in zip(parts, shape, strict=False)
    )  # fmt: skip


def spread_over(value: Any, index: tuple[Any, ...], root: Node) -> Any:
    """What is written, in the shape of the place."""
    shape = selection_shape(root.type.shape, index, ())
    return value if np.shape(value) == shape else np.broadcast_to(value, shape)


def forward(node: Node, value: Callable[[Node], Any]) -> Any:
    """What is read back from an array just after it was written there is what was written; what is
    overwritten at once need not be written."""
    if node.primitive.name == "setitem" and len(node.inputs) == 2:
        return _overwritten(node, value)
    if node.primitive.name != "getitem" or len(node.inputs) != 1:
        return None
    source = as_tracer(value(node.inputs[0])).node
    index = node.params["template"]
    if not all(isinstance(p, int) for p in index) or len(index) != len(source.type.shape):
        return None
    wanted = full_index(index, source.type.shape)
    while source.primitive.name == "setitem" and len(source.inputs) == 2:
        written = full_index(source.params["template"], source.type.shape)
        if written == wanted:
            found = wrap(source.inputs[1])
            return found if np.shape(found) == () else None
        if not all(isinstance(p, int) for p in written):
            return None
        source = source.inputs[0]
    if source.primitive is LITERAL:
        return source.value[wanted]
    if source is as_tracer(value(node.inputs[0])).node:
        return None
    return take_index(wrap(source), wanted, ())


def _overwritten(node: Node, value: Callable[[Node], Any]) -> Any:
    base = as_tracer(value(node.inputs[0])).node
    index = full_index(node.params["template"], node.type.shape)
    if base.primitive.name != "setitem" or len(base.inputs) != 2:
        return None
    if not all(isinstance(p, int) for p in index) or base.params["template"] != index:
        return None
    return SETITEM(wrap(base.inputs[0]), value(node.inputs[1]), template=index)


__all__ = ["forward", "full_index", "spread_over"]
