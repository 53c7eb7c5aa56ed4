"""The evaluation trace of a function at a point, as a table.

One row per elementary operation, with the forward primal, the forward tangent and the reverse
adjoint columns, and the local partial derivatives from which both follow (Griewank and Walther,
*Evaluating Derivatives*, 2008, tables 1.2 and 1.3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.graph.arraytype import describe
from adjoint.printing.listing import Listing, Step
from adjoint.printing.tables import Table


def explain(f: Callable[..., Any]) -> Callable[..., TraceTable]:
    """How f is evaluated and differentiated at a point, step by step.

    Returns
    -------
    A function of f's arguments that gives a `TraceTable`: for each elementary operation its value,
    its tangent (for unit tangents of all inputs, or those given as ``tangents=``), its adjoint
    ∂f/∂step and its local partial derivatives.  Prints as text, and as HTML in notebooks.  Long
    arrays are shown by type and norm; ``table["a"].primal`` is the array itself.

    The adjoint of a complex step is its gradient, as `grad` defines it: the sum over what reads it
    of adjoint times conjugated partial derivative.  Costs one forward and one reverse pass.

    Raises
    ------
    NotScalarError: f returns more than one number.

    >>> import numpy as np, adjoint as ad
    >>> print(ad.explain(lambda x: np.sin(x) * x)(2.0))
    step  operation  primal    tangent    adjoint    local partials
    x     input      2         1          0.0770038
    a     sin x      0.909297  -0.416147  2          ∂a/∂x = -0.416147
    b     a · x      1.81859   0.0770038  1          ∂b/∂a = 2, ∂b/∂x = 0.909297
    """

    def explained(*args: Any, tangents: Any = None, **named: Any) -> TraceTable:
        return TraceTable(Listing(f, args, named, tangents=tangents))

    return explained


class TraceTable(Table):
    """The evaluation trace of a function: printable, and indexable by the name of a step."""

    headings = ("step", "operation", "primal", "tangent", "adjoint", "local partials")

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.steps: dict[str, Step] = {s.name: s for s in listing.steps}

    def __getitem__(self, name: str) -> Step:
        return self.steps[name]

    @property
    def remark(self) -> str:
        """What the arrays from outside are."""
        return "\n".join(f"{s.name} is {show(s.primal)}" for s in self.listing.constants)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table as text, one tuple per step."""
        return [
            (
                s.name,
                s.operation,
                show(s.primal),
                show(s.tangent),
                show(s.adjoint),
                ", ".join(f"∂{s.name}/∂{x} = {show(p)}" for x, p in s.partials.items()),
            )
            for s in self.steps.values()
        ]


_CELL = 25
"""Longer texts of arrays give way to their type and norm."""


def show(value: Any) -> str:
    """A number to six digits; an array in one line, or its type and norm if it is long."""
    if value is None:
        return "0"
    if not np.ndim(value):
        return f"{value:.6g}" if np.isrealobj(value) else f"{value:.4g}"
    array = np.asarray(value)
    if array.size <= _CELL:
        text = np.array2string(array, precision=4, threshold=_CELL, separator=" ")
        if len(text := " ".join(text.split())) <= _CELL:
            return text
    if array.dtype.kind not in "fc":
        return describe(array)
    with np.errstate(all="ignore"):
        return f"{describe(array)} ‖{np.linalg.norm(array.ravel()):.4g}‖"
