"""Arrays from outside a graph: which are read by their values, and which only have a name.

A number, an array whose elements are all the same and a multiple of the identity are what they are
to every law; any other array is a symbol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.ir import Constant, Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.simplify.einstein import product
from adjoint.simplify.exact import ONE, exact
from adjoint.simplify.expression import Expr, number, raw_apply, symbol
from adjoint.simplify.writing import WRITTEN_OUT

Namer = Callable[[Node, bool], tuple[str, Any] | None]
"""The name of an array from outside, and what tells it from others of that name; with True, a name
is made up if there is none."""


def constant(node: Node, name_of: Namer) -> Expr:
    """A value from outside: a number, an identity, a uniform array, or an array with a name."""
    if isinstance(node.value, float | int):  # np.float64 among them
        return number(exact(node.value))
    value = np.asarray(node.value)
    if value.dtype.kind == "O":
        return symbol("?", value.shape, node)
    if value.ndim == 0:
        return number(exact(value[()]))
    if value.dtype.kind == "f" and name_of(node, False) is None:
        first = value.flat[0] if value.size else 0.0
        if is_uniform(value):
            return number(exact(first), value.shape)
        if is_identity(value):
            long = value.squeeze().shape[0]
            out = tuple([0 if n == long else k + 1 for k, n in enumerate(value.shape)])
            return product(exact(first), [], out, dict(zip(out, value.shape, strict=True)))
        part = part_of_identity(value)
        if part is not None:
            return part
    name, origin = name_of(node, True) or ("", node)
    return symbol(name, value.shape, origin, node.value)


def part_of_identity(value: Any) -> Expr | None:
    """Some columns, some rows, or one column of an identity; None for another array."""
    if value.ndim == 1 and len(value) > WRITTEN_OUT and np.count_nonzero(value) == 1:
        place = int(np.flatnonzero(value)[0])
        return _identity_at((slice(None), place), value) if value[place] == 1 else None
    if value.ndim != 2 or min(value.shape) < 2 or value.shape[0] == value.shape[1]:
        return None
    flat, n = value.argmax(), value.shape[1]
    k = int(flat % n - flat // n)  # the diagonal with the ones
    tall = value.shape[0] > value.shape[1]
    if (
        not np.array_equal(value, np.eye(value.shape[0], value.shape[1], k))
        or k * (-1 if tall else 1) < 0
    ):
        return None
    if abs(k) + min(value.shape) > max(value.shape):
        return None
    part = slice(abs(k) or None, None if abs(k) + min(value.shape) == max(value.shape)
                 else abs(k) + min(value.shape))  # fmt: skip
    return _identity_at((slice(None), part) if tall else (part,), value)


def _identity_at(template: tuple[Any, ...], value: Any) -> Expr:
    identity = product(ONE, [], (0, 0), {0: max(value.shape)})
    return raw_apply(PRIMITIVES["getitem"], (identity,), {"template": template}, value.shape)


def is_uniform(value: Any) -> bool:
    """Whether there are elements, and all are the same number."""
    return bool(value.size and (value == value.item(0)).all())


def is_identity(value: Any) -> bool:
    """Whether an array is a multiple of the identity, but for axes of length 1."""
    matrix = value.squeeze()
    if matrix.ndim != 2 or not matrix.size or matrix.shape[0] != matrix.shape[1]:
        return False
    return bool(np.array_equal(matrix, matrix[0, 0] * np.eye(len(matrix))))


def origin(node: Node) -> Any:
    """What two nodes have in common if they stand for one array, unchanged since."""
    if not isinstance(node, Constant) or not is_array(node):
        return node
    return node.source if np.array_equal(node.source, node.value, equal_nan=True) else node


def is_array(node: Constant) -> bool:
    """Whether a constant can change: an array, and not a number."""
    source = node.source
    return isinstance(source, np.ndarray) and bool(source.ndim or source.flags.writeable)


def is_known(node: Node) -> bool:
    """Whether a node is read by its value: a constant that cannot change, a uniform array, or an
    identity; but not a variable of an enclosing transform."""
    if not isinstance(node, Constant):
        return False
    if not is_array(node):
        return True
    value = np.asarray(node.value)
    if value.dtype.kind != "f" or not value.ndim:
        return False  # indices and masks are read anew
    return is_uniform(value) or is_identity(value)
