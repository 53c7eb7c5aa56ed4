"""Functions from textbooks and papers, written as people write them in NumPy: what is printed is
what one would write by hand, and it has the value of the derivative."""

import dataclasses
import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import special

import adjoint as ad

SIZES = {"n": 5, "m": 3, "k": 2, "d": 4, "p": 6}
G, J, H = ad.grad, ad.jacobian, ad.hessian
inv, det = np.linalg.inv, np.linalg.det


def softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def attention(Q, K, V):
    return softmax(Q @ K.T / np.sqrt(Q.shape[1])) @ V


def negative_log_likelihood(S, mu, x):
    quadratic = (x - mu) @ inv(S) @ (x - mu)
    return 0.5 * quadratic + 0.5 * np.linalg.slogdet(S)[1] + 0.5 * len(x) * np.log(2 * np.pi)


def cross_entropy(z, y):
    return -np.sum(y * np.log(softmax(z)))


def cross_entropy_of_rows(W, X, Y):
    return -np.mean(np.sum(Y * np.log(softmax(X @ W)), axis=1))


def logistic_loss(w, X, y):
    p = 1 / (1 + np.exp(-X @ w))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def huber(x, d):
    return np.sum(np.where(np.abs(x) <= d, 0.5 * x**2, d * (np.abs(x) - 0.5 * d)))


def leaky(x, a):
    return np.sum(np.where(x > 0, x, a * x))


def elu(x):
    return np.sum(np.where(x > 0, x, np.exp(x) - 1))


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def density(x, mu, s):
    return np.exp(-0.5 * ((x - mu) / s) ** 2) / (s * np.sqrt(2 * np.pi))


def kernel(X, ell):
    return np.exp(-np.sum((X[:, None] - X[None]) ** 2, axis=-1) / (2 * ell**2))


def convolution(x, w):
    return w[0] * x[:-2] + w[1] * x[1:-1] + w[2] * x[2:]


def lstm_cell(c, f, i, g):
    return c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))


def variation(x):
    return np.sum(np.diff(x) ** 2)


VECTOR, MATRIX = {"x": "n"}, {"X": "n n"}
CASES = [
    (attention, {"Q": "n d", "K": "m d", "V": "m p"}, "softmax(1/√d QKᵀ)V"),
    (J(attention), {"Q": "n d", "K": "m d", "V": "m p"},
     "[i,j,k,l] ↦ 1/√d Σ[t] δ[i,k] K[t,l] V[t,j] P[i,t] − 1/√d δ[i,k] (PV)[i,j] (PK)[i,l]\n"
     "where P = softmax(1/√d QKᵀ)"),
    (negative_log_likelihood, {"S": "d d", "mu": "d", "x": "d"},
     "½(x − μ)ᵀS⁻¹(x − μ) + ½log |det(S)| + ½d log(2π)"),
    (G(cross_entropy), {"z": "k", "y": "k"}, "sum(y) softmax(z)ᵀ − yᵀ"),
    (H(cross_entropy), {"z": "k", "y": "k"},
     "sum(y)(diag(p) − ppᵀ)\nwhere p = softmax(z)"),
    (G(cross_entropy_of_rows), {"W": "d k", "X": "n d", "Y": "n k"},
     "1/n Xᵀ(diag(Y𝟏) softmax(XW) − Y)"),
    (logistic_loss, {"w": "d", "X": "n d", "y": "n"}, "1/n sum(softplus(Xw)) − 1/n yᵀXw"),
    (G(logistic_loss), {"w": "d", "X": "n d", "y": "n"}, "−1/n (y − σ(Xw))ᵀX"),
    (H(logistic_loss), {"w": "d", "X": "n d", "y": "n"},
     "1/n Xᵀdiag(v)X\nwhere v = σ(Xw) ∘ σ(−Xw)"),
    (G(huber), VECTOR, "where(|x| ≤ d, x, d sign(x))ᵀ"),
    (H(huber), VECTOR, "diag(where(|x| ≤ d, 1, 0))"),
    (G(leaky), VECTOR, "where(x > 0, 1, a)ᵀ"),
    (G(elu), VECTOR, "where(x > 0, 1, exp(x))ᵀ"),
    (H(elu), VECTOR, "diag(where(x > 0, 0, exp(x)))"),
    (gelu, VECTOR, "½x ∘ (tanh(√(2/π) (x + 0.044715x³)) + 1)"),
    (lambda x: x / (1 + np.exp(-x)), VECTOR, "x ∘ σ(x)"),
    (J(lambda x: x / (1 + np.exp(-x))), VECTOR, "diag(σ(x) ∘ (x ∘ σ(−x) + 1))"),
    (density, {}, "1/√(2π) exp(−½(x − μ)² / s²) / s"),
    (kernel, {"X": "n d"}, "[i,j] ↦ exp(−½Σ[p] (X[i,p] − X[j,p])² / ℓ²)"),
    (J(convolution), {"x": "n", "w": "3"}, None),
    (G(lambda x, w: np.sum(convolution(x, w) ** 2)), {"x": "n", "w": "3"}, None),
    (H(variation), VECTOR, "2EEᵀ\nwhere E = I[:, 1:] − I[:, :-1]"),
    (G(variation), VECTOR, "2[0, e]ᵀ − 2[e, 0]ᵀ\nwhere e = x[1:] − x[:-1]"),
    (lstm_cell, {"c": "n", "f": "n", "i": "n", "g": "n"}, None),
    (J(lstm_cell, 1), {"c": "n", "f": "n", "i": "n", "g": "n"}, None),
    (lambda x: np.std(x, ddof=1), VECTOR, "√(1/(n − 1) ‖x − 1/n sum(x)‖²)"),
    (G(lambda x: np.std(x, ddof=1)), VECTOR, None),
    (lambda x: np.sum(np.arange(1, len(x) + 1) * x**2), VECTOR, "(x²)ᵀ [1, 2, …, n]"),
    (G(lambda x: np.linalg.norm(x, 3)), VECTOR,
     "where(v ≠ 0, x ∘ |x| / v^(2/3), 0)ᵀ\nwhere v = sum(|x|³)"),
    (G(lambda x: np.prod(x)), VECTOR, "(prod(x) / x)ᵀ"),
    (H(lambda x: np.prod(x)), VECTOR, "prod(x)((1 / x)(1 / x)ᵀ − diag(1 / x²))"),
    (lambda x: np.sort(x), VECTOR, "sort(x)"),
    (J(lambda x: np.sort(x)), VECTOR, "I[argsort(x), :]"),
    (G(lambda x, w: w @ np.sort(x)), {"x": "n", "w": "n"}, "scatter(w at argsort(x))ᵀ"),
    (G(lambda x: np.sum(x[np.array([0, 2, 2])] ** 2)), VECTOR,
     "scatter(2x[[0, 2, 2]] at [0, 2, 2])ᵀ"),
    (G(lambda x: np.sum(np.clip(x, -1, 1) ** 2)), VECTOR,
     "where((x ≥ −1) ∧ (x ≤ 1), 2clip(x, −1, 1), 0)ᵀ"),
    (G(lambda x: x @ x[::-1]), VECTOR, "2x[::-1]ᵀ"),
    (G(lambda x, y: np.sum(np.concatenate([x, y]) ** 2)), {"x": "n", "y": "m"}, "2xᵀ"),
    (lambda x: np.sum((np.roll(x, 1) - x) ** 2), VECTOR, "‖[x[-1:]; x[:-1]] − x‖²"),
    (G(lambda c, x: np.polyval(c, x)), {"c": "4"}, "[x³, x², x, 1]ᵀ"),
    (G(lambda A: np.sum(np.tril(A, -1) ** 2)), {"A": "n n"}, "2tril(A, −1)"),
    (H(lambda A: np.sum(np.triu(A) ** 2)), {"A": "n n"}, "[i,j,k,l] ↦ 2δ[i,k] δ[j,l] [i ≤ j]"),
    (G(lambda L, b: b @ np.linalg.solve(np.tril(L), b)), {"L": "n n", "b": "n"}, None),
    (J(lambda X, b: np.linalg.solve(X, b)), {"X": "n n", "b": "n"},
     "[i,j,k] ↦ −(X⁻¹b)[k] X⁻¹[i,j]"),
    (G(lambda X: np.trace(np.sin(X) @ X)), MATRIX, "sin(X)ᵀ + Xᵀ ∘ cos(X)"),
    (H(lambda X: np.trace(np.sin(X) @ X)), MATRIX, None),
    (H(lambda X: det(X) ** 3), MATRIX,
     "[i,j,k,l] ↦ 9det(X)³ X⁻¹[j,i] X⁻¹[l,k] − 3det(X)³ X⁻¹[j,k] X⁻¹[l,i]"),
    (H(lambda X, B: np.trace(X.T @ B @ X)), {"X": "n m", "B": "n n"}, "I ⊗ (B + Bᵀ)"),
    (H(lambda X, a, b: a @ X.T @ X @ b), {"X": "n m", "a": "m", "b": "m"}, "(baᵀ + abᵀ) ⊗ I"),
    (H(lambda X: np.linalg.slogdet(np.eye(len(X)) + X @ X.T)[1]), {"X": "n m"},
     "[i,j,k,l] ↦ 2M[i,k] (I − XᵀMX)[j,l] − 2(MX)[i,l] (MX)[k,j]\nwhere M = (I + XXᵀ)⁻¹"),
    (J(lambda X, A: np.kron(X, A)), {"X": "n m", "A": "p k"}, None),
    (lambda x: sum(np.sum(x) ** 2 for _ in range(2)), VECTOR, "2sum(x)²"),
    (lambda x, p: np.sum(np.abs(x) ** p) ** (1 / p), VECTOR, "sum(|x|ᵖ)^(1 / p)"),
    (G(lambda x, p: np.sum(np.abs(x) ** p) ** (1 / p)), VECTOR,
     "sum(|x|ᵖ)^(1 / p − 1)(sign(x) ∘ |x|ᵖ⁻¹)ᵀ"),
]  # fmt: skip


def at_random(formula):
    rng = np.random.default_rng(0)
    values = {}
    for name, shape in formula.shapes.items():
        dims = [SIZES.get(formula.sizes.get(n, ""), n) for n in shape]
        x = rng.uniform(0.3, 1.6, dims) * (1 if name in "pw" else rng.choice([-1, 1], dims or None))
        values[name] = x + 4 * np.eye(dims[0]) if len(dims) == 2 and dims[0] == dims[1] else x
        if not dims:
            values[name] = rng.uniform(1.1, 1.4)
    return values


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_the_text(f, shapes, text):
    formula = ad.formula(f, **shapes)
    assert formula.general
    assert text is None or str(formula) == text
    assert "C_{1}" not in formula.latex()


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_what_is_printed_has_the_value(f, shapes, text):
    formula = ad.formula(f, **shapes)
    values = at_random(formula)
    with np.errstate(invalid="ignore"):
        got = formula.function()(**{p: values[p] for p in formula.parameters})
        wanted = f(*values.values())
    assert np.shape(got) == np.shape(wanted)
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-10)


def test_lengths_beside_a_dimension_are_named_only_where_they_belong():
    assert str(ad.formula(lambda x: 22 * np.sum(x), x="n")) == "22sum(x)"
    assert "np.sqrt(d)" in ad.source(attention, "n d", "m d", "m p")
    assert "d / 2 * np.log(2 * np.pi)" in ad.source(negative_log_likelihood, "d d", "d", "d")
    code = ad.source(lambda x: np.std(x, ddof=1), "n")
    assert "1 / (n - 1) * " in code


def test_a_choice_of_the_user_at_one_point_stays():
    f = ad.formula(lambda x: np.where(x == 0, 0.0, np.sin(x) / x), "")
    assert str(f) == "where(x = 0, 0, sin(x) / x)"


def test_the_standard_deviation_of_one_number_has_the_gradient_0():
    assert str(ad.formula(G(lambda x: np.std(x)), "1")) == "0"


def test_what_is_costly_is_computed_once():
    code = ad.source(H(lambda X, a, b: a @ inv(X) @ b), "n n", "n", "n")
    assert code.count("np.linalg.inv(X)") == 1 and "inv_X = np.linalg.inv(X)" in code


def test_indices_are_no_names_of_variables():
    text = str(ad.formula(lambda i, T: np.einsum("a,abc,c->b", i, T, i), i="n", T="n m n"))
    assert text == "[j] ↦ Σ[l,p] i[l] i[p] T[l,j,p]"


SCRIPT = """
import sys
import numpy
folder = sys.argv[1]
arrays = numpy.load(f"{folder}/arrays.npz")
results = {}
for k in range(int(sys.argv[2])):
    space = {}
    exec(open(f"{folder}/source{k}.py").read(), space)
    own = {key.split(":")[1]: arrays[key] for key in arrays.files if key.startswith(f"{k}:")}
    results[str(k)] = numpy.asarray(space["f"](**own))
numpy.savez(f"{folder}/results.npz", **results)
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="the source needs JAX to run")
def test_the_source_for_jax_has_the_same_values(tmp_path):
    arrays, wanted = {}, []
    for k, (f, shapes, _) in enumerate(CASES):
        formula = dataclasses.replace(ad.formula(f, **shapes), name="f")
        own = {p: v for p, v in at_random(formula).items() if p in formula.parameters}
        code = formula.source("jax")
        (tmp_path / f"source{k}.py").write_text(code)
        arrays |= {f"{k}:{p}": v for p, v in own.items()}
        with np.errstate(invalid="ignore"):
            wanted.append(formula.function()(**own))
    np.savez(tmp_path / "arrays.npz", **arrays)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(len(CASES))]
    subprocess.run(command, check=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})
    results = np.load(tmp_path / "results.npz")
    for k, value in enumerate(wanted):
        np.testing.assert_allclose(results[str(k)], value, rtol=1e-7, atol=1e-9, err_msg=str(k))


def test_vector_functions_of_few_variables_are_written_out():
    f = H(lambda v: np.array([v[0] ** 2 * v[1] + np.exp(v[2]), v[0] * v[1] ** 2 * v[2]]))
    assert str(ad.formula(f, v="3")) == (
        "[[[2v₁, 2v₀, 0], [2v₀, 0, 0], [0, 0, exp(v₂)]], "
        "[[0, 2v₁v₂, v₁²], [2v₁v₂, 2v₀v₂, 2v₀v₁], [v₁², 2v₀v₁, 0]]]"
    )
    g = J(lambda v: np.array([[2 * v[0] + 4 * v[1], v[0] * v[1] ** 2], [v[0] * v[1], v[0] ** 2]]))
    assert str(ad.formula(g, v="2")) == "[[[2, 4], [v₁², 2v₀v₁]], [[v₁, v₀], [2v₀, 0]]]"


def test_logaddexp_and_special_functions():
    assert str(ad.formula(G(lambda x, y: np.sum(np.logaddexp(x, y))), x="n", y="n")) == "σ(x − y)ᵀ"
    code = ad.source(H(lambda a: special.gammaln(a)))
    assert "special.polygamma(1, a)" in code


def test_a_mask_of_the_user_is_a_variable():
    mask = np.tri(5, dtype=bool)
    formula = ad.formula(lambda X: np.where(mask, X, 0.0), X="5 5")
    assert str(formula) == "where(mask, X, 0)" and formula.parameters == ("X", "mask")
