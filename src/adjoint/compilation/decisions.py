"""The decisions that Python takes on values while a function is traced: the guards of a path, and
the tree that the paths of one kind of arguments form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adjoint.graph.binding import outward
from adjoint.graph.ir import Node
from adjoint.graph.sites import Site, describe_site
from adjoint.graph.tracer import Tracer

Guard = tuple[Node, Any]
"""A number that a graph computes, and what it has to be."""


@dataclass(frozen=True)
class Decision:
    """What was decided on: ``kind`` computed it, on the user's line ``site``; it was ``took``.

    ``exactly`` tells apart arrays that are too long to show.
    """

    kind: str
    site: Site | None
    took: str
    exactly: bytes = b""

    @property
    def where(self) -> str:
        """``greater at model.py:12:  if x > 0:``."""
        return f"{self.kind} {describe_site(self.site)}".rstrip()


def guards_of(recorded: Iterable[Guard]) -> tuple[list[Guard], list[Decision]]:
    """The decisions that were recorded, as tests of one number each and as what to say of them;
    every one once."""
    found: dict[tuple[Node, str], tuple[Guard, Decision]] = {}
    for node, value in recorded:
        kind = "argument" if node.primitive.name == "variable" else node.primitive.name
        exactly = b""
        if isinstance(value, np.ndarray) and value.shape:
            known = outward(node)  # it may belong to a transform inside that has returned
            count = np.sum(np.not_equal(known, value).astype(np.float64))
            assert isinstance(count, Tracer)
            shown = np.array2string(value, threshold=8, separator=", ").replace("\n", "")
            guard, took, exactly = (count.node, 0), shown, value.tobytes()
        else:
            plain = value.item() if isinstance(value, np.generic | np.ndarray) else value
            guard, took = (node, plain), repr(plain)
        said = Decision(kind, node.site, took, exactly)
        found.setdefault((guard[0], repr(guard[1])), (guard, said))
    return [g for g, _ in found.values()], [d for _, d in found.values()]


def decision_tree(paths: Mapping[int, Sequence[Decision]]) -> Iterator[str]:
    """The decisions of numbered paths, each line a decision or a way it went; what paths have in
    common stands once.

    >>> a, b = Decision("less", None, "True"), Decision("less", None, "False")
    >>> print(*decision_tree({1: [a, a], 2: [a, b], 3: [b]}), sep="\\n")
    less
      True:
        less
          True: path 1
          False: path 2
      False: path 3
    """
    return _grown(paths, 0)


def _grown(paths: Mapping[int, Sequence[Decision]], depth: int) -> Iterator[str]:
    alike: Counter[tuple[str, str]] = Counter()
    ways = _ways(paths, depth)
    while len(ways) == 1 and None not in ways:
        (next_one,) = ways
        assert next_one is not None
        alike[next_one.where, next_one.took] += 1
        depth += 1
        ways = _ways(paths, depth)
    for (where, took), count in alike.items():
        yield f"{where} is {took}" + (f", {count} times" if count > 1 else "")
    for number in ways.pop(None, ()):
        yield f"path {number}"
    for place, (way, rest) in enumerate(ways.items()):
        assert way is not None
        if not place:
            yield way.where
        first, *others = _grown(rest, depth + 1)
        if others or not first.startswith("path "):
            yield f"  {way.took}:"
            yield from (f"    {line}" for line in (first, *others))
        else:
            yield f"  {way.took}: {first}"


def _ways(
    paths: Mapping[int, Sequence[Decision]], depth: int
) -> dict[Decision | None, dict[int, Sequence[Decision]]]:
    """The paths by what they decide next; under None those that decide nothing more."""
    ways: dict[Decision | None, dict[int, Sequence[Decision]]] = {}
    for number, decisions in paths.items():
        way = decisions[depth] if depth < len(decisions) else None
        ways.setdefault(way, {})[number] = decisions
    return ways
