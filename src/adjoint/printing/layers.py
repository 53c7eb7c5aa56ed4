"""Where the boxes of a computation graph stand, and which lines join them.

A layered drawing (Sugiyama, Tagawa and Toda, 1981): every step one layer below the last of what it
reads, each layer ordered so that few lines cross.  An edge over several layers has a bend in each
of them, so that it runs beside the boxes.  All edges that leave a box share its bends and are one
line down to where they branch off: a variable that every step reads costs one bend per layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise, repeat

Item = int | tuple[int, int]
"""Something with a place in the drawing: a step, or the bend (a, layer) of what leaves a."""

Place = tuple[float, float]

_GAP_X, _GAP_Y, _MARGIN, _BEND_WIDTH = 28, 36, 20, 12
_SWEEPS = 2
_BEND_WEIGHT = 1e6
_MOST_BENDS = 20_000


class Layout:
    """Places for boxes of these widths and one height.

    ``where`` holds the centre of every box and bend, ``size`` the width and height of the picture,
    ``links`` the pairs of items that a line joins, the upper one first.  The cost is linear in
    boxes, edges and bends, up to the sorting of each layer; of the last there are 20,000 at most:
    where there would be more, the longest edges run straight, behind the boxes.
    """

    def __init__(
        self, widths: Sequence[float], edges: Sequence[tuple[int, int]], height: float
    ) -> None:
        self.widths, self.height = widths, height
        self.depth = _depths(len(widths), edges)
        self.rows: list[list[Item]] = [[] for _ in range(max(self.depth, default=-1) + 1)]
        for step, layer in enumerate(self.depth):
            self.rows[layer].append(step)
        self.links = self._link(edges)
        parents: dict[Item, list[Item]] = {}
        children: dict[Item, list[Item]] = {}
        for above, below in self.links:
            parents.setdefault(below, []).append(above)
            children.setdefault(above, []).append(below)
        self._order(parents, children)
        across = self._across(parents, children)
        self.where: dict[Item, Place] = {
            item: (across[item], _MARGIN + height / 2 + layer * (height + _GAP_Y))
            for layer, row in enumerate(self.rows)
            for item in row
        }
        right = max((across[row[-1]] + self.width(row[-1]) / 2 for row in self.rows), default=0.0)
        layers = max(1, len(self.rows))
        self.size = right + _MARGIN, 2 * _MARGIN + layers * height + (layers - 1) * _GAP_Y

    def width(self, item: Item) -> float:
        """The width of a box, or the room for a bend."""
        return self.widths[item] if isinstance(item, int) else _BEND_WIDTH

    def _link(self, edges: Sequence[tuple[int, int]]) -> list[tuple[Item, Item]]:
        depth = self.depth
        spans: dict[int, int] = {}
        for a, b in edges:
            spans[a] = max(spans.get(a, 0), depth[b] - depth[a])
        most = max(spans.values(), default=0)
        if sum(spans.values()) - len(spans) > _MOST_BENDS:
            most = max(1, _MOST_BENDS // len(spans))
        lowest: dict[int, int] = {}  # the last bend of each step so far
        links: list[tuple[Item, Item]] = []
        for a, b in sorted(edges, key=lambda edge: depth[edge[1]]):
            above: Item = a
            last = depth[b] - 1
            if last > depth[a] and depth[b] - depth[a] <= most:
                for layer in range(lowest.get(a, depth[a]) + 1, last + 1):
                    upper: Item = (a, layer - 1) if layer - 1 > depth[a] else a
                    self.rows[layer].append((a, layer))
                    links.append((upper, (a, layer)))
                lowest[a] = max(lowest.get(a, 0), last)
                above = (a, last)
            links.append((above, b))
        return links

    def _order(
        self, parents: Mapping[Item, list[Item]], children: Mapping[Item, list[Item]]
    ) -> None:
        """Sorts each layer by the mean place of what its items are joined to."""
        place: dict[Item, float] = {}
        for row in self.rows:
            _note(place, row)
        for _ in range(_SWEEPS):
            for rows, joined in ((self.rows, parents), (self.rows[::-1], children)):
                for row in rows:
                    row.sort(key=lambda i: _mean(place, joined.get(i), place[i]))
                    _note(place, row)

    def _across(
        self, parents: Mapping[Item, list[Item]], children: Mapping[Item, list[Item]]
    ) -> dict[Item, float]:
        """The horizontal place of each item: near what it is joined to, in the order of its row."""
        found: dict[Item, float] = {}
        for row in self.rows:
            self._space(row, [0.0] * len(row), found)
        for rows, joined in (
            (self.rows, parents), (self.rows[::-1], children), (self.rows, parents),
        ):  # fmt: skip
            for row in rows:
                self._space(row, [_mean(found, joined.get(i), found[i]) for i in row], found)
        ends = (found[row[0]] - self.width(row[0]) / 2 for row in self.rows)
        left = min(ends, default=0.0) - _MARGIN
        return {item: x - left for item, x in found.items()}

    def _space(self, row: list[Item], wanted: list[float], found: dict[Item, float]) -> None:
        """Places as near to those wanted as the distances allow, in the sense of least squares.

        Pools adjacent violators (Ayer, Brunk, Ewing, Reid and Silverman, 1955).  Bends weigh so
        much that boxes make room for them: a line down many layers is straight.
        """
        offsets = [0.0]
        for a, b in pairwise(row):
            offsets.append(offsets[-1] + (self.width(a) + self.width(b)) / 2 + _GAP_X)
        pools: list[tuple[float, float, int]] = []
        for item, x, offset in zip(row, wanted, offsets, strict=True):
            weight, mean, count = 1.0 if isinstance(item, int) else _BEND_WEIGHT, x - offset, 1
            while pools and pools[-1][1] >= mean:
                other, earlier, many = pools.pop()
                mean = (weight * mean + other * earlier) / (weight + other)
                weight, count = weight + other, count + many
            pools.append((weight, mean, count))
        means = chain.from_iterable(repeat(mean, count) for _, mean, count in pools)
        found.update({i: m + o for i, m, o in zip(row, means, offsets, strict=True)})

    def lines(self) -> list[tuple[list[Place], bool]]:
        """The points through which each line runs, and whether it ends at a box, with an arrowhead.

        Lines that end at one box arrive side by side, in the order in which they come.
        """
        arriving: dict[Item, list[Item]] = {}
        for above, below in self.links:
            arriving.setdefault(below, []).append(above)
        ends: dict[tuple[Item, Item], float] = {}
        for below, sources in arriving.items():
            step = min(16.0, self.width(below) / (len(sources) + 1))
            sources.sort(key=lambda item: self.where[item][0])
            for k, above in enumerate(sources):
                ends[above, below] = (k - (len(sources) - 1) / 2) * step
        half = self.height / 2
        found = []
        for above, below in self.links:
            (x0, y0), (x1, y1) = self.where[above], self.where[below]
            points = [(x0, y0 + half), (x1 + ends[above, below], y1 - half)]
            if not isinstance(below, int):
                points.append((x1, y1 + half))
            found.append((points, isinstance(below, int)))
        return found


def _depths(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each step; one that reads nothing stands right above the first that reads it."""
    depth = [0] * count
    reads = [False] * count
    for a, b in sorted(edges, key=lambda edge: edge[1]):
        depth[b] = max(depth[b], depth[a] + 1)
        reads[b] = True
    first: dict[int, int] = {}
    for a, b in edges:
        if not reads[a]:
            first[a] = min(first.get(a, depth[b]), depth[b])
    for a, layer in first.items():
        depth[a] = layer - 1
    return depth


def _mean(place: Mapping[Item, float], joined: list[Item] | None, otherwise: float) -> float:
    return sum(place[i] for i in joined) / len(joined) if joined else otherwise


def _note(place: dict[Item, float], row: list[Item]) -> None:
    place.update({item: k - (len(row) - 1) / 2 for k, item in enumerate(row)})


__all__ = ["Item", "Layout", "Place"]
