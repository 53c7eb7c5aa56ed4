"""Nested containers of arrays: tuples, lists, dicts, named tuples and dataclasses.

The flattening is `optree`'s; this module adds dataclasses (registered when first met) and the
checks that turn a wrong leaf into a readable error.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.errors import ArgumentError, DtypeError, StructureError
from adjoint.graph.arraytype import describe
from adjoint.graph.binding import adopt
from adjoint.graph.tracer import Tracer

_NAMESPACE = "adjoint"
_LEAVES = (Tracer, np.ndarray, np.generic, float, int, complex)
_registered: set[type] = set()
_registering = threading.Lock()

Structure = Any
"""How a container was nested; None for a bare leaf."""


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a container and its structure."""
    if isinstance(tree, _LEAVES):
        return [tree], None
    import optree

    while True:
        leaves, structure = optree.tree_flatten(
            tree, namespace=_NAMESPACE, is_leaf=_is_object_array
        )
        new = {type(leaf) for leaf in leaves if _is_new_dataclass(leaf)}
        if not new:
            return list(leaves), None if structure.is_leaf() else structure
        with _registering:
            for cls in new - _registered:
                _register_dataclass(cls)


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Any:
    """The container again, with other leaves."""
    if structure is None:
        return leaves[0]
    return structure.unflatten(leaves)


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """The function of every leaf, in the same container."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [function(leaf) for leaf in leaves])


def _is_object_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _is_new_dataclass(leaf: Any) -> bool:
    cls = type(leaf)
    return dataclasses.is_dataclass(cls) and cls not in _registered


def _register_dataclass(cls: type) -> None:
    import optree

    names = [f.name for f in dataclasses.fields(cls)]

    def take_apart(value: Any) -> Any:
        return [getattr(value, n) for n in names], tuple(names), names

    def put_together(_: Any, children: Any) -> Any:
        value: Any = object.__new__(cls)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(value, name, child)
        return value

    optree.register_pytree_node(cls, take_apart, put_together, namespace=_NAMESPACE)
    _registered.add(cls)


def numeric_leaf(leaf: Any, called: str, what: str) -> Any:
    """A leaf as an operand; anything that is not an array of numbers is an error that says so."""
    if isinstance(leaf, np.ndarray) and type(leaf) is not np.ndarray:
        return adopt(leaf)  # its error names the class
    try:
        if leaf is None or isinstance(leaf, str | bytes):
            raise DtypeError("")
        return adopt(leaf)
    except (DtypeError, TypeError, ValueError):
        raise ArgumentError(
            f"{called} needs {what} to be a number, an array or a container of them; "
            f"got {describe(leaf)}."
        ) from None


def require_same_structure(
    expected: Structure, got: Structure, called: str, first: str, second: str
) -> None:
    """Raises unless two containers are nested alike."""
    if expected != got:
        raise StructureError(
            f"{called} needs {second} nested like {first}.",
            where=f"{first}: {describe_structure(expected)}\n{second}: {describe_structure(got)}",
        )


def describe_structure(structure: Structure) -> str:
    """How a container is nested, with a star for each leaf: ``{'a': *, 'b': (*, *)}``."""
    if structure is None:
        return "one array"
    return repr(unflatten(structure, [_Star()] * structure.num_leaves))


class _Star:
    """Stands for a leaf in a message."""

    def __repr__(self) -> str:
        return "*"


def leaf_names(structure: Structure, count: int) -> list[str]:
    """How each leaf is reached, such as ``['W'][0]``, for messages."""
    if structure is None:
        return [""] * count
    return ["".join(map(_entry_name, path)) for path in structure.paths()]


@functools.singledispatch
def _entry_name(entry: Any) -> str:
    return f"[{entry!r}]"
