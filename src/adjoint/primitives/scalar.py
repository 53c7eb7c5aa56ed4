"""Elementwise maps: the class behind every row of `arithmetic`, `elementwise`, `selection` and
`special`.

A row gives the NumPy ufunc and one partial derivative per operand, as a NumPy expression in the
operands and the result.  Forward, reverse, Taylor and batch rules, printing and the laws that test
it follow from the row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adjoint.errors import MissingRuleError
from adjoint.graph import registry
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import PYTHON_NUMBERS, adopt, bind
from adjoint.graph.primitive import Primitive
from adjoint.graph.tracer import Tracer

Partial = Callable[..., Any] | int | str
"""∂y/∂x_i: an expression, the constant 0, 1 or −1, or the written reason why there is none."""

REAL = ((-3.0, 3.0),)
POSITIVE = ((0.1, 4.0),)
UNIT = ((-0.95, 0.95),)

_WEAK: dict[str, Any] = {"f": float, "i": int, "c": complex, "b": np.dtype(np.bool_)}
"""What a Python number promotes as; a truth value is an ordinary operand."""


def _default_latex(name: str, arity: int) -> str:
    operands = ", ".join(f"{{{i}}}" for i in range(arity))
    return rf"\operatorname{{{{{name}}}}}({operands})"


def align_examples(operands: tuple[Any, ...], batched: tuple[bool, ...], size: int) -> list[Any]:
    """Operands whose examples broadcast against each other: the batch axis stays first, and axes
    of length 1 follow it where an example has fewer axes than another."""
    ranks = [np.ndim(o) - b for o, b in zip(operands, batched, strict=True)]
    rank = max(ranks)
    return [
        np.reshape(o, (size,) + (1,) * (rank - r) + o.shape[1:]) if b and r < rank else o
        for o, b, r in zip(operands, batched, ranks, strict=True)
    ]


class Elementwise(Primitive):
    """A scalar function applied to every element, with NumPy's broadcasting.

    Attributes
    ----------
    partials: one per operand.
    domain: an interval per operand from which tests sample.
    latex: how the function prints; ``{0}``, ``{1}`` stand for the operands.
    selects: the partials pick between operands, so where one is 0 nothing flows, not 0·∞.
    holomorphic: also right for complex operands.

    >>> import adjoint.extend as extend
    >>> cubed = extend.Elementwise(lambda x: x**3, (lambda x, y: 3 * x * x,), name="cubed")
    >>> float(cubed.partial(0, (2.0,), 8.0))
    12.0
    """

    def __init__(
        self,
        ufunc: Any,
        partials: tuple[Partial, ...],
        *,
        name: str = "",
        latex: str = "",
        domain: tuple[tuple[float, float], ...] = (),
        selects: bool = False,
        holomorphic: bool = True,
    ) -> None:
        self.ufunc = ufunc
        self.name = name or ufunc.__name__  # type: ignore[misc]
        self.partials = partials
        self.latex = latex or _default_latex(self.name, len(partials))
        self.domain = domain or REAL * len(partials)
        self.selects = selects
        self.holomorphic = holomorphic
        self.flat = all(p == 0 for p in partials)
        self.evaluate = ufunc  # type: ignore[method-assign]
        self.recognise: Callable[..., Any] | None = None

    def __call__(self, *operands: Any, **params: Any) -> Any:
        for operand in operands:
            if not isinstance(operand, Tracer) and type(operand) not in PYTHON_NUMBERS:
                operands = tuple(map(adopt, operands))
                break
        if self.recognise is not None:
            special = self.recognise(*operands)
            if special is not None:
                return special
        return bind(self, operands, params)

    def partial(self, position: int, operands: tuple[Any, ...], out: Any) -> Any:
        """The value of ∂y/∂x_i at the operands."""
        rule = self.partials[position]
        if isinstance(rule, str):
            raise MissingRuleError(
                f"{self.name} has no derivative with respect to operand {position}: {rule}."
            )
        if isinstance(rule, int):
            return rule
        try:
            return rule(*operands, out)
        except ZeroDivisionError:
            # Python's own numbers raise where NumPy's give the infinity that is meant.
            found = rule(*(np.float64(o) if type(o) in (int, float) else o for o in operands), out)
            return found.item() if isinstance(found, np.generic) else found

    def infer(self, *types: ArrayType, **params: Any) -> ArrayType:
        shape = np.broadcast_shapes(*(t.shape for t in types))
        dtypes = [_WEAK[t.dtype.kind] if t.weak else t.dtype for t in types]
        if isinstance(self.ufunc, np.ufunc):
            dtype = self.ufunc.resolve_dtypes((*dtypes, None))[-1]
        else:
            samples = [d(1) if isinstance(d, type) else np.ones((), d) for d in dtypes]
            dtype = np.asarray(self.ufunc(*samples)).dtype
        return ArrayType(shape, dtype)

    def jvp(
        self, out: Any, primals: tuple[Any, ...], tangents: tuple[Any, ...], **params: Any
    ) -> Any:
        total = None
        for position, tangent in enumerate(tangents):
            rule = self.partials[position]
            if tangent is None or rule == 0:
                continue
            if rule == 1:
                term = tangent
            elif rule == -1:
                term = -tangent
            elif self.selects:
                slope = self.partial(position, primals, out)
                term = np.where(slope != 0, tangent * slope, 0.0)
            else:
                term = tangent * self.partial(position, primals, out)
            total = term if total is None else total + term
        if total is None:
            return None
        if total.dtype.kind == "c" and out.dtype.kind == "f":
            total = np.real(total)
        if total.dtype != out.dtype:
            total = total.astype(out.dtype)
        return np.broadcast_to(total, out.shape) if total.shape != out.shape else total

    def batch(
        self, operands: tuple[Any, ...], batched: tuple[bool, ...], size: int, **params: Any
    ) -> Any:
        return self(*align_examples(operands, batched, size))


def row(
    ufunc: Any,
    *partials: Partial,
    name: str = "",
    latex: str = "",
    domain: tuple[tuple[float, float], ...] = (),
    selects: bool = False,
    holomorphic: bool = True,
) -> Elementwise:
    """Adds a scalar function: registers the primitive and answers the ufunc with it.

    >>> import adjoint as ad
    >>> from adjoint.extend import row
    >>> quartic = row(lambda x: x**4, lambda x, y: 4 * x**3, name="quartic")
    >>> float(ad.grad(quartic)(2.0))
    32.0
    """
    instance = registry.register(
        Elementwise(
            ufunc,
            partials,
            name=name,
            latex=latex,
            domain=domain,
            selects=selects,
            holomorphic=holomorphic,
        )
    )
    if isinstance(ufunc, np.ufunc):
        registry.UFUNCS[ufunc] = instance
    return instance


def recognises(primitive: Elementwise) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: asked at every application of the primitive whether its operands form a pattern
    whose derivative has to be known as a whole.  Part of differentiation: it is never switched off,
    so that stability does not depend on an optimisation level.

    >>> import adjoint as ad
    >>> from adjoint.extend import recognises, row
    >>> halved = row(lambda x: x / 2, lambda x, y: 0.5, name="halved")
    >>> @recognises(halved)
    ... def half_of_nothing(x):
    ...     return None  # no pattern: the row's own rule holds
    >>> float(ad.grad(halved)(3.0))
    0.5
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        primitive.recognise = function
        return function

    return decorate
