"""The form in which the derivative of a special function is written down.

One `SpecialRow` per ufunc of `scipy.special` carries its partial derivatives as NumPy expressions
of its operands and its result.  Where an expression needs a function that SciPy does not have (the
derivative of P(a, x) in a, say), it calls a `Kernel`: a numerical function with partials of its
own.  Rows and kernels therefore close under differentiation, to any order.

SciPy is imported by the modules that hold the rows, not by this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import Any

from adjoint.graph import registry
from adjoint.graph.tracer import Tracer

from .function import SpecialFunction

__all__ = ["CONSTANT", "Domain", "Kernel", "Partial", "SpecialRow", "apply_kernel"]

# Kernels become primitives when they are first needed, by whichever thread needs them first.
_MAKING = RLock()

# (x1, …, xn, y) -> ∂y/∂x_i, or the reason why there is no such derivative.  A partial that does not
# depend on its operands may return a Python number.
Partial = Callable[..., Any] | str
# One closed interval per operand, from which tests draw; every point of the box is regular.
Domain = tuple[tuple[float, float], ...]


def CONSTANT(*operands_and_result: Any) -> float:
    """The partial of a function that is constant between its jumps."""
    return 0.0


@dataclass(frozen=True, eq=False)
class Kernel:
    """A numerical elementwise function outside NumPy and SciPy, with its partial derivatives.

    Called with plain arrays it evaluates; `apply_kernel` decides, so that the tracer can take the
    call over.  `source` is an expression in SciPy with the operands as {0}, {1}, …, if any exists.
    """

    name: str
    evaluate: Callable[..., Any]
    partials: tuple[Partial, ...]
    domain: Domain
    latex: str = ""
    holomorphic: bool = False
    notes: str = ""
    source: str = ""
    accuracy: float = 1e-13

    def __call__(self, *operands: Any) -> Any:
        return apply_kernel(self, operands)

    @cached_property
    def primitive(self) -> SpecialFunction:
        """What is recorded when an operand is traced."""
        return _primitive(self, self.evaluate)


@dataclass(frozen=True, eq=False)
class SpecialRow:
    """The derivative of one ufunc of `scipy.special`.

    `name` is the ufunc's own `__name__` (`digamma` is `psi`, `jn` is `jv`).  A ufunc with several
    outputs has one kernel per output in `components` and no partials of its own.  `holomorphic`
    says that the formulas hold for complex operands, with partials as complex derivatives.
    `latex` is a symbol, or a template in which `#1`, `#2`, … stand for the operands.
    `accuracy` is the relative accuracy of SciPy's own value, which bounds what differences can
    confirm.
    """

    name: str
    partials: tuple[Partial, ...]
    domain: Domain
    latex: str = ""
    holomorphic: bool = False
    notes: str = ""
    components: tuple[Kernel, ...] = ()
    accuracy: float = 1e-13

    def ufunc(self) -> Any:
        """The ufunc itself; imports SciPy."""
        from scipy import special
        from scipy.special import _ufuncs

        # special._lambertw is a module; the ufunc of that name is in _ufuncs.
        return getattr(_ufuncs if self.name.startswith("_") else special, self.name)

    @cached_property
    def primitive(self) -> SpecialFunction:
        """What is recorded when an operand is traced."""
        return _primitive(self, self.ufunc())


def apply_kernel(kernel: Kernel, operands: tuple[Any, ...]) -> Any:
    """Evaluate a kernel, or record a node if an operand is traced."""
    if any(isinstance(x, Tracer) for x in operands):
        return kernel.primitive(*operands)
    return kernel.evaluate(*operands)


def _primitive(entry: Kernel | SpecialRow, evaluate: Callable[..., Any]) -> SpecialFunction:
    with _MAKING:
        known = entry.__dict__.get("primitive")
        if known is not None:
            return known  # type: ignore[no-any-return]
        made = SpecialFunction(
            evaluate,
            entry.name.lstrip("_"),
            tuple(0 if p is CONSTANT else p for p in entry.partials),
            entry.domain,
            entry.latex,
            entry.holomorphic,
            entry.notes,
        )
        # Under the lock, so that a thread that waited finds it.
        entry.__dict__["primitive"] = made
        return registry.register(made)
