"""Linear recurrences, s ← a s + g: the last s is Σ aᵏ g of k steps before, which is a sum again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adjoint.graph.ir import Node
from adjoint.transforms.index_patterns import Skeletons

Signed = tuple[int, Node]

SUMS = ("add", "subtract")


@dataclass(frozen=True)
class Recurrence:
    """The factor a, and what each step adds, the last step first."""

    factor: Node
    steps: list[list[Signed]]


class Link(NamedTuple):
    """A step of a recurrence: the product a s in it, s, and the factor a."""

    product: Node
    s: Node
    factor: Node


def addends(root: Node, inner: Container[Node]) -> list[Signed]:
    """The operands of a chain of additions and subtractions, in the order in which they stand."""
    found: list[Signed] = []
    stack = [(1, root)]
    while stack:
        sign, node = stack.pop()
        if node.primitive.name in SUMS and (node is root or node in inner):
            right = -sign if node.primitive.name == "subtract" else sign
            stack += [(right, node.inputs[1]), (sign, node.inputs[0])]
        else:
            found.append((sign, node))
    return found


def links(
    order: Sequence[Node], uses: Counter[Node], inner: Container[Node], shortest: int
) -> dict[Node, Link]:
    """The sums that end with a step of a recurrence of at least so many steps."""
    alike, found, depth = Skeletons(exact=True), dict[Node, Link](), dict[Node, int]()
    for node in order:
        if node.primitive.name not in SUMS or node in inner:
            continue
        depth[node] = 0
        for sign, m in addends(node, inner):
            if sign < 0 or m.primitive.name != "multiply" or uses[m] != 1:
                continue
            for s, a in (m.inputs, m.inputs[::-1]):
                if s not in depth or uses[s] != 1:
                    continue
                goes_on = s in found and alike(found[s].factor) == alike(a)
                steps = depth[s] + 1 if goes_on else 1
                # In (1 − a) s both are sums: the one that has steps behind it is s.
                if node not in found or (steps, depth[s]) > (depth[node], depth[found[node].s]):
                    depth[node], found[node] = steps, Link(m, s, a)
    kept: dict[Node, Link] = {}
    for node in reversed(order):
        steps = depth.get(node, 0)
        if steps >= shortest and node not in kept:
            for _ in range(steps):
                kept[node] = found[node]
                node = found[node].s
    return kept


def recurrence_of(root: Node, inner: Container[Node], links: dict[Node, Link]) -> Recurrence | None:
    """The recurrence that ends with a sum; None if it is none."""
    steps: list[list[Signed]] = []
    factor = links[root].factor if root in links else None
    while root in links:
        operands = addends(root, inner)
        steps.append([t for t in operands if t[1] is not links[root].product])
        root = links[root].s
    return None if factor is None else Recurrence(factor, [*steps, addends(root, inner)])


__all__ = ["Link", "Recurrence", "addends", "links", "recurrence_of"]
