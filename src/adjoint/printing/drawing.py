"""Computation graphs as pictures: SVG and PNG without any external program, DOT and Mermaid."""

from __future__ import annotations

import html
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from adjoint.errors import ArgumentError, UnknownNameError
from adjoint.printing.listing import Listing, Step
from adjoint.printing.trace_table import show

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN, _BEND_WIDTH = 128, 44, 36, 46, 20, 12

Item = int | tuple[int, int, int]
"""Something with a place in the drawing: a step, or a bend of the edge (a, b) in a layer."""


def draw(f: Callable[..., Any], *, values: bool = False) -> Callable[..., ComputationGraph]:
    """The computation graph of f at a point; see `adjoint.graph`."""

    def drawn(*args: Any, **named: Any) -> ComputationGraph:
        return ComputationGraph(
            Listing(f, args, named, derivatives=values, called="graph(f)"), values=values
        )

    return drawn


class ComputationGraph:
    """The elementary operations of a function and what they read, laid out in layers."""

    def __init__(self, listing: Listing, *, values: bool) -> None:
        self.steps = listing.steps
        self.values = values
        self.number = {s.name: i for i, s in enumerate(self.steps)}
        self.edges = [
            (self.number[name], i)
            for i, s in enumerate(self.steps)
            for name in dict.fromkeys(s.inputs)
            if name in self.number
        ]

    def _label(self, step: Step) -> str:
        return step.name if step.operation == "input" else f"{step.name} = {step.operation}"

    def edge_label(self, source: int) -> str:
        """What stands at the edges that leave a step."""
        step = self.steps[source]
        return f"∂f/∂{step.name} = {show(step.adjoint)}" if self.values else ""

    # -- text formats -----------------------------------------------------------------------------

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = ["digraph f {", "  node [shape=box, style=rounded];"]
        lines += [
            f"  n{i} [label={_quoted(self.full_label(s))}];" for i, s in enumerate(self.steps)
        ]
        lines += [f"  n{a} -> n{b} [label={_quoted(self.edge_label(a))}];" for a, b in self.edges]
        return "\n".join([*lines, "}"])

    def mermaid(self) -> str:
        """The graph in Mermaid's language, which many wikis draw."""
        lines = ["graph TD"]
        lines += [
            f'  n{i}["{self.full_label(s).replace(chr(34), "#quot;")}"]'
            for i, s in enumerate(self.steps)
        ]
        for a, b in self.edges:
            label = self.edge_label(a)
            lines.append(f"  n{a} -->|{label}| n{b}" if label else f"  n{a} --> n{b}")
        return "\n".join(lines)

    def full_label(self, step: Step) -> str:
        """The text in the box of a step."""
        return f"{self._label(step)}\n{show(step.primal)}" if self.values else self._label(step)

    # -- layout -----------------------------------------------------------------------------------

    def layers(self) -> list[list[Item]]:
        """The steps by their distance from the inputs, each layer ordered to shorten its edges.

        An edge over several layers has a bend in each of them, so that it runs beside the boxes
        (Sugiyama, Tagawa and Toda, 1981).
        """
        depth = [0] * len(self.steps)
        for a, b in self.edges:
            depth[b] = max(depth[b], depth[a] + 1)
        rows: list[list[Item]] = [[] for _ in range(max(depth, default=0) + 1)]
        parents: dict[Item, list[Item]] = {}
        for i, d in enumerate(depth):
            rows[d].append(i)
        for a, b in self.edges:
            path: list[Item] = [a, *((a, b, d) for d in range(depth[a] + 1, depth[b])), b]
            for bend in path[1:-1]:
                assert isinstance(bend, tuple)
                rows[bend[2]].append(bend)
            for above, below in pairwise(path):
                parents.setdefault(below, []).append(above)
        place = {item: float(k) for k, item in enumerate(rows[0])}
        for row in rows[1:]:
            centre = {
                item: sum(place[p] for p in parents[item]) / len(parents[item])
                if item in parents
                else 0.0
                for item in row
            }
            row.sort(key=lambda item: centre[item])
            place.update({item: float(k) for k, item in enumerate(row)})
        return rows

    def positions(self) -> tuple[dict[Item, tuple[float, float]], tuple[float, float]]:
        """The centre of every box and bend, and the size of the picture."""
        rows = self.layers()
        spans = [sum(map(self._width, row)) + (len(row) - 1) * _GAP_X for row in rows]
        width = 2 * _MARGIN + max(spans)
        where: dict[Item, tuple[float, float]] = {}
        for level, (row, span) in enumerate(zip(rows, spans, strict=True)):
            y = _MARGIN + _HEIGHT / 2 + level * (_HEIGHT + _GAP_Y)
            left = (width - span) / 2
            for item in row:
                where[item] = (left + self._width(item) / 2, y)
                left += self._width(item) + _GAP_X
        return where, (width, 2 * _MARGIN + len(rows) * _HEIGHT + (len(rows) - 1) * _GAP_Y)

    def _width(self, item: Item) -> float:
        return self.box_width() if isinstance(item, int) else _BEND_WIDTH

    def route(self, where: dict[Item, tuple[float, float]], a: int, b: int) -> list[
        tuple[float, float]
    ]:  # fmt: skip
        """The points through which an edge runs, from the foot of one box to the top of another."""
        bends = sorted(
            item for item in where if isinstance(item, tuple) and (item[0], item[1]) == (a, b)
        )
        (x0, y0), (x1, y1) = where[a], where[b]
        points = [(x0, y0 + _HEIGHT / 2)]
        for bend in bends:
            x, y = where[bend]
            points += [(x, y - _HEIGHT / 2), (x, y + _HEIGHT / 2)]
        return [*points, (x1, y1 - _HEIGHT / 2)]

    def box_width(self) -> float:
        """The width of every box: that of the longest label."""
        longest = max(len(line) for s in self.steps for line in self.full_label(s).split("\n"))
        return max(_WIDTH, 8.2 * longest + 18)

    # -- pictures ---------------------------------------------------------------------------------

    def svg(self) -> str:
        """The drawing as SVG."""
        where, (width, height) = self.positions()
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="13">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#556"/></marker></defs>',
        ]
        parts += [self._svg_edge(where, a, b) for a, b in self.edges]
        parts += [self._svg_box(where[i], s) for i, s in enumerate(self.steps)]
        parts += [
            f'<text x="{x:.1f}" y="{y:.1f}" fill="#a33" font-size="11" stroke="#fff" '
            f'stroke-width="4" paint-order="stroke">{html.escape(text)}</text>'
            for x, y, text in self.labels(where)
        ]
        return "\n".join([*parts, "</svg>"])

    def _svg_edge(self, where: dict[Item, tuple[float, float]], a: int, b: int) -> str:
        points = self.route(where, a, b)
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (y0 + y1) / 2
            path += f" C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
        line = f'<path d="{path}" fill="none" stroke="#556" marker-end="url(#tip)"/>'
        return line

    def labels(self, where: dict[Item, tuple[float, float]]) -> list[tuple[float, float, str]]:
        """What stands under each box that edges leave, and where: once, however many leave."""
        sources = sorted({a for a, _ in self.edges}) if self.values else []
        left, down = self.box_width() / 2, _HEIGHT / 2 + 13
        return [(where[a][0] - left, where[a][1] + down, self.edge_label(a)) for a in sources]

    def _svg_box(self, centre: tuple[float, float], step: Step) -> str:
        x, y = centre
        width = self.box_width()
        fill = "#e8f0fe" if step.operation == "input" else "#ffffff"
        lines = self.full_label(step).split("\n")
        texts = "".join(
            f'<text x="{x:.1f}" y="{y + 5 + 15 * (k - (len(lines) - 1) / 2):.1f}" '
            f'text-anchor="middle">{html.escape(line)}</text>'
            for k, line in enumerate(lines)
        )
        return (
            f'<rect x="{x - width / 2:.1f}" y="{y - _HEIGHT / 2:.1f}" width="{width:.1f}" '
            f'height="{_HEIGHT}" rx="8" fill="{fill}" stroke="#334"/>{texts}'
        )

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: str | Path) -> Path:
        """Writes the drawing; the ending of the name chooses svg, png, dot or mmd."""
        target = Path(path)
        writers = {".svg": self.svg, ".dot": self.dot, ".mmd": self.mermaid}
        if target.suffix == ".png":
            self._save_png(target)
        elif target.suffix in writers:
            target.write_text(writers[target.suffix](), encoding="utf-8")
        else:
            raise UnknownNameError(
                f"a graph is saved as .svg, .png, .dot or .mmd; got {target.name!r}.",
                hint=f"graph.save({str(target.with_suffix('.svg'))!r})",
            )
        return target

    def _save_png(self, target: Path) -> None:
        try:
            from adjoint.plots.graphs import save_png
        except ImportError:
            raise ArgumentError(
                "a PNG needs Matplotlib, which is not installed.",
                hint="pip install 'adjoint[plots]', or save as .svg.",
            ) from None
        save_png(self, target)

    def __repr__(self) -> str:
        return self.mermaid()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
