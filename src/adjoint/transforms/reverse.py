"""Reverse mode: cotangents pulled back through a graph, from its outputs to its variables.

It is the transpose of the linearised graph, taken node by node.  A node linear in an operand uses
its transpose rule; an elementwise map multiplies by its partial derivative; for anything else the
forward rule is traced with unknown tangents, which gives a small graph of linear nodes, and that is
pulled back by the same walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from adjoint.graph.binding import PROJECTION, variable
from adjoint.graph.ir import Node
from adjoint.graph.primitive import Hole
from adjoint.graph.scope import Scope, rules_run
from adjoint.graph.tracer import Tracer
from adjoint.graph.typecheck import after_transform
from adjoint.primitives.indexing import fit_shape
from adjoint.primitives.scalar import Elementwise
from adjoint.primitives.selection import convert
from adjoint.transforms.walk import Operands


class _NeedsMasks(Exception):
    """The elements that an index left out have to be known, to multiply by this slope."""


class _Pullback:
    """One pass: the cotangents collected so far, and which of their elements can be nonzero.

    ``live`` marks, for a node whose every contribution passed through a `where`, the elements that
    the `where` let through.  Elsewhere the cotangent is zero whatever it is multiplied with, so the
    branch not taken contributes nothing even where its derivative is infinite or NaN.

    An element that no index read, or that was overwritten, contributes nothing either.  To keep
    masks for those too costs more than to do without, so only an ``exact`` pass does; any other
    notes in ``selected`` that there would have been such masks.
    """

    def __init__(self, scope: Scope, exact: bool = False) -> None:
        self.scope = scope
        self.exact = exact
        self.selected = False
        self.operand = Operands(scope)
        self.cotangents: dict[Node, Any] = {}
        self.live: dict[Node, Any] = {}
        self.lives: dict[Node, list[Any]] = {}
        self.owned: set[Node] = set()
        self.queue: list[tuple[int, Node]] = []
        self.targets: set[Node] = set()
        self.passed: dict[Node, Any] = {}

    # -- collecting ---------------------------------------------------------------------------

    def add(self, node: Node, ct: Any, live: Any = None) -> None:
        """Adds a contribution to the cotangent of a node."""
        known = self.cotangents.get(node)
        if known is None:
            self.cotangents[node] = ct
            if live is not None:
                self.live[node] = live
            heappush(self.queue, (-node.serial, node))
            return
        if node in self.owned:
            if isinstance(ct, Tracer):
                self.owned.discard(node)
                self.cotangents[node] = known + ct
            else:
                known += ct
        else:
            self.cotangents[node] = known + ct
        earlier = self.live.pop(node, None)
        if earlier is not None and live is not None:
            self.live[node] = np.logical_or(earlier, live)

    def add_to_input(self, node: Node, ct: Any, live: Any = None) -> None:
        """Adds a contribution after bringing it to the shape and dtype of the node."""
        type_ = node.type
        if ct.shape != type_.shape:
            ct = fit_shape(ct, type_.shape)
            if live is not None and live.shape != type_.shape:
                live = fit_shape(live, type_.shape) != 0
        if ct.dtype != type_.dtype:
            if type_.dtype.kind not in "fc":
                return
            ct = convert(ct, type_.dtype)
        if isinstance(live, np.ndarray) and live.all():
            live = None
        self.add(node, ct, live)

    def active(self, node: Node) -> bool:
        return self.scope in node.scopes.members

    def _varies_nonlinearly(self, node: Node) -> bool:
        linear = node.primitive.is_linear_in
        return any(self.active(n) and not linear(i) for i, n in enumerate(node.inputs))

    # -- walking ------------------------------------------------------------------------------

    def run(self) -> None:
        queue = self.queue
        while queue:
            node = heappop(queue)[1]
            if node in self.targets:
                continue
            ct = self.cotangents.pop(node)
            live = self.live.pop(node, None)
            self.owned.discard(node)
            if node in self.passed:
                self.passed[node] = ct
            primitive = node.primitive
            if isinstance(primitive, Elementwise):
                self._elementwise(node, primitive, ct, live)
            elif primitive is PROJECTION:
                self._projection(node, ct, live)
            elif primitive.flat:
                continue
            elif primitive.linear and not (primitive.mixed and self._varies_nonlinearly(node)):
                self._linear(node, ct, live)
            elif primitive.has_rule("pull_back"):
                self._own_rule(node, ct)
            else:
                self._general(node, ct, live)

    def _elementwise(self, node: Node, primitive: Elementwise, ct: Any, live: Any) -> None:
        operands: tuple[Any, ...] | None = None
        out = None
        for position, parent in enumerate(node.inputs):
            rule = primitive.partials[position]
            if rule == 0 or parent.primitive.flat or not self.active(parent):
                continue  # nothing behind a flat parent varies, so no rule is needed
            if isinstance(rule, str) and not _carries_tangent(parent):
                continue  # an integer operand needs no derivative
            reached = live
            if rule == 1:
                term = ct
            elif rule == -1:
                term = -ct
            else:
                if operands is None:
                    operands = tuple(map(self.operand, node.inputs))
                    out = self.operand(node)
                slope = primitive.partial(position, operands, out)
                term = ct * slope
                if self.selected and isinstance(term, Tracer) and not _is_finite(slope):
                    raise _NeedsMasks
                if primitive.selects:
                    reached = slope != 0
                    reached = reached if live is None else np.logical_and(reached, live)
                if reached is not None:
                    term = np.where(reached, term, 0.0)
            self.add_to_input(parent, term, reached)

    def _projection(self, node: Node, ct: Any, live: Any) -> None:
        parent = node.inputs[0]
        known = self.cotangents.get(parent)
        if known is None:
            known = self.cotangents[parent] = [None] * len(parent.types)
            self.lives[parent] = [None] * len(parent.types)
            heappush(self.queue, (-parent.serial, parent))
        index = node.params["index"]
        lives = self.lives[parent]
        if known[index] is None:
            known[index], lives[index] = ct, live
            return
        # Rules make projections of their own, so one result may have several.
        known[index] = known[index] + ct
        both = live is not None and lives[index] is not None
        lives[index] = np.logical_or(lives[index], live) if both else None

    def _linear(self, node: Node, ct: Any, live: Any) -> None:
        primitive, params = node.primitive, node.params
        for position, parent in enumerate(node.inputs):
            if not (primitive.is_linear_in(position) and self.active(parent)):
                continue
            if parent.type.dtype.kind not in "fc":
                continue
            operands = tuple(
                Hole(n.type) if i == position or (primitive.jointly_linear
                                                  and primitive.is_linear_in(i))
                else self.operand(n)
                for i, n in enumerate(node.inputs)
            )  # fmt: skip
            selects = primitive.selective(**params)
            if selects and not self.exact:
                self.selected = True
            if (
                live is None
                and primitive.name == "getitem"
                and self._accumulate(node, ct, operands)
            ):
                continue
            term = primitive.transpose(ct, operands, position, **params)
            if term is None:
                continue
            if selects and self.exact and live is None:
                live = np.ones(node.type.shape, np.bool_)
            reached = self._reach(node, live, operands, position)
            if reached is not None:
                term = np.where(reached, term, 0.0)
            self.add_to_input(parent, term, reached)

    def _accumulate(self, node: Node, ct: Any, operands: tuple[Any, ...]) -> bool:
        """Adds the cotangent of ``x[i]`` into the one that x has, in place, so that a loop over
        the elements of x costs one array and not one per element."""
        parent = node.inputs[0]
        if isinstance(ct, Tracer) or any(isinstance(o, Tracer) for o in operands[1:]):
            return False
        known = self.cotangents.get(parent)
        if isinstance(known, Tracer):
            return False
        if parent not in self.owned:
            fresh = np.zeros(parent.type.shape, parent.type.dtype)
            if known is None:
                none = np.zeros(parent.type.shape, np.bool_) if self.exact else None
                self.add(parent, fresh, none)
            else:
                fresh += known
                self.cotangents[parent] = fresh
                if parent in self.live:
                    self.live[parent] = np.array(self.live[parent])
            self.owned.add(parent)
        if not self.exact:
            self.live.pop(parent, None)
        elif parent in self.live:
            node.primitive.mark(  # type: ignore[attr-defined]
                self.live[parent], operands, **node.params
            )
        if ct.dtype.kind == "c" and parent.type.dtype.kind == "f":
            ct = ct.real
        node.primitive.accumulate(  # type: ignore[attr-defined]
            self.cotangents[parent], ct, operands, **node.params
        )
        return True

    def _reach(self, node: Node, live: Any, operands: tuple[Any, ...], position: int) -> Any:
        """Which elements of an input the live elements of a cotangent reach."""
        primitive = node.primitive
        if primitive.name == "where":
            own = primitive.live(operands, position)  # type: ignore[attr-defined]
            own = np.broadcast_to(own, node.type.shape)
            return own if live is None else np.logical_and(own, live)
        if live is None:
            return None
        shape = node.inputs[position].type.shape
        if not primitive.structural:
            return np.broadcast_to(np.any(live), shape)
        ones = tuple(
            o if isinstance(o, Hole) or np.result_type(o).kind not in "fc" else np.ones(np.shape(o))
            for o in operands
        )
        counts = primitive.transpose(np.where(live, 1.0, 0.0), ones, position, **node.params)
        return fit_shape(counts, shape) != 0

    def _own_rule(self, node: Node, ct: Any) -> None:
        """Pulls back through a primitive whose reverse mode is more than its transposed forward
        rule: a loop that stores its carries, a function with a rule of the user's."""
        wanted = tuple(self.active(n) and _carries_tangent(n) for n in node.inputs)
        primals = tuple(map(self.operand, node.inputs))
        if self.selected and any(isinstance(v, Tracer) for v in (*primals, *ct)):
            raise _NeedsMasks  # as above: a derivative of what comes back may be infinite
        masked = _zeros_are_masks(ct, self.lives.pop(node))
        terms = node.primitive.pull_back(primals, ct, wanted, masked, **node.params)
        for parent, term in zip(node.inputs, terms, strict=True):
            if term is not None:
                self.add_to_input(parent, term, term != 0 if masked else None)

    def _general(self, node: Node, ct: Any, live: Any) -> None:
        """Transposes the forward rule after tracing it with unknown tangents."""
        scope = Scope(node.primitive.name, abstract="a rule is being transposed", internal=True)
        sources: list[tuple[Node, Node]] = []
        tangents: list[Any] = []
        for parent in node.inputs:
            if self.active(parent) and _carries_tangent(parent):
                tangent = variable(scope, None, parent.type._replace(weak=False))
                sources.append((parent, tangent.node))
                tangents.append(tangent)
            else:
                tangents.append(None)
        primals = tuple(map(self.operand, node.inputs))
        out = self.operand(node)
        dots = node.primitive.jvp(out, primals, tuple(tangents), **node.params)
        if node.primitive.multiple_results:
            parts = zip(dots, ct, self.lives.pop(node), strict=True)
            pairs = [(d, c, reached) for d, c, reached in parts if c is not None]
        else:
            pairs = [(dots, ct, live)]
        seeds = [(d.node, c, reached) for d, c, reached in pairs if isinstance(d, Tracer)]
        walk = _Pullback(scope, self.exact)
        walk.selected = self.selected
        walk.targets = {t for _, t in sources}
        with scope:
            for seed, term, reached in seeds:
                if walk.active(seed):
                    walk.add_to_input(seed, term, reached)
            walk.run()
            self.selected = walk.selected
            for parent, target in sources:
                if target in walk.cotangents:
                    self.add_to_input(parent, walk.cotangents[target], walk.live.get(target))


def _carries_tangent(node: Node) -> bool:
    return not node.primitive.multiple_results and node.type.dtype.kind in "fc"


def _is_finite(value: Any) -> bool:
    """Whether all elements are known to be finite, now and in every later use of the graph."""
    return not isinstance(value, Tracer) and bool(np.all(np.isfinite(value)))


def _zeros_are_masks(cts: Sequence[Any], lives: Sequence[Any]) -> bool:
    """Whether in these cotangents to be zero means to be left out by a `where` or an index.

    It does not if an element is zero that was let through: times an infinite slope it is NaN.
    """
    pairs = [(c, m) for c, m in zip(cts, lives, strict=True) if m is not None]
    for ct, live in pairs:
        if not (isinstance(ct, Tracer) or isinstance(live, Tracer)) and np.any(live & (ct == 0)):
            return False
    return bool(pairs)


@rules_run()
def pullback(
    seeds: Sequence[tuple[Node, Any]],
    targets: Sequence[Node],
    scope: Scope,
    masked: bool = False,
    passed: Sequence[Node] = (),
) -> list[Any | None]:
    """The cotangents of the targets, given those of outputs; None is zero.

    The pass stops at targets.  The cotangents of the nodes ``passed`` follow those of the targets:
    what flows through each of them, all in the same pass.

    With ``masked``, what is zero in the given cotangents was left out by a `where` outside, and
    contributes nothing whatever it is multiplied with.

    Costs a small multiple of the function, however many variables there are.  A cotangent is
    dropped as soon as it has been passed on, so memory is what the function itself kept.
    """
    found = _pull_back(seeds, targets, scope, masked, passed, exact=False)
    if found is None:
        found = _pull_back(seeds, targets, scope, masked, passed, exact=True) or []
    after_transform("reverse mode", found)
    return found


def _pull_back(
    seeds: Sequence[tuple[Node, Any]],
    targets: Sequence[Node],
    scope: Scope,
    masked: bool,
    passed: Sequence[Node],
    exact: bool,
) -> list[Any | None] | None:
    """One pass; None if elements that an index left out may have put a NaN into it."""
    walk = _Pullback(scope, exact)
    walk.targets = set(targets)
    walk.passed = dict.fromkeys(passed)
    try:
        for node, ct in seeds:
            if walk.active(node):
                walk.add_to_input(node, ct, ct != 0 if masked else None)
        walk.run()
    except _NeedsMasks:
        return None
    found = [*map(walk.cotangents.get, targets), *map(walk.passed.get, passed)]
    plain = [c for c in found if c is not None and not isinstance(c, Tracer)]
    return None if walk.selected and not all(map(_is_finite, plain)) else found
