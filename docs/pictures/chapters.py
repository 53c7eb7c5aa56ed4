"""Draw the pictures of the chapters:  python docs/pictures/chapters.py

Each function draws one picture, named after it, into the folder `made` beside this script.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import adjoint as ad
from adjoint import plots

MADE = Path(__file__).parent / "made"

# The same picture is the same file: no date, no random names.
mpl.rcParams["svg.hashsalt"] = "adjoint"
METADATA = {"Date": None}


def worked(x: Any) -> Any:
    """√(x² + eˣ²) + cos(x² + eˣ²)."""
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


def quadratic(x: Any) -> Any:
    """½xᵀ[[2, 1], [1, 20]]x − [5, 3]x."""
    return 0.5 * x @ np.array([[2.0, 1.0], [1.0, 20.0]]) @ x - np.array([5.0, 3.0]) @ x


def secants() -> Figure:
    """A1: secants of x² through 1, and the tangent."""
    return plots.plot_secants(lambda x: x**2, 1.0)


def convergence() -> Figure:
    """A1: the error of the difference quotient against δ."""
    return plots.plot_convergence(np.sin, 1.0)


def tangents() -> Figure:
    """A2: sin and its tangents."""
    return plots.plot_tangent(np.sin, [0.0, 1.0, 2.5])


def taylor() -> Figure:
    """A4: sin + cos and its Taylor polynomials at 0."""
    return plots.plot_taylor(lambda x: np.sin(x) + np.cos(x), 0.0, (1, 2, 3, 5, 9), x_range=(-5, 5))


def gradient_field() -> Figure:
    """B2: the gradient of x₁²x₂ + x₁x₂³ over its contours."""
    return plots.plot_gradient_field(lambda x: x[0] ** 2 * x[1] + x[0] * x[1] ** 3)


def descent() -> Figure:
    """B4: gradient descent over the contours of a quadratic."""
    path = [np.array([-3.0, -1.0])]
    for _ in range(40):
        path.append(path[-1] - 0.085 * ad.grad(quadratic)(path[-1]))
    return plots.plot_path(quadratic, np.array(path))


def remainder() -> Figure:
    """H3: the error of Taylor polynomials of sin against the distance, and its bounds."""
    figure = Figure(figsize=(5.6, 3.8), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Axes = figure.subplots()
    distances = np.geomspace(1e-2, 2.0, 40)
    for order in (1, 3, 5, 7):
        polynomial = ad.taylor(np.sin, 0.0, order)
        errors = np.abs(np.sin(distances) - polynomial(distances))
        shown = errors > 1e-16
        slope, _ = np.polyfit(np.log(distances[shown]), np.log(errors[shown]), 1)
        (line,) = axes.loglog(
            distances[shown], errors[shown], "o", ms=3, label=f"degree {order}: slope {slope:.1f}"
        )
        axes.loglog(
            distances, polynomial.remainder_bound(distances), lw=0.9, color=line.get_color()
        )
    axes.set_xlabel("distance from the centre")
    axes.set_ylabel("error (dots) and bound (lines)")
    axes.set_ylim(bottom=1e-17)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure


FIGURES: tuple[Callable[[], Figure], ...] = (
    secants, convergence, tangents, taylor, gradient_field, descent, remainder,
)  # fmt: skip


def main(target: Path = MADE) -> list[Path]:
    """Draw all pictures; returns where they are."""
    target.mkdir(exist_ok=True)
    made = []
    for draw in FIGURES:
        made.append(target / f"{draw.__name__}.svg")
        draw().savefig(made[-1], metadata=METADATA)
    made.append(ad.graph(worked, values=True)(1.1).save(target / "graph.svg"))
    return made


if __name__ == "__main__":
    print(*main(*map(Path, sys.argv[1:2])), sep="\n")
