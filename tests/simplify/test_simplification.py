"""Every law holds on exact integers, and random programs keep their values, types and costs."""

import inspect
from fractions import Fraction

import numpy as np
import pytest

import adjoint as ad
from adjoint.calculus.formulas import formula
from adjoint.graph.arraytype import ArrayType
from adjoint.graph.binding import variable
from adjoint.graph.evaluate import evaluate as evaluate_graph
from adjoint.graph.ir import Graph
from adjoint.graph.scope import Scope
from adjoint.graph.tracing import node_of
from adjoint.graph.typecheck import check_graph
from adjoint.simplify.cost import cost_of
from adjoint.simplify.expression import Symbol, symbol, walk
from adjoint.simplify.graphs import simplify_graph
from adjoint.simplify.reading import read
from adjoint.simplify.rebuild import evaluate
from adjoint.simplify.rules import LAWS, trace_law
from adjoint.simplify.simplification import simplify
from adjoint.testing.random_graphs import SHAPE, random_program

SIZES = {"n": 5, "m": 7, "k": 11, "l": 13}
TRANSCENDENTAL = ("exp", "log", "sin", "cos", "tan", "σ", "⁻¹", "√", "/", "det", "eˣ")
F64 = np.dtype(np.float64)


def statement(law):
    return law.statement


def sample(rng, law, exact):
    names = list(inspect.signature(law.left).parameters)
    shapes = [s.split() for s in law.shapes.split(";")] if law.shapes else [[]] * len(names)
    values = {}
    for name, dims in zip(names, shapes, strict=True):
        shape = tuple(SIZES[d] for d in dims)
        if exact:
            values[name] = rng.integers(-4, 5, shape)
        else:
            values[name] = rng.uniform(0.2, 0.9, shape)
            if len(shape) == 2 and shape[0] == shape[1]:
                values[name] = values[name] + 3 * np.eye(shape[0])
    return values


@pytest.mark.parametrize("law", LAWS, ids=statement)
def test_both_sides_of_a_law_become_one_expression(law):
    left, right = trace_law(law.left, law.shapes), trace_law(law.right, law.shapes)
    assert simplify([left])[0] is simplify([right])[0]


@pytest.mark.parametrize("law", LAWS, ids=statement)
def test_both_sides_of_a_law_have_one_value(law):
    rng = np.random.default_rng(0)
    exact = not any(word in law.statement for word in TRANSCENDENTAL)
    values = sample(rng, law, exact)
    (e,) = simplify([trace_law(law.left, law.shapes)])
    known = {s: values[s.name] for s in walk([e]) if isinstance(s, Symbol) and s.value is None}
    (got,) = evaluate([e], known)
    sides = [side(**{k: values[k] for k in inspect.signature(side).parameters})
             for side in (law.left, law.right)]  # fmt: skip
    if exact:
        assert np.array_equal(sides[0], sides[1])
        assert np.array_equal(got, sides[0])
    else:
        np.testing.assert_allclose(sides[0], sides[1], rtol=1e-12)
        np.testing.assert_allclose(got, sides[0], rtol=1e-12)


def test_most_laws_are_tested_exactly():
    exact = [law for law in LAWS if not any(word in law.statement for word in TRANSCENDENTAL)]
    assert len(exact) >= 20


def test_a_wrong_law_is_seen():
    from dataclasses import replace

    wrong = replace(LAWS[-2], right=lambda x: 11 * x)
    assert "12" in inspect.getsource(LAWS[-2].right)
    with pytest.raises(AssertionError):
        test_both_sides_of_a_law_become_one_expression(wrong)
    with pytest.raises(AssertionError):
        test_both_sides_of_a_law_have_one_value(wrong)


def contractions(rng, count):
    """Random expressions of matrices with integer elements: products, sums, transposes, traces."""
    made = [lambda A, B, v: A, lambda A, B, v: B, lambda A, B, v: np.outer(v, v)]
    steps = [
        lambda f, g: lambda *a: f(*a) @ g(*a),
        lambda f, g: lambda *a: f(*a) + 2 * g(*a),
        lambda f, g: lambda *a: f(*a) - g(*a).T,
        lambda f, g: lambda *a: f(*a) * g(*a),
        lambda f, g: lambda *a: np.trace(f(*a)) * g(*a),
        lambda f, g: lambda *a: np.diag(np.diag(f(*a))) @ g(*a),
        lambda f, g: lambda *a: np.eye(3) + np.einsum("ij,kj->ik", f(*a), g(*a)),
        lambda f, g: lambda *a: np.outer(f(*a) @ a[2], np.sum(g(*a), axis=0)),
    ]
    for _ in range(count):
        f, g = (made[int(i)] for i in rng.integers(len(made), size=2))
        made.append(steps[int(rng.integers(len(steps)))](f, g))
    return made[-1]


@pytest.mark.parametrize("seed", range(60))
def test_random_contractions_are_equal_without_tolerance(seed):
    rng = np.random.default_rng(seed)
    f = contractions(rng, 4)
    shapes = {"A": (3, 3), "B": (3, 3), "v": (3,)}
    with Scope("a test", abstract="of all values") as scope:
        variables = [variable(scope, None, ArrayType(s, F64)) for s in shapes.values()]
        known = {v.node: symbol(n, s, scope) for v, (n, s) in zip(variables, shapes.items(),
                                                                  strict=True)}  # fmt: skip
        (e,) = simplify(read([node_of(f(*variables), "a test")], known))
    assert simplify([e])[0] is e
    values = {n: rng.integers(-2, 3, s) for n, s in shapes.items()}
    (got,) = evaluate([e], {s: values[s.name] for s in known.values()})
    assert np.array_equal(got, f(*values.values()))


@pytest.mark.parametrize("seed", range(60, 140))
def test_source_of_random_contractions_is_equal_without_tolerance(seed):
    rng = np.random.default_rng(seed)
    f = contractions(rng, 5)
    found = formula(lambda A, B, v: f(A, B, v), (3, 3), (3, 3), (3,))
    A, B, v = (rng.integers(-2, 3, s) for s in ((3, 3), (3, 3), (3,)))
    values = {"A": A, "B": B, "v": v}
    got = found.function()(**{p: values[p] for p in found.parameters})
    assert np.array_equal(got, f(A, B, v))
    gradient = formula(ad.grad(lambda A, B, v: np.sum(f(A, B, v))), (3, 3), (3, 3), (3,))
    got = gradient.function()(*(values[p] for p in gradient.parameters))
    assert np.array_equal(got, ad.grad(lambda A: np.sum(f(A, B, v)))(A))


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_keep_value_and_type(seed):
    rng = np.random.default_rng(seed)
    program = random_program(rng, 6)
    x = rng.uniform(0.2, 0.8, SHAPE)
    for f in (program, ad.grad(program.loss)):
        with Scope("a test") as scope:
            v = variable(scope, x)
            result = node_of(f(v), "a test")
            if scope not in result.scopes.members:
                continue
            graph = Graph(scope, [v.node], [result])
            found = simplify_graph(graph)
            check_graph(found.graph.outputs, "simplification")
            assert found.graph.outputs[0].type == result.type
            assert found.after.flops <= found.before.flops
            with np.errstate(divide="ignore", invalid="ignore"):  # in branches that are not chosen
                (got,) = evaluate_graph(found.graph, [x])
        np.testing.assert_allclose(got, result.value, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_keep_their_value_as_formulas(seed):
    rng = np.random.default_rng(seed)
    names = ["sin", "tanh", "bell", "root", "log", "add", "subtract", "product", "quotient",
             "matrix product", "einsum", "outer", "centre", "normalise"]  # fmt: skip
    program = random_program(rng, 4, names)
    x = rng.uniform(0.2, 0.8, SHAPE)
    for f in (program, ad.grad(program.loss)):
        found = formula(f, x)
        (e,) = found.results
        assert simplify([e])[0] is e
        got = found.function()(x)
        np.testing.assert_allclose(got, f(x), rtol=1e-9, atol=1e-11)


def test_a_chain_of_matrices_is_multiplied_from_the_vector():
    with Scope("a test") as scope:
        A, x = variable(scope, np.ones((40, 40))), variable(scope, np.ones(40))
        found = simplify_graph(Graph(scope, [A.node, x.node], [(A @ A @ A @ x).node]))
        assert found.after.flops < found.before.flops / 20
        (got,) = evaluate_graph(found.graph, [np.ones((40, 40)), np.ones(40)])
        np.testing.assert_array_equal(got, np.full(40, 64000.0))


def test_the_hessian_of_a_quadratic_form_executes_no_product():
    h = ad.formula(ad.hessian(lambda x, B: x @ B @ x), x="n", B="n n")
    assert h.after.flops == h.results[0].shape[0] ** 2
    assert h.before.flops > 50 * h.after.flops


def test_the_hessian_of_a_factorisation_costs_one_small_product():
    h = ad.formula(
        ad.hessian(lambda U, V, T: np.sum((T - U @ V.T) ** 2)), (100, 5), (100, 5), (100, 100)
    )
    assert cost_of(h.results).flops <= 2 * 100 * 25 + 2
    assert str(h) == "2(VᵀV) ⊗ I"


def test_numbers_are_exact():
    e = formula(lambda x: 0.1 * x + 0.2 * x).results[0]
    assert e.coefficient == Fraction(3, 10)


@pytest.mark.parametrize("c", [1e20, -3e25, 1e300])
def test_numbers_beyond_the_integers_of_arrays_are_floats(c):
    x = np.arange(1.0, 4.0)
    h = ad.compile(ad.hessian(lambda x: c * np.sum(x**3)))(x)
    np.testing.assert_allclose(h, np.diag(6.0 * c * x), rtol=1e-14)


# -- reading what indices and choices do, on exact integers


def written_at_a_slice(x):
    return np.sum(x[1:] * x[:-1])


def pairs(X, Y):
    return np.sum((X[:, None] - Y[None]) ** 2, axis=2)


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (ad.grad(written_at_a_slice), ["n"]),
        (ad.grad(lambda X, Y: np.sum(pairs(X, Y) ** 2)), ["n m", "k m"]),
        (ad.jacobian(pairs, 1), ["n m", "k m"]),
        (ad.hessian(lambda X, A: np.trace(X.T @ A @ X @ X.T @ X)), ["n k", "n n"]),
        (ad.grad(lambda W, x: np.sum(np.maximum(W @ x, 0) ** 2)), ["n m", "m"]),
    ],
)
def test_tensors_and_indices_are_exact(f, shapes):
    rng = np.random.default_rng(0)
    values = [rng.integers(-3, 4, [SIZES[d] for d in s.split()]).astype(float) for s in shapes]
    np.testing.assert_array_equal(formula(f, *shapes).function()(*values), f(*values))


def test_cofactors_are_those_of_regular_matrices():
    A = np.random.default_rng(0).normal(size=(4, 4))
    for f in (np.linalg.det, lambda A: np.log(np.linalg.det(A @ A.T))):
        printed = formula(ad.hessian(f), "n n").function()
        np.testing.assert_allclose(printed(A), ad.hessian(f)(A), rtol=1e-9, atol=1e-10)
