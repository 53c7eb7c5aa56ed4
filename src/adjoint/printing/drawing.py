"""Computation graphs as pictures: SVG and PNG without any external program, DOT and Mermaid."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from adjoint.errors import ArgumentError, UnknownNameError
from adjoint.graph.arraytype import describe
from adjoint.printing.layers import Layout, Place
from adjoint.printing.listing import Listing, Step
from adjoint.printing.trace_table import show

_FILLS = {"input": "#e8f0fe", "constant": "#f1f1f1"}

_NARROWEST, _HEIGHT, _LINE, _COLUMN = 64, 38, 15, 8.2
_MANY = 500
"""From so many steps on, a notebook says how large the picture is in place of showing it."""


def draw(f: Callable[..., Any], *, values: bool = False) -> Callable[..., ComputationGraph]:
    """The computation graph of f at a point; see `adjoint.graph`."""

    def drawn(*args: Any, **named: Any) -> ComputationGraph:
        return ComputationGraph(
            Listing(f, args, named, derivatives=values, called="graph(f)"), values=values
        )

    return drawn


class ComputationGraph:
    """The elementary operations of a function and what they read, laid out in layers.

    ``steps`` holds inputs, operations, and the arrays from outside; ``edges`` pairs of places in
    it.
    """

    def __init__(self, listing: Listing, *, values: bool) -> None:
        self.steps = [*listing.steps, *listing.constants]
        self.values = values
        number = {s.name: i for i, s in enumerate(self.steps)}
        self.edges = [
            (number[name], i)
            for i, s in enumerate(self.steps)
            for name in dict.fromkeys(s.inputs)
            if name in number
        ]

    def _label(self, step: Step) -> str:
        if step.operation == "constant":
            return step.name if self.values else f"{step.name}: {describe(step.primal)}"
        return step.name if step.operation == "input" else f"{step.name} = {step.operation}"

    def edge_label(self, source: int) -> str:
        """What stands at the edges that leave a step."""
        step = self.steps[source]
        known = self.values and step.operation != "constant"
        return f"∂f/∂{step.name} = {show(step.adjoint)}" if known else ""

    def full_label(self, step: Step) -> str:
        """What a step is and, if values are shown, its value."""
        return f"{self._label(step)}\n{show(step.primal)}" if self.values else self._label(step)

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
        lines += [f"  n{i}[{_in_mermaid(self.full_label(s))}]" for i, s in enumerate(self.steps)]
        for a, b in self.edges:
            label = self.edge_label(a)
            lines.append(f"  n{a} -->|{_in_mermaid(label)}| n{b}" if label else f"  n{a} --> n{b}")
        return "\n".join(lines)

    # -- pictures ---------------------------------------------------------------------------------

    @cached_property
    def boxes(self) -> list[list[str]]:
        """The lines of text in each box; with values, the last one is the adjoint."""
        texts = [self.full_label(s).split("\n") for s in self.steps]
        for i in {a for a, _ in self.edges}:
            texts[i] += filter(None, [self.edge_label(i)])
        return texts

    @cached_property
    def layout(self) -> Layout:
        """Where the boxes stand."""
        widths = [max(_NARROWEST, _COLUMN * max(map(_columns, lines)) + 18) for lines in self.boxes]
        return Layout(widths, self.edges, _HEIGHT + (2 * _LINE - 6 if self.values else 0))

    def svg(self) -> str:
        """The drawing as SVG."""
        width, height = self.layout.size
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="13">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto">'
            '<path d="M0 0 L8 4 L0 8 z" fill="#556"/></marker></defs>',
        ]
        parts += [_svg_line(points, tip) for points, tip in self.layout.lines()]
        parts += [self._svg_box(i) for i in range(len(self.steps))]
        return "\n".join([*parts, "</svg>"])

    def text_lines(self, step: int) -> list[tuple[float, str, bool]]:
        """The lines of text in a box: how far below its centre, what, and whether an adjoint."""
        lines = self.boxes[step]
        return [(_LINE * (k - (len(lines) - 1) / 2), line, k == 2) for k, line in enumerate(lines)]

    def fill(self, step: int) -> str:
        """The colour of a box."""
        return _FILLS.get(self.steps[step].operation, "#ffffff")

    def _svg_box(self, i: int) -> str:
        x, y = self.layout.where[i]
        width, height = self.layout.width(i), self.layout.height
        red = ' fill="#a33"'
        texts = "".join(
            f'<text x="{x:.1f}" y="{y + 5 + down:.1f}" text-anchor="middle"'
            f"{red if adjoint else ''}>{html.escape(line)}</text>"
            for down, line, adjoint in self.text_lines(i)
        )
        return (
            f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
            f'height="{height}" rx="8" fill="{self.fill(i)}" stroke="#334"/>{texts}'
        )

    def _repr_svg_(self) -> str | None:
        return self.svg() if len(self.steps) <= _MANY else None

    def __repr__(self) -> str:
        if len(self.steps) <= _MANY:
            return self.mermaid()
        width, height = self.layout.size
        return (
            f"<computation graph of {len(self.steps)} steps: a picture of {width:.0f} × "
            f"{height:.0f} dots; .save('f.svg') writes it>"
        )

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


def _svg_line(points: list[Place], tip: bool) -> str:
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        path += f" C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    marker = ' marker-end="url(#tip)"' if tip else ""
    return f'<path d="{path}" fill="none" stroke="#556"{marker}/>'


def _columns(text: str) -> int:
    """How wide a text is, in letters: Chinese, Japanese and Korean ones are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _in_mermaid(text: str) -> str:
    """A text in Mermaid's quotes, with its own escapes for what would be read as markup."""
    for sign, code in (("#", "35"), ('"', "quot"), ("&", "amp"), ("<", "lt"), (">", "gt")):
        text = text.replace(sign, f"#{code};")
    return '"' + text.replace("\n", "<br/>") + '"'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
