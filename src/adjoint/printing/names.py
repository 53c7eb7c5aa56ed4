"""Names: Greek letters, indices, and numbers that are made of dimensions."""

from __future__ import annotations

import re
from itertools import combinations

from adjoint.simplify.exact import Rational

LETTERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "lambda_": "λ",
    "lam": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ",
    "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "ell": "ℓ",
    "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip

DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
RAISED_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def parts_of(name: str) -> tuple[str, str]:
    """The stem of a name and its index: ``x1`` and ``x_1`` are x with index 1."""
    found = re.fullmatch(r"([^\W\d]+?)_?(\d*)", name)
    return (found[1], found[2]) if found else (name, "")


def greek(name: str) -> str:
    """A Python name as Unicode.

    >>> greek("theta"), greek("x1"), greek("Phi_2"), greek("weights")
    ('θ', 'x₁', 'Φ₂', 'weights')
    """
    stem, index = parts_of(name)
    return LETTERS.get(stem, stem) + index.translate(DIGITS)


def ascii_name(text: str) -> str:
    """A name as a Python identifier."""
    cleaned = re.sub(r"\W", "_", text)
    return cleaned if cleaned and not cleaned[0].isdigit() else f"_{cleaned}"


def sized(value: Rational, sizes: dict[int, str]) -> tuple[str, str]:
    """A positive fraction as numerator and denominator, dimensions by name where they divide it.

    >>> from fractions import Fraction
    >>> sized(Fraction(2, 101), {101: "n"}), sized(Fraction(3, 4), {})
    (('2', 'n'), ('3', '4'))
    """
    return _with_sizes(value.numerator, sizes), _with_sizes(value.denominator, sizes)


def _with_sizes(value: int, sizes: dict[int, str]) -> str:
    names = []
    for size, name in sorted(sizes.items()):
        power = 0
        while size > 1 and value and value % size == 0:
            value //= size
            power += 1
        if power:
            names.append(name if power == 1 else name + str(power).translate(RAISED))
    number = [] if value == 1 and names else [str(value)]
    sign = "·" if any(len(name) > 1 for name in sizes.values() if name.isidentifier()) else ""
    return sign.join([*number, *names])


def with_neighbours(sizes: dict[int, str]) -> dict[int, str]:
    """Dimensions, and the lengths n − 1, n + 1 and n + m beside them where these tell them apart.

    >>> with_neighbours({23: "n"})
    {23: 'n', 22: '(n − 1)', 24: '(n + 1)'}
    """
    found: dict[int, set[str]] = {}
    for n, name in sizes.items():
        found.setdefault(n - 1, set()).add(f"({name} − 1)")
        found.setdefault(n + 1, set()).add(f"({name} + 1)")
    for (n, name), (m, other) in combinations(sizes.items(), 2):
        found.setdefault(n + m, set()).add(f"({name} + {other})")
    new = {n: names.pop() for n, names in found.items() if len(names) == 1 and n not in sizes}
    return {**sizes, **new}


def is_product(text: str, sizes: dict[int, str]) -> bool:
    """Whether a number made of dimensions has several factors, so that it needs brackets below a
    line.

    >>> is_product("2n", {5: "n"}), is_product("n²", {5: "n"}), is_product("12", {})
    (True, False, False)
    """
    plain = text.strip(RAISED_DIGITS)
    return not plain.isdigit() and plain not in sizes.values()
