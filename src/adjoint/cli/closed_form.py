"""What `adjoint derive` shows without a point: derivatives as formulas, as LaTeX, as source code,
and the rules by which they are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click
import numpy as np

import adjoint as ad
from adjoint.cli import derivation, output, symbolic
from adjoint.cli.shapes import Dimensions, read_shapes
from adjoint.cli.targets import Target, as_float
from adjoint.errors import (
    AbstractValueError,
    AdjointError,
)
from adjoint.printing.formula import Formula
from adjoint.printing.latex import symbol_latex
from adjoint.printing.unicode import symbol_text

MAX_ORDER = 6
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Asked:
    """The options that ask for closed forms."""

    formula: bool
    latex: bool
    source: bool
    steps: bool
    shapes: dict[str, Dimensions]
    layout: str
    typed: tuple[str, ...] = ()
    """The shapes as they were typed, to show a mistake in them."""
    degree: int | None = None
    """Of the Taylor polynomial, where that is a formula."""
    picture: Path | None = None
    """Where the graph without values is written."""

    @property
    def any(self) -> bool:
        return self.formula or self.latex or self.source or self.steps

    @property
    def code_only(self) -> bool:
        """Whether only source code, or only LaTeX, is wanted: it is then printed by itself."""
        options = [self.formula, self.latex, self.source, self.steps, self.degree is not None]
        return options.count(True) == 1 and (self.latex or self.source)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator: adds the options of closed forms to a command, which gets them as ``asked``."""

    @click.option(
        "--formula", is_flag=True, help="The derivatives as formulas, as without a point."
    )
    @click.option("--latex", is_flag=True, help="The formulas in LaTeX.")
    @click.option("--source", is_flag=True, help="The formulas as functions that need only NumPy.")
    @click.option("--steps", is_flag=True, help="The derivation, one rule per line.")
    @click.option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="SHAPES",
        help='Shapes for formulas, dimensions by name or number: "X=n,m b=n".',
    )
    @click.option(
        "--layout", type=click.Choice(["numerator", "argument"]), default="numerator",
        show_default=True, help="Gradients as rows, or in the shape of the argument.",
    )  # fmt: skip
    @wraps(command)
    def with_asked(
        *, formula: bool, latex: bool, source: bool, steps: bool, shapes: tuple[str, ...],
        layout: str, **others: Any,
    ) -> None:  # fmt: skip
        asked = Asked(formula, latex, source, steps, read_shapes(shapes), layout, shapes)
        command(asked=asked, **others)

    return with_asked


@dataclass(frozen=True)
class Closed:
    """One derivative in closed form."""

    label: str
    latex_label: str
    wrt: tuple[str, ...]
    order: int
    formula: Formula

    def as_text(self) -> str:
        """The formula with its label; what it names is indented below it."""
        first, *rest = str(self.formula).split("\n")
        return "\n".join([f"{self.label} = {first}", *(f"  {line}" for line in rest)])

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "label": self.label,
            "with_respect_to": list(self.wrt),
            "order": self.order,
            "formula": str(self.formula),
            "latex": self.formula.latex(),
        }
        try:
            found["source"] = self.formula.source()
        except AdjointError as error:
            found["source"], found["no_source"] = None, error.headline
        return found


@dataclass(frozen=True)
class ClosedForms:
    """All that was asked for in closed form."""

    asked: Asked
    formulas: list[Closed]
    derivations: list[derivation.Derived]
    polynomials: list[symbolic.Polynomial] = field(default_factory=list)
    picture: Path | None = None

    def texts(self, told: bool = False) -> list[str]:
        """A paragraph for each form; without the formulas if they have been told one by one."""
        asked = self.asked
        found = []
        if asked.steps:
            found += [d.as_text() for d in self.derivations]
        if asked.formula and not told:
            found.append("\n".join(c.as_text() for c in self.formulas))
        if asked.latex:
            found.append("\n".join(f"{c.latex_label} = {c.formula.latex()}" for c in self.formulas))
        if asked.source:
            found.append(_one_file([c.formula.source() for c in self.formulas]))
        found += [p.as_text() for p in self.polynomials]
        return [*found, f"graph: {self.picture}"] if self.picture is not None else found

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.formulas:
            found["formulas"] = [c.as_dict() for c in self.formulas]
        if self.derivations:
            found["steps"] = [d.as_dict() for d in self.derivations]
        if self.polynomials:
            found["taylor"] = [p.as_dict() for p in self.polynomials]
        if self.picture is not None:
            found["graph"] = str(self.picture)
        return found


def _one_file(sources: Sequence[str]) -> str:
    """Functions with what they import, each import and each helper once."""
    parts = [part.strip("\n") for text in sources for part in text.split("\n\n\n")]
    return "\n\n\n".join(dict.fromkeys(parts))


def heading(target: Target, shapes: dict[str, Dimensions]) -> str:
    """The function, and the shapes of its variables if one is an array."""
    lines = [("f = " if target.expression is not None else "") + target.label]
    if any(shapes.values()):
        width = max(map(len, shapes))
        lines.append("with")
        lines += [
            f"  {name:<{width}}  {' × '.join(map(str, dims)) or 'a number'}"
            for name, dims in shapes.items()
        ]
    return "\n".join(lines)


# -- what the function is a function of --------------------------------------------------------


def shapes_of(
    target: Target, asked: Asked, point: dict[str, Any], chosen: Sequence[str]
) -> dict[str, Dimensions]:
    """The shapes of the variables: those of --shape, those of the point, else numbers.

    Arguments of a function in a file that have a value and no shape are no variables, unless they
    are chosen.
    """
    found: dict[str, Dimensions] = {}
    for name in target.parameters:
        if name in asked.shapes:
            found[name] = asked.shapes[name]
        elif name not in point or target.expression is not None or name in chosen:
            found[name] = np.shape(point.get(name, 0.0))
    return found


def _as_function(
    target: Target, shapes: dict[str, Dimensions], fixed: dict[str, Any]
) -> Callable[..., Any]:
    """The target as a function of its variables, under their own names."""
    names = list(shapes)

    def f(*values: Any) -> Any:
        named = {**fixed, **dict(zip(names, values, strict=True))}
        return target.function(*(named[name] for name in target.parameters))

    return output.with_names(f, names)


# -- the derivatives ---------------------------------------------------------------------------


def closed_forms(
    target: Target, asked: Asked, point: dict[str, Any], wrt: Sequence[str], order: int,
    hessian: bool, tell: Callable[[Closed], None] = lambda closed: None,
) -> ClosedForms:  # fmt: skip
    """The derivatives with respect to the chosen variables as formulas; each is told as soon as it
    is found, since high orders take long."""
    if order > MAX_ORDER:
        raise output.CommandError(
            f"formulas go up to order {MAX_ORDER}; got --order {order}.",
            hint="give a point with --at for the numbers.",
        )
    shapes = shapes_of(target, asked, point, wrt)
    specs = [_specification(target, asked, point, name, dims) for name, dims in shapes.items()]
    f = _as_function(target, shapes, {k: v for k, v in point.items() if k not in shapes})
    value = _value(f, specs, shapes, asked)
    if value.pack != "one":
        raise output.CommandError(
            f"{target.label} has to return a number or an array.",
            hint="name a function that returns one of its parts.",
        )
    names = [name for name in wrt if name in shapes]
    derivations = []
    if asked.steps:
        derivations = derivation.derivations(
            f,
            specs,
            shapes,
            names,
            2 if hessian and order < 2 else order,
            target.label,
            asked.layout,
        )
    chosen = [(name,) * k for name in names for k in range(1, order + 1)]
    if hessian:
        chosen += [(a, b) for i, a in enumerate(names) for b in names[i:]]
    one = len(target.parameters) == 1
    places = {name: k for k, name in enumerate(shapes)}
    only_steps = asked.steps and not (asked.formula or asked.latex or asked.source)
    formulas: list[Closed] = []
    for by in [] if only_steps else dict.fromkeys(chosen):
        formulas.append(_closed(f, by, places, specs, shapes, value.results[0].rank, asked, one))
        tell(formulas[-1])
    taylor = [] if asked.degree is None else symbolic.expand(f, specs, shapes, names, asked.degree)
    if asked.picture is not None:
        symbolic.draw(f, shapes, target.label, asked.picture)
    return ClosedForms(asked, formulas, derivations, taylor, asked.picture)


def _specification(
    target: Target, asked: Asked, point: dict[str, Any], name: str, dims: Dimensions
) -> Any:
    """What `formula` is told of a variable: its shape, or its value, which code may branch on."""
    if target.expression is None and name in point and name not in asked.shapes:
        return as_float(point[name])
    return dims


def _value(
    f: Callable[..., Any], specs: list[Any], shapes: dict[str, Dimensions], asked: Asked
) -> Formula:
    try:
        return ad.formula(f, *specs)
    except AdjointError as error:
        numbers = [name for name, dims in shapes.items() if not dims and name not in asked.shapes]
        hint = ""
        if isinstance(error, AbstractValueError):
            hint = "or give a point, for the formula that holds there: --at … --formula."
        elif numbers:
            hint = (
                f"what has no shape is a number, here {', '.join(numbers)}; "
                f'give shapes as in --shape "{numbers[0]}=n,n".'
            )
        lines = "\n".join(filter(None, (error.hint, hint)))
        AdjointError.__init__(error, error.headline, where=error.where, hint=lines)
        raise


def _closed(
    f: Callable[..., Any], by: tuple[str, ...], places: dict[str, int], specs: list[Any],
    shapes: dict[str, Dimensions], rank: int, asked: Asked, one: bool,
) -> Closed:  # fmt: skip
    derivative = f
    if len(by) == 2 and by[0] == by[1] and shapes[by[0]] and not rank:
        derivative = ad.hessian(f, places[by[0]])
    else:
        for name in by:
            transform = ad.jacobian if rank else ad.grad
            derivative = transform(derivative, places[name])
            rank += len(shapes[name])
    layout: Any = asked.layout
    found = ad.formula(derivative, *specs, layout=layout)
    top = "d" if one else "∂"
    label = "/".join(_label(by, top, symbol_text, _unicode))
    latex_d = "d" if one else r"\partial "
    upper, lower = _label(by, latex_d, symbol_latex, _latex)
    order = len(by) if len(by) > 1 else ""
    below = (f"d{by[0]}{order}",) if len(set(by)) == 1 else tuple(f"d{n}" for n in by)
    name = "_".join([f"d{order}f", *below])
    return Closed(label, rf"\frac{{{upper}}}{{{lower}}}", by, len(by), replace(found, name=name))


def _unicode(order: int) -> str:
    return str(order).translate(_RAISED)


def _latex(order: int) -> str:
    return f"^{{{order}}}"


def _label(
    by: tuple[str, ...], d: str, spell: Callable[[str], str], power: Callable[[int], str]
) -> tuple[str, str]:
    """Above and below the bar: ``∂²f`` and ``∂x∂y``."""
    raised = power(len(by)) if len(by) > 1 else ""
    upper = f"{d.rstrip()}{raised}{' ' * (d.endswith(' ') and not raised)}f"
    if len(set(by)) == 1:
        return upper, f"{d}{spell(by[0])}{raised}"
    return upper, "".join(f"{d}{spell(name)}" for name in by)


__all__ = ["Asked", "Closed", "ClosedForms", "closed_forms", "heading", "options"]
