"""Derive the polynomial coefficients of `adjoint.codegen.vector_math`.

Each row names a smooth function, an interval and a weight; the coefficients are those of the
polynomial with the least weighted maximum error (the exchange algorithm of Remez, 1934), of the
lowest degree whose error lies below the row's target, computed with 60 digits and then rounded.

    python tools/vector_math_coefficients.py > src/adjoint/codegen/vector_math/coefficients.py
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath
from mpmath import mp, mpf

mp.dps = 60
Function = Callable[[mpf], mpf]


@dataclass(frozen=True)
class Row:
    """One approximation: `weight(x) * |P(x) - target(x)|` stays below 2**-bits on the interval."""

    name: str
    target: Function
    weight: Function
    low: float | mpf
    high: float | mpf
    bits: int


def exchange(row: Row, terms: int) -> tuple[list[mpf], mpf]:
    """Coefficients (constant term first) and weighted error of the minimax polynomial."""
    low, high = mpf(row.low), mpf(row.high)
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [middle - half * mpmath.cos(mpmath.pi * i / (24 * terms)) for i in range(24 * terms + 1)]
    values = [(x, row.target(x), row.weight(x)) for x in grid]
    nodes = [values[round(i * (len(values) - 1) / terms)] for i in range(terms + 1)]
    coefficients: list[mpf] = []
    worst = mpf(0)
    for _ in range(12):
        matrix = mpmath.matrix(terms + 1, terms + 1)
        right = mpmath.matrix(terms + 1, 1)
        for i, (x, y, w) in enumerate(nodes):
            for j in range(terms):
                matrix[i, j] = x**j
            matrix[i, terms] = (-1) ** i / w if w else 0
            right[i] = y
        solution = mpmath.lu_solve(matrix, right)
        coefficients = list(solution[:terms])
        level = abs(solution[terms])
        errors = [w * (mpmath.polyval(coefficients[::-1], x) - y) for x, y, w in values]
        worst = max(abs(e) for e in errors)
        nodes = _alternating_extrema(values, errors, terms + 1)
        if worst <= level * mpf("1.002"):
            break
    return coefficients, worst


def _alternating_extrema(
    values: list[tuple[mpf, mpf, mpf]], errors: list[mpf], count: int
) -> list[tuple[mpf, mpf, mpf]]:
    """The largest error of every run of one sign, shortened to `count` neighbouring runs."""
    best: list[int] = []
    for i, error in enumerate(errors):
        if best and (errors[best[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[best[-1]]):
                best[-1] = i
        else:
            best.append(i)
    while len(best) > count:
        best.pop(0 if abs(errors[best[0]]) < abs(errors[best[-1]]) else -1)
    if len(best) < count:
        raise ValueError(f"the error changes sign {len(best)} times, {count} are needed")
    return [values[i] for i in best]


def _series(first: int, terms: Callable[[int], mpf]) -> Function:
    """Sum of terms(j) * z**(j - first): exact where the closed form would cancel."""

    def value(z: mpf) -> mpf:
        total, power = mpf(0), mpf(1)
        for j in range(first, first + 160):
            increment = terms(j) * power
            total += increment
            power *= z
            if abs(increment) < mpf(10) ** -55 * abs(total):
                break
        return total

    return value


def _one(_: mpf) -> mpf:
    return mpf(1)


def _eighth(_: mpf) -> mpf:
    return mpf("0.12")


def _arcsin_term(j: int) -> mpf:
    return mpmath.binomial(2 * j, j) / (mpf(4) ** j * (2 * j + 1))


def _scaled_erfc(t: mpf, centre: float) -> mpf:
    """(1 + 2x) exp(x²) erfc(x) with x = centre (1 + t) / (1 − t) (Shepherd & Laframboise, 1981)."""
    x = centre * (1 + t) / (1 - t)
    return (1 + 2 * x) * mpmath.exp(x * x) * mpmath.erfc(x)


def _near_two(u: mpf) -> mpf:
    """(log Γ(2 + u) − u ψ(2)) / u²"""
    if abs(u) < mpf("1e-12"):
        return mpmath.polygamma(1, 2) / 2 + u * mpmath.polygamma(2, 2) / 6
    return (mpmath.loggamma(2 + u) - u * mpmath.digamma(2)) / u**2


def _stirling(w: mpf) -> mpf:
    """x (log Γ(x) − (x − ½) log x + x − ½ log 2π) with w = 1/x²"""
    if w < mpf("1e-20"):
        return mpf(1) / 12 - w / 360
    x = 1 / mpmath.sqrt(w)
    half = mpmath.log(2 * mpmath.pi) / 2
    return x * (mpmath.loggamma(x) - (x - mpf("0.5")) * mpmath.log(x) + x - half)


def _psi_far(w: mpf) -> mpf:
    """(log x − 1/(2x) − ψ(x)) x² with w = 1/x²"""
    if w < mpf("1e-20"):
        return mpf(1) / 12 - w / 120
    x = 1 / mpmath.sqrt(w)
    return (mpmath.log(x) - 1 / (2 * x) - mpmath.digamma(x)) * x * x


def _psi_quotient(root: mpf, x: mpf) -> mpf:
    """ψ(x) / (x − root)"""
    if abs(x - root) < mpf("1e-14"):
        return mpmath.polygamma(1, root) + (x - root) * mpmath.polygamma(2, root) / 2
    return mpmath.digamma(x) / (x - root)


def gamma_rows() -> list[Row]:
    """log Γ and ψ, computed in float64 for both formats."""
    far = mpf(GAMMA_FAR) ** -2
    root = mpmath.findroot(mpmath.digamma, mpf("1.4616"))
    left = mpmath.findroot(mpmath.digamma, mpf("-0.504"))
    half = mpf("0.5")
    return [
        Row("GAMMALN", _near_two, lambda u: abs(u) * mpf("2.4") + mpf("1e-9"), -half, half, 56),
        Row("STIRLING", _stirling, lambda w: mpmath.sqrt(w) + mpf("1e-9"), 0, far, 56),
        Row("PSI", lambda t: _psi_quotient(root, t + mpf("1.5")), _one, -half, half, 55),
        Row("PSI_FAR", _psi_far, lambda w: w + mpf("1e-9"), 0, far, 56),
        Row("PSI_LEFT", lambda t: _psi_quotient(left, t - half), _eighth, -half / 2, half / 2, 54),
    ]


GAMMA_FAR = 3.5


def rows(bits: int) -> list[Row]:
    """All approximations for a format with `bits` significant bits."""
    double = bits == 53
    half_ln2 = mpmath.log(2) / 2 * mpf("1.0001")
    quarter = (mpmath.pi / 4 * mpf("1.0001")) ** 2
    log_z = (mpf("0.17158")) ** 2
    sinh = _series(1, lambda j: 1 / mpmath.factorial(2 * j + 1))
    sine = _series(1, lambda j: (-1) ** j / mpmath.factorial(2 * j + 1))
    cosine = _series(2, lambda j: (-1) ** j / mpmath.factorial(2 * j))
    logarithm = _series(1, lambda j: mpf(2) / (2 * j + 1))
    power = _series(2, lambda j: 2 / ((2 * j + 1) * mpmath.log(2)))
    arctan = _series(1, lambda j: mpf(-1) ** j / (2 * j + 1))
    erf = _series(
        0,
        lambda j: (
            2 / mpmath.sqrt(mpmath.pi) * (-1) ** j / (mpmath.factorial(j) * (2 * j + 1))
            - (1 if j == 0 else 0)
        ),
    )
    centre, top = ERFC_CENTRE[bits]
    t_top = mpf(top - centre) / (top + centre)
    return [
        Row(
            "EXP",
            _series(2, lambda j: 1 / mpmath.factorial(j)),
            lambda r: max(abs(r), mpf("1e-9")),
            -half_ln2,
            half_ln2,
            bits + 2,
        ),
        Row("LOG", logarithm, lambda z: z + mpf("1e-9"), 0, log_z, bits + 5),
        Row("SIN", sine, lambda z: z + mpf("1e-9"), 0, quarter, bits + 4),
        Row("COS", cosine, lambda z: z * z * mpf("1.2") + mpf("1e-9"), 0, quarter, bits + 3),
        Row("SINH", sinh, lambda z: z * mpf("0.9") + mpf("1e-9"), 0, 1, bits + 4),
        Row(
            "ARCSIN",
            _series(1, _arcsin_term),
            lambda z: z + mpf("1e-9"),
            0,
            mpf("0.2501"),
            bits + 4,
        ),
        Row("ARCTAN", arctan, lambda z: z + mpf("1e-9"), 0, mpf("0.1717"), bits + 4),
        Row("ERF", erf, _one, 0, mpf("0.4226"), bits + 4),
        Row("ERFC", lambda t: _scaled_erfc(t, centre), _one, -1, t_top, bits + 5),
        Row("CBRT", lambda m: mpmath.cbrt(1 / m), _one, 1, 2, 19 if double else 9),
        Row("EXP2_WIDE", lambda r: mpf(2) ** r, _one, -0.5, 0.5, 28),
        Row("POW", power, lambda z: z * z, mpf("1e-9"), log_z, 70 if double else 36),
        Row("LOG_WIDE", logarithm, lambda z: z + mpf("1e-9"), 0, mpf("0.0962"), bits + 5),
        *(gamma_rows() if double else ()),
    ]


ERFC_CENTRE = {53: (3.0, 27.3), 24: (2.0, 10.2)}


def rounded(value: mpf, bits: int) -> float:
    """The nearest float with 53 or 24 significant bits."""
    if bits == 53:
        return float(value)
    return float(struct.unpack("f", struct.pack("f", float(value)))[0])


def emit(bits: int, suffix: str) -> None:
    """Print one tuple per row."""
    for row in rows(bits):
        if row.name == {53: "EXP2_WIDE", 24: "LOG_WIDE"}[bits]:
            continue
        if row.name == "EXP2_WIDE" or (row.name == "POW" and bits == 24):
            suffix_bits = 53  # float32 powers are computed in float64
        else:
            suffix_bits = bits
        terms = 2
        while True:
            coefficients, error = exchange(row, terms)
            if error < mpf(2) ** -row.bits:
                break
            terms += 1
        size = float(mpmath.log(error, 2))
        print(f"# {row.name}: {terms} terms, weighted error 2**{size:.1f}")
        print(f"{row.name}_{suffix} = (")
        for c in coefficients:
            print(f"    {rounded(c, suffix_bits)!r},")
        print(")")
        print(f"{row.name} {terms} {size:.1f}", file=sys.stderr)


def main() -> None:
    print('"""Minimax coefficients, constant term first, each for one function and format.')
    print()
    print(
        "Written by tools/vector_math_coefficients.py, where functions and intervals are defined."
    )
    print('"""')
    print()
    emit(53, "F64")
    emit(24, "F32")
    for bits, suffix in ((53, "F64"), (24, "F32")):
        print(f"ERFC_CENTRE_{suffix} = {ERFC_CENTRE[bits][0]!r}")
    print(f"GAMMA_FAR = {GAMMA_FAR!r}")


if __name__ == "__main__":
    main()
