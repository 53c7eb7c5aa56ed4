"""Computations that differ only in the integers of their indices, and how these count."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from adjoint.graph.binding import LITERAL
from adjoint.graph.ir import Node

Index = tuple[Any, ...]

MOST_WEIGHTS = 10**4
"""Plain arrays of more elements are told apart by identity."""

NEAR_END = 4
"""A loop that stops so many entries before the end does so for every length of the array."""


class Mismatch(Exception):
    """The computations are no loop of the kind that is looked for."""


@dataclass(frozen=True)
class Pattern:
    """Several computations as one: the first of them, and for each of its reads that differ
    between them, the index that each has there; ``weights`` are the numbers, or plain arrays, that
    differ."""

    first: Node
    count: int
    varying: dict[Node, list[Index]]
    weights: dict[Node, list[Any]]

    def integers(self) -> list[tuple[int, ...]]:
        """For each computation, all integers that differ somewhere."""
        rows: list[tuple[int, ...]] = [()] * self.count
        for indices in self.varying.values():
            rows = [row + integers(i) for row, i in zip(rows, indices, strict=True)]
        return rows


def integers(index: Index) -> tuple[int, ...]:
    return tuple(p for p in index if isinstance(p, int))


class Skeletons:
    """What a computation is apart from the integers in its indices, as a number: equal numbers for
    those that may be one pattern; with ``exact``, for those that are equal, and with ``weighted``
    also for those that differ in the numbers they multiply by."""

    def __init__(self, exact: bool = False, weighted: bool = False) -> None:
        self.exact, self.weighted = exact, weighted
        self._numbers: dict[Hashable, int] = {}
        self._of: dict[Node, int] = {}

    def __call__(self, root: Node) -> int:
        stack = [root]
        while stack:
            node = stack[-1]
            missing = [n for n in node.inputs if n not in self._of]
            if node in self._of or not missing:
                stack.pop()
                if node not in self._of:
                    self._of[node] = self._number(self._key(node))
            else:
                stack += missing
        return self._of[root]

    def _key(self, node: Node) -> Hashable:
        if not node.inputs:
            return ("any number",) if self.weighted and is_weight(node) else constant_key(node)
        params = repr(sorted(node.params.items())) if self.exact else skeleton(node)
        return node.primitive.name, params, *(self._of[n] for n in node.inputs)

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def constant_key(node: Node) -> Hashable:
    """A number or a small plain array by its value, anything else by identity."""
    if not is_weight(node):
        return "node", id(node)
    value = np.asarray(node.value)
    return ("number", repr(node.value)) if not value.ndim else (
        "array", value.shape, value.dtype.str, value.tobytes()
    )  # fmt: skip


def is_weight(node: Node) -> bool:
    """Whether a node is a plain number or a small plain array."""
    if node.primitive is not LITERAL:
        return False
    value = np.asarray(node.value)
    return bool(value.dtype.kind in "iufb" and value.size <= MOST_WEIGHTS)


def skeleton(node: Node) -> str:
    """The parameters of a node, without the integers of an index."""
    if node.primitive.name in ("getitem", "setitem"):
        parts = node.params["template"]
        return repr(tuple("i" if isinstance(p, int) else p for p in parts))
    return repr(sorted(node.params.items()))


def pattern_of(nodes: Sequence[Node]) -> Pattern:
    """The pattern that several nodes have in common.

    Raises
    ------
    Mismatch: they are not one computation.
    """
    varying: dict[Node, list[Index]] = {}
    weights: dict[Node, list[Any]] = {}
    exact = Skeletons(exact=True)
    seen: set[tuple[Node, ...]] = set()
    stack = [tuple(nodes)]
    while stack:
        group = stack.pop()
        first = group[0]
        if group in seen or all(n is first for n in group):
            continue
        seen.add(group)
        if not first.inputs:
            if len({constant_key(n) for n in group}) > 1:
                values = _weights(group)
                if weights.setdefault(first, values) is not values:
                    raise Mismatch
            continue
        if any(
            n.primitive is not first.primitive
            or len(n.inputs) != len(first.inputs)
            or skeleton(n) != skeleton(first)
            for n in group
        ):
            raise Mismatch
        if first.primitive.name == "getitem":
            indices = [_counted(n) for n in group]
            if len(set(map(integers, indices))) > 1:
                bases = {exact(n.inputs[0]) for n in group}
                if len(first.inputs) > 1 or len(bases) > 1 or not _is_plain(indices[0]):
                    raise Mismatch
                if varying.setdefault(first, indices) != indices:
                    raise Mismatch
                continue
        elif first.primitive.name == "setitem" and len({str(n.params) for n in group}) > 1:
            raise Mismatch
        stack += zip(*(n.inputs for n in group), strict=True)
    return Pattern(nodes[0], len(nodes), varying, weights)


def _weights(group: Sequence[Node]) -> list[Any]:
    values = [np.asarray(n.value) for n in group]
    if not all(map(is_weight, group)) or len({(v.shape, v.dtype.kind) for v in values}) > 1:
        raise Mismatch
    return values


@dataclass(frozen=True)
class Grid:
    """Pairs of counters, told by their difference; each integer of an index is one of the two, or
    neither, plus a number."""

    range: range
    mask: Any
    columns: tuple[tuple[int, int], ...]

    def row(self, pattern: Pattern, p: int) -> Pattern:
        """All computations with one value of the first counter, those that are not there too."""
        varying: dict[Node, list[Index]] = {}
        columns = iter(self.columns)
        for node, indices in pattern.varying.items():
            places = [k for k, part in enumerate(indices[0]) if isinstance(part, int)]
            mine = [next(columns) for _ in places]
            shape = node.inputs[0].type.shape
            varying[node] = []
            for q in self.range:
                index = list(indices[0])
                for k, (counter, offset) in zip(places, mine, strict=True):
                    index[k] = (p, q, 0)[counter] + offset
                    if not 0 <= index[k] < shape[k]:
                        raise Mismatch
                varying[node].append(tuple(index))
        return Pattern(pattern.first, len(self.range), varying, {})


def grid_of(pattern: Pattern) -> Grid:
    """How the indices of a pattern are counted by two counters.

    Raises
    ------
    Mismatch: they are not, or the pairs are not told by their difference.
    """
    rows = np.array(pattern.integers())
    if pattern.weights or rows.ndim != 2 or not rows.shape[1]:
        raise Mismatch
    moving = [c for c in rows.T if np.ptp(c)]
    if not moving:
        raise Mismatch
    u = moving[0]
    v = next((c for c in moving if np.ptp(c - u)), None)
    if v is None:
        raise Mismatch
    low, high = min(u.min(), v.min()), max(u.max(), v.max()) + 1
    counters = np.arange(low, high)
    mask = np.isin(counters[:, None] - counters, u - v)
    pairs = set(zip(u.tolist(), v.tolist(), strict=True))
    if len(pairs) < len(rows) or mask.sum() != len(rows):
        raise Mismatch
    columns = []
    for c in rows.T:
        counter = next((k for k, d in enumerate((u, v, 0 * u)) if not np.ptp(c - d)), None)
        if counter is None:
            raise Mismatch
        columns.append((counter, int((c - (u, v, 0 * u)[counter])[0])))
    return Grid(range(int(low), int(high)), mask, tuple(columns))


def _is_plain(index: Index) -> bool:
    return all(isinstance(p, int | slice) and not isinstance(p, bool) for p in index)


def _counted(node: Node) -> Index:
    """The index of a read, with a part for each axis and integers counted from the front."""
    parts, shape = list(node.params["template"]), node.inputs[0].type.shape
    if not _is_plain(tuple(parts)):
        return tuple(parts)
    parts += [slice(None)] * (len(shape) - len(parts))
    return tuple(p % n if isinstance(p, int) else p for p, n in zip(parts, shape, strict=True))


def block_length(rows: Sequence[tuple[int, ...]]) -> int:
    """How many steps the innermost loop takes: as long as all integers go on by the same steps.

    >>> block_length([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)])
    3

    Raises
    ------
    Mismatch: the number of rows is no multiple of that.
    """
    steps = [advance(a, b) for a, b in pairwise(rows)]
    length = next((k + 1 for k, s in enumerate(steps) if s != steps[0]), len(rows))
    if length < 2 or len(rows) % length:
        raise Mismatch
    for k, step in enumerate(steps):
        if (k + 1) % length and step != steps[0]:
            raise Mismatch
    return length


def advance(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(q - p for p, q in zip(a, b, strict=True))


def sliced(indices: Sequence[Index], shape: tuple[int, ...]) -> tuple[Index, list[int]]:
    """One index for all of a loop, slices in place of the integers that count; and their places.

    >>> sliced([(0, 2), (1, 2), (2, 2)], (4, 5))
    ((slice(None, -1, None), 2), [0])
    """
    first, count = list(indices[0]), len(indices)
    moving = []
    for place, start in enumerate(first):
        if not isinstance(start, int):
            continue
        step = indices[1][place] - start
        if step:
            moving.append(place)
            first[place] = _slice(start, step, count, shape[place])
    return tuple(first), moving


def _slice(start: int, step: int, count: int, size: int) -> slice:
    """The slice for start, start + step, …, as one writes it: bounds near the end from there."""
    stop = start + step * count
    if step < 0:
        return slice(None if start == size - 1 else start, stop if stop >= 0 else None, step)
    last = None if stop >= size else (stop - size if size - stop <= NEAR_END else stop)
    return slice(start or None, last, None if step == 1 else step)


def whole(index: Index) -> bool:
    """Whether an index takes everything."""
    return all(p == slice(None) for p in index)


__all__ = [
    "Grid", "Mismatch", "Pattern", "Skeletons", "advance", "block_length", "grid_of", "integers",
    "is_weight", "pattern_of", "sliced", "whole",
]  # fmt: skip
