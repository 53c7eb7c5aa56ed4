"""Functions whose derivative the user gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adjoint.errors import AdjointError, MissingRuleError
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import recorded
from adjoint.graph.ir import Graph
from adjoint.graph.registry import register
from adjoint.graph.scope import Scope, rules_run
from adjoint.graph.tracer import Tracer
from adjoint.primitives.control.body import ControlPrimitive, as_node, own, unknowns

Arrays = Sequence[Any]

_REASON = "the type of its result is being found"


class Rules:
    """A user's function and its rules, on flat lists of operands.

    Attributes
    ----------
    name: the function's, for messages.
    call: results from plain operands.
    jvp: the tangents of the results, from operands and their tangents; None if not given.
    pull: the cotangents of the operands (None is zero), from operands and cotangents of the results
        in the internal pairing Re(c·t); None if not given.
    identity: equal for two calls of one function, so that a transform can tell that it meets the
        same again; None where that is not known.
    """

    __slots__ = ("call", "identity", "jvp", "known", "name", "pull")

    def __init__(
        self,
        name: str,
        call: Callable[..., list[Any]],
        jvp: Callable[[Arrays, Arrays], list[Any]] | None,
        pull: Callable[[Arrays, Arrays], list[Any]] | None,
    ) -> None:
        self.name, self.call = name, rules_run(False)(call)
        self.jvp = None if jvp is None else _users(jvp)
        self.pull = None if pull is None else _users(pull)
        self.known: dict[tuple[ArrayType, ...], tuple[ArrayType, ...]] = {}
        self.identity: Any = None

    def types(self, operands: tuple[ArrayType, ...]) -> tuple[ArrayType, ...]:
        """The types of the results, for operands of which no more is known than their types."""
        key = tuple(t._replace(weak=False) for t in operands)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._traced(operands) or self._probed(operands)
        return found

    def _traced(self, operands: tuple[ArrayType, ...]) -> tuple[ArrayType, ...] | None:
        graph = self.graph(operands)
        if graph is None:
            return None
        return tuple(n.type._replace(weak=False) for n in graph.outputs)

    def graph(self, operands: tuple[ArrayType, ...]) -> Graph | None:
        """The function as a graph; None if it is not plain NumPy, and has to be called."""
        with Scope(self.name, abstract=_REASON, internal=True) as scope, np.errstate(all="ignore"):
            try:
                variables = unknowns(scope, operands)
                starts = [v.node for v in variables]  # the function may write to its arguments
                results = self.call(*variables)
            except Exception:
                return None
            return Graph(scope, starts, [as_node(r) for r in results])

    def _probed(self, operands: tuple[ArrayType, ...]) -> tuple[ArrayType, ...]:
        with np.errstate(all="ignore"):
            try:
                results = self.call(*(np.ones(t.shape, t.dtype)[()] for t in operands))
            except AdjointError:
                raise
            except Exception as error:
                raise MissingRuleError(
                    f"the type of {self.name}'s result is not known: inside vmap or a loop its "
                    f"arguments have no values, and of arrays of ones it fails with {error!r}.",
                    hint="write it in NumPy functions that can be traced, or accept ones.",
                ) from error
        return tuple(as_node(r).type._replace(weak=False) for r in results)


def _users(rule: Callable[[Arrays, Arrays], list[Any]]) -> Callable[[Arrays, Arrays], list[Any]]:
    """A rule that the user wrote: arrays that it closes over are inputs, and what it computes from
    them and from tangents is recorded, even of tangents that are plain numbers."""

    @rules_run(False)
    def apply_rule(operands: Arrays, vectors: Arrays) -> list[Any]:
        return rule(operands, [None if v is None else recorded(v) for v in vectors])

    return apply_rule


class Custom(ControlPrimitive):
    """A function that is called on plain arrays; params ``rules`` has its derivative."""

    name = "custom_derivative"

    def evaluate(self, *operands: Any, **params: Any) -> Any:
        return tuple(own(r, operands) for r in params["rules"].call(*operands))

    def infer(self, *types: ArrayType, **params: Any) -> tuple[ArrayType, ...]:
        found: tuple[ArrayType, ...] = params["rules"].types(types)
        return found


CUSTOM = register(Custom())


def is_plain(values: Arrays) -> bool:
    """Whether no value is traced."""
    return not any(isinstance(v, Tracer) for v in values)
