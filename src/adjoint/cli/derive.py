"""`adjoint derive`: the derivatives of an expression, or of a function in a file, at a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

import adjoint as ad
from adjoint.cli import closed_form, language, output, shapes, symbolic, targets, views
from adjoint.cli.closed_form import Asked
from adjoint.cli.expressions import functions_by_module
from adjoint.cli.targets import Target
from adjoint.errors import AdjointError
from adjoint.graph.arraytype import describe

MAX_ORDER = 100
MAX_DEGREE = 60
MAX_ENTRIES = 10**6

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Derivative:
    """One derivative: with respect to what, of which order, and its numbers."""

    label: str
    wrt: tuple[str, ...]
    order: int
    value: Any

    def as_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "with_respect_to": list(self.wrt),
            "order": self.order,
            "shape": list(np.shape(self.value)),
            "value": output.plain(self.value),
        }


def _help_epilog() -> str:
    lines = ["\b", "Functions, with or without their module:"]
    for module, names in functions_by_module():
        line = f"  {module}:"
        for name in names:
            if len(line) + len(name) > 76:
                lines.append(line)
                line = "   "
            line += f" {name}"
        lines.append(line)
    lines.append("  constants: " + ", ".join(language.CONSTANTS))
    return "\n".join(lines) + "\n\n" + output.EXIT_CODES


@click.command(cls=output.ExpressionCommand, epilog=_help_epilog())
@click.argument("target", metavar="EXPRESSION|FILE.py:FUNCTION")
@click.option("--wrt", multiple=True, metavar="NAMES", help="Variables to differentiate: x1,x2.")
@click.option("--at", "points", multiple=True, metavar="POINT",
              help='The point: "x1=1,x2=2", "A=[[1,2],[3,4]],b=[1,2]".')  # fmt: skip
@click.option("--order", type=click.IntRange(1, MAX_ORDER), default=1, show_default=True,
              help=f"All derivatives up to this order; as formulas, to "
                   f"{closed_form.MAX_ORDER}.")  # fmt: skip
@click.option("--hessian", is_flag=True, help="All second derivatives, mixed ones included.")
@click.option("--taylor", "degree", type=click.IntRange(0, MAX_DEGREE), metavar="DEGREE",
              help="The Taylor polynomial up to this degree; without a point, a formula to degree "
                   f"{symbolic.MAX_DEGREE}.")  # fmt: skip
@click.option("--radius", type=click.FloatRange(0), metavar="RADIUS",
              help="With --taylor: bound its error within this distance.")  # fmt: skip
@click.option("--trace", "traced", is_flag=True,
              help="Every step: value, tangent, adjoint, local partial derivatives.")  # fmt: skip
@click.option("--graph", "picture", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Draw the computation graph: .svg, .png, .dot or .mmd.")  # fmt: skip
@closed_form.options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, errors included.")
def derive(
    target: str,
    wrt: tuple[str, ...],
    points: tuple[str, ...],
    order: int,
    hessian: bool,
    degree: int | None,
    radius: float | None,
    traced: bool,
    picture: Path | None,
    asked: Asked,
    as_json: bool,
) -> None:
    """Prints the derivatives of a function as formulas, or their values at a point.

    An expression is mathematics in Python's notation: + - * / ** @, functions by their NumPy name,
    vectors and matrices as [1, 2] and [[1, 2], [3, 4]], elements as x[0] and x[1:3], the transpose
    as A.T. Every other name is a variable.

    \b
    Examples:
      adjoint derive "a @ inv(X) @ b" --shape "X=n,n a=n b=n" --wrt X
      adjoint derive "exp(x1*x2**2)" --wrt x2 --at x1=1,x2=2
      adjoint derive "sin(x)/x" --at x=1 --order 4
      adjoint derive "x @ A @ x" --at "x=[1,2],A=[[2,1],[1,20]]" --wrt x --hessian
      adjoint derive "x**2 + 2*x*y + y**3" --at x=1,y=2 --taylor 3
      adjoint derive "sin(x)" --at x=0 --taylor 5 --radius 1
      adjoint derive "sin(x)*exp(x)" --at x=1 --trace --graph f.svg
      adjoint derive model.py:loss --at w=[0.5,1]
    """
    views.require_drawable(picture)
    if radius is not None and degree is None:
        raise output.CommandError("--radius is of a Taylor polynomial.", hint="add --taylor 3.")
    named, unnamed = targets.read_point(points)
    loaded = targets.load(target, [*named, *shapes.names(asked.shapes)])
    found = shapes.with_lengths(loaded, asked.shapes, asked.typed)
    lengths = shapes.take_lengths(found, named)
    point = targets.place(found, named, unnamed)
    shapes.require_fitting(asked.shapes, point if points else named, lengths)
    if not points and targets.missing(found, point) and not traced and radius is None:
        asked = replace(asked, degree=degree, picture=picture)
        _print_closed(found, asked, point, wrt, order, hessian, as_json)
        return
    needs = "--trace" if traced else "--radius" if radius is not None else ""
    _require_point(found, point, asked.shapes, needs)
    chosen = targets.choose(found, wrt, point)
    for name in chosen:
        point[name] = targets.as_float(point[name])
    value, derivatives = compute(found, point, chosen, order, hessian)
    shown = _views(found, point, chosen, value, degree=degree, radius=radius, traced=traced,
                   picture=picture)  # fmt: skip
    forms = _closed(found, asked, point, chosen, order, hessian) if asked.any else None
    if as_json:
        parts = {**shown.as_dict(), **(forms.as_dict() if forms else {})}
        click.echo(output.dump({**_as_dict(found, point, value, derivatives), **parts}))
    else:
        texts = [*shown.texts(), *(forms.texts() if forms else [])]
        click.echo("\n\n".join([_as_text(found, point, value, derivatives), *texts]))


def _print_closed(
    target: Target, asked: Asked, point: dict[str, Any], wrt: tuple[str, ...], order: int,
    hessian: bool, as_json: bool,
) -> None:  # fmt: skip
    """Without a point: the formulas alone."""
    asked = asked if asked.any else replace(asked, formula=True)
    named = targets.choose(target, wrt, {})
    dims = closed_form.shapes_of(target, asked, point, named)
    chosen = targets.choose(target, wrt, dict.fromkeys(dims, 0.0))
    head = [] if asked.code_only else [closed_form.heading(target, dims), ""]
    told: list[closed_form.Closed] = []

    def tell(found: closed_form.Closed) -> None:
        click.echo("\n".join([*(head if not told else []), found.as_text()]))
        told.append(found)

    at_once = asked.formula and not asked.steps and not as_json
    forms = _closed(target, replace(asked, formula=True) if as_json else asked, point, chosen,
                    order, hessian, tell if at_once else None)  # fmt: skip
    if as_json:
        described = {name: list(shape) for name, shape in dims.items()}
        click.echo(output.dump({"function": target.label, "shapes": described, **forms.as_dict()}))
        return
    rest = forms.texts(told=bool(told))
    if rest:
        click.echo("\n\n".join([*([""] if told else head[:1]), *rest]).removeprefix("\n"))


def _closed(
    target: Target, asked: Asked, point: dict[str, Any], chosen: Sequence[str], order: int,
    hessian: bool, tell: Callable[[closed_form.Closed], None] | None = None,
) -> closed_form.ClosedForms:  # fmt: skip
    with computing(target.label):
        return closed_form.closed_forms(
            target, asked, point, chosen, order, hessian, tell or (lambda found: None)
        )


def _views(
    target: Target, point: dict[str, Any], wrt: Sequence[str], value: Any, *,
    degree: int | None, radius: float | None, traced: bool, picture: Path | None,
) -> views.Views:  # fmt: skip
    asked = [("--taylor", degree is not None), ("--trace", traced), ("--graph", picture)]
    options = [name for name, given in asked if given]
    if options and not wrt:
        raise output.CommandError(
            f"{options[0]} needs a variable; {target.label} has no argument that is a number."
        )
    if traced and np.ndim(value):
        raise output.CommandError(
            f"--trace needs a function whose value is one number; here it is {describe(value)}.",
            hint="take one entry, as in [x, y][0], or the sum: sum(…).",
        )
    groups = [] if degree is None else views.groups(point, wrt)
    for group in groups:
        width = sum(np.size(point[name]) for name in group)
        _require_size(np.size(value) * width ** (degree or 0), ", ".join(group), degree or 0)
    with computing(target.label):
        expansions = [views.expand(target, point, group, degree or 0, radius) for group in groups]
        trace = views.trace(target, point, wrt) if traced else None
        if picture is not None:
            views.draw(target, point, wrt, value, picture)
    return views.Views(expansions, trace, picture)


def _require_point(
    target: Target, point: dict[str, Any], given: dict[str, shapes.Dimensions], needs: str
) -> None:
    absent = targets.missing(target, point)
    if not absent:
        return
    example = shapes.example(absent, given)
    if not point:
        raise output.CommandError(
            f"{target.label} is a function of {', '.join(target.parameters)}; {needs} needs a "
            "point.",
            hint=f'give one: --at "{example}".',
        )
    raise output.CommandError(
        f"--at gives no value to {' and '.join(absent)}.", hint=f'add --at "{example}".'
    )


@contextmanager
def computing(label: str) -> Iterator[None]:
    """Errors inside are about the function and not about the command."""
    try:
        with np.errstate(all="ignore"):
            yield
    except AdjointError as error:
        error.from_transform = True  # type: ignore[attr-defined]
        raise
    except Exception as error:
        raise targets.user_error(label, error) from error


def compute(
    target: Target, point: dict[str, Any], wrt: Sequence[str], order: int, hessian: bool
) -> tuple[Any, list[Derivative]]:
    """The value at a point, and the derivatives asked for."""
    values = [point[name] for name in target.parameters]
    places = [target.parameters.index(name) for name in wrt]
    with computing(target.label):
        value = target.function(*values)
        _require_one_array(target, value)
        found = []
        for name, i in zip(wrt, places, strict=True):
            for k in range(1, order + 1):
                _require_size(np.size(value) * np.size(values[i]) ** k, name, k)
                d = _nth(target.function, values, i, k)
                found.append(Derivative(_label((name,) * k, len(target.parameters)), (name,), k, d))
        if hessian and wrt:
            _require_size(np.size(value) * sum(np.size(values[i]) for i in places) ** 2, "all", 2)
            found += _hessian(target, values, places, wrt)
    return value, found


def _require_one_array(target: Target, value: Any) -> None:
    if not isinstance(value, int | float | complex | np.ndarray | np.generic):
        raise output.CommandError(
            f"{target.label} has to return a number or an array; it returned {describe(value)}.",
            hint="name a function that returns one of its parts.",
        )


def _require_size(entries: int, name: str, order: int) -> None:
    if entries > MAX_ENTRIES:
        raise output.CommandError(
            f"the derivative of order {order} with respect to {name} has {entries} entries; "
            f"derive prints up to {MAX_ENTRIES}.",
            hint="use ad.hvp or ad.directional from Python: they do not form it.",
        )


def _nth(function: Callable[..., Any], values: list[Any], i: int, order: int) -> Any:
    def of_one(x: Any) -> Any:
        return function(*values[:i], x, *values[i + 1 :])

    if np.ndim(values[i]) == 0:
        return ad.derivative(of_one, order)(values[i])
    return ad.derivative_tensor(of_one, order)(values[i])


def _hessian(
    target: Target, values: list[Any], places: Sequence[int], wrt: Sequence[str]
) -> list[Derivative]:
    blocks = ad.hessian(target.function, tuple(places))(*values)
    # The outer derivative is the second one: blocks[j][i] is ∂/∂xj of ∂f/∂xi.
    names = tuple(wrt)
    if all(np.ndim(values[i]) == 0 for i in places) and len(names) > 1:
        rows = [[blocks[j][i] for j in range(len(names))] for i in range(len(names))]
        matrix = np.moveaxis(np.array(rows), (0, 1), (-2, -1))
        return [Derivative(f"∂²f/∂({', '.join(names)})²", names, 2, matrix)]
    count = len(target.parameters)
    return [
        Derivative(_label((a, b), count), (a,) if a == b else (a, b), 2, blocks[j][i])
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i <= j
    ]


def _label(names: tuple[str, ...], parameters: int) -> str:
    """``∂²f/∂x²``, ``∂²f/∂x∂y``, ``df/dx``."""
    order = len(names)
    d = "d" if parameters == 1 else "∂"
    power = str(order).translate(_RAISED) if order > 1 else ""
    if len(set(names)) == 1:
        return f"{d}{power}f/{d}{names[0]}{power}"
    return f"{d}{power}f/" + "".join(f"{d}{name}" for name in names)


# -- printing -------------------------------------------------------------------------------------


def _as_dict(
    target: Target, point: dict[str, Any], value: Any, derivatives: list[Derivative]
) -> dict[str, Any]:
    return {
        "function": target.label,
        "at": {name: output.plain(v) for name, v in point.items()},
        "value": output.plain(value),
        "derivatives": [d.as_dict() for d in derivatives],
    }


def _as_text(
    target: Target, point: dict[str, Any], value: Any, derivatives: list[Derivative]
) -> str:
    sign = "f = " if target.expression is not None else ""
    lines = [sign + target.label]
    if point:
        width = max(map(len, point))
        lines += ["at", *(f"  {output.labelled(k, v, width)}".replace("\n", "\n  ")
                          for k, v in point.items())]  # fmt: skip
    shown = [("f", value), *((d.label, d.value) for d in derivatives)]
    width = max(len(label) for label, _ in shown)
    lines += ["", *(output.labelled(label, v, width) for label, v in shown)]
    if not all(np.all(np.isfinite(v)) for _, v in shown):
        lines += ["", "note: not all of these numbers are finite; f may not be defined here."]
    return "\n".join(lines)


__all__ = ["Derivative", "compute", "computing", "derive"]
