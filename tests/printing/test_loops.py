"""Functions that loop over a named dimension print as what they are on whole arrays."""

import numpy as np
import pytest

import adjoint as ad
from adjoint.calculus import loops
from adjoint.errors import ArgumentValueError
from adjoint.transforms import index_patterns

SIZES = {"n": 5, "m": 4, "k": 3, "d": 2}


def squares(x):
    s = 0
    for i in range(len(x)):
        s = s + x[i] ** 2
    return s


def entries(x):
    s = 0.0
    for xi in x:
        s += xi**2
    return s


def filled(x):
    out = np.zeros_like(x)
    for i in range(len(x)):
        out[i] = x[i] ** 2 + 1
    return out


def quadratic(x, A):
    s = 0
    for i in range(len(x)):
        for j in range(len(x)):
            s = s + A[i, j] * x[i] * x[j]
    return s


def inner_sums(x, A):
    total = 0
    for i in range(len(x)):
        row = 0
        for j in range(len(x)):
            row += A[i, j] * x[j]
        total += row * x[i]
    return total


def neighbours(x):
    s = 0
    for i in range(len(x) - 1):
        s = s + x[i] * x[i + 1]
    return s


def rosenbrock(x):
    s = 0
    for i in range(len(x) - 1):
        s = s + 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return s


def stacked(x):
    return np.array([np.sin(xi) for xi in x])


def rows(A, x):
    y = A[:, 0] * x[0]
    for i in range(A.shape[0]):
        y[i] = A[i] @ x
    return y


def accumulated(A, x):
    y = np.zeros(A.shape[0], like=A)
    for i in range(A.shape[0]):
        for j in range(A.shape[1]):
            y[i] += A[i, j] * x[j]
    return y


def product_of_matrices(A, B):
    C = np.zeros((A.shape[0], B.shape[1]), like=A)
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            C[i, j] = A[i] @ B[:, j]
    return C


def trace(A):
    s = 0
    for i in range(len(A)):
        s += A[i, i]
    return s


def backwards(x, y):
    s = 0
    for i in range(len(x)):
        s -= x[i] * y[len(x) - 1 - i]
    return s


def times_all(x):
    p = 1
    for xi in x:
        p = p * xi
    return p


def largest(x):
    m = x[0]
    for i in range(1, len(x)):
        m = np.maximum(m, x[i])
    return m


def residuals(X, w, y):
    s = 0
    for i in range(len(X)):
        s += (X[i] @ w - y[i]) ** 2
    return s


def by_columns(X):
    s = 0
    for i in range(X.shape[0]):
        for j in range(3):
            s += X[i, j] ** 2
    return s


def invariant(x, A):
    s = 0
    for i in range(len(x)):
        s += (A @ x)[i] * np.sum(x)
    return s


def keyword(*, x, scale=2.0):
    s = 0
    for xi in x:
        s += scale * xi
    return s


def weighted(x):
    s = 0
    for i in range(len(x)):
        s += (i + 1) * x[i]
    return s


def reciprocal_weights(x):
    return sum(x[i] / (i + 1) for i in range(len(x)))


def discounted(x):
    s = 0.0
    for xi in x:
        s = 0.9 * s + xi
    return s


def horner(x, t):
    s = 0
    for xi in x:
        s = s * t + xi
    return s


def moving_average(x, a):
    s = x[0]
    for i in range(1, len(x)):
        s = a * x[i] + (1 - a) * s
    return s


def below_the_diagonal(A, x):
    s = 0.0
    for i in range(len(x)):
        for j in range(i):
            s += A[i, j] * x[i] * x[j]
    return s


def on_and_above(A):
    s = 0.0
    for i in range(len(A)):
        for j in range(i, len(A)):
            s += A[i, j] ** 2
    return s


def different_pairs(x):
    s = 0.0
    for i in range(len(x)):
        for j in range(len(x)):
            if i != j:
                s += x[i] * x[j]
    return s


def differences(x):
    s = 0.0
    for i in range(len(x)):
        for j in range(i):
            s += (x[i] - x[j]) ** 2
    return s


J, H, G = ad.jacobian, ad.hessian, ad.grad

CASES = [
    (squares, {"x": "n"}, "‖x‖²"),
    (G(squares), {"x": "n"}, "2xᵀ"),
    (H(squares), {"x": "n"}, "2I"),
    (ad.value_and_grad(squares), {"x": "n"}, "[0] = ‖x‖²\n[1] = 2x"),
    (ad.partial(squares, "x"), {"x": "n"}, "2xᵀ"),
    (entries, {"x": "n"}, "‖x‖²"),
    (G(entries), {"x": "n"}, "2xᵀ"),
    (filled, {"x": "n"}, "x² + 1"),
    (J(filled), {"x": "n"}, "2diag(x)"),
    (quadratic, {"x": "n", "A": "n n"}, "xᵀAx"),
    (G(quadratic), {"x": "n", "A": "n n"}, "xᵀ(A + Aᵀ)"),
    (H(quadratic), {"x": "n", "A": "n n"}, "A + Aᵀ"),
    (G(inner_sums), {"x": "n", "A": "n n"}, "xᵀ(A + Aᵀ)"),
    (neighbours, {"x": "n"}, "x[1:]ᵀx[:-1]"),
    (G(neighbours), {"x": "n"}, "[x[1:], 0]ᵀ + [0, x[:-1]]ᵀ"),
    (rosenbrock, {"x": "n"}, "100‖x[1:] − x[:-1]²‖² + ‖1 − x[:-1]‖²"),
    (G(rosenbrock), {"x": "n"}, None),
    (H(rosenbrock), {"x": "n"}, None),
    (stacked, {"x": "n"}, "sin(x)"),
    (J(stacked), {"x": "n"}, "diag(cos(x))"),
    (rows, {"A": "m n", "x": "n"}, "Ax"),
    (J(rows, 1), {"A": "m n", "x": "n"}, "A"),
    (accumulated, {"A": "m n", "x": "n"}, "Ax"),
    (product_of_matrices, {"A": "n k", "B": "k m"}, "AB"),
    (J(product_of_matrices), {"A": "n k", "B": "k m"}, "Bᵀ ⊗ I"),
    (trace, {"A": "n n"}, "tr(A)"),
    (G(trace), {"A": "n n"}, "I"),
    (backwards, {"x": "n", "y": "n"}, "−xᵀy[::-1]"),
    (times_all, {"x": "n"}, "prod(x)"),
    (largest, {"x": "n"}, "max(x)"),
    (G(residuals, 1), {"X": "n d", "w": "d", "y": "n"}, "2(Xw − y)ᵀX"),
    (G(by_columns), {"X": "n 3"}, "2X"),
    (invariant, {"x": "n", "A": "n n"}, "sum(x)(𝟏ᵀAx)"),
    (weighted, {"x": "n"}, "xᵀ [1, 2, …, n]"),
    (G(weighted), {"x": "n"}, "[1, 2, …, n]ᵀ"),
    (reciprocal_weights, {"x": "n"}, "xᵀ [1, ½, …, 1/n]"),
    (discounted, {"x": "n"}, "xᵀ [0.9ⁿ⁻¹, …, 0.9, 1]"),
    (G(discounted), {"x": "n"}, "[0.9ⁿ⁻¹, …, 0.9, 1]ᵀ"),
    (horner, {"x": "n", "t": ""}, "xᵀt^[n − 1, …, 1, 0]"),
    (G(horner), {"x": "n", "t": ""}, "(t^[n − 1, …, 1, 0])ᵀ"),
    (moving_average, {"x": "n", "a": ""}, None),
    (G(moving_average), {"x": "n", "a": ""}, None),
    (below_the_diagonal, {"A": "n n", "x": "n"}, "xᵀ tril(A, −1)x"),
    (G(below_the_diagonal), {"A": "n n", "x": "n"}, "tril(xxᵀ, −1)"),
    (G(below_the_diagonal, 1), {"A": "n n", "x": "n"}, None),
    (on_and_above, {"A": "n n"}, "‖triu(A)‖²"),
    (G(on_and_above), {"A": "n n"}, "2triu(A)"),
    (different_pairs, {"x": "n"}, "sum(x)² − ‖x‖²"),
    (G(different_pairs), {"x": "n"}, "2sum(x) − 2xᵀ"),
    (differences, {"x": "n"}, None),
    (G(differences), {"x": "n"}, None),
    (H(differences), {"x": "n"}, None),
    (keyword, {"x": "n"}, "2sum(x)"),
]


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_a_loop_prints_as_an_operation_on_arrays(f, shapes, text):
    formula = ad.formula(f, **shapes)
    assert formula.general
    if text is not None:
        assert str(formula) == text


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_what_is_printed_has_the_values_of_the_loop(f, shapes, text):
    if f is keyword:
        return
    rng = np.random.default_rng(0)
    values = [
        rng.uniform(0.5, 1.5, [SIZES.get(d) or int(d) for d in spec.split()])
        for spec in shapes.values()
    ]
    got, wanted = ad.formula(f, **shapes).function()(*values), f(*values)
    for a, b in zip(*[x if isinstance(x, tuple) else (x,) for x in (got, wanted)], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def nested_tanh(A):
    s = 0
    for i in range(len(A)):
        for j in range(i):
            s = np.tanh(s + A[i, j])
    return s


def recurrent(x, t):
    s = 0
    for xi in x:
        s = np.tanh(s * t + xi)
    return s


def sum_of_recurrent(x):
    return recurrent(x, 0.5)


def shifted(x):
    out = np.zeros_like(x)
    for i in range(len(x)):
        out[i] = x[i] + out[i - 1]
    return out


@pytest.mark.parametrize("f", [sum_of_recurrent, shifted])
def test_other_loops_say_for_which_length_they_hold(f):
    text = str(ad.formula(f, x="n"))
    assert text.endswith(
        "(for n = 23; for all lengths write the loop on whole arrays: np.sum(x**2), x[1:] - x[:-1])"
    )


def test_a_recurrence_that_is_not_linear_is_not_a_sum():
    formula = ad.formula(recurrent, "n", "")
    assert not formula.general and formula.unrolled
    x, t = np.arange(1.0, 24.0), 0.5
    fixed = ad.formula(recurrent, "23", "").function()(x, t)
    np.testing.assert_allclose(fixed, recurrent(x, t), rtol=1e-13)


def test_a_loop_of_too_many_operations_is_refused():
    with pytest.raises(ArgumentValueError, match=r"no form for a loop of f on whole arrays; for n ="
                       r" 23 it is \d+ operations(?s:.*)np.tril"):  # fmt: skip
        ad.formula(nested_tanh, A="n n")


def test_dimensions_given_as_numbers_are_written_out():
    assert str(ad.formula(squares, x="3")) == "x₀² + x₁² + x₂²"


def test_short_sums_of_entries_stay_as_they_are():
    assert str(ad.formula(lambda x: x[0] ** 2 + x[1] ** 2, x="n")) == "x₀² + x₁²"


def test_a_wrong_pattern_is_never_printed(monkeypatch):
    original = index_patterns._slice

    def at_the_end(start, step, count, size):
        return original(size - count, step, count, size)

    monkeypatch.setattr(index_patterns, "_slice", at_the_end)
    text = str(ad.formula(neighbours, x="n"))
    assert text.startswith("x₀x₁ + x₁x₂")
    monkeypatch.setattr(loops, "_agree", lambda *args: True)
    assert not str(ad.formula(neighbours, x="n")).startswith("x₀x₁ + x₁x₂")


def test_operators_of_loops():
    n = 300
    x = np.random.default_rng(0).normal(size=n)
    A = ad.formula(H(rosenbrock), x="n").operator(x=x)
    np.testing.assert_allclose(A @ x, ad.hvp(rosenbrock, (x,), (x,)), rtol=1e-9, atol=1e-9)


def polynomial(c, t):
    return sum(c[i] * t**i for i in range(len(c)))


def alternating(x):
    return sum((-1) ** i * x[i] for i in range(len(x)))


def alternating_polynomial(c, t):
    return sum((-1) ** i * c[i] * t**i for i in range(len(c)))


POWERS = [
    (polynomial, {"c": "n", "t": ""}, "cᵀt^[0, 1, …, n − 1]"),
    (ad.grad(polynomial), {"c": "n", "t": ""}, "(t^[0, 1, …, n − 1])ᵀ"),
    (alternating, {"x": "n"}, "xᵀ [1, −1, …, (−1)ⁿ⁻¹]"),
    (lambda x: sum((-1) ** i * np.sin(x[i]) for i in range(len(x))), {"x": "n"},
     "sin(x)ᵀ [1, −1, …, (−1)ⁿ⁻¹]"),
    (ad.grad(alternating), {"x": "n"}, "[1, −1, …, (−1)ⁿ⁻¹]ᵀ"),
    (alternating_polynomial, {"c": "n", "t": ""},
     "cᵀ(t^[0, 1, …, n − 1] ∘ [1, −1, …, (−1)ⁿ⁻¹])"),
    (lambda x: sum(2 * x[i] + 3 * x[i] ** 2 for i in range(len(x))), {"x": "n"},
     "2sum(x) + 3‖x‖²"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "shapes", "text"), POWERS, ids=range(len(POWERS)))
def test_powers_and_signs_that_count_up(f, shapes, text):
    formula = ad.formula(f, **shapes)
    assert str(formula) == text
    assert formula.general
    values = {"c": np.linspace(0.5, 1.5, 6), "t": 0.7, "x": np.linspace(0.2, 1.1, 6)}
    values = {name: values[name] for name in shapes}
    expected = f(*values.values())
    got = formula.function()(**{name: values[name] for name in formula.parameters})
    np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_powers_of_two_numbers_stay_as_they_are():
    def mixed(c, s, t):
        return sum(c[i] * s**i * t**i for i in range(len(c)))

    c, s, t = np.linspace(0.5, 1.5, 23), 0.4, 1.2
    formula = ad.formula(mixed, c="23", s="", t="")
    np.testing.assert_allclose(formula.function()(c=c, s=s, t=t), mixed(c, s, t), rtol=1e-13)
