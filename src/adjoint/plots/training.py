"""The course of a training: loss and accuracy against the number of passes over the data."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

BLUE, ORANGE, GREY = "#2a6fb0", "#d9742b", "#8a8a8a"


def draw_training(
    path: str | PathLike[str],
    *,
    training_loss: Sequence[float],
    held_out_loss: Sequence[float],
    accuracy: Sequence[float],
    title: str,
    goal: float | None = None,
) -> None:
    """Saves a picture of a training; entry k of each sequence is the state after k epochs.

    The loss is drawn on a logarithmic scale; of the accuracy the error is, so that the last
    percents can be told apart.  A ``goal`` is drawn as a line.
    """
    figure = Figure(figsize=(9.0, 3.8), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=11)
    epochs = range(len(training_loss))
    left.plot(epochs, training_loss, color=BLUE, linewidth=1.8)
    left.plot(epochs, held_out_loss, color=ORANGE, linewidth=1.8)
    _name_curve(left, training_loss, "training", BLUE, below=True)
    _name_curve(left, held_out_loss, "held out", ORANGE, below=False)
    left.set_yscale("log")
    left.set_title("loss (cross-entropy)", fontsize=10)
    _draw_accuracy(right, accuracy, goal)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
        axes.set_axisbelow(True)
    figure.savefig(path)


def _draw_accuracy(axes: Axes, accuracy: Sequence[float], goal: float | None) -> None:
    least = 1e-3
    errors = [max(1.0 - a, least) for a in accuracy]
    axes.plot(range(len(errors)), errors, color=ORANGE, linewidth=1.8)
    axes.set_yscale("log")
    axes.invert_yaxis()
    axes.set_title("accuracy on held-out digits", fontsize=10)
    ticks = [1 - a for a in (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)]
    axes.set_yticks([t for t in ticks if t >= min(errors) * 0.7])
    axes.yaxis.set_major_formatter(FuncFormatter(_as_accuracy))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
    if goal is not None:
        axes.axhline(1 - goal, color=GREY, linewidth=1.0, linestyle="--")
        axes.annotate(
            f"goal {goal:.0%}", (0.02, 1 - goal), xycoords=("axes fraction", "data"),
            xytext=(0, 3), textcoords="offset points", color=GREY, fontsize=8,
        )  # fmt: skip
    if accuracy:
        last = len(accuracy) - 1
        axes.plot([last], [errors[-1]], "o", color=ORANGE, markersize=4, clip_on=False)
        axes.annotate(
            f"{accuracy[-1]:.1%}", (last, errors[-1]), xytext=(0, -14),
            textcoords="offset points", color=ORANGE, fontsize=9, ha="right", va="top",
        )  # fmt: skip


def _as_accuracy(error: float, _: Any) -> str:
    return f"{1 - error:.0%}"


def _name_curve(axes: Axes, values: Sequence[float], name: str, color: str, below: bool) -> None:
    """The name of a curve beside it, in its colour, in place of a legend."""
    if not values:
        return
    place = (len(values) - 1) * 2 // 3
    axes.annotate(
        name, (place, values[place]), xytext=(0, -12 if below else 8), textcoords="offset points",
        color=color, fontsize=9, ha="center", va="top" if below else "bottom",
    )  # fmt: skip


__all__ = ["draw_training"]
