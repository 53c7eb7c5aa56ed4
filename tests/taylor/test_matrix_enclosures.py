"""Linear algebra on intervals holds for every matrix in them, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

import adjoint as ad
from adjoint.enclosure.interval import Interval
from adjoint.enclosure.linear_algebra import LINEAR_ALGEBRA
from adjoint.enclosure.refusals import Refusals
from adjoint.graph.ir import Node
from adjoint.scipy.linalg import solve_triangular

Matrix = list[list[Fraction]]
COUNT = 30


class Call:
    """A node as far as a row reads it."""

    def __init__(self, **params: Any) -> None:
        self.params = params


def eliminated(a: Any, b: Any) -> tuple[Matrix, Fraction]:
    """A⁻¹ B and det A, exactly."""
    rows = [[Fraction(x) for x in (*left, *right)] for left, right in zip(a, b, strict=True)]
    n, det = len(rows), Fraction(1)
    for j in range(n):
        pivot = next(i for i in range(j, n) if rows[i][j])
        if pivot != j:
            rows[j], rows[pivot], det = rows[pivot], rows[j], -det
        det *= rows[j][j]
        rows[j] = [x / rows[j][j] for x in rows[j]]
        for i in range(n):
            if i != j:
                rows[i] = [x - rows[i][j] * y for x, y in zip(rows[i], rows[j], strict=True)]
    return [row[n:] for row in rows], det


def around(rng: np.random.Generator, middle: Any, width: float) -> tuple[Interval, Any]:
    """Intervals of up to a width, and matrices in them, ends among them."""
    off = width * rng.random((2, *middle.shape))
    x = Interval(middle - off[0], middle + off[1])
    part = np.round(rng.random(middle.shape) * 1.4 - 0.2, 1).clip(0, 1)
    return x, np.clip(x.lo + part * (x.hi - x.lo), x.lo, x.hi)


def inside(x: Interval, place: Any, exact: Any) -> bool:
    return bool(Fraction(float(x.lo[place])) <= exact <= Fraction(float(x.hi[place])))


def mismatches(rows: dict[str, Any], n: int, width: float) -> dict[str, int]:
    """How often the enclosure of a function of n×n matrices does not hold its exact value."""
    rng = np.random.default_rng(n)
    a, at = around(rng, rng.normal(size=(COUNT, n, n)) + 2 * np.eye(n), width)
    b, right = around(rng, rng.normal(size=(COUNT, n, 2)), width)
    runs = {name: Refusals(COUNT) for name in rows}
    low = {"lower": True, "unit": False}
    found = {
        "solve": rows["solve"](runs["solve"], Call(), [a, b]),
        "inv": rows["inv"](runs["inv"], Call(), [a]),
        "det": rows["det"](runs["det"], Call(), [a]),
        "solve_triangular": rows["solve_triangular"](runs["solve_triangular"], Call(**low), [a, b]),
    }
    wrong = dict.fromkeys(found, 0)
    for k in range(COUNT):
        unit = np.eye(n)
        solution, det = eliminated(at[k], right[k])
        inverse, _ = eliminated(at[k], unit)
        triangular, _ = eliminated(np.tril(at[k]), right[k])
        exact = {"solve": solution, "inv": inverse, "solve_triangular": triangular}
        wrong["det"] += not inside(found["det"], k, det)
        for name, matrix in exact.items():
            if not runs[name].flags[k]:
                wrong[name] += not all(
                    inside(found[name], (k, i, j), y)
                    for i, row in enumerate(matrix) for j, y in enumerate(row)
                )  # fmt: skip
    assert all(np.count_nonzero(~run.flags) > COUNT // 4 for run in runs.values())
    return wrong


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("width", [0.0, 1e-8, 0.02])
def test_systems_inverses_and_determinants(n: int, width: float) -> None:
    assert not any(mismatches(LINEAR_ALGEBRA, n, width).values())


def test_a_row_without_its_radius_is_caught() -> None:
    def wrong(name: str) -> Any:
        def row(run: Refusals, node: Node, operands: Any) -> Interval:
            x = LINEAR_ALGEBRA[name](run, node, operands)
            return Interval(x.lo / 2 + x.hi / 2, x.lo / 2 + x.hi / 2)

        return row

    found = mismatches({name: wrong(name) for name in LINEAR_ALGEBRA}, 3, 0.02)
    assert all(count > COUNT // 4 for count in found.values()), found


@pytest.mark.parametrize("n", [1, 2, 4])
def test_cholesky_factors_and_the_logarithm_of_a_determinant(n: int) -> None:
    rng = np.random.default_rng(n)
    root = rng.normal(size=(COUNT, n, n)) + 2 * np.eye(n)
    a, at = around(rng, root @ root.mT, 1e-3)
    runs = Refusals(COUNT), Refusals(COUNT)
    factor = LINEAR_ALGEBRA["cholesky"](runs[0], Call(), [a])  # type: ignore[arg-type]
    sign, log = LINEAR_ALGEBRA["slogdet"](runs[1], Call(), [a])  # type: ignore[arg-type]
    with mpmath.workdps(40):
        for k in range(COUNT):
            if not runs[0].flags[k]:
                lower = np.tril(at[k])
                exact = mpmath.cholesky(mpmath.matrix((lower + np.tril(at[k], -1).T).tolist()))
                for place in np.ndindex(n, n):
                    assert factor.lo[k][place] <= exact[place] <= factor.hi[k][place]
            det = mpmath.det(mpmath.matrix(at[k].tolist()))
            assert runs[1].flags[k] or log.lo[k] <= mpmath.log(abs(det)) <= log.hi[k]
            assert runs[1].flags[k] or sign.lo[k] == sign.hi[k] == mpmath.sign(det)
    assert not runs[0].flags.all() and not runs[1].flags.all()


def test_matrices_that_may_be_singular_have_no_enclosure() -> None:
    a = Interval(np.array([[[1.0, 2.0], [2.0, 3.9]]]), np.array([[[1.0, 2.0], [2.0, 4.1]]]))
    b = Interval(np.ones((1, 2, 1)), np.ones((1, 2, 1)))
    for name, operands in (("solve", [a, b]), ("inv", [a]), ("slogdet", [a]), ("cholesky", [a])):
        run = Refusals(1)
        LINEAR_ALGEBRA[name](run, Call(), operands)  # type: ignore[arg-type]
        assert run.flags.all(), name
    run = Refusals(1)
    det = LINEAR_ALGEBRA["det"](run, Call(), [a])  # type: ignore[arg-type]
    assert not run.flags.any() and det.lo[0] <= -0.1 < 0.1 <= det.hi[0]


A = np.array([[2.0, 0.3, -0.4], [0.1, 1.7, 0.5], [-0.6, 0.5, 2.4]])
V = np.array([[0.5, -1.0, 0.2], [0.7, 0.1, -0.3], [0.4, 0.6, -0.8]])
B = np.array([1.0, -2.0, 0.5])

FUNCTIONS: dict[str, Any] = {
    "det": lambda t: np.exp(np.linalg.det(A + t * V) / 10),
    "inv": lambda t: np.linalg.inv(A + t * V),
    "solve": lambda t: np.linalg.solve(A + t * V, B * np.cos(t)),
    "slogdet": lambda t: np.linalg.slogdet(A + t * V)[1],
    "log det": lambda t: np.log(np.linalg.det(A + t * V)),
    "cholesky": lambda t: np.linalg.cholesky((A + t * V) @ (A + t * V).T),
    "solve_triangular": lambda t: solve_triangular(A + t * V, B, lower=True),
    "quadratic form": lambda t: B @ np.linalg.inv(A + t * V) @ B,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_remainder_is_bounded_and_closely(name: str) -> None:
    f = FUNCTIONS[name]
    for order in (1, 3):
        p = ad.taylor(f, 0.1, order)
        for t in (0.5, -0.3):
            error, bound = np.abs(f(t) - p(t)), p.remainder_bound(t, rounding=True)
            assert np.all(error <= bound)
            assert np.max(bound) <= 3 * np.max(error), (order, t)


def test_there_is_no_bound_across_a_singular_matrix() -> None:
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    for f in (np.linalg.inv, lambda m: np.linalg.slogdet(m)[1]):
        p = ad.taylor(lambda t, f=f: f(np.eye(2) + t * swap), 0.0, 2)
        assert np.all(p.remainder_bound(1.5) == np.inf)
        assert np.all(p.remainder_bound(0.9) < np.inf)
