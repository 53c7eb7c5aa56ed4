"""Scopes: which calls of a transform a node depends on.

Every call of a transform that traces a function opens one scope, and the variables it makes belong
to it.  A node depends on the union of the scopes of its inputs.  This replaces levels and tags: "is
this node a function of my variable" is a question about the graph, so two differentiations cannot
be confused, however they nest.  A closed scope is recognised at the next use of a value that still
depends on it: that value has escaped.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from adjoint.graph.doubts import forget_reasons

if TYPE_CHECKING:
    from adjoint.graph.ir import Node


P = ParamSpec("P")
R = TypeVar("R")

_OBJECTS_NOTE = (
    "  if an array of traced numbers, np.array([u, v]), went into this function,\n"
    "  use np.stack([u, v]), or np.array of `import adjoint.numpy as np`."
)
_NOTES = {
    # What NumPy says of an array of objects in a function that it does not hand over.
    "dtype('O')": _OBJECTS_NOTE,
    "which has no callable": _OBJECTS_NOTE,
    "could not be safely coerced": _OBJECTS_NOTE,
    # NumPy drops the error of __index__ that says why the value is not known.
    "only integers, slices (`:`), ellipsis (`...`)": "  if a plain array was indexed by a traced "
    "number that vmap or scan maps over,\n"
    "  which has no value there: use np.asarray(table, like=i)[i].",
    "'TracedScalar' object is not subscriptable": "  a traced number has no index: use "
    "np.reshape(x, (1,)) for x[None], np.expand_dims(x, 0), or x itself for x[()].",
}
"""The ways out of errors that do not come from here: part of the message, and the note."""


class _Open(threading.local):
    """The scopes around user code that this thread has opened, innermost last; and whether rules
    are being applied, which is not the user's code."""

    def __init__(self) -> None:
        self.scopes: list[weakref.ref[Scope]] = []
        self.recording = 0
        self.applying_rules = False


_open = _Open()


def is_tracing() -> bool:
    """Whether a transform on this thread is looking on.

    A scope may be closed out of order or by another thread, so closed ones are dropped here.
    """
    scopes = _open.scopes
    while scopes:
        scope = scopes[-1]()
        if scope is not None and not scope.closed:
            return True
        scopes.pop()
    return False


def recorder() -> Scope | None:
    """The innermost scope that keeps what this thread's user code does, for running it again.

    None while rules are applied: arrays that they make are no inputs.
    """
    if not _open.recording or _open.applying_rules:
        return None
    for reference in reversed(_open.scopes):
        scope = reference()
        if scope is not None and scope.decisions is not None and not scope.closed:
            return scope
    return None


class rules_run:
    """Context, and decorator: what runs here are rules of a transform, or (False) user code."""

    def __init__(self, rules: bool = True) -> None:
        self.rules = rules
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(_open.applying_rules)
        _open.applying_rules = self.rules

    def __exit__(self, *error: object) -> None:
        _open.applying_rules = self.before.pop()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def within(*args: P.args, **kwargs: P.kwargs) -> R:
            with rules_run(self.rules):
                return function(*args, **kwargs)

        return within


class Scope:
    """One call of a transform.

    Parameters
    ----------
    name: the public function that opened the scope, for messages.
    abstract: why its variables have no values (empty if they have).
    records: keep each decision that Python code takes on a traced value, for guards.
    symbolic: the unit arrays of a Jacobian are deltas of unknown value, to be simplified.
    internal: opened by a rule rather than around user code; constants need no snapshot then.
    """

    __slots__ = (
        "__weakref__",
        "abstract",
        "closed",
        "decisions",
        "has_symbols",
        "internal",
        "name",
        "only",
        "sets",
        "symbolic",
    )

    def __init__(
        self,
        name: str,
        *,
        abstract: str = "",
        records: bool = False,
        internal: bool = False,
        symbolic: bool = False,
    ) -> None:
        self.name = name
        self.symbolic = symbolic
        self.has_symbols = False
        self.abstract = abstract
        self.internal = internal
        self.closed = False
        self.decisions: list[tuple[Node, Any]] | None = [] if records else None
        self.sets: list[ScopeSet] = []
        self.only = ScopeSet(frozenset((self,)))
        if not internal:
            if not is_tracing():
                forget_reasons()
            _open.scopes.append(weakref.ref(self))
            _open.recording += records

    def close(self) -> None:
        """End the scope: values that depend on it may no longer be used by user code."""
        if not self.closed and self.decisions is not None:
            _open.recording = max(0, _open.recording - 1)
        self.closed = True
        for scopes in self.sets:
            scopes.dead = True
        self.sets = []
        is_tracing()  # drops this scope, and any before it that are closed too

    def __enter__(self) -> Scope:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.close()
        if isinstance(error, TypeError | IndexError):
            for part, note in _NOTES.items():
                if part in str(error) and note not in getattr(error, "__notes__", ()):
                    error.add_note(note)


class ScopeSet:
    """An immutable set of scopes with cached unions; nodes share these objects."""

    __slots__ = ("dead", "members", "recorders", "snapshot", "unions")

    def __init__(self, members: frozenset[Scope]) -> None:
        self.members = members
        self.dead = any(scope.closed for scope in members)
        self.recorders = tuple(s for s in members if s.decisions is not None)
        self.snapshot = any(not s.internal for s in members)
        self.unions: dict[ScopeSet, ScopeSet] = {}
        for scope in members:
            if not scope.closed:
                scope.sets.append(self)

    def union(self, other: ScopeSet) -> ScopeSet:
        """The set of scopes in either; the same object for the same question."""
        found = self.unions.get(other)
        if found is not None:
            return found
        members = self.members | other.members
        if members == self.members:
            result = self
        elif members == other.members:
            result = other
        else:
            result = other.unions.get(self) or ScopeSet(members)
        if len(self.unions) > 256:
            # Inner transforms in a long loop leave one dead entry each behind.
            # The list is taken at once, as another thread may add to the dictionary meanwhile.
            self.unions = {k: v for k, v in list(self.unions.items()) if not k.dead}
        self.unions[other] = result
        return result

    def live(self) -> ScopeSet:
        """The same set without the scopes that are closed."""
        members = frozenset(s for s in self.members if not s.closed)
        if members == self.members:
            return self
        result = NO_SCOPES
        for scope in members:
            result = result.union(scope.only)
        return result

    def escaped(self) -> Scope:
        """One closed scope of a dead set, for the message."""
        return next(s for s in self.members if s.closed)


NO_SCOPES = ScopeSet(frozenset())
