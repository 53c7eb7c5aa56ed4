"""The table of laws, each with the condition under which it holds.

A law is written as two NumPy functions.  They are traced once, and their expressions are the
pattern and its replacement; the tests evaluate both sides.  Laws that need more than a pattern (a
sum over an index) are functions in the second table, `STEPS`.

The normal form itself (`einstein`, `delta`) applies the laws of sums, products, powers and
Kronecker deltas; they are in the table too, marked ``built_in``, and tested alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import variable
from adjoint.graph.ir import Node
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.scope import Scope
from adjoint.graph.tracer import Tracer
from adjoint.graph.tracing import node_of
from adjoint.simplify.bands import bands_of_ones, masked_product
from adjoint.simplify.blocks import join
from adjoint.simplify.choices import (
    drop_choice,
    drop_guard,
    drop_indicator,
    drop_nan_test,
    name_step,
    same_branches,
)
from adjoint.simplify.conditions import (
    choose_inside,
    diagonal_choice,
    drop_conjunct,
    masked_identity,
    merge_choices,
    positive_condition,
    same_conditions,
)
from adjoint.simplify.einstein import add, product, scale
from adjoint.simplify.exact import ONE, ZERO, divide
from adjoint.simplify.exponentials import (
    drop_shift,
    log_of_exponential,
    log_of_softmax,
    name_logsumexp,
    name_product,
    name_softmax,
    one_logsumexp,
    sum_softmax,
    take_out_sums,
)
from adjoint.simplify.expression import (
    Apply,
    Expr,
    Sum,
    Term,
    number,
    symbol,
)
from adjoint.simplify.factoring import factored
from adjoint.simplify.identities import (
    even_power,
    length_of_two,
    log_det_of_inverse,
    root_over_its_square,
    sum_of_deviations,
    unit_axes,
)
from adjoint.simplify.linear_algebra import cancel_product
from adjoint.simplify.logistic import (
    exponential_times_logistic,
    factor_logistic,
    name_logistic,
    no_mask,
    share,
)
from adjoint.simplify.reading import read
from adjoint.simplify.regular import rule_of
from adjoint.simplify.rewrite import build, match, match_factors, match_part_of_sum
from adjoint.simplify.selections import scatter, select
from adjoint.simplify.writes import add_to_zeros, drop_added_choice, merge_writes, turn, write
from adjoint.simplify.writing import merge_stacks, stack_in_front, write_out
from adjoint.simplify.written_parts import read_written

ALWAYS = "for all numbers, NaN and infinities included, up to rounding"
FINITE = "for finite numbers"


@dataclass(frozen=True)
class Law:
    """left = right, under a condition."""

    statement: str
    left: Callable[..., Any]
    right: Callable[..., Any]
    condition: str = FINITE
    shapes: str = ""
    built_in: bool = False

    def __str__(self) -> str:
        return f"{self.statement}   ({self.condition})"


def _sigmoid(x: Any) -> Any:
    return PRIMITIVES["expit"](x)


_PLACES = np.array([3, 0])


def _written(x: Any, *writes: Any) -> Any:
    """x with values written at indices, one after the other."""
    y = x.copy()
    for index, value in zip(writes[::2], writes[1::2], strict=True):
        y[index] = value
    return y


def _added(x: Any, index: Any, value: Any) -> Any:
    """Zeros like x with values added at an index."""
    y = np.zeros_like(x)
    np.add.at(y, index, value)
    return y


LAWS: tuple[Law, ...] = (
    # -- functions and their inverses
    Law("exp(log x) = x", lambda x: np.exp(np.log(x)), lambda x: x, "x > 0"),
    Law("log(exp x) = x", lambda x: np.log(np.exp(x)), lambda x: x, "eˣ does not overflow"),
    Law("log(1/x) = −log x", lambda x: np.log(1 / x), lambda x: -np.log(x), "x > 0"),
    Law("√(x²) = |x|", lambda x: np.sqrt(x**2), lambda x: np.abs(x), ALWAYS),
    Law("|x|² = x²", lambda x: np.abs(x) ** 2.0, lambda x: x**2, ALWAYS),
    Law("|−x| = |x|", lambda x: np.abs(-x), lambda x: np.abs(x), ALWAYS),
    # -- parity
    Law("sin(−x) = −sin x", lambda x: np.sin(-x), lambda x: -np.sin(x), ALWAYS),
    Law("cos(−x) = cos x", lambda x: np.cos(-x), lambda x: np.cos(x), ALWAYS),
    Law("tan(−x) = −tan x", lambda x: np.tan(-x), lambda x: -np.tan(x), ALWAYS),
    Law("tanh(−x) = −tanh x", lambda x: np.tanh(-x), lambda x: -np.tanh(x), ALWAYS),
    Law("sinh(−x) = −sinh x", lambda x: np.sinh(-x), lambda x: -np.sinh(x), ALWAYS),
    Law("cosh(−x) = cosh x", lambda x: np.cosh(-x), lambda x: np.cosh(x), ALWAYS),
    Law("arctan(−x) = −arctan x", lambda x: np.arctan(-x), lambda x: -np.arctan(x), ALWAYS),
    Law("σ(−x) = 1 − σ(x)", lambda x: _sigmoid(-x), lambda x: 1 - _sigmoid(x), FINITE),
    Law("σ(x) − σ²(x) = σ(x) σ(−x)", lambda x: _sigmoid(x) - _sigmoid(x) ** 2,
        lambda x: _sigmoid(x) * _sigmoid(-x), FINITE, built_in=True),
    Law("exp(x − log(eˣ + eʸ)) = σ(x − y)", lambda x, y: np.exp(x - np.logaddexp(x, y)),
        lambda x, y: _sigmoid(x - y), FINITE, built_in=True),
    # -- sums of squares
    Law("sin²x + cos²x = 1", lambda x: np.sin(x) ** 2 + np.cos(x) ** 2, lambda x: 1.0, FINITE),
    Law("cosh²x − sinh²x = 1", lambda x: np.cosh(x) ** 2 - np.sinh(x) ** 2, lambda x: 1.0,
        "where cosh x does not overflow"),
    Law("softplus(x) − softplus(−x) = x",
        lambda x: PRIMITIVES["softplus"](x) - PRIMITIVES["softplus"](-x), lambda x: x, ALWAYS),
    Law("hypot(x, y)² = √(x² + y²)² = x² + y²", lambda x, y: np.hypot(x, y) ** 2,
        lambda x, y: x**2 + y**2, "nothing overflows", built_in=True),
    Law("hypot(1, x) = √(1 + x²)", lambda x: np.hypot(1.0, x), lambda x: np.sqrt(1 + x**2),
        "x² does not overflow", built_in=True),
    Law("√(⅓ Σx²) / Σx² = ⅓ / √(⅓ Σx²)", lambda x: np.sqrt(x @ x / 3) / (x @ x),
        lambda x: 1 / (3 * np.sqrt(x @ x / 3)), "x ≠ 0", "n", True),
    # -- products of functions
    Law("sign x · |x| = x", lambda x: np.sign(x) * np.abs(x), lambda x: x, ALWAYS),
    Law("sign x · x² = x |x|", lambda x: np.sign(x) * x**2, lambda x: x * np.abs(x), ALWAYS),
    Law("cos x · tan x = sin x", lambda x: np.cos(x) * np.tan(x), lambda x: np.sin(x), "cos x ≠ 0"),
    Law("sin x / cos x = tan x", lambda x: np.sin(x) / np.cos(x), lambda x: np.tan(x), "cos x ≠ 0"),
    Law("sinh x / cosh x = tanh x", lambda x: np.sinh(x) / np.cosh(x), lambda x: np.tanh(x),
        "where cosh x does not overflow"),
    # -- values by convention at one point
    Law("where(n = 0 ∧ x = 0, 0, n x^where(n = 0 ∧ x = 0, 1, n − 1)) = n xⁿ⁻¹",
        lambda x, n: np.where((n == 0) & (x == 0), 0.0,
                              n * x ** np.where((n == 0) & (x == 0), 1.0, n - 1)),
        lambda x, n: n * x ** (n - 1), "x ≠ 0 where n = 0", built_in=True),
    Law("where(y = 0, 0, c / where(y = 0, 1, y)) = c / y",
        lambda y: np.where(y == 0, 0.0, 0.5 / np.where(y == 0, 1.0, y)),
        lambda y: 0.5 / y, "y ≠ 0; at 0 the convention is 0", built_in=True),
    Law("where(x = 0 ∧ n ≥ 0, 0, xⁿ log where(x = 0 ∧ n ≥ 0, 1, x)) = xⁿ log x",
        lambda x, n: np.where((x == 0) & (n >= 0), 0.0,
                              x**n * np.log(np.where((x == 0) & (n >= 0), 1.0, x))),
        lambda x, n: x**n * np.log(x), "x > 0; at 0 the convention is 0", built_in=True),
    Law("where(c, x, x) = x", lambda c, x: np.where(c, x, x), lambda c, x: x, ALWAYS,
        built_in=True),
    Law("where(where(v ≠ 0, 1, 0) ≠ 0, v w, 0) = v w",
        lambda v, w: np.where(np.where(v != 0, 1.0, 0.0) != 0, v * w, 0.0),
        lambda v, w: v * w, FINITE, "n; n", True),
    Law("where(x > 0, 1, where(x = 0, ½, 0)) = heaviside(x, ½)",
        lambda x: np.where(x > 0, 1.0, np.where(x == 0, 0.5, 0.0)),
        lambda x: np.heaviside(x, 0.5), "x is not NaN", "n", True),
    # -- sums inside sums
    Law("Σ (x − Σ x / n) = 0", lambda x: np.sum(x - np.mean(x)), lambda x: 0.0 * np.sum(x), FINITE,
        "n", True),
    Law("Σ (Xᵢₖ + Yⱼₖ) Zₖ = (XZ)ᵢ + (YZ)ⱼ",
        lambda X, Y, Z: np.einsum("ijk,k->ij", X[:, None] + Y[None], Z),
        lambda X, Y, Z: (X @ Z)[:, None] + (Y @ Z)[None], FINITE, "n m; k m; m", True),
    # -- matrices
    Law("(A⁻¹)⁻¹ = A", lambda A: np.linalg.inv(np.linalg.inv(A)), lambda A: A, "A is regular",
        "n n"),
    Law("det(Aᵀ) = det A", lambda A: np.linalg.det(A.T), lambda A: np.linalg.det(A), ALWAYS, "n n"),
    Law("det(A⁻¹) = 1/det A", lambda A: np.linalg.det(np.linalg.inv(A)),
        lambda A: 1 / np.linalg.det(A), "A is regular", "n n"),
    # -- the normal form
    Law("x·x = x²", lambda x: x * x, lambda x: x**2, ALWAYS, built_in=True),
    Law("x·x³ = x⁴", lambda x: x * x**3, lambda x: x**4, ALWAYS, built_in=True),
    Law("x·x⁻¹ = 1", lambda x: x * (1 / x), lambda x: 1.0, "x ≠ 0 and finite", built_in=True),
    Law("(x²)³ = x⁶", lambda x: (x**2) ** 3, lambda x: x**6, FINITE, built_in=True),
    Law("(2xy)² = 4x²y²", lambda x, y: (2 * x * y) ** 2, lambda x, y: 4 * x**2 * y**2, FINITE,
        built_in=True),
    Law("x + x = 2x", lambda x: x + x, lambda x: 2 * x, FINITE, "n", True),
    Law("x − x = 0", lambda x: x - x, lambda x: 0.0 * x, FINITE, "n", True),
    Law("0·x = 0", lambda x: 0.0 * x, lambda x: np.zeros_like(x), FINITE, "n", True),
    Law("−(−x) = x", lambda x: np.negative(-x), lambda x: x, ALWAYS, "n", True),
    Law("a(b + c) = ab + ac, numbers a", lambda x, y: 3 * (x + y) - y, lambda x, y: 3 * x + 2 * y,
        FINITE, "n; n", True),
    Law("eˣ·eʸ = eˣ⁺ʸ", lambda x, y: np.exp(x) * np.exp(y), lambda x, y: np.exp(x + y),
        "nothing overflows", built_in=True),
    Law("(Aᵀ)ᵀ = A", lambda A: A.T.T, lambda A: A, ALWAYS, "n m", True),
    Law("(A B)ᵀ = Bᵀ Aᵀ", lambda A, B: (A @ B).T, lambda A, B: B.T @ A.T, ALWAYS, "n m; m k", True),
    Law("(A B) C = A (B C)", lambda A, B, C: (A @ B) @ C, lambda A, B, C: A @ (B @ C), FINITE,
        "n m; m k; k l", True),
    Law("I A = A", lambda A: np.eye(A.shape[0]) @ A, lambda A: A, FINITE, "n m", True),
    Law("(A + I) B = A B + B", lambda A, B: (A + np.eye(A.shape[0])) @ B, lambda A, B: A @ B + B,
        FINITE, "n n; n m", True),
    Law("diag(v) w = v ∘ w", lambda v, w: np.diag(v) @ w, lambda v, w: v * w, FINITE, "n; n", True),
    Law("diag(diag(v)) = v", lambda v: np.diag(np.diag(v)), lambda v: v, ALWAYS, "n", True),
    Law("tr(A B) = tr(B A)", lambda A, B: np.trace(A @ B), lambda A, B: np.trace(B @ A), FINITE,
        "n m; m n", True),
    Law("tr(a bᵀ) = bᵀ a", lambda a, b: np.trace(np.outer(a, b)), lambda a, b: b @ a, FINITE,
        "n; n", True),
    Law("B (Aᵀ A)(Aᵀ A)⁻¹ = B", lambda A, B: B @ A.T @ A @ np.linalg.inv(A.T @ A),
        lambda A, B: B, "Aᵀ A is regular", "m n; k n", True),
    # -- writes at an index
    Law("0 with a at 0, then v at 1: = [a, v]",
        lambda a, v: _written(np.zeros(6, like=v), 0, a, np.s_[1:], v),
        lambda a, v: np.concatenate([np.reshape(a, (1,)), v]), ALWAYS, "; n", True),
    Law("A with v at (:, 0), then B at (:, 1:) = [v, B]",
        lambda A, v: _written(A, np.s_[:, 0], v, np.s_[:, 1:], A[:, :-1]),
        lambda A, v: np.concatenate([v[:, None], A[:, :-1]], axis=1), ALWAYS, "n m; n", True),
    Law("[v; w][:n] = v", lambda v, w: np.concatenate([v, w])[:5], lambda v, w: v, ALWAYS,
        "n; m", True),
    Law("[v[:k]; v[k:]] = v", lambda v: np.concatenate([v[:2], v[2:]]), lambda v: v, ALWAYS, "n",
        True),
    Law("v[a:b][c:d] is one slice", lambda v: v[1:][::2][1:], lambda v: v[3::2], ALWAYS, "m", True),
    Law("(x with v at i)[i] = v, i without repetition",
        lambda x, v: _written(x, _PLACES, v[:2])[_PLACES], lambda x, v: v[:2], ALWAYS, "n; m",
        True),
    Law("(x with v at i)[j] = x[j], i and j apart",
        lambda x, v: _written(x, _PLACES, v[:2])[1:3], lambda x, v: x[1:3], ALWAYS, "n; m", True),
    Law("x with v at i, then w at j = x with w at j, i within j",
        lambda x, v, w: _written(x, 1, v[0], np.s_[::2], v[:3], np.s_[:3], w[:3]),
        lambda x, v, w: _written(x, np.s_[::2], v[:3], np.s_[:3], w[:3]), ALWAYS, "n; m; m",
        True),
    Law("x with x[i] at i = x", lambda x: _written(x, _PLACES, x[_PLACES]), lambda x: x, ALWAYS,
        "n", True),
    Law("(x with 0 at i) + (v added to zeros at i) = x with v at i",
        lambda x, v: _written(x, _PLACES, 0) + _added(x, _PLACES, v[:2]),
        lambda x, v: _written(x, _PLACES, v[:2]), FINITE, "n; m", True),
    Law("diag(v) with 0 at (:, i) = diag(v with 0 at i)",
        lambda v: _written(np.diag(v), np.s_[:, _PLACES], 0),
        lambda v: np.diag(_written(v, _PLACES, 0)), ALWAYS, "n", True),
    Law("Σ of a broadcast = n times", lambda x: np.sum(np.broadcast_to(x, (3, 4))),
        lambda x: 12 * x, FINITE, "", True),
    Law("A⁻¹ A = I", lambda A, B: np.linalg.inv(A) @ A @ B, lambda A, B: B, "A is regular",
        "n n; n m", True),
)  # fmt: skip


def trace_law(side: Callable[..., Any], shapes: str) -> Expr:
    """One side of a law as an expression of symbols named like its parameters."""
    names = list(inspect.signature(side).parameters)
    sizes = {"n": 5, "m": 7, "k": 11, "l": 13}
    given = [s.split() for s in shapes.split(";")] if shapes else [[] for _ in names]
    with Scope("a law", abstract="a law holds for all values", internal=True) as scope:
        known, variables = {}, []
        for name, dims in zip(names, given, strict=True):
            shape = tuple(sizes[d] for d in dims)
            v = variable(scope, None, ArrayType(shape, np.dtype(np.float64)))
            known[v.node] = symbol(name, shape, LAWS)
            variables.append(v)
        result = side(*variables)
        if not isinstance(result, Tracer):
            return number(ONE if result == 1 else ZERO)
        return read([node_of(result, "a law")], known, _by_rule)[0]


def _by_rule(node: Node, needed: bool) -> tuple[str, Any] | None:
    """Index arrays of a law, by their elements."""
    return ("rule", rule_of(node.value)) if needed and rule_of(node.value) is not None else None


@lru_cache(maxsize=1)
def patterns() -> dict[str, list[tuple[Expr, Expr]]]:
    """The laws that are matched, by the kind of expression at their root."""
    found: dict[str, list[tuple[Expr, Expr]]] = {}
    for law in LAWS:
        if not law.built_in:
            left, right = trace_law(law.left, law.shapes), trace_law(law.right, law.shapes)
            found.setdefault(_root(left), []).append((left, right))
    return found


def _root(e: Expr) -> str:
    return e.name if isinstance(e, Apply) else type(e).__name__


def apply_laws(e: Expr) -> Expr:
    """One law applied at the root of an expression, the first that fits."""
    for left, right in patterns().get(_root(e), ()):
        found = _apply(left, right, e)
        if found is not None:
            return found
    return e


def _apply(left: Expr, right: Expr, e: Expr) -> Expr | None:
    if isinstance(left, Sum) and isinstance(e, Sum):
        part = match_part_of_sum(left, e)
        return None if part is None else add([build(right, part[0], e.shape), *part[1]])
    if isinstance(left, Term) and left.rank == 0 and isinstance(e, Term):
        some = match_factors(left, e)
        if some is None:
            return None
        bound, rest, labels = some
        shape = tuple(e.sizes[i] for i in labels)
        found = build(scale(divide(ONE, left.coefficient), right), bound, shape)
        return product(e.coefficient, [(found, labels), *rest], e.out, e.sizes)
    bound = {}
    return build(right, bound, e.shape) if match(left, e, bound) else None


# -- laws about sums over an index, as functions ---------------------------------------------------


def factored_for_reading(e: Expr) -> Expr:
    """x a + x b = x (a + b), where a + b has a notation."""
    return factored(e, tensors=False)


STEPS: tuple[Callable[[Expr], Expr], ...] = (
    unit_axes,
    one_logsumexp,
    name_product,
    drop_shift,
    log_of_exponential,
    log_of_softmax,
    name_logsumexp,
    name_softmax,
    sum_softmax,
    take_out_sums,
    sum_of_deviations,
    write_out,
    stack_in_front,
    merge_stacks,
    log_det_of_inverse,
    cancel_product,
    even_power,
    length_of_two,
    root_over_its_square,
    name_logistic,
    exponential_times_logistic,
    no_mask,
    share,
    factor_logistic,
    join,
    write,
    turn,
    read_written,
    select,
    add_to_zeros,
    scatter,
    merge_writes,
    drop_added_choice,
    positive_condition,
    same_conditions,
    masked_identity,
    masked_product,
    bands_of_ones,
    drop_guard,
    choose_inside,
    drop_conjunct,
    diagonal_choice,
    same_branches,
    drop_indicator,
    drop_choice,
    name_step,
    drop_nan_test,
    merge_choices,
    apply_laws,
    factored_for_reading,
)
"""What is tried at every expression, in this order."""


def simplify_step(e: Expr) -> Expr:
    """Every step once."""
    for step in STEPS:
        e = step(e)
    return e
