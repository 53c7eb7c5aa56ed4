"""What `adjoint derive` shows without a point besides derivatives: the Taylor polynomial as a
formula in the step, and the graph without values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np

import adjoint as ad
from adjoint.cli import output
from adjoint.cli.shapes import Dimensions, alike, shape_of
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import variable
from adjoint.graph.scope import Scope
from adjoint.printing.formula import Formula
from adjoint.printing.unicode import symbol_text

MAX_DEGREE = 6
_ABSTRACT = "without a point nothing branches on values; give one with --at"


@dataclass(frozen=True)
class Polynomial:
    """A Taylor polynomial as formulas: the term of each degree in the steps from the point."""

    wrt: tuple[str, ...]
    steps: tuple[str, ...]
    terms: tuple[Formula, ...]

    def as_text(self) -> str:
        """``f(x + δ) ≈`` and a term a line, with what is a part of a term below it."""
        moved = ", ".join(f"{symbol_text(x)} + {d}" for x, d in zip(self.wrt, self.steps,
                                                                    strict=True))  # fmt: skip
        degree = len(self.terms) - 1
        lines = [f"Taylor polynomial of degree {degree}: f({moved}) ≈ the sum of"]
        for k, term in enumerate(self.terms):
            first, *rest = str(term).split("\n")
            lines += [f"  degree {k}:  {first}", *(f"    {line}" for line in rest)]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        return {
            "with_respect_to": list(self.wrt),
            "steps": list(self.steps),
            "order": len(self.terms) - 1,
            "terms": [{"formula": str(t), "latex": t.latex()} for t in self.terms],
        }


def expand(
    f: Callable[..., Any], specs: Sequence[Any], shapes: dict[str, Dimensions],
    wrt: Sequence[str], degree: int,
) -> list[Polynomial]:  # fmt: skip
    """Taylor polynomials: all numbers together, and each array by itself."""
    if degree > MAX_DEGREE:
        raise output.CommandError(
            f"Taylor polynomials as formulas go up to degree {MAX_DEGREE}; got --taylor {degree}.",
            hint="give a point with --at for the numbers.",
        )
    numbers = tuple(name for name in wrt if not shapes[name])
    groups = [*([numbers] if numbers else []), *((name,) for name in wrt if shapes[name])]
    return [_polynomial(f, specs, shapes, group, degree) for group in groups]


def _polynomial(
    f: Callable[..., Any], specs: Sequence[Any], shapes: dict[str, Dimensions],
    group: tuple[str, ...], degree: int,
) -> Polynomial:  # fmt: skip
    steps = _step_names(group, shapes)
    names = [*shapes, *steps]
    places = [list(shapes).index(name) for name in group]
    moved = [*specs, *(specs[i] for i in places)]

    def term(k: int) -> Formula:
        def of_all(*values: Any) -> Any:
            fixed, directions = list(values[: len(shapes)]), tuple(values[len(shapes) :])

            def along(*chosen: Any) -> Any:
                return f(*_placed(fixed, places, chosen))

            g = along
            for _ in range(k):
                g = _pushed(g, directions)
            return g(*(fixed[i] for i in places)) / factorial(k)

        named = output.with_names(of_all, names)
        return replace(ad.formula(named, *moved), name=f"term_{k}")

    return Polynomial(group, steps, tuple(term(k) for k in range(degree + 1)))


def _pushed(g: Callable[..., Any], directions: tuple[Any, ...]) -> Callable[..., Any]:
    """The derivative along the directions."""
    return lambda *chosen: ad.jvp(g, chosen, directions)[1]


def _placed(values: list[Any], places: Sequence[int], chosen: Sequence[Any]) -> list[Any]:
    found = list(values)
    for i, value in zip(places, chosen, strict=True):
        found[i] = value
    return found


def _step_names(group: tuple[str, ...], shapes: dict[str, Dimensions]) -> tuple[str, ...]:
    """δ for the step of a number or a vector, Δ for that of a matrix, δx and δy for several."""
    taken = {*shapes, *(d for dims in shapes.values() for d in dims)}
    letter = "Δ" if len(shapes[group[0]]) > 1 else "δ"
    if len(group) == 1 and not {letter, "delta", "Delta"} & taken:
        return (letter,)
    found = tuple(f"δ{name}" for name in group)
    while taken & set(found):
        found = tuple(f"δ{name}" for name in found)
    return found


def draw(f: Callable[..., Any], shapes: dict[str, Dimensions], text: str, path: Path) -> None:
    """Writes the computation graph without values; lengths have the names of the dimensions."""
    drawn: list[Any] = []

    def shown(lengths: dict[str, int], by_name: bool) -> list[str]:
        named = {n: name for name, n in lengths.items()} if by_name else {}
        kinds = [ArrayType(shape_of(d, lengths), np.dtype(np.float64)) for d in shapes.values()]
        with Scope("graph(f)", abstract=_ABSTRACT) as scope, np.errstate(all="ignore"):
            picture = ad.graph(f)(*(variable(scope, None, kind) for kind in kinds))
        for step in picture.steps:
            step.operation = re.sub(
                r"(?<![\w.])\d+(?![\w.])", lambda m: named.get(int(m[0]), m[0]), step.operation
            )
        drawn.append(picture)
        return [step.operation for step in picture.steps]

    _, remark = alike(shown, shapes, text)
    picture = drawn[-1] if remark else drawn[0]
    try:
        picture.save(path)
    except OSError as error:
        raise output.CommandError(f"{path} cannot be written: {error.strerror}.") from None


__all__ = ["Polynomial", "draw", "expand"]
