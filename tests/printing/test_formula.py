"""Typing the left side of an identity prints the right side, and what is printed runs as NumPy."""

import numpy as np
import pytest

import adjoint as ad

SIZES = {"n": 4, "m": 3, "k": 2, "d": 3, "p": 5}


def residual(theta, Phi, y):
    return np.sum((y - Phi @ theta) ** 2)


def logistic(w, X, y):
    return np.sum(np.log(1 + np.exp(X @ w))) - y @ (X @ w)


def logsumexp(x):
    return np.log(np.sum(np.exp(x)))


def stable_logsumexp(x):
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))


def softmax(x):
    e = np.exp(x)
    return e / e.sum()


def stable_softmax(x):
    e = np.exp(x - np.max(x))
    return e / e.sum()


def worked(x):
    a = x**2
    c = a + np.exp(a)
    return np.sqrt(c) + np.cos(c)


def factorisation(U, V, T):
    return np.sum((T - U @ V.T) ** 2)


inv, det = np.linalg.inv, np.linalg.det

SCALARS = [
    (ad.grad(lambda x: (2 * x**2 + 1) ** 4), {}, "16x(2x² + 1)³"),
    (ad.grad(lambda x, n: np.tanh(x**n)), {}, "nxⁿ⁻¹(1 − tanh²(xⁿ))"),
    (ad.grad(lambda x: 6 * (-2 * x + 5) + 3), {}, "−12"),
    (ad.grad(lambda x, y: (x + 2 * y**3) ** 2, 0), {}, "2(x + 2y³)"),
    (ad.grad(lambda x, y: (x + 2 * y**3) ** 2, 1), {}, "12y²(x + 2y³)"),
    (worked, {}, "√c + cos(c)\nwhere c = x² + exp(x²)"),
    (ad.grad(worked), {}, "2x(½ / √c − sin(c))(exp(x²) + 1)\nwhere c = x² + exp(x²)"),
    (ad.grad(lambda x: np.exp(-(x**2) / 2)), {}, "−x exp(−½x²)"),
    (ad.grad(lambda x: 1 / (1 + np.exp(-x))), {}, "σ(x) σ(−x)"),
    (ad.grad(lambda t: np.sin(t) ** 2 + np.cos(t) ** 2), {}, "0"),
    (ad.grad(lambda x: x * np.log(x)), {}, "log(x) + 1"),
    (ad.grad(lambda x: x / (1 + x**2)), {}, "1 / (x² + 1) − 2x² / (x² + 1)²"),
    (ad.derivative(np.sin), {}, "cos(x)"),
    (ad.grad(lambda x, a=3.0: a * x**2), {}, "6x"),
]  # fmt: skip

VECTORS = [
    (ad.grad(lambda x, a: x @ a), {"x": "n", "a": "n"}, "aᵀ"),
    (ad.grad(lambda x, a: a @ x), {"x": "n", "a": "n"}, "aᵀ"),
    (ad.grad(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}, "xᵀ(B + Bᵀ)"),
    (ad.grad(lambda x: x @ x), {"x": "n"}, "2xᵀ"),
    (ad.hessian(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}, "B + Bᵀ"),
    (ad.hessian(lambda x: x @ x), {"x": "n"}, "2I"),
    (ad.jacobian(lambda x, A: A @ x), {"x": "n", "A": "m n"}, "A"),
    (ad.jacobian(lambda x, A: np.exp(A @ x)), {"x": "n", "A": "m n"}, "diag(exp(Ax))A"),
    (residual, {"theta": "d", "Phi": "n d", "y": "n"}, "‖y − Φθ‖²"),
    (ad.grad(residual), {"theta": "d", "Phi": "n d", "y": "n"}, "−2(y − Φθ)ᵀΦ"),
    (ad.hessian(residual), {"theta": "d", "Phi": "n d", "y": "n"}, "2ΦᵀΦ"),
    (ad.grad(lambda x, A, y: 0.5 * np.sum((y - A @ x) ** 2)), {"x": "n", "A": "m n", "y": "m"},
     "−(y − Ax)ᵀA"),
    (ad.grad(lambda x, A, y: 0.5 * (y - A @ x) @ (y - A @ x)), {"x": "n", "A": "m n", "y": "m"},
     "−(y − Ax)ᵀA"),
    (ad.grad(lambda s, x, A, W: (x - A @ s) @ W @ (x - A @ s)),
     {"s": "k", "x": "n", "A": "n k", "W": "n n"}, "−(x − As)ᵀ(W + Wᵀ)A"),
    (ad.grad(lambda x, A, y: np.mean((y - A @ x) ** 2)), {"x": "n", "A": "m n", "y": "m"},
     "−2/m (y − Ax)ᵀA"),
    (ad.grad(lambda x: np.linalg.norm(x)), {"x": "n"}, "xᵀ / ‖x‖"),
    (ad.hessian(lambda x: np.linalg.norm(x)), {"x": "n"}, "I / ‖x‖ − xxᵀ / ‖x‖³"),
    (ad.grad(lambda x: x[0] ** 2 * x[1] + x[0] * x[1] ** 3), {"x": "2"},
     "[x₁³ + 2x₀x₁, 3x₀x₁² + x₀²]ᵀ"),
    (ad.hessian(lambda x: x[0] ** 2 * x[1] + x[0] * x[1] ** 3), {"x": "2"},
     "[[2x₁, c], [c, 6x₀x₁]]\nwhere c = 3x₁² + 2x₀"),
    (ad.jacobian(lambda t: np.array([np.cos(t), np.sin(t)])), {}, "[−sin(t), cos(t)]"),
    (ad.grad(lambda x: np.sum(np.exp(x))), {"x": "n"}, "exp(x)ᵀ"),
    (ad.grad(lambda x, y: np.sum(x * y**2)), {"x": "n", "y": "n"}, "(y²)ᵀ"),
    (lambda x: x / np.sum(x), {"x": "n"}, "x / sum(x)"),
    (logsumexp, {"x": "n"}, "logsumexp(x)"),
    (ad.grad(logsumexp), {"x": "n"}, "softmax(x)ᵀ"),
    (ad.hessian(logsumexp), {"x": "n"}, "diag(p) − ppᵀ\nwhere p = softmax(x)"),
    (stable_logsumexp, {"x": "n"}, "logsumexp(x)"),
    (ad.grad(stable_logsumexp), {"x": "n"}, "softmax(x)ᵀ"),
    (softmax, {"x": "n"}, "softmax(x)"),
    (ad.jacobian(softmax), {"x": "n"}, "diag(p) − ppᵀ\nwhere p = softmax(x)"),
    (stable_softmax, {"x": "n"}, "softmax(x)"),
    (ad.jacobian(stable_softmax), {"x": "n"}, "diag(p) − ppᵀ\nwhere p = softmax(x)"),
    (logistic, {"w": "d", "X": "n d", "y": "n"}, "sum(softplus(Xw)) − yᵀXw"),
    (ad.grad(logistic), {"w": "d", "X": "n d", "y": "n"}, "(σ(Xw) − y)ᵀX"),
    (ad.hessian(logistic), {"w": "d", "X": "n d", "y": "n"},
     "Xᵀdiag(v)X\nwhere v = σ(Xw) ∘ σ(−Xw)"),
]  # fmt: skip

MATRICES = [
    (ad.grad(lambda X, a, b: a @ X @ b), {"X": "n m", "a": "n", "b": "m"}, "abᵀ"),
    (ad.grad(lambda X, a, b: a @ inv(X) @ b), {"X": "n n", "a": "n", "b": "n"}, "−X⁻ᵀabᵀX⁻ᵀ"),
    (ad.grad(lambda X, a, b: a @ np.linalg.solve(X, b)), {"X": "n n", "a": "n", "b": "n"},
     "−X⁻ᵀabᵀX⁻ᵀ"),
    (ad.grad(lambda X: np.log(det(X))), {"X": "n n"}, "X⁻ᵀ"),
    (ad.grad(lambda X: np.linalg.slogdet(X)[1]), {"X": "n n"}, "X⁻ᵀ"),
    (ad.grad(lambda X: det(X)), {"X": "n n"}, "det(X) X⁻ᵀ"),
    (ad.grad(lambda X: np.trace(X)), {"X": "n n"}, "I"),
    (ad.grad(lambda X, A: np.trace(A @ X)), {"X": "n m", "A": "m n"}, "Aᵀ"),
    (ad.grad(lambda X, A: np.trace(X.T @ A)), {"X": "n m", "A": "n m"}, "A"),
    (ad.grad(lambda X, A: np.trace(X.T @ A @ X)), {"X": "n m", "A": "n n"}, "(A + Aᵀ)X"),
    (ad.grad(lambda X, A: np.trace(A @ inv(X))), {"X": "n n", "A": "n n"}, "−X⁻ᵀAᵀX⁻ᵀ"),
    (ad.grad(lambda X, A, B: np.trace(A @ X @ B)), {"X": "n m", "A": "k n", "B": "m k"}, "AᵀBᵀ"),
    (ad.grad(lambda X: np.trace(X @ X)), {"X": "n n"}, "2Xᵀ"),
    (ad.grad(lambda X: np.sum(X**2)), {"X": "n m"}, "2X"),
    (lambda X: np.sum(X**2), {"X": "n m"}, "‖X‖²"),
    (ad.grad(lambda X: np.linalg.norm(X)), {"X": "n m"}, "X / ‖X‖"),
    (ad.grad(lambda X, A: np.sum(A * X)), {"X": "n m", "A": "n m"}, "A"),
    (ad.grad(lambda X, A: np.sum(A * X**2)), {"X": "n m", "A": "n m"}, "2X ∘ A"),
    (lambda X: X.T, {"X": "n m"}, "Xᵀ"),
    (lambda X, A: np.trace(A @ X), {"X": "n m", "A": "m n"}, "tr(AX)"),
    (lambda A, B, C: A @ B @ C, {"A": "n m", "B": "m k", "C": "k p"}, "ABC"),
    (lambda X, a, b: np.outer(a, b) @ X, {"X": "n m", "a": "k", "b": "n"}, "abᵀX"),
    (ad.jacobian(lambda R: R.T @ R), {"R": "m n"}, "[i,j,k,l] ↦ δ[i,l] R[k,j] + δ[j,l] R[k,i]"),
    (ad.jacobian(lambda A, x: A @ x), {"A": "m n", "x": "n"}, "[i,j,k] ↦ δ[i,j] x[k]"),
    (ad.jacobian(lambda X: X.T), {"X": "n m"}, "[i,j,k,l] ↦ δ[i,l] δ[j,k]"),
    (ad.jacobian(inv), {"a": "n n"}, "−a⁻ᵀ ⊗ a⁻¹"),
    (ad.jacobian(lambda X, A, B: A @ X @ B), {"X": "n m", "A": "k n", "B": "m p"}, "Bᵀ ⊗ A"),
    (ad.hessian(factorisation), {"U": "n k", "V": "m k", "T": "n m"}, "2(VᵀV) ⊗ I"),
    (ad.grad(factorisation), {"U": "n k", "V": "m k", "T": "n m"}, "−2(T − UVᵀ)V"),
    (ad.grad(lambda A, x, b: np.sum(np.tanh(A @ x + b))), {"A": "m n", "x": "n", "b": "m"},
     "(1 − tanh²(Ax + b))xᵀ"),
    (ad.grad(lambda X, A, B: np.sum(A * (X @ B))), {"X": "n m", "A": "n k", "B": "m k"}, "ABᵀ"),
    (ad.grad(lambda X: np.log(det(X.T @ X))), {"X": "p m"}, "2X(XᵀX)⁻¹"),
    (ad.grad(lambda X: np.trace(X @ X @ X)), {"X": "n n"}, "3XᵀXᵀ"),
    (ad.jacobian(lambda t, A, B: inv(A + t * B)), {"A": "n n", "B": "n n"},
     "−MBM\nwhere M = (A + tB)⁻¹"),
    (ad.grad(lambda t, A, B: det(A + t * B)), {"A": "n n", "B": "n n"},
     "det(A + tB) tr((A + tB)⁻¹B)"),
    (ad.grad(lambda S, x: -0.5 * (x @ np.linalg.solve(S, x) + np.linalg.slogdet(S)[1])),
     {"S": "n n", "x": "n"}, "½S⁻ᵀxxᵀS⁻ᵀ − ½S⁻ᵀ"),
    (ad.hessian(lambda A, x: np.sum((A @ x) ** 2)), {"A": "m n", "x": "n"}, "2(xxᵀ) ⊗ I"),
    (ad.jacobian(lambda x: x / np.linalg.norm(x)), {"x": "n"}, "I / ‖x‖ − xxᵀ / ‖x‖³"),
    (ad.jacobian(lambda x: np.outer(x, x)), {"x": "n"}, "[i,j,k] ↦ δ[i,k] x[j] + δ[j,k] x[i]"),
    (lambda A, B: A @ B - B @ A, {"A": "n n", "B": "n n"}, "AB − BA"),
    (ad.grad(lambda x, lam, A, y: np.sum((A @ x - y) ** 2) + lam * np.sum(x**2)),
     {"x": "n", "A": "m n", "y": "m"}, "2λxᵀ + 2(Ax − y)ᵀA"),
    (ad.grad(lambda W, X, Y: -np.sum(Y * np.log(np.exp(X @ W)
                                               / np.sum(np.exp(X @ W), axis=1, keepdims=True)))),
     {"W": "d k", "X": "n d", "Y": "n k"}, "Xᵀ(diag(Y𝟏) softmax(XW) − Y)"),
    (lambda v, A, B: np.diag(v) @ (A - B), {"v": "n", "A": "n m", "B": "n m"}, "diag(v)(A − B)"),
    (lambda v, A, B: (A - B) @ np.diag(v), {"v": "m", "A": "n m", "B": "n m"}, "(A − B)diag(v)"),
    (lambda v, w, A, B: A @ np.diag(v - w) @ B @ v,
     {"v": "m", "w": "m", "A": "n m", "B": "m m"}, "A((v − w) ∘ Bv)"),
    (lambda a, b, c, A: (a @ b) * np.outer(A @ (a - b), c),
     {"a": "n", "b": "n", "c": "m", "A": "k n"}, "(aᵀb)A(a − b)cᵀ"),
    (lambda A, B: np.kron(A, B), {"A": "n m", "B": "k p"}, "A ⊗ B"),
    (lambda x: np.var(x), {"x": "n"}, "1/n ‖x − 1/n sum(x)‖²"),
    (ad.jacobian(lambda b, A, x: np.tanh(A @ x + b)), {"A": "m n", "x": "n", "b": "m"},
     "diag(1 − tanh²(Ax + b))"),
]  # fmt: skip


def example(rng, shape):
    """A random array; matrices that can be inverted are well-conditioned."""
    dims = [SIZES[d] if not d.isdigit() else int(d) for d in shape.split()]
    x = rng.normal(size=dims)
    return x + 3 * np.eye(*dims) if len(dims) == 2 and dims[0] == dims[1] else x


@pytest.mark.parametrize(("f", "shapes", "text"), SCALARS + VECTORS + MATRICES)
def test_identity(f, shapes, text):
    assert str(ad.formula(f, **shapes)) == text


@pytest.mark.parametrize(("f", "shapes", "text"), SCALARS + VECTORS + MATRICES)
def test_what_is_printed_runs(f, shapes, text):
    rng = np.random.default_rng(0)
    formula = ad.formula(f, **shapes)
    values = {
        p: example(rng, shapes[p]) if shapes.get(p) else rng.uniform(1.1, 2.0)
        for p in formula.parameters
    }
    got, wanted = formula.function()(**values), f(*values.values())
    np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)
    assert np.shape(got) == np.shape(wanted)


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (lambda x: x.sum() if len(x) % 2 else (x**2).sum(), {"x": "n"}),
        (lambda x: x.sum() if len(x) > 3 else (x**2).sum(), {"x": "n"}),
        (lambda A: A.sum() if A.shape[0] < A.shape[1] else (A**2).sum(), {"A": "n m"}),
        (lambda x: min(len(x), 10) * np.sum(x), {"x": "n"}),
    ],
)
def test_what_is_decided_by_a_length_holds_for_that_length(f, shapes):
    found = ad.formula(f, **shapes)
    assert not found.general and "(for n = 23" in str(found)
    with pytest.raises(ad.errors.AdjointError, match="needs the shapes as numbers"):
        found.source()


def test_infinity_in_source():
    found = ad.formula(ad.grad(lambda X, w: np.sum(np.logaddexp(0, -X @ w)), 1), X="n m", w="m")
    X, w = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.2]]), np.array([0.3, -0.4])
    expected = ad.grad(lambda w: np.sum(np.logaddexp(0, -X @ w)))(w)
    np.testing.assert_allclose(found.function()(X, w), expected)


def test_rows_written_one_by_one():
    def f(A):
        out = np.zeros_like(A)
        for i in range(A.shape[0]):
            out[i] = A[i] / np.sum(A[i] ** 2)
        return out

    found = ad.formula(f, A="n m")
    A = np.arange(1.0, 13.0).reshape(4, 3)
    np.testing.assert_allclose(found.function()(A), f(A))
