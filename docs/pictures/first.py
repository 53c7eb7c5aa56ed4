"""Draw the first picture of the README:  python docs/pictures/first.py

Left, a function in plain NumPy; right, the function and its derivatives as `adjoint` computes them;
below, what a value and derivative cost.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import adjoint as ad

INK, BLUE, ORANGE, GREEN = "#222222", "#2a6fb0", "#d9742b", "#3b8f5a"


def f(x):  # type: ignore[no-untyped-def]
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


LISTING = f"""\
import numpy as np
import adjoint as ad

{inspect.getsource(f).replace("  # type: ignore[no-untyped-def]", "")}
slope = ad.grad(f)
curvature = ad.grad(slope)
fast = ad.compile(ad.value_and_grad(f))
"""


def nanoseconds(call: Callable[[float], Any], count: int) -> float:
    """The median time of a call."""
    rounds = []
    for _ in range(9):
        start = time.thread_time()
        for _ in range(count):
            call(1.1)
        rounds.append((time.thread_time() - start) / count)
    return 1e9 * median(rounds)


def draw_listing(axes: Axes) -> None:
    axes.axis("off")
    axes.text(
        0, 1, LISTING, family="monospace", fontsize=10.5, va="top", color=INK, linespacing=1.5
    )


def draw_curves(rows: list[Axes]) -> None:
    x = np.linspace(-1.3, 1.3, 400)
    curves = (("f", f, BLUE), ("slope", ad.derivative(f), ORANGE),
              ("curvature", ad.derivative(f, 2), GREEN))  # fmt: skip
    for axes, (name, function, color) in zip(rows, curves, strict=True):
        axes.plot(x, function(x), color=color, linewidth=1.8)
        axes.set_title(name, color=color, fontsize=10, loc="left", pad=3)
        axes.axhline(0, color="#bbbbbb", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    rows[-1].set_xlabel("x")


def draw_times(axes: Axes) -> None:
    traced = ad.value_and_grad(f)
    bars = {
        "NumPy: the value alone": nanoseconds(f, 20_000),
        "Adjoint: value and derivative, compiled": nanoseconds(ad.compile(traced), 50_000),
        "Adjoint: value and derivative, traced anew": nanoseconds(traced, 500),
    }
    axes.barh(range(len(bars)), list(bars.values()), color=["#9a9a9a", ORANGE, BLUE], height=0.6)
    for row, time_taken in enumerate(bars.values()):
        axes.text(time_taken * 1.08, row, f"{time_taken:,.0f} ns", va="center", fontsize=9)
    axes.set_yticks(range(len(bars)), list(bars))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(20, 4 * max(bars.values()))
    axes.set_xlabel("nanoseconds per call, on one core")
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Write the picture beside this script."""
    figure = Figure(figsize=(9.6, 5.6), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    top, bottom = figure.subfigures(2, 1, height_ratios=(2.6, 1))
    left, right = top.subfigures(1, 2, width_ratios=(1.1, 1))
    draw_listing(left.subplots())
    draw_curves(list(right.subplots(3, 1, sharex=True)))
    draw_times(bottom.subplots())
    path = Path(__file__).with_suffix(".png")
    figure.savefig(path)
    print(path)


if __name__ == "__main__":
    main()
