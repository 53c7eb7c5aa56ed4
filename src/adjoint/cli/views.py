"""What `adjoint derive` shows besides numbers: the trace, the graph, the Taylor polynomial."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import adjoint as ad
from adjoint.calculus.monomials import raised
from adjoint.cli import output
from adjoint.cli.targets import Target
from adjoint.errors import AdjointError
from adjoint.printing.trace_table import TraceTable

_WRITTEN_DIGITS = 10


@dataclass(frozen=True)
class Expansion:
    """The Taylor polynomial in some variables: its tensors Dᵏf, its text if f is a number, and a
    bound of its error within a distance if that was asked for."""

    wrt: tuple[str, ...]
    center: Any
    tensors: list[Any]
    text: str
    radius: float | None = None
    bound: Any = None

    @property
    def order(self) -> int:
        return len(self.tensors) - 1

    def as_dict(self) -> dict[str, Any]:
        return {
            "with_respect_to": list(self.wrt),
            "center": output.plain(self.center),
            "order": self.order,
            "tensors": [output.plain(t) for t in self.tensors],
            **({"formula": self.text} if self.text else {}),
            **(
                {}
                if self.radius is None
                else {"radius": self.radius, "error_bound": output.plain(self.bound)}
            ),
        }

    def as_text(self) -> str:
        """The polynomial, or its tensors where it cannot be written out; then the bound."""
        title = f"Taylor polynomial of degree {self.order} in {', '.join(self.wrt)}:"
        if self.text:
            lines = [f"{title}\n  {self.text}"]
        else:
            labels = ["f", *(f"D{raised(k)}f" for k in range(1, self.order + 1))]
            width = max(map(len, labels))
            pairs = zip(labels, self.tensors, strict=True)
            lines = [f"{title} its tensors are", *(output.labelled(a, t, width) for a, t in pairs)]
        if self.radius is not None:
            label = f"error within {self.radius:g} of the point: at most"
            lines.append(output.labelled(label, self.bound, len(label) - 1))
        return "\n".join(lines)


@dataclass(frozen=True)
class Views:
    """All that was asked for besides the numbers."""

    expansions: list[Expansion]
    trace: TraceTable | None
    picture: Path | None

    def texts(self) -> list[str]:
        """A paragraph for each."""
        written = [f"graph: {self.picture}"] if self.picture is not None else []
        tables = [str(self.trace)] if self.trace is not None else []
        return [*(e.as_text() for e in self.expansions), *tables, *written]

    def as_dict(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.expansions:
            found["taylor"] = [e.as_dict() for e in self.expansions]
        if self.trace is not None:
            found["trace"] = trace_as_dict(self.trace)
        if self.picture is not None:
            found["graph"] = str(self.picture)
        return found


def of_chosen(target: Target, point: dict[str, Any], wrt: Sequence[str]) -> Callable[..., Any]:
    """The target as a function of the chosen variables only, under their own names."""

    def function(*values: Any) -> Any:
        named = {**point, **dict(zip(wrt, values, strict=True))}
        return target.function(*(named[name] for name in target.parameters))

    kind = inspect.Parameter.POSITIONAL_ONLY
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in wrt])
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def trace(target: Target, point: dict[str, Any], wrt: Sequence[str]) -> TraceTable:
    """The evaluation trace, with tangents and adjoints."""
    return ad.explain(of_chosen(target, point, wrt))(*(point[name] for name in wrt))


def trace_as_dict(table: TraceTable) -> list[dict[str, Any]]:
    """The steps of a trace as objects."""
    return [
        {
            "step": s.name, "operation": s.operation, "inputs": list(s.inputs),
            "primal": output.plain(s.primal), "tangent": output.plain(_or_zero(s.tangent)),
            "adjoint": output.plain(_or_zero(s.adjoint)),
            "partials": {name: output.plain(p) for name, p in s.partials.items()},
        }
        for s in table.steps.values()
    ]  # fmt: skip


def _or_zero(value: Any) -> Any:
    return 0.0 if value is None else value


def require_drawable(path: Path | None) -> None:
    """Raises before anything is computed if a graph cannot be written there."""
    if path is None:
        return
    if path.suffix not in (".svg", ".png", ".dot", ".mmd"):
        raise output.CommandError(
            f"--graph writes .svg, .png, .dot or .mmd; got {path.name!r}.",
            hint=f"--graph {path.with_suffix('.svg').name}",
        )
    if not path.parent.is_dir():
        raise output.CommandError(
            f"--graph names the folder {path.parent}, which does not exist.",
            hint=f"mkdir -p {path.parent}",
        )


def draw(target: Target, point: dict[str, Any], wrt: Sequence[str], value: Any, path: Path) -> None:
    """Writes the computation graph; with values and adjoints where f is one real number."""
    number = not np.ndim(value) and np.isrealobj(value)
    picture = ad.graph(of_chosen(target, point, wrt), values=number)
    try:
        picture(*(point[name] for name in wrt)).save(path)
    except OSError as error:
        raise output.CommandError(f"{path} cannot be written: {error.strerror}.") from None


def groups(point: dict[str, Any], wrt: Sequence[str]) -> list[tuple[str, ...]]:
    """The variables of each Taylor polynomial: all numbers together, and each array by itself."""
    numbers = tuple(name for name in wrt if not np.ndim(point[name]))
    arrays = [(name,) for name in wrt if np.ndim(point[name])]
    return [*([numbers] if numbers else []), *arrays]


def expand(
    target: Target, point: dict[str, Any], wrt: tuple[str, ...], order: int,
    radius: float | None = None,
) -> Expansion:  # fmt: skip
    """The Taylor polynomial in some variables at the point."""
    function = of_chosen(target, point, wrt)
    if len(wrt) == 1:
        center = point[wrt[0]]
        polynomial = ad.taylor(function, center, order)
    else:
        center = np.array([point[name] for name in wrt])
        polynomial = ad.taylor(lambda v: function(*v), center, order)
    try:
        names: Any = wrt if np.size(center) == len(wrt) else wrt[0]
        text = polynomial.formula(names, _WRITTEN_DIGITS)
    except AdjointError:
        text = ""  # f is an array or complex, or the terms are too many: the tensors are shown
    bound = None if radius is None else polynomial.remainder_bound(radius=radius)
    return Expansion(wrt, center, polynomial.tensors, text, radius, bound)


__all__ = [
    "Expansion", "Views", "draw", "expand", "groups", "of_chosen", "require_drawable", "trace",
]  # fmt: skip
