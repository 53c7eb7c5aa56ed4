"""Common factors are taken out together, and products that take a short way are what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.graph.binding import variable
from adjoint.graph.ir import Graph
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import node_of
from adjoint.graph.typecheck import check_graph
from adjoint.simplify import factoring
from adjoint.simplify.cost import cost_of
from adjoint.simplify.einstein import add, elementwise, pointwise, power, product, times
from adjoint.simplify.expression import Expr, Sum, Symbol, as_term, number, symbol, walk
from adjoint.simplify.factoring import factored
from adjoint.simplify.graphs import simplify_graph
from adjoint.simplify.rebuild import evaluate
from adjoint.simplify.shared_factors import Common

N = 3
NAMES = "ABCDuvw"


def matrix(name: str) -> Expr:
    return symbol(name, (N, N))


def vector(name: str) -> Expr:
    return symbol(name, (N,))


def values_of(e: Expr, rng: np.random.Generator) -> Any:
    known = {s: rng.integers(-3, 4, s.shape) for s in walk([e]) if isinstance(s, Symbol)}
    return lambda *roots: evaluate(list(roots), {s: known[s] for s in known})


def random_term(rng: np.random.Generator, shared: list[tuple[Expr, Any]]) -> Expr:
    """A product of some factors that other terms have too, and some that they have not."""
    sizes = dict.fromkeys(range(5), N)
    factors = [f for f in shared if rng.random() < 0.7]
    for name in rng.choice(list(NAMES), 2):
        rank = 2 if name.isupper() else 1
        labels = tuple(int(i) for i in rng.choice(5, rank, replace=rank > 1 and rng.random() < 0.2))
        factors.append((symbol(name, (N,) * rank), labels))
    used = {0, 1}.union(*[set(ls) for _, ls in factors])
    return product(int(rng.integers(1, 4)), factors, (0, 1), {i: sizes[i] for i in used})


@pytest.mark.parametrize("seed", range(200))
def test_random_sums_keep_their_value_exactly(seed):
    rng = np.random.default_rng(seed)
    shared = [(matrix("P"), (0, 2)), (matrix("Q"), (2, 3)), (vector("p"), (3,)),
              (matrix("P"), (3, 1)), (vector("q"), (1,))]  # fmt: skip
    e = add([random_term(rng, shared) for _ in range(int(rng.integers(2, 5)))])
    other = factored(e)
    value = values_of(e, rng)
    plain, out = value(e, other)
    assert np.array_equal(plain, out)
    assert factored(other) is other


def wrong_take(common: Common, places: Any) -> None:
    """As `Common.take`, but the factor of every term is that of the first."""
    factors = [v.factors[k] for v, k in zip(common._views, places, strict=True)]
    common.factors.append((factors[0][0], tuple(range(len(factors[0][1])))))
    for own, k in zip(common.places, places, strict=True):
        own.append(k)


def test_a_wrong_pairing_of_indices_is_seen(monkeypatch):
    monkeypatch.setattr(Common, "take", wrong_take)
    failed = 0
    for seed in range(40):
        try:
            test_random_sums_keep_their_value_exactly(seed)
        except (AssertionError, ValueError, KeyError, IndexError):
            failed += 1
    assert failed > 10


def test_a_long_product_is_taken_out_at_once(monkeypatch):
    """M₁ M₂ … M₁₂ (B + C): one step, not one for each of the matrices."""
    chain = [(matrix(f"M{k}"), (k, k + 1)) for k in range(2, 14)]
    sizes = dict.fromkeys(range(15), N)
    terms = [product(1, [(matrix("M"), (0, 2)), *chain, (matrix(last), (14, 1))], (0, 1),
                     {i: sizes[i] for i in (0, *range(1, 15))}) for last in "BC"]  # fmt: skip
    calls = []
    original = factoring._best_group
    monkeypatch.setattr(factoring, "_best_group", lambda *a: calls.append(a) or original(*a))
    found = factored(add(terms))
    assert len(as_term(found).factors) == 14
    assert isinstance(as_term(found).factors[-1][0], Sum)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("f", "shapes", "text"),
    [
        (lambda A, B, C, x: A @ B @ x + A @ C @ x, {"A": "m n", "B": "n k", "C": "n k", "x": "k"},
         "A(B + C)x"),
        (lambda X, Y: X * Y + X, {"X": "m n", "Y": "m n"}, "X ∘ (Y + 1)"),
        (lambda x, y, z: np.outer(x, y) + np.outer(x, z), {"x": "m", "y": "n", "z": "n"},
         "x(y + z)ᵀ"),
        (lambda A, B, C: A @ B @ A.T + A @ C @ A.T, {"A": "m n", "B": "n n", "C": "n n"},
         "A(B + C)Aᵀ"),
    ],
)  # fmt: skip
def test_what_terms_share_is_written_once(f, shapes, text):
    assert str(ad.formula(f, **shapes)) == text


def test_an_index_that_some_terms_lack_is_not_left_over():
    """xyᵀ + 𝟏zᵀ has nothing in common; xyᵀ + xzᵀ y would leave a broadcast matrix."""
    x, y = vector("x"), vector("y")
    sizes = {0: N, 1: N}
    outer = product(1, [(x, (0,)), (y, (1,))], (0, 1), sizes)
    flat = product(1, [(y, (1,))], (0, 1), sizes)
    e = add([outer, flat])
    found = factored(e)
    value = values_of(e, np.random.default_rng(0))
    assert np.array_equal(*value(e, found))
    assert cost_of([found]).flops <= cost_of([e]).flops


def random_factor(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Expr, Any]:
    """An expression of any form with axes of ``shape``, in any order."""
    rank = int(rng.integers(0, len(shape) + 1))
    labels = tuple(int(i) for i in rng.permutation(len(shape))[:rank])
    own = tuple(shape[i] for i in labels)
    name = "abc"[int(rng.integers(3))] + str(own)
    x = symbol(name, own)
    kind = int(rng.integers(7))
    if kind == 1:
        return power(x, number(int(rng.integers(-2, 4)))), labels
    if kind == 2:
        return add([x, number(int(rng.integers(1, 3)), own)]), labels
    if kind == 3:
        return elementwise(PRIMITIVES["exp"], x), labels
    if kind == 4 and rank == 2:
        inner = symbol("s", (own[0], 2)), symbol("t", (own[1], 2))
        sizes = {0: own[0], 1: own[1], 2: 2}
        return product(3, [(inner[0], (0, 2)), (inner[1], (1, 2))], (0, 1), sizes), labels
    if kind == 5 and rank == 2 and own[0] == own[1]:
        return product(2, [(symbol("d", own[:1]), (0,))], (0, 0), {0: own[0]}), labels
    if kind == 6:
        return times(x, x), labels
    return x, labels


@pytest.mark.parametrize("seed", range(300))
def test_elementwise_products_are_those_of_the_general_rule(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.choice([2, 2, 3], int(rng.integers(0, 4))))
    factors = [random_factor(rng, shape) for _ in range(int(rng.integers(1, 4)))]
    out = tuple(range(len(shape)))
    coefficient = int(rng.integers(1, 4))
    short = pointwise(coefficient, factors, shape)
    assert short is product(coefficient, factors, out, dict(enumerate(shape)))
    assert short.shape == shape


def mixed(x: Any, y: Any, k: Any, t: Any) -> Any:
    """Operands of several types, among them Python numbers."""
    return np.sum(x * y * 2 + k * x * y + 3 * y * x + t * (x - y) ** 2) * 0.5


@pytest.mark.parametrize("first", [np.float32, np.float64])
@pytest.mark.parametrize("second", [np.float32, np.float64])
def test_new_nodes_have_the_types_that_their_primitives_infer(first, second):
    arguments = (np.arange(1.0, 4.0).astype(first), np.arange(2.0, 5.0).astype(second),
                 np.arange(3), np.float32(1.5))  # fmt: skip
    for f in (mixed, ad.grad(mixed, argnums=0), ad.grad(mixed, argnums=1)):
        with Scope("a test") as scope:
            inputs = [variable(scope, a) for a in arguments]
            result = node_of(f(*inputs), "a test")
            found = simplify_graph(Graph(scope, [v.node for v in inputs], [result]))
            check_graph(found.graph.outputs, "simplification")
            assert found.graph.outputs[0].type == result.type


@pytest.mark.parametrize(
    "f",
    [
        lambda A: np.einsum("ij,ji->", np.linalg.inv(A), A),
        lambda A: np.einsum("ij,jk->", np.linalg.inv(A), A),
        ad.grad(lambda A: np.linalg.det(A.T / A[0, 1])),
        ad.grad(lambda A: np.linalg.det(A / np.sum(A))),
    ],
)
def test_a_trace_of_an_identity_counts_its_rows(f):
    A = np.array([[2.0, 1.0, 0.3], [0.1, 3.0, 0.5], [0.2, 0.4, 1.5]])
    np.testing.assert_allclose(ad.formula(f, A=(3, 3)).function()(A), f(A), rtol=1e-12)
