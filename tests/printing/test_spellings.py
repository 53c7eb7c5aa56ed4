"""Factorisations, transforms and rows: what is printed, and source that NumPy runs."""

import numpy as np
import pytest

import adjoint as ad

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 4))
S = A @ A.T + 4 * np.eye(4)
G, J = ad.grad, ad.jacobian


def log_det_of_covariance(X):
    return np.linalg.slogdet(np.cov(X))[1]


CASES = [
    (lambda A: np.trace(A.T @ A @ np.linalg.inv(A.T @ A)), {"A": "m n"}, "n"),
    (lambda A: np.linalg.inv(A.T @ A) @ (A.T @ A), {"A": "m n"}, "I"),
    (lambda A, B: B @ A @ B @ np.linalg.inv(A @ B), {"A": "n n", "B": "n n"}, "B"),
    (lambda A, B: np.trace(np.linalg.inv(A @ B) @ B @ A), {"A": "n n", "B": "n n"},
     "tr((AB)⁻¹BA)"),
    (J(lambda x: np.sum(x**2), layout="row"), {"x": "n"}, "2xᵀ"),
    (J(lambda x, A: x @ A @ x, layout="row"), {"x": "n", "A": "n n"}, "xᵀ(A + Aᵀ)"),
    (lambda x: np.fft.fft(x).real, {"x": "n"}, "real(fft(x))"),
    (lambda x: np.abs(np.fft.fft(x)) ** 2, {"x": "n"}, "real(fft(x))² + imag(fft(x))²"),
    (lambda S: np.linalg.eigh(S)[0], {"S": "n n"}, "eigh(S)[0]"),
    (log_det_of_covariance, {"X": "n m"},
     "log |det(1/(m − 1) EEᵀ)|\nwhere E = X − 1/m X𝟏𝟏ᵀ"),
    (G(log_det_of_covariance), {"X": "n m"}, "2(EEᵀ)⁻¹E\nwhere E = X − 1/m X𝟏𝟏ᵀ"),
    (G(lambda X: np.linalg.slogdet(X.T @ X)[1]), {"X": "m n"}, "2X(XᵀX)⁻¹"),
]  # fmt: skip
SIZES = {"n": 4, "m": 7}


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_what_is_printed_is_what_is_computed(f, shapes, text):
    formula = ad.formula(f, **shapes)
    assert str(formula) == text
    assert formula.general
    values = {k: RNG.normal(size=[SIZES[c] for c in v.split()]) for k, v in shapes.items()}
    if "S" in values:
        values["S"] = S
    got = formula.function()(**{p: values[p] for p in formula.parameters})
    expected = f(*values.values())
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)


def test_a_row_keeps_its_axis_in_source_and_has_none_in_latex():
    row = J(lambda x: np.sum(x**2), layout="row")
    formula = ad.formula(row, x="n")
    assert formula.latex() == r"2\,x^\top"
    assert formula.function()(np.ones(3)).shape == (1, 3)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_systems_have_source(lower, unit):
    import adjoint.scipy.linalg as linalg

    def f(A, b):
        return linalg.solve_triangular(A, b, lower=lower, unit_diagonal=unit)

    b = RNG.normal(size=4)
    formula = ad.formula(f, A, b)
    np.testing.assert_allclose(formula.function()(A, b), f(A, b), rtol=1e-12)


def test_the_gradient_of_a_cholesky_factor_has_source():
    gradient = G(lambda S, w: np.sum(np.linalg.cholesky(S) @ w))
    w = RNG.normal(size=4)
    formula = ad.formula(gradient, S, w)
    np.testing.assert_allclose(formula.function()(S=S, w=w), gradient(S, w), rtol=1e-10, atol=1e-12)


def test_transforms_have_source():
    x = RNG.normal(size=6)
    for f in (
        G(lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2)),
        lambda x: np.fft.fft(x, 9).imag,
        lambda x: np.fft.ifft(x, norm="ortho").real,
    ):
        formula = ad.formula(f, x)
        np.testing.assert_allclose(formula.function()(x), f(x), rtol=1e-12, atol=1e-12)


def test_one_number_everywhere_beside_an_array_is_an_array():
    def f(x):
        return np.stack([np.full(3, 1.0) * x[0] * x[1] + x[2] * np.ones(3), x[:3]])

    x = RNG.normal(size=4)
    np.testing.assert_allclose(ad.formula(f, x).function()(x), f(x), rtol=1e-14)


def test_the_gradient_of_the_median_is_where_the_middle_stands():
    x = np.array([0.3, 2.0, -1.0, 0.7, 5.0])
    formula = ad.formula(G(lambda x: np.median(x)), x)
    assert str(formula) == "scatter([0, 0, 1, 0, 0] at argsort(x))ᵀ"
    assert formula.function()(x).tolist() == [0, 0, 0, 1, 0]
    assert str(ad.formula(lambda x: np.median(x), x)) == "sort(x)[2]"
