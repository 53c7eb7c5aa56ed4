"""Formulas that a mathematician would write: signs, matrix products, names, nothing left to do."""

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import ArgumentValueError

SIZES = {"n": 4, "m": 3, "k": 2, "d": 2, "h": 5, "p": 3}
J, H, G = ad.jacobian, ad.hessian, ad.grad
inv, det = np.linalg.inv, np.linalg.det


def mixture(alpha, mu, X):
    """Minus the log-likelihood of Gaussians of unit covariance, without its constants."""
    logits = alpha - 0.5 * np.sum((X[:, None, :] - mu[None]) ** 2, axis=2)
    return np.sum(np.log(np.sum(np.exp(logits), axis=1)))


def network(x, W1, b1, W2, b2, W3, b3, y):
    h = np.tanh(W1 @ x + b1)
    h = np.tanh(W2 @ h + b2)
    return np.sum((W3 @ h + b3 - y) ** 2)


NETWORK = {"x": "n", "W1": "h n", "b1": "h", "W2": "m h", "b2": "m", "W3": "p m", "b3": "p",
           "y": "p"}  # fmt: skip


def attention(Q, K, V):
    scores = np.exp(Q @ K.T)
    return scores / np.sum(scores, axis=1, keepdims=True) @ V


def cross_entropy(W, X, Y):
    Z = X @ W
    return np.sum(np.log(np.sum(np.exp(Z), axis=1))) - np.sum(Y * Z)


CASES = [
    (lambda X: np.trace(X), {"X": "n n"}, "tr(X)"),
    (H(lambda X: X.T), {"X": "n m"}, "0"),
    (H(det), {"a": "n n"},
     "[i,j,k,l] ↦ det(a) a⁻¹[j,i] a⁻¹[l,k] − det(a) a⁻¹[j,k] a⁻¹[l,i]"),
    (H(lambda X: np.log(det(X))), {"X": "n n"}, "[i,j,k,l] ↦ −X⁻¹[j,k] X⁻¹[l,i]"),
    (H(lambda X, a, b: a @ inv(X) @ b), {"X": "n n", "a": "n", "b": "n"},
     "[i,j,k,l] ↦ (X⁻ᵀa)[i] (X⁻¹b)[l] X⁻¹[j,k] + (X⁻¹b)[j] (X⁻ᵀa)[k] X⁻¹[l,i]"),
    (H(lambda X: np.linalg.norm(X)), {"X": "n m"},
     "[i,j,k,l] ↦ δ[i,k] δ[j,l] / ‖X‖ − X[i,j] X[k,l] / ‖X‖³"),
    (J(lambda X, A, B: np.trace(A @ X @ B @ X.T)), {"X": "n m", "A": "n n", "B": "m m"},
     "AXB + AᵀXBᵀ"),
    (H(lambda X, A, B: np.trace(A @ X @ B @ X.T)), {"X": "n m", "A": "n n", "B": "m m"},
     "Bᵀ ⊗ A + B ⊗ Aᵀ"),
    (H(lambda x, A, b: np.linalg.norm(A @ x - b)), {"x": "n", "A": "m n", "b": "m"},
     "Aᵀ(A / ‖Ax − b‖ − (Ax − b)(Ax − b)ᵀA / ‖Ax − b‖³)"),
    (G(lambda x, A: (x @ A @ x) / (x @ x)), {"x": "n", "A": "n n"},
     "xᵀ((A + Aᵀ) / ‖x‖² − 2Axxᵀ / ‖x‖⁴)"),
    (H(cross_entropy), {"W": "d k", "X": "n d", "Y": "n k"},
     "[i,j,k,l] ↦ Σ[t] δ[j,l] X[t,i] X[t,k] P[t,j] − Σ[t] X[t,i] X[t,k] P[t,j] P[t,l]\n"
     "where P = softmax(XW)"),
    (mixture, {"alpha": "k", "mu": "k d", "X": "n d"},
     "sum(logsumexp(α[j] − ½Σ[p] (X[i,p] − μ[j,p])², axis=1))"),
    (J(attention), {"Q": "n d", "K": "m d", "V": "m p"},
     "[i,j,k,l] ↦ Σ[t] δ[i,k] K[t,l] V[t,j] P[i,t] − δ[i,k] (PV)[i,j] (PK)[i,l]\n"
     "where P = softmax(QKᵀ)"),
    (G(network), NETWORK,
     "2((1 − v²) ∘ W₂ᵀ((1 − u²) ∘ W₃ᵀ(W₃u + b₃ − y)))ᵀW₁\n"
     "where v = tanh(W₁x + b₁)\n      u = tanh(W₂v + b₂)"),
    (H(network), NETWORK,
     "2W₁ᵀdiag(1 − v²)(W₂ᵀdiag(1 − u²)(W₃ᵀW₃diag(1 − u²)W₂ − 2diag(u ∘ W₃ᵀe)W₂)diag(1 − v²)W₁"
     " − 2diag(w)W₁)\n"
     "where v = tanh(W₁x + b₁)\n      u = tanh(W₂v + b₂)\n      e = W₃u + b₃ − y\n"
     "      w = v ∘ W₂ᵀ((1 − u²) ∘ W₃ᵀe)"),
    (G(lambda W, v, x: v @ np.maximum(W @ x, 0)), {"W": "h n", "v": "h", "x": "n"},
     "(v ∘ heaviside(Wx, ½))xᵀ"),
    (G(lambda x: np.std(x)), {"x": "n"}, "1/n eᵀ / √(1/n ‖e‖²)\nwhere e = x − 1/n sum(x)"),
    (H(lambda x: np.var(x)), {"x": "n"}, "2/n I − 2/n² 𝟏𝟏ᵀ"),
    (J(lambda x: (x - np.mean(x)) / np.std(x)), {"x": "n"},
     "(I − eeᵀ / ‖e‖² − 1/n 𝟏𝟏ᵀ) / √(1/n ‖e‖²)\nwhere e = x − 1/n sum(x)"),
    (G(lambda X: np.sum((X[:, None] - X[None]) ** 2)), {"X": "n d"}, "4nX − 4 𝟏𝟏ᵀX"),
    (H(lambda X: np.sum((X[:, None] - X[None]) ** 2)), {"X": "n d"}, "4nI ⊗ I − 4I ⊗ (𝟏𝟏ᵀ)"),
    (lambda x: x.shape[0] * np.log(np.sum(np.exp(x))), {"x": "n"}, "n logsumexp(x)"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_the_text(f, shapes, text):
    formula = ad.formula(f, **shapes)
    assert str(formula) == text
    assert "+ -" not in formula.latex() and "−−" not in text


@pytest.mark.parametrize(("f", "shapes", "text"), CASES, ids=range(len(CASES)))
def test_what_is_printed_has_the_value(f, shapes, text):
    rng = np.random.default_rng(0)
    values = []
    for spec in shapes.values():
        shape = tuple(SIZES[d] for d in spec.split())
        value = rng.uniform(0.3, 1.2, shape)
        square = len(shape) == 2 and len(set(spec.split())) == 1
        values.append(value + 2 * np.eye(shape[0]) if square else value)
    got, wanted = ad.formula(f, **shapes).function()(*values), np.asarray(f(*values))
    assert np.shape(got) == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-11)


def test_names_are_explained_and_used():
    text = str(ad.formula(H(attention), Q="n d", K="m d", V="m p"))
    head, *parts = text.split("\n")
    assert [p.split(" = ")[0].split()[-1] for p in parts] == ["P"] and "P[" in head


def test_parts_that_are_tensors_name_their_axes():
    def f(x, A):
        t = np.exp(x[:, None, None] * A[None])
        return np.sum(t**2 + np.sin(t))

    assert str(ad.formula(f, x="n", A="m k")) == (
        "Σ[i,j,k] exp(2x[i] A[j,k]) + Σ[i,j,k] sin(exp(x[i] A[j,k]))"
    )
    text = str(ad.formula(G(f), x="n", A="m k"))
    assert text == (
        "[i] ↦ Σ[k,l] A[k,l] v[i,k,l] cos(v)[i,k,l] + 2Σ[k,l] A[k,l] exp(2x[i] A[k,l])\n"
        "where v[i,j,k] = exp(x[i] A[j,k])"
    )


def test_lengths_made_of_named_ones_are_spelled_or_refused():
    formula = ad.formula(H(lambda X, A: np.kron(X, A)), X="n m", A="k p")
    assert formula.function()(np.ones((2, 3)), np.ones((4, 5))).shape == (8, 15, 2, 3, 2, 3)
    joined = ad.formula(lambda x, y: 0 * np.concatenate([x, y]), x="n", y="m")
    with pytest.raises(ArgumentValueError, match="a length made of n, m that has no name"):
        joined.source()


def test_fixed_lengths_share_no_factor_with_those_that_stand_for_names():
    formula = ad.formula(lambda x, y: 46 * np.sum(x) + np.zeros(46) @ y, x="n", y="46")
    assert str(formula) == "46sum(x)"


def test_a_long_formula_prints_its_parts_with_names():
    def f(x, A, B):
        for _ in range(9):
            x = np.tanh(A @ x + np.sin(B @ x)) * x
        return x @ x

    text = str(ad.formula(G(f), x="n", A="n n", B="n n"))
    head, *lines = text.split("\n")
    assert head.startswith("(too long to read as one formula: ") and head.endswith("named parts)")
    parts = [line for line in lines if " = " in line]
    assert f"{len(parts)} named parts" in head
    assert max(map(len, lines)) < 400
