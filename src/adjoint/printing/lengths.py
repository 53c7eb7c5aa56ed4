"""Whether a formula holds at lengths that are unlike those for which it was found.

Named dimensions are found with prime lengths, which are odd, large, and in a known order; a
function that asks whether a length is even, small, or less than another has decided by that.  So
the code of a formula is compared, on random numbers, with the function traced for small and even
lengths in the opposite order; in the same order, if it inverts what is singular there, as is the
covariance of few samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from adjoint.errors import AdjointError
from adjoint.printing.point import point_of
from adjoint.simplify.expression import Apply, Expr, Symbol, walk
from adjoint.simplify.rebuild import evaluate

if TYPE_CHECKING:
    from adjoint.printing.formula import Formula, Naming

STEPS = (2, 6)
"""The smallest length, tried in turn: a function may need more elements than two."""


INVERTING = frozenset(("inv", "solve", "slogdet", "cholesky", "solve_triangular"))
"""Primitives that need a regular matrix."""

SINGULAR = 1e8
"""Matrices of a larger condition number are not inverted: little but rounding would be left."""


def holds_elsewhere(formula: Formula, other: Formula, naming: Naming) -> bool:
    """Whether formula and function agree at other lengths; True where that cannot be asked.

    ``other`` is the formula for other primes: where its code differs, a length has no name there,
    and the code is no witness of the text.  ``naming`` says which lengths are named.
    """
    if formula.again is None or not set(formula.shapes) <= set(formula.parameters):
        return True
    try:
        if other.code("numpy", naming) != formula.code("numpy", naming):
            return True
    except AdjointError:
        return True  # NumPy has no words for it
    names = list(formula.sizes.values())
    orders = [range(len(names), 0, -1), range(1, len(names) + 1)]
    for order, step in [(order, step) for order in orders for step in STEPS]:
        lengths = {name: step * k for name, k in zip(names, order, strict=True)}
        values = _sample(formula, lengths)
        with np.errstate(all="ignore"):
            expected = _of_function(formula, values)
            if expected is not None:
                return _agree(_of_code(formula, naming, values), expected)
    return True


def _sample(formula: Formula, lengths: dict[str, int]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {}
    for name, shape in formula.shapes.items():
        sides = [lengths.get(formula.sizes.get(n, ""), n) for n in shape]
        values[name] = rng.uniform(0.3, 0.9, sides)
        if len(sides) == 2 and sides[0] == sides[1]:
            values[name] += 2.0 * np.eye(sides[0])  # far from singular
    return values


def _of_function(formula: Formula, values: dict[str, Any]) -> list[Any] | None:
    """The results of the function itself; None where it cannot be traced for these lengths."""
    assert formula.again is not None
    try:
        point = point_of(formula.shapes, formula.sizes, (), values)
        results = formula.again(point.lengths).results
        parts = walk(results)
        inverted = [e.args[0] for e in parts if isinstance(e, Apply) and e.name in INVERTING]
        known: dict[Expr, Any] = {s: point.value(s) for s in parts if isinstance(s, Symbol)}
        found = evaluate([*results, *inverted], known)
        if any(np.linalg.cond(a).max() > SINGULAR for a in found[len(results) :]):
            return None
        return [np.broadcast_to(v, e.shape) for v, e in zip(found, results, strict=False)]
    except Exception:
        return None  # it needs longer arrays, or other numbers


def _of_code(formula: Formula, naming: Naming, values: dict[str, Any]) -> list[Any] | None:
    """The results of the formula's own code; None where that fails."""
    scope: dict[str, Any] = {"np": np}
    try:
        exec(formula.code("numpy", naming), scope)
        found = scope[formula.name](**values)
    except Exception:
        return None
    if isinstance(found, dict):
        return list(found.values())
    return list(found) if isinstance(found, tuple | list) else [found]


def _agree(got: list[Any] | None, expected: list[Any]) -> bool:
    if got is None or len(got) != len(expected):
        return False
    return all(
        np.size(a) == np.size(b) and np.allclose(np.ravel(a), np.ravel(b), 1e-6, 1e-9, True)
        for a, b in zip(got, expected, strict=True)
    )
