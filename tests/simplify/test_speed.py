"""What keeps simplification fast does not change what it finds: long chains, the one form of a
number, names of indices, nodes that are made again."""

from fractions import Fraction
from functools import reduce

import numpy as np
import pytest

import adjoint as ad
from adjoint.graph.binding import variable
from adjoint.graph.evaluate import evaluate as evaluate_graph
from adjoint.graph.ir import Graph
from adjoint.graph.registry import PRIMITIVES
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import node_of
from adjoint.simplify import exact
from adjoint.simplify.canonical import is_symmetric
from adjoint.simplify.einstein import MOST_FACTORS, add, product, scale, times
from adjoint.simplify.expression import Term, number, raw_apply, raw_term, symbol, walk
from adjoint.simplify.graphs import simplify_graph
from adjoint.simplify.linear_algebra import transpose
from adjoint.simplify.reading import read
from adjoint.simplify.rebuild import evaluate


def chain(length):
    """Prefixes of a product of different numbers, each made from the one before."""
    symbols = [symbol(f"a{k}", ()) for k in range(length)]
    prefixes = [symbols[0]]
    for s in symbols[1:]:
        prefixes.append(times(prefixes[-1], s))
    return symbols, prefixes


@pytest.mark.parametrize("length", [2, MOST_FACTORS, MOST_FACTORS + 2, 300])
def test_a_long_product_is_a_product_of_products(length):
    symbols, prefixes = chain(length)
    parts = walk(prefixes)
    assert max(len(e.factors) for e in parts if isinstance(e, Term)) <= MOST_FACTORS + 1
    assert sum(len(e.children()) for e in parts) <= length * MOST_FACTORS
    values = {s: 1 + k % 3 for k, s in enumerate(symbols)}
    expected = reduce(lambda a, b: a * b, values.values(), 1)
    assert evaluate(prefixes[-1:], values) == [expected]


def test_short_products_are_one_product():
    _, prefixes = chain(MOST_FACTORS + 1)
    assert len(prefixes[-1].factors) == MOST_FACTORS + 1


def test_a_chain_of_more_matrices_than_one_product_has():
    with Scope("a test") as scope:
        values = [np.roll(np.eye(3), k % 3, 1) + (k % 7 == 0) for k in range(2 * MOST_FACTORS)]
        v = [variable(scope, m) for m in values]
        graph = Graph(scope, [t.node for t in v], [(reduce(np.matmul, v)).node])
        (e,) = read(graph.outputs, {t.node: symbol(f"A{k}", (3, 3)) for k, t in enumerate(v)})
        found = evaluate([e], {s: values[int(s.name[1:])] for s in walk([e]) if not s.children()})
        np.testing.assert_array_equal(found[0], reduce(np.matmul, values))
        assert simplify_graph(graph).after.flops <= simplify_graph(graph).before.flops


def test_a_delta_leaves_a_long_product():
    """diag(v) w, where v is a product of more vectors than one product has."""
    with Scope("a test") as scope:
        x = variable(scope, np.arange(1.0, 4.0))
        factors = [np.sin(k * x) for k in range(1, MOST_FACTORS + 8)]
        result = np.diag(reduce(np.multiply, factors)) @ x
        found = simplify_graph(Graph(scope, [x.node], [result.node]))
        assert all(len(n.type.shape) < 2 for n in found.graph.nodes)
        (got,) = evaluate_graph(found.graph, [np.arange(1.0, 4.0)])
        np.testing.assert_allclose(got, result.node.value, rtol=1e-12)


def test_the_formula_of_a_long_chain():
    def f(x):
        for _ in range(MOST_FACTORS + 8):
            x = np.sin(x)
        return x

    derivative = ad.formula(ad.grad(f))
    assert derivative.function()(0.9) == pytest.approx(ad.grad(f)(0.9), rel=1e-13)


def test_a_number_has_one_form():
    assert type(exact.exact(True)) is int
    assert type(exact.exact(np.int64(3))) is int
    assert type(exact.exact(np.float64(3))) is int
    assert type(exact.exact(1e300)) is int
    assert type(exact.multiply(Fraction(1, 2), 4)) is int
    assert type(exact.add(Fraction(1, 2), Fraction(3, 2))) is int
    assert exact.power(2, -1) == Fraction(1, 2)
    assert exact.divide(1, 3) == Fraction(1, 3)
    assert exact.divide(1, 1e300) == 1e-300
    assert type(exact.power(Fraction(1, 4), Fraction(-1, 2))) is int
    assert number(Fraction(4, 2)) is number(2)
    assert number(2) is not number(2 + 1e-12)


def test_equal_products_are_one_object_however_they_are_written():
    A, B, S = symbol("A", (4, 4)), symbol("B", (4, 4)), symbol("S", (4, 4))
    S = add([S, transpose(S)])
    assert is_symmetric(S) and not is_symmetric(A)
    sizes = dict.fromkeys(range(5), 4)
    one = product(1, [(A, (0, 2)), (S, (2, 3)), (B, (3, 4)), (A, (1, 4))], (0, 1), sizes)
    same = product(1, [(A, (1, 2)), (B, (3, 2)), (S, (4, 3)), (A, (0, 4))], (0, 1), sizes)
    other = product(1, [(A, (0, 2)), (S, (2, 3)), (B, (4, 3)), (A, (1, 4))], (0, 1), sizes)
    assert one is same
    assert one is not other


@pytest.mark.parametrize("size", [3, 4])
def test_symmetry_is_seen(size):
    A, v = symbol("A", (size, size)), symbol("v", (size,))
    ones = number(1, (size, size))
    sizes = dict.fromkeys(range(3), size)
    gram = product(1, [(A, (0, 2)), (A, (1, 2))], (0, 1), sizes)
    outer = product(2, [(v, (0,)), (v, (1,))], (0, 1), {0: size, 1: size})
    rows = product(1, [(v, (0,))], (0, 1), {0: size, 1: size})
    assert all(map(is_symmetric, (gram, outer, ones, add([gram, outer, scale(-1, ones)]))))
    assert is_symmetric(add([A, transpose(A)])) and is_symmetric(add([rows, transpose(rows)]))
    assert not any(map(is_symmetric, (rows, add([A, rows]), add([A, scale(2, transpose(A))]))))


def test_what_is_not_simplified_keeps_its_value_and_its_place():
    with Scope("a test") as scope:
        x = variable(scope, np.linspace(0.1, 0.9, 4))
        y = np.exp(x)
        result = node_of(np.sum(y) + np.sum(2.0 * (3.0 * y)), "a test")
        found = simplify_graph(Graph(scope, [x.node], [result])).graph
    (again,) = [n for n in found.nodes if n.primitive.name == "exp"]
    assert again is not y.node
    assert again.value is y.node.value and again.site is y.node.site


def test_expressions_that_nobody_holds_are_forgotten():
    from adjoint.simplify.expression import _table

    x = symbol("nobody has this name", ())
    before = len(_table)
    e = raw_term(7, ((x, ()),), (), {})
    assert len(_table) == before + 1
    del e
    assert len(_table) == before
    deep = x
    for _ in range(20_000):  # none of this may recurse
        deep = raw_apply(PRIMITIVES["sin"], (deep,), {}, ())
    assert len(_table) == before + 20_000
    del deep
    assert len(_table) == before


def test_a_variable_of_an_enclosing_transform_is_no_number():
    with Scope("outside") as outer:
        a = variable(outer, np.float64(3.0))
        with Scope("inside") as scope:
            x = variable(scope, np.arange(4.0))
            result = node_of(np.sum(a * x) + np.sum(a * x), "a test")
            found = simplify_graph(Graph(scope, [x.node], [result]))
            assert found.after.flops < found.before.flops
            assert a.node in found.graph.captured
