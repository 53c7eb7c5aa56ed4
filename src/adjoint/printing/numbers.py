"""Numbers as people write them: 1/√d and ½n log(2π), not 0.185695 and 21.1356."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product

from adjoint.printing.names import sized
from adjoint.simplify.exact import Coefficient, Rational, is_exact, whole_or_fraction

LARGEST = 1000
"""A denominator that is looked for beside a constant; a larger one would be there by chance."""

ROUNDING = 2e-15
"""How far, relatively, a product of a fraction and a constant may be off: some roundings."""

DECIMALS = 9
"""Fractions that have a decimal form of at most so many characters are printed in it."""


@dataclass(frozen=True)
class Constant:
    """A number with a name, in each notation."""

    text: str
    latex: str
    python: str
    value: float


CONSTANTS = (
    Constant("π", r"\pi", "np.pi", math.pi),
    Constant("√(2π)", r"\sqrt{2 \pi}", "np.sqrt(2 * np.pi)", math.sqrt(2 * math.pi)),
    Constant("√(2/π)", r"\sqrt{2 / \pi}", "np.sqrt(2 / np.pi)", math.sqrt(2 / math.pi)),
    Constant("√π", r"\sqrt{\pi}", "np.sqrt(np.pi)", math.sqrt(math.pi)),
    Constant("√2", r"\sqrt{2}", "np.sqrt(2)", math.sqrt(2)),
    Constant("√3", r"\sqrt{3}", "np.sqrt(3)", math.sqrt(3)),
    Constant("log(2π)", r"\log(2 \pi)", "np.log(2 * np.pi)", math.log(2 * math.pi)),
    Constant("log(2)", r"\log(2)", "np.log(2)", math.log(2)),
    Constant("log(10)", r"\log(10)", "np.log(10)", math.log(10)),
)

_ONE = Constant("", "", "", 1.0)


@dataclass(frozen=True)
class Spelled:
    """A positive number as a fraction times constants over constants."""

    fraction: Rational
    above: tuple[Constant, ...] = ()
    below: tuple[Constant, ...] = ()


@lru_cache(maxsize=1024)
def spelled(value: float, sizes: tuple[tuple[int, str], ...] = ()) -> Spelled | None:
    """A positive float that is a short fraction times constants and roots of dimensions, else None.

    >>> spelled(0.5 * math.log(2 * math.pi)).fraction, spelled(0.5 * math.log(2 * math.pi)).above[0].text
    (Fraction(1, 2), 'log(2π)')
    >>> spelled(1 / math.sqrt(29), ((29, "d"),)).below[0].text
    '√d'
    """  # noqa: E501
    if not math.isfinite(value) or value <= 0:
        return None
    roots = [root_of(n, name) for n, name in sizes]
    found: list[Spelled] = []
    for c, root in product((_ONE, *CONSTANTS), (_ONE, *roots)):
        for low, root_low in product((False, True), repeat=2):
            scale = c.value ** (-1 if low else 1) * root.value ** (-1 if root_low else 1)
            fraction = _short_fraction(value / scale)
            if fraction is not None:
                pairs = [(k, below) for k, below in ((c, low), (root, root_low)) if k is not _ONE]
                above, below = ([k for k, is_low in pairs if is_low == b] for b in (False, True))
                found.append(Spelled(fraction, tuple(above), tuple(below)))
    return min(found, key=_length, default=None)


def _length(found: Spelled) -> tuple[int, int]:
    size = found.fraction.numerator * found.fraction.denominator
    return len(found.above) + len(found.below), size


def root_of(size: int, name: str) -> Constant:
    """√n for a dimension."""
    plain = name.replace("−", "-").strip("()")
    return Constant(f"√{name}", rf"\sqrt{{{plain}}}", f"np.sqrt({plain})", math.sqrt(size))


def _short_fraction(value: float) -> Rational | None:
    found = Fraction(value).limit_denominator(LARGEST)
    if not found or found.numerator > LARGEST**2:
        return None
    return whole_or_fraction(found) if abs(float(found) / value - 1) < ROUNDING else None


def absolute(value: Rational | float) -> Rational | float:
    """|value|; a rational number stays one."""
    return -value if value < 0 else value


def decimal(value: Rational) -> str | None:
    """A positive fraction as a short decimal number, if it is one.

    >>> decimal(Fraction(1, 8)), decimal(Fraction(1, 3)), decimal(Fraction(1, 100000))
    ('0.125', None, '1e-05')
    """
    text = repr(float(value))
    return text if len(text) <= DECIMALS and Fraction(text) == value else None


def parts_of_number(
    value: Coefficient, sizes: dict[int, str]
) -> tuple[Spelled, tuple[str, str]] | None:
    """A positive number: its constants, and its fraction with dimensions by name; None for one that
    has no such form."""
    if is_exact(value):
        return Spelled(value), sized(value, sizes)
    found = None if isinstance(value, complex) else spelled(value, tuple(sizes.items()))
    return None if found is None else (found, sized(found.fraction, sizes))


__all__ = [
    "CONSTANTS",
    "Constant",
    "Spelled",
    "absolute",
    "decimal",
    "parts_of_number",
    "root_of",
    "spelled",
]
