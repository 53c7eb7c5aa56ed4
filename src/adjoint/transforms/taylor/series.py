"""Power series whose coefficients are computed one after the other, and what they are made of.

The normalised coefficients of y(t) = Σ yₖ tᵏ.  A coefficient is asked for only when those before it
are known, so a series may be defined by itself: its rule for yₖ reads y₀ … yₖ₋₁.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from adjoint.errors import ArgumentValueError

if TYPE_CHECKING:
    from adjoint.graph.ir import Node

Coefficient = Any
"""One coefficient: an operand, or None for zero."""


class Series:
    """The coefficients of one value, each computed when it is first asked for, in order."""

    __slots__ = ("known", "partners", "rule")

    def __init__(self, first: Any, rule: Callable[[int], Coefficient] | None = None) -> None:
        self.known: list[Coefficient] = [first]
        self.rule = rule
        self.partners: dict[str, Any] | None = None

    def __getitem__(self, k: int) -> Coefficient:
        known = self.known
        while len(known) <= k:
            rule = self.rule
            known.append(None if rule is None else rule(len(known)))
        return known[k]

    @property
    def constant(self) -> bool:
        """Whether all coefficients but the first are zero."""
        return self.rule is None and len(self.known) == 1

    def partner(self, name: str, make: Callable[[], Any]) -> Any:
        """Something that goes with the series, made once: the cosine of what a sine is taken of."""
        if self.partners is None:
            self.partners = {}
        if name not in self.partners:
            self.partners[name] = make()
        return self.partners[name]


Rule = Callable[["Node", Any, list[Series]], Any]
"""From a node, its value and the series of its operands: its series, one per result if there are
several, or None where the rule does not apply."""

RULES: dict[str, Rule] = {}
"""Rules by the name of the primitive, for those that the general one serves badly."""

LATE_RULES: dict[str, str] = {}
"""Primitives whose rule is in a module that is imported when the first of them is met."""


def rule_of(name: str) -> Rule | None:
    """The rule of a primitive that has one of its own."""
    if name in LATE_RULES:
        module = LATE_RULES[name]
        importlib.import_module(module)
        for each in [n for n, m in LATE_RULES.items() if m == module]:
            del LATE_RULES[each]
    return RULES.get(name)


def total(terms: Iterable[Any]) -> Coefficient:
    """The sum of terms that were just computed; None where there are none."""
    found = None
    for term in terms:
        found = term if found is None else plus(found, term)
    return found


def plus(found: Any, term: Any) -> Any:
    """found + term, in the memory of ``found`` where that is plain and large enough."""
    if (
        type(found) is np.ndarray
        and type(term) is np.ndarray
        and found.shape == term.shape
        and found.dtype == term.dtype
        and found.flags.writeable
    ):
        found += term
        return found
    return found + term


def cauchy(a: Series, b: Series, k: int, first: int = 0, last: int = 0) -> Coefficient:
    """Σ aⱼ bₖ₋ⱼ over first ≤ j ≤ k − last."""
    if k - last < first:
        return None
    a[k - last], b[k - first]  # all that is read below is known now
    found = None
    for p, q in zip(a.known[first : k - last + 1], reversed(b.known[last : k - first + 1]),
                    strict=True):  # fmt: skip
        if p is not None and q is not None:
            term = p * q
            found = term if found is None else plus(found, term)
    return found


def self_cauchy(a: Series, k: int, first: int = 0) -> Coefficient:
    """Σ aⱼ aₖ₋ⱼ over first ≤ j ≤ k − first, each pair once."""
    if k < 2 * first:
        return None
    a[k - first]
    known = a.known
    found = None
    for j in range(first, (k + 1) // 2):
        p, q = known[j], known[k - j]
        if p is not None and q is not None:
            term = p * q
            found = term if found is None else plus(found, term)
    if found is not None:
        found = 2 * found
    if k % 2 == 0 and known[k // 2] is not None:
        middle = known[k // 2]
        middle = middle * middle
        found = middle if found is None else plus(found, middle)
    return found


def weighted(x: Series) -> Series:
    """k·xₖ, the coefficients of t·x′(t); that of order 0 is zero."""

    def coefficient(k: int) -> Coefficient:
        return x[k] if k == 1 else scaled(x[k], k)

    return x.partner("weighted", lambda: Series(None, coefficient))  # type: ignore[no-any-return]


def derivative(x: Series) -> Series:
    """The series of the derivative with respect to t; its first coefficient is never None."""

    def coefficient(k: int) -> Coefficient:
        return scaled(x[k + 1], k + 1)

    def make() -> Series:
        first = x[1]
        if first is None:
            first = np.zeros(np.shape(x[0]), np.result_type(x[0]))[()]
        return Series(first, coefficient)

    return x.partner("derivative", make)  # type: ignore[no-any-return]


def defined(first: Any, rule: Callable[[Series, int], Coefficient]) -> Series:
    """A series whose rule reads the series itself."""
    series = Series(first)
    series.rule = lambda k: rule(series, k)
    return series


def minus(a: Coefficient, b: Coefficient) -> Coefficient:
    """a − b, where None is zero."""
    if b is None:
        return a
    return -b if a is None else a - b


def scaled(term: Coefficient, factor: Any) -> Coefficient:
    """factor·term, where None is zero."""
    return None if term is None else factor * term


def divided(term: Coefficient, divisor: Any) -> Coefficient:
    """term/divisor, where None is zero."""
    return None if term is None else term / divisor


def fitted(term: Coefficient, out: Any) -> Coefficient:
    """A coefficient with the dtype and the shape of the value, which broadcasting gave it."""
    if term is None:
        return None
    if term.dtype != out.dtype:
        if term.dtype.kind == "c" and out.dtype.kind == "f":
            term = np.real(term)
        if term.dtype != out.dtype:
            term = term.astype(out.dtype)
    return np.broadcast_to(term, out.shape) if term.shape != out.shape else term


class Joint(Series):
    """A series of which ``fill(k)`` computes all coefficients up to an order together."""

    __slots__ = ("fill",)

    def __init__(self, first: Any, fill: Callable[[int], None]) -> None:
        super().__init__(first, lambda k: None)
        self.fill = fill

    def __getitem__(self, k: int) -> Coefficient:
        if len(self.known) <= k:
            self.fill(k)
        return self.known[k]


def splits(order: int, count: int) -> Iterator[tuple[int, ...]]:
    """The ways to write a number as a sum of so many numbers from 0 on, in order."""
    if count == 1:
        yield (order,)
        return
    for first in range(order + 1):
        for rest in splits(order - first, count - 1):
            yield (first, *rest)


def factorial(k: int, dtype: Any, called: str) -> float:
    """k! as a number of this precision; raises where it does not fit."""
    dtype = np.dtype(dtype)
    largest = float(np.finfo(dtype).max) if dtype.kind in "fc" else math.inf
    found = math.factorial(k)
    if found > largest:
        raise ArgumentValueError(
            f"{called}: a derivative of order {k} is {k}! times its Taylor coefficient, and that "
            f"is beyond {dtype.name}, whose largest number is {largest:.1e}.",
            hint="taylor(f, x0, n).coefficients has no factorials in it"
            + (", or use float64." if dtype.itemsize < 8 else "."),
        )
    return float(found)
