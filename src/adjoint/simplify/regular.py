"""Arrays that follow a rule, such as [0, 1, …, n − 1]: a formula says it, for every length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from adjoint.simplify.exact import Rational, exact, is_exact, magnitude
from adjoint.simplify.expression import Symbol

FEWEST = 5
"""Two numbers always follow a rule, and few do by chance."""

LITERAL = 9
"""Arrays of at most so many elements are written out."""

ROUNDING = 1e-13
"""How far, relatively, the elements of a geometric sequence may be off."""


R = TypeVar("R", bound="Rule")


@dataclass(frozen=True)
class Rule:
    """Base of all rules: what an array is, but for its lengths."""


@dataclass(frozen=True)
class Sequence(Rule):
    """start, start + step, …, where the first element is ``start``, or the last one if
    ``from_end``; with ``inverse`` the reciprocals of that."""

    start: Rational
    step: Rational
    from_end: bool = False
    inverse: bool = False


@dataclass(frozen=True)
class Powers(Rule):
    """scale · (1, ratio, ratio², …), or the other way round if ``from_end``."""

    ratio: Rational
    scale: Rational
    from_end: bool = False


@dataclass(frozen=True)
class Band(Rule):
    """1 where low ≤ j − i ≤ high, else 0, for an element i, j; with ``outside`` the other way
    round.  None stands for no bound."""

    low: int | None
    high: int | None
    outside: bool = False

    def flipped(self) -> Band:
        """The rule of the transpose."""
        low = None if self.high is None else -self.high
        return _same(Band(low, None if self.low is None else -self.low, self.outside))

    def on_diagonal(self) -> int:
        """The element where i = j."""
        inside = (self.low is None or self.low <= 0) and (self.high is None or self.high >= 0)
        return int(inside != self.outside)


@dataclass(frozen=True)
class Written(Rule):
    """All elements, as nested tuples."""

    elements: Any


def is_made(array: Symbol) -> bool:
    """Whether no one else has a name for an array, so that it cannot change."""
    return isinstance(array.origin, Rule) or re.fullmatch(r"C\d+|", array.name) is not None


def rule_of(value: Any) -> Rule | None:
    """The rule that an array of numbers or truth values follows; None if none is seen.

    >>> rule_of(np.arange(1, 31)), rule_of(np.tri(20, 20, -1, dtype=bool))
    (Sequence(start=1, step=1, from_end=False, inverse=False), Band(low=None, high=-1, outside=False))
    """  # noqa: E501
    value = np.asarray(value)
    if value.dtype.kind not in "iufb" or not value.size or not np.isfinite(value).all():
        return None
    found: Rule | None = _band(value) if value.ndim == 2 else None
    if value.ndim == 1 and len(value) >= FEWEST and value.dtype.kind != "b":
        found = _sequence(value)
        if found is None and value.all():
            found = _powers(value) or _sequence(1 / value, True)
    if found is None and value.ndim == 1 and value.size <= LITERAL:
        found = Written(tuple(exact(v) for v in value.tolist()))
    return None if found is None else _same(found)


def _same(rule: R) -> R:
    """One object for equal rules."""
    return _KNOWN.setdefault(rule, rule)  # type: ignore[return-value]


_KNOWN: dict[Rule, Rule] = {}


def _sequence(value: Any, inverse: bool = False) -> Sequence | None:
    step = exact(value[1] - value[0])
    first, last = exact(value[0]), exact(value[-1])
    if not (is_exact(step) and is_exact(first) and is_exact(last)) or not step:
        return None
    expected = float(first) + float(step) * np.arange(len(value))
    if not np.allclose(value, expected, ROUNDING, 0.0):
        return None
    from_end = magnitude(first) > magnitude(last) and magnitude(first) >= len(value) - 1
    return Sequence(last if from_end else first, step, from_end, inverse)


def _powers(value: Any) -> Powers | None:
    from_end = abs(value[0]) < abs(value[-1]) <= 1
    up = value[::-1] if from_end else value
    ratio, scale = exact(up[1] / up[0]), exact(up[0])
    if not (is_exact(ratio) and is_exact(scale)) or ratio == 1:
        return None
    if not np.allclose(up, float(scale) * float(ratio) ** np.arange(len(up)), ROUNDING, 0.0):
        return None
    return Powers(ratio, scale, from_end)


def _band(value: Any) -> Band | None:
    """Bands of ones and zeros, of which both are there."""
    mask = value != 0
    if value.dtype.kind != "b" and not np.array_equal(value, mask):
        return None
    n, m = value.shape
    if min(n, m) < FEWEST or mask.all() or not mask.any():
        return None
    offsets = np.arange(m) - np.arange(n)[:, None]
    for outside in (False, True):
        inside = mask != outside
        low, high = int(offsets[inside].min()), int(offsets[inside].max())
        if np.array_equal(inside, (offsets >= low) & (offsets <= high)):
            found = Band(None if low == 1 - n else low, None if high == m - 1 else high, outside)
            if outside and (found.low is None or found.high is None):
                continue  # what is above a diagonal is also what is not below
            return found
    return None


__all__ = ["Band", "Powers", "Rule", "Sequence", "Written", "is_made", "rule_of"]
