"""Aliasing: views of traced arrays see later writes, and writes through a view reach its base.

A traced array that is a view remembers its parent, how to read itself from it and how to put itself
back.  A write makes new nodes up to the root and raises the root's version; a view whose version is
behind reads itself again at its next use.  Nodes stay immutable, so derivatives need not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from adjoint.errors import ReadOnlyError
from adjoint.graph.sites import here

if TYPE_CHECKING:
    from adjoint.graph.ir import Node
    from adjoint.graph.tracer import Tracer

Read = Callable[[Any], Any]
"""From the parent's present value to the view's."""

Put = Callable[[Any, Any], Any]
"""From the parent's present value and the view's new one to the parent's new one."""


class View:
    """How one traced array is a view of another."""

    __slots__ = ("parent", "put", "read", "root", "seen")

    def __init__(self, parent: Tracer, read: Read, put: Put | None) -> None:
        self.parent = parent
        self.read = read
        self.put = put
        self.root: Tracer = parent if parent._view is None else parent._view.root
        self.seen = self.root._version

    def refresh(self, tracer: Tracer) -> None:
        """Reads the view again if something was written since."""
        if self.seen != self.root._version:
            parent = type(self.parent)(self.parent.node)
            self.seen = self.root._version
            tracer._node = self.read(parent).node


def layout(tracer: Any) -> Any:
    """A plain array laid out in memory as NumPy would lay out the traced one: it tells which
    reshapes are views.  Its elements have no meaning."""
    steps = []
    while tracer._view is not None:
        steps.append(tracer._view.read)
        tracer = tracer._view.parent
    node = tracer.node
    plain = np.empty(node.type.shape, node.type.dtype)
    if node.value is not None and not node.value.flags.c_contiguous:
        plain = np.empty_like(node.value)
    for read in reversed(steps):
        plain = read(plain)
    return plain


def as_view(result: Any, parent: Tracer, read: Read, put: Put | None) -> Any:
    """Marks a result as a view of its parent; ``put=None`` makes it read-only.

    >>> import numpy as np, adjoint as ad
    >>> from adjoint.extend import as_view
    >>> def negative_view(x):
    ...     return as_view(-x, x, lambda parent: -parent, lambda parent, new: -new)
    >>> def f(x):
    ...     y = x * 1.0
    ...     negative_view(y)[0] = 5.0
    ...     return y[0] + y[1]
    >>> ad.grad(f)(np.ones(2))
    array([-0.,  1.])
    """
    result._view = View(parent, read, put)
    return result


def _keep_order(old: Any, node: Node) -> None:
    """Lays the new value out in memory as the old one is: a write does not move an array, and the
    order decides which later reshapes are views."""
    new = node.value
    if old is None or new is None or old.ndim < 2:
        return
    a, b = old.flags, new.flags
    if a.c_contiguous != b.c_contiguous or a.f_contiguous != b.f_contiguous:
        node.value = np.empty_like(old, dtype=new.dtype)
        node.value[...] = new


def write(target: Tracer, node: Node) -> None:
    """Gives the target a new value, and puts it back into everything it is a view of."""
    view = target._view
    if view is None:
        _keep_order(target._node.value, node)
        target._node = node
        target._version += 1
        return
    if view.put is None:
        raise ReadOnlyError(
            "assignment destination is read-only, as it is in NumPy for this kind of view.",
            where=here(),
            hint="write to a copy: y = x.copy(); y[...] = v.",
        )
    parent = type(view.parent)(view.parent.node)
    changed = view.put(parent, type(target)(node))
    write(view.parent, changed.node)
    target._node = node
    view.seen = view.root._version
