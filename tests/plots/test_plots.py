"""The plots show what they say: the numbers that are drawn, and what a plot refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import adjoint as ad
from adjoint import plots
from adjoint.errors import (
    ArgumentError,
    ArgumentValueError,
    NotScalarError,
    ShapeMismatchError,
)


def bowl(x: Any) -> Any:
    return x[0] ** 2 + 4 * x[1] ** 2


def legend(figure: Figure) -> list[str]:
    found = figure.axes[0].get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def drawn(figure: Figure, name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The points of the line with this label."""
    lines = [line for line in figure.axes[0].lines if line.get_label() == name]
    assert len(lines) == 1
    return np.asarray(lines[0].get_xdata()), np.asarray(lines[0].get_ydata())


def test_secants_have_the_slope_of_the_difference_quotient() -> None:
    figure = plots.plot_secants(lambda x: x**2, 1.0, [0.5])
    xs, ys = drawn(figure, "δ = 0.5: slope 2.5")
    assert (ys[1] - ys[0]) / (xs[1] - xs[0]) == pytest.approx(2.5, rel=1e-14)
    xs, ys = drawn(figure, "tangent: slope 2")
    assert (ys[1] - ys[0]) / (xs[1] - xs[0]) == pytest.approx(2.0, rel=1e-14)


def test_convergence_draws_the_errors_of_the_table() -> None:
    table = ad.convergence_table(np.sin, 1.0)
    figure = plots.plot_convergence(table)
    line = figure.axes[0].lines[0]
    assert np.array_equal(np.asarray(line.get_xdata()), table.deltas)
    assert np.array_equal(np.asarray(line.get_ydata()), table.errors)
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"


def test_convergence_of_an_exact_quotient_is_an_empty_picture() -> None:
    figure = plots.plot_convergence(ad.convergence_table(lambda x: 2 * x, 0.0, [0.5, 0.25]))
    assert not len(np.asarray(figure.axes[0].lines[0].get_xdata()))


def test_tangents_touch_the_curve_with_its_slope() -> None:
    figure = plots.plot_tangent(np.sin, 1.0)
    xs, ys = drawn(figure, "slope 0.5403 at 1")
    assert np.allclose(ys, np.sin(1.0) + np.cos(1.0) * (xs - 1.0), rtol=1e-14)
    assert len(plots.plot_tangent(np.sin, [0.0, 1.0, 2.0]).axes[0].lines) == 7


def test_axes_are_named_and_lines_told_apart() -> None:
    tangents = plots.plot_tangent(np.sin, [0.0, 1.0, 2.0])
    for figure in (
        plots.plot_secants(np.sin, 0.5), tangents, plots.plot_taylor(np.sin, 0.0, [1]),
    ):  # fmt: skip
        assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x", "f(x)")
    named = [line for line in tangents.axes[0].lines if "slope" in str(line.get_label())]
    assert len({str(line.get_color()) for line in named}) == len(named) == 3


def test_contours_carry_values_and_a_path_its_ends() -> None:
    axes = plots.plot_path(bowl, [[1.0, 1.0], [0.5, 0.2], [0.0, 0.1]]).axes[0]
    values = [float(text.get_text()) for text in axes.texts]
    assert values and all(0 <= v <= bowl(np.array([1.25, 1.25])) for v in values)
    assert legend(axes.figure) == ["start", "after 2 steps"]  # type: ignore[arg-type]
    assert plots.plot_gradient_field(bowl).axes[0].texts


def test_taylor_draws_the_polynomials() -> None:
    figure = plots.plot_taylor(np.sin, 0.0, [1, 3], x_range=(-2, 2))
    xs, ys = drawn(figure, "degree 3")
    assert np.allclose(ys, xs - xs**3 / 6, rtol=1e-13, atol=1e-15)
    assert legend(figure) == ["f", "degree 1", "degree 3"]
    assert legend(plots.plot_taylor(ad.taylor(np.exp, 0.0, 4), orders=[2])) == [
        "f", "degree 2", "degree 4",
    ]  # fmt: skip


def test_functions_that_branch_are_drawn_point_by_point() -> None:
    xs, ys = drawn(plots.plot_tangent(lambda x: x if x > 0 else -x, 1.0), "f")
    assert np.array_equal(ys, np.abs(xs))


def arrows_of(figure: Figure) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Where the arrows start, and the arrows, in the units of the axes."""
    (field,) = [c for c in figure.axes[0].collections if type(c).__name__ == "Quiver"]
    return np.asarray(field.get_offsets()), np.stack([field.U, field.V], axis=1) / field.scale


def test_arrows_point_along_the_gradient() -> None:
    at, arrows = arrows_of(plots.plot_gradient_field(bowl, arrows=5))
    assert at.shape == (24, 2)  # none at the minimum
    slopes = np.array([ad.grad(bowl)(p) for p in at])
    sizes, lengths = np.hypot(*slopes.T), np.hypot(*arrows.T)
    assert np.allclose(arrows / lengths[:, None], slopes / sizes[:, None], rtol=1e-13)
    assert np.all(np.diff(lengths[np.argsort(sizes)]) > -1e-12)
    assert lengths.max() == pytest.approx(4 / 6)  # a cell


def valley(x: Any) -> Any:
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


def test_no_arrow_is_a_dot() -> None:
    _, arrows = arrows_of(plots.plot_gradient_field(valley))
    lengths = np.hypot(*arrows.T)
    assert lengths.min() >= 0.33 * lengths.max()


@pytest.mark.parametrize("f", [bowl, valley, lambda x: x[0] - 2 * x[1]])
def test_labels_of_contours_stand_inside(f: Any) -> None:
    figure = plots.plot_gradient_field(f)
    axes = figure.axes[0]
    figure.canvas.draw()
    frame = axes.get_window_extent()
    assert axes.texts
    for text in axes.texts:
        box = text.get_window_extent()
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1


def test_descent_is_seen_at_right_angles() -> None:
    path = [[1.0, 1.0], [0.9, 0.99], [0.0, 0.98]]
    axes = plots.plot_path(bowl, path).axes[0]
    assert axes.get_aspect() == 1.0
    across, up = np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())
    assert across == pytest.approx(1.5) and up == pytest.approx(0.75)
    wide = plots.plot_path(bowl, path, x_range=(-100, 100), y_range=(0, 1)).axes[0]
    assert wide.get_aspect() == "auto"  # a slit otherwise


@pytest.mark.parametrize(
    ("draw", "point"),
    [
        (lambda: plots.plot_tangent(np.tan, [0.5, 1.0]), np.tan(1.0)),
        (lambda: plots.plot_taylor(lambda x: 1 / x, 1.0), 1.0),
        (lambda: plots.plot_secants(lambda x: 1 / x, 0.3), 1 / 0.3),
    ],
)
def test_a_pole_does_not_set_the_scale(draw: Any, point: float) -> None:
    figure = draw()
    low, high = figure.axes[0].get_ylim()
    assert low < point < high and high - low < 25
    _, ys = drawn(figure, "f")
    assert np.isnan(ys).any()  # no line from one side of the pole to the other
    assert not np.any((ys[1:] > high) & (ys[:-1] < low) | (ys[1:] < low) & (ys[:-1] > high))


@pytest.mark.parametrize("f", [np.exp, np.floor, lambda x: x**5, lambda x: np.exp(x * x)])
def test_what_has_no_pole_is_drawn_whole(f: Any) -> None:
    figure = plots.plot_tangent(f, 0.5)
    _, ys = drawn(figure, "f")
    low, high = figure.axes[0].get_ylim()
    assert low <= ys.min() and ys.max() <= high


def test_no_best_step_where_there_is_no_derivative() -> None:
    figure = plots.plot_convergence(abs, 0.0)
    assert not figure.axes[0].texts and len(figure.axes[0].lines) == 1
    assert legend(figure) == ["no convergence"]
    assert plots.plot_convergence(np.sin, 1.0).axes[0].texts


def test_no_arrow_where_there_is_no_gradient() -> None:
    figure = plots.plot_gradient_field(lambda x: np.log(x[0]) + x[1], arrows=5)
    (field,) = [c for c in figure.axes[0].collections if type(c).__name__ == "Quiver"]
    assert np.all(np.isfinite(field.U)) and 0 < len(field.U) < 25


def test_a_constant_function_has_no_contours() -> None:
    figure = plots.plot_gradient_field(lambda x: 0 * x[0] + 1.0, arrows=3)
    assert not figure.axes[0].collections


def test_a_path_is_drawn_from_its_start_to_its_end() -> None:
    path = [[1.0, 1.0], [0.5, 0.2], [0.0, 0.1]]
    axes = plots.plot_path(bowl, path).axes[0]
    assert np.array_equal(np.asarray(axes.lines[0].get_xydata()), path)
    assert axes.get_xlim() == (-0.25, 1.25)
    assert plots.plot_path(bowl, path[:1]).axes[0].get_xlim() == (0.0, 2.0)


def test_axes_that_are_given_are_used() -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plots.plot_secants(np.sin, 0.0, axes=left) is figure
    assert plots.plot_path(bowl, np.eye(2), axes=right) is figure
    assert left.lines and right.lines


def test_a_figure_is_saved(tmp_path: Path) -> None:
    target = tmp_path / "taylor.png"
    plots.plot_taylor(np.cos, 0.0).savefig(target)
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plots.plot_secants(np.sin, np.ones(2)), ArgumentError, "point; got f64[2]."),
        (lambda: plots.plot_secants(np.sin, 0.0, []), ArgumentValueError, "in deltas; got none."),
        (lambda: plots.plot_taylor(np.sin, 0.0, []), ArgumentValueError, "in orders; got none."),
        (lambda: plots.plot_convergence(np.sin), ArgumentError, "needs the point x, or a table"),
        (lambda: plots.plot_taylor(np.sin), ArgumentError, "needs the centre x0"),
        (lambda: plots.plot_taylor(ad.taylor(np.sin, 0.0, 3).integral()), ArgumentError,
         "needs the function that p approximates"),
        (lambda: plots.plot_taylor(ad.taylor(bowl, np.ones(2), 2)), ArgumentError, "got f64[2]."),
        (lambda: plots.plot_tangent(np.sin, 0.0, x_range=(1, 0)), ArgumentValueError,
         "x_range as two finite numbers, the smaller first; got (1, 0)."),
        (lambda: plots.plot_tangent(lambda x: x * np.ones(2), 0.0), NotScalarError, "f64[2]."),
        (lambda: plots.plot_gradient_field(lambda x: x), NotScalarError, "returned f64[2]."),
        (lambda: plots.plot_path(bowl, np.ones(3)), ShapeMismatchError, "f64[n,2]; got f64[3]."),
    ],
)  # fmt: skip
def test_bad_input(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_matplotlib_is_loaded_by_plots_only() -> None:
    script = "import sys, adjoint, adjoint.calculus.series; print('matplotlib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert found.stdout == "False\n", found.stderr
