"""Special functions as primitives: elementwise maps whose rows come from tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from adjoint.errors import MissingRuleError
from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.tracer import Tracer
from adjoint.primitives.scalar import Elementwise, Partial

__all__ = ["SpecialFunction", "is_complex", "template"]


def template(symbol: str, arity: int) -> str:
    """How a function prints, as a format string with one slot per operand.

    A symbol is followed by its operands in brackets; one with ``#1``, ``#2``, … in it says itself
    where they go, as a LaTeX macro does.

    >>> template(r"H^{(1)}", 2)
    'H^{{(1)}}({0}, {1})'
    >>> template("10^{#1}", 1)
    '10^{{{0}}}'
    """
    if not symbol:
        return ""
    slots = [f"#{i + 1}" for i in range(arity)]
    if slots[0] not in symbol:
        symbol += f"({', '.join(slots)})"
    escaped = symbol.replace("{", "{{").replace("}", "}}")
    for i, slot in enumerate(slots):
        escaped = escaped.replace(slot, f"{{{i}}}")
    return escaped


def is_complex(operand: Any) -> bool:
    """Whether an operand, traced or not, has a complex dtype."""
    if isinstance(operand, Tracer):
        return operand.dtype.kind == "c"
    return bool(np.iscomplexobj(operand))


class SpecialFunction(Elementwise):
    """A ufunc of SciPy, or a numerical kernel, with the partial derivatives of its table.

    Attributes
    ----------
    real_only: why the partials hold for real operands only, if that needs a reason.
    """

    def __init__(
        self,
        evaluate: Callable[..., Any],
        name: str,
        partials: tuple[Partial, ...],
        domain: tuple[tuple[float, float], ...],
        latex: str = "",
        holomorphic: bool = False,
        real_only: str = "",
    ) -> None:
        if name in registry.PRIMITIVES:
            name = "scipy." + name
        super().__init__(
            evaluate,
            partials,
            name=name,
            latex=template(latex, len(domain)),
            domain=domain,
            holomorphic=holomorphic,
        )
        self.real_only = real_only

    def partial(self, position: int, operands: tuple[Any, ...], out: Any) -> Any:
        if not self.holomorphic and any(map(is_complex, operands)):
            raise MissingRuleError(
                f"{self.name} has no derivative at complex operands: "
                f"{self.real_only or 'its formula holds for real ones'}."
            )
        with np.errstate(all="ignore"):
            return super().partial(position, operands, out)

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        with np.errstate(all="ignore"):
            if isinstance(self.ufunc, np.ufunc):
                return super().infer(*types, **params)
            shape = np.broadcast_shapes(*(t.shape for t in types))
            samples = tuple(t.dtype.type(1).item() if t.weak else t.dtype for t in types)
            return ArrayType(shape, _result_dtype(self, samples))


@lru_cache(maxsize=1024)
def _result_dtype(function: SpecialFunction, operands: tuple[Any, ...]) -> np.dtype[Any]:
    """The dtype of a kernel's result: real or complex as it is inside the domain, and of the
    operands' precision.  Some of SciPy's functions do not return at single precision, so they are
    tried at double."""
    given = np.result_type(*operands)
    middles: list[complex] = [0.5 * (low + high) for low, high in function.domain]
    if given.kind == "c":
        middles = [m + 0j for m in middles]
    found = np.asarray(function.evaluate(*middles)).dtype
    narrow = given.kind in "fc" and given.itemsize <= (4 if given.kind == "f" else 8)
    if not narrow:
        return found
    return np.dtype(np.complex64 if found.kind == "c" else np.float32)
