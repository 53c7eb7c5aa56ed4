"""The derivations of `adjoint derive --steps`: of every order, for numbers and for arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import adjoint as ad
from adjoint.cli import output
from adjoint.cli.differentials import differential
from adjoint.cli.shapes import Dimensions
from adjoint.errors import ArgumentError
from adjoint.printing.derivation import DerivationStep
from adjoint.printing.formula import Formula
from adjoint.printing.unicode import symbol_text

_WIDTH = 60


@dataclass(frozen=True)
class Derived:
    """The steps to one derivative, and that derivative if the steps end in a differential."""

    variable: str
    order: int
    heading: str
    steps: tuple[DerivationStep, ...]
    spelled: str
    closing: str

    def as_text(self) -> str:
        """A line for each step, its rule beside it, or below it where the line is long."""
        lines = [(self.spelled.format(*_sides(s)), s.rule) for s in self.steps]
        width = max((len(text) for text, _ in lines if len(text) <= _WIDTH), default=0)
        shown = [
            f"{text:<{width}}  {rule}" if len(text) <= _WIDTH else f"{text}\n    {rule}"
            for text, rule in lines
        ]
        return "\n".join(filter(None, [self.heading, *shown, self.closing]))

    def as_dict(self) -> dict[str, Any]:
        return {
            "variable": self.variable,
            "order": self.order,
            "steps": [s.as_dict() for s in self.steps],
            **({"result": self.closing} if self.closing else {}),
        }


def _sides(step: DerivationStep) -> tuple[str, str]:
    middle = f"{step.applied} = " if step.applied not in ("", step.result) else ""
    return step.function, f"{middle}{step.result}"


def derivations(
    f: Callable[..., Any], specs: Sequence[Any], shapes: dict[str, Dimensions],
    names: Sequence[str], order: int, label: str, layout: str,
) -> list[Derived]:  # fmt: skip
    """The steps with respect to each variable, and of each order up to the one asked for."""
    found = []
    for name in names:
        place, g = list(shapes).index(name), f
        for k in range(1, order + 1):
            formula = _derivative(g, specs, shapes, place, layout)
            found.append(_one(g, shapes, name, k, formula, label))
            if k < order:
                g = _as_code(formula, shapes)
    return found


def _derivative(
    g: Callable[..., Any], specs: Sequence[Any], shapes: dict[str, Dimensions], place: int,
    layout: Any,
) -> Formula:  # fmt: skip
    return replace(ad.formula(ad.jacobian(g, place), *specs, layout=layout), name="derivative")


def _as_code(formula: Formula, shapes: dict[str, Dimensions]) -> Callable[..., Any]:
    """A derivative as the function that its formula is, so that its steps are those of what is
    printed and not of what reverse mode computes."""
    scope: dict[str, Any] = {}
    exec(formula.source(), scope)
    return output.with_names(scope[formula.name], list(shapes))


def _one(
    g: Callable[..., Any], shapes: dict[str, Dimensions], name: str, order: int, formula: Formula,
    label: str,
) -> Derived:  # fmt: skip
    again = "" if order == 1 else f"; now of the derivative of order {order - 1}"
    if not any(shapes.values()):
        try:
            found = ad.derivation(g, list(shapes).index(name))
        except ArgumentError:
            pass  # a choice, or a part that is no number: shown by differentials
        else:
            steps = tuple(dict.fromkeys(found.steps))
            heading = f"′ is the derivative with respect to {found.variable}{again}"
            return Derived(found.variable, order, heading, steps, "({})′ = {}", "")
    by_parts = differential(g, shapes, name, label)
    letter = symbol_text(name)
    heading = f"d is the differential for a change d{letter} of {letter}{again}"
    first, *rest = str(formula).split("\n")
    what = "f" if order == 1 else "of that"
    closing = "\n".join([f"∂{what}/∂{letter} = {first}" if order == 1 else
                         f"so its derivative is {first}", *(f"  {r}" for r in rest)])  # fmt: skip
    closing = "\n".join(filter(None, [by_parts.remark, closing]))
    return Derived(letter, order, heading, by_parts.steps, "d({}) = {}", closing)


__all__ = ["Derived", "derivations"]
