"""Operators answer what the dense derivative answers, at sizes where there is no dense one."""

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    ArgumentValueError,
    ConvergenceError,
    ShapeMismatchError,
    SingularOperatorError,
)
from adjoint.operators import StructuredOperator, inverses

SIZES = {"n": 6, "m": 5, "k": 3, "p": 4}
inv, det = np.linalg.inv, np.linalg.det


def factorisation(U, V, T):
    return np.sum((T - U @ V.T) ** 2)


def softmax(x):
    return np.exp(x) / np.sum(np.exp(x))


def rowwise_softmax(X):
    return np.exp(X) / np.sum(np.exp(X), axis=1, keepdims=True)


def logsumexp(x):
    return np.log(np.sum(np.exp(x)))


def logistic(w, X, y):
    return np.sum(np.log(1 + np.exp(X @ w))) - y @ (X @ w)


def ridge(w, X, y, lam=0.7):
    return np.sum((X @ w - y) ** 2) + lam * np.sum(w**2)


def cross_entropy(W, X, Y):
    Z = X @ W
    return np.sum(np.log(np.sum(np.exp(Z), axis=1))) - np.sum(Y * Z)


def gauss_newton(w, X):
    return np.sum(np.tanh(X @ w) ** 2)


J, H = ad.jacobian, ad.hessian

CASES = [
    # SCOPE D2 and D3
    (J(lambda A, x: A @ x), {"A": "m n", "x": "n"}),
    (J(lambda R: R.T @ R), {"R": "m n"}),
    (J(lambda A, x: A @ x + 1, 1), {"A": "m n", "x": "n"}),
    # matrices
    (J(lambda X: X.T), {"X": "n m"}),
    (J(inv), {"a": "n n"}),
    (J(lambda X, A, B: A @ X @ B), {"X": "n m", "A": "k n", "B": "m p"}),
    (J(lambda X, A, B: A @ X @ B), {"X": "n m", "A": "n n", "B": "m m"}),
    (J(lambda X, A, B: (A @ X @ B).T), {"X": "n m", "A": "n n", "B": "m m"}),
    (J(lambda X, A, B: A @ X + X @ B), {"X": "n m", "A": "n n", "B": "m m"}),
    (J(lambda X, A: A * X), {"X": "n m", "A": "n m"}),
    (J(lambda X, A: (A * X).T), {"X": "n m", "A": "n m"}),
    (J(lambda X: X @ X), {"X": "n n"}),
    (J(lambda X: X @ X.T @ X), {"X": "n m"}),
    (J(lambda X: np.trace(X)), {"X": "n n"}),
    (J(lambda X: np.diag(np.diag(X))), {"X": "n n"}),
    (J(lambda X: det(X)), {"X": "n n"}),
    (J(lambda X: np.linalg.slogdet(X)[1]), {"X": "n n"}),
    (J(lambda X, a, b: a @ inv(X) @ b), {"X": "n n", "a": "n", "b": "n"}),
    (J(lambda X, A: np.kron(X, A)), {"X": "k p", "A": "p k"}),
    (J(lambda X: np.exp(X) @ np.ones(3)), {"X": (4, 3)}),
    (H(lambda X, A: np.sum(A * X**3)), {"X": "n m", "A": "n m"}),
    (H(lambda X: np.linalg.norm(X)), {"X": "n m"}),
    (H(lambda X, A: np.trace(X.T @ A @ X)), {"X": "n m", "A": "n n"}),
    (H(factorisation), {"U": "n k", "V": "m k", "T": "n m"}),
    (H(factorisation, 1), {"U": "n k", "V": "m k", "T": "n m"}),
    (H(lambda A, x: np.sum((A @ x) ** 2)), {"A": "m n", "x": "n"}),
    # vectors
    (H(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}),
    (H(lambda x: x @ x), {"x": "n"}),
    (H(lambda x: np.sum(x**4)), {"x": "n"}),
    (H(lambda x: np.linalg.norm(x)), {"x": "n"}),
    (H(lambda s, x, A, W: (x - A @ s) @ W @ (x - A @ s)),
     {"s": "k", "x": "n", "A": "n k", "W": "n n"}),
    (J(softmax), {"x": "n"}),
    (H(logsumexp), {"x": "n"}),
    (H(lambda x: logsumexp(x) + x @ x), {"x": "n"}),
    (J(rowwise_softmax), {"X": "n k"}),
    (J(lambda X: rowwise_softmax(X) + X), {"X": "n k"}),
    (H(logistic), {"w": "k", "X": "n k", "y": "n"}),
    (H(ridge), {"w": "k", "X": "n k", "y": "n"}),
    (H(ridge), {"w": "n", "X": "2 n", "y": "2"}),
    (H(gauss_newton), {"w": "k", "X": "n k"}),
    (H(cross_entropy), {"W": "p k", "X": "n p", "Y": "n k"}),
    (J(lambda x: np.outer(x, x)), {"x": "n"}),
    (J(lambda x: np.cumsum(x)), {"x": "n"}),
    (J(lambda x: np.array([x[0] * x[1], x[1] ** 2])), {"x": "2"}),
    (H(lambda x: x[0] ** 2 * x[1] + x[0] * x[1] ** 3), {"x": "2"}),
    (ad.grad(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}),
    (J(lambda X, v: np.diag(v) @ X), {"X": "n m", "v": "n"}),
    (J(lambda X, v: np.sum(X, axis=1) * v), {"X": "n m", "v": "n"}),
    (J(lambda x, m=4: np.tile(x, (m, 1))), {"x": "n"}),
    (H(lambda X, S: np.trace(X @ inv(S) @ X.T)), {"X": "n m", "S": "m m"}),
    (H(lambda a, x: a @ x), {"a": "n", "x": "n"}),
    (H(lambda t, x: t**2 * np.sum(x)), {"t": "", "x": "n"}),
]  # fmt: skip


def example(rng, spec):
    dims = spec.split() if isinstance(spec, str) else spec
    shape = tuple(SIZES.get(d) or int(d) for d in dims)
    x = rng.uniform(0.2, 1.1, shape)
    return x + 2 * np.eye(shape[0]) if len(shape) == 2 and shape[0] == shape[1] else x


def made(case, seed=0):
    """The operator of a case, and the array that it stands for."""
    f, shapes = case
    rng = np.random.default_rng(seed)
    values = {name: example(rng, spec) for name, spec in shapes.items()}
    return ad.formula(f, **shapes).operator(**values), np.asarray(f(*values.values()))


def name_of(case):
    return str(ad.formula(case[0], **case[1])).split("\n")[0][:40]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_products_are_those_of_the_tensor(case):
    A, dense = made(case)
    assert A.output_shape + A.input_shape == dense.shape
    M = dense.reshape(A.shape)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=A.input_shape), rng.normal(size=A.output_shape)
    close = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(A.tensor(), dense, **close)
    np.testing.assert_allclose(A.to_dense(), M, **close)
    np.testing.assert_allclose(A @ x, (M @ x.ravel()).reshape(A.output_shape), **close)
    np.testing.assert_allclose(A.T @ y, (M.T @ y.ravel()).reshape(A.input_shape), **close)
    np.testing.assert_allclose(A.matvec(x.ravel()), M @ x.ravel(), **close)
    np.testing.assert_allclose(A.rmatvec(y.ravel()), M.T @ y.ravel(), **close)
    X = rng.normal(size=(A.shape[1], 3))
    np.testing.assert_allclose(A.matmat(X), M @ X, **close)
    np.testing.assert_allclose(A.rmatmat(A.matmat(X)), M.T @ (M @ X), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(A.T.to_dense(), M.T, **close)
    assert A.symmetric <= (M.shape[0] == M.shape[1] and np.allclose(M, M.T))
    if A.output_shape == A.input_shape:
        assert A.trace() == pytest.approx(np.trace(M), rel=1e-11, abs=1e-12)
        np.testing.assert_allclose(A.diagonal().ravel(), np.diag(M), **close)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_solves_are_those_of_the_tensor_or_refused(case):
    A, dense = made(case)
    M = dense.reshape(A.shape)
    b = np.random.default_rng(2).normal(size=A.output_shape)
    if M.shape[0] != M.shape[1]:
        with pytest.raises(ShapeMismatchError, match="solve needs a square operator"):
            A.solve(b)
    elif np.linalg.matrix_rank(M) < len(M):
        with pytest.raises(SingularOperatorError, match="solve needs an operator with an inverse"):
            A.solve(b)
    else:
        x = A.solve(b)
        assert x.shape == A.input_shape
        np.testing.assert_allclose(x.ravel(), np.linalg.solve(M, b.ravel()), rtol=1e-9, atol=1e-11)
        assert A.logdet() == pytest.approx(np.linalg.slogdet(M)[1], rel=1e-9, abs=1e-10)
        B = np.random.default_rng(3).normal(size=(len(M), 2))
        np.testing.assert_allclose(A.solve(B), np.linalg.solve(M, B), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(A.T.solve(x.ravel()), np.linalg.solve(M.T, x.ravel()),
                                   rtol=1e-9, atol=1e-10)  # fmt: skip


# -- sizes at which there is no dense derivative -----------------------------------------------


def operator(f, shapes, **values):
    return ad.formula(f, **shapes).operator(**values)


FACTORISATION = {"U": "n k", "V": "m k", "T": "n m"}


def test_the_hessian_of_a_factorisation_at_full_size():
    rng = np.random.default_rng(0)
    n, k, m = 10_000, 5, 300
    V, W = rng.normal(size=(m, k)), rng.normal(size=(n, k))
    A = operator(H(factorisation), FACTORISATION, U=np.zeros((n, k)), V=V)
    assert str(A) == "2(VᵀV) ⊗ I₁₀₀₀₀" and A.solver == (
        "identity of size 10000 ⊗ Cholesky of f64[5,5]"
    )
    np.testing.assert_allclose(A @ W, 2 * W @ (V.T @ V), rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(A.solve(A @ W), W, rtol=1e-10, atol=1e-12)
    _, small = np.linalg.slogdet(2 * V.T @ V)
    assert A.logdet() == pytest.approx(n * small) and A.trace() == pytest.approx(
        2 * n * np.sum(V**2)
    )
    assert A.symmetric
    with pytest.raises(ArgumentValueError, match=r"the tensor is f64\[10000,5,10000,5\]: 18.6 GiB"):
        A.to_dense()


def counted(monkeypatch, run):
    """The operations that contractions take while a function runs."""
    from adjoint.primitives import contraction

    total = [0]
    original = contraction.Einsum.evaluate

    def counting(self, *operands, **params):
        terms, _ = contraction.parse(params["subscripts"])
        sizes = dict(params.get("sizes", ()))
        for term, x in zip(terms, operands, strict=True):
            sizes |= dict(zip(term, np.shape(x), strict=True))
        total[0] += 2 * int(np.prod([sizes[i] for i in set("".join(terms))], dtype=float))
        return original(self, *operands, **params)

    with monkeypatch.context() as patch:
        patch.setattr(contraction.Einsum, "evaluate", counting)
        run()
    return total[0]


def test_a_product_costs_what_it_costs_by_hand(monkeypatch):
    rng = np.random.default_rng(0)
    n, k, m = 1000, 4, 200
    A = operator(H(factorisation), FACTORISATION, U=np.zeros((n, k)), V=rng.normal(size=(m, k)))
    W = rng.normal(size=(n, k))
    first = counted(monkeypatch, lambda: A @ W)  # VᵀV, once
    assert 2 * n * k * k <= counted(monkeypatch, lambda: A @ W) <= 3 * n * k * k
    assert first <= 3 * n * k * k + 3 * m * k * k
    X = rng.normal(size=(n, k))
    L = operator(H(logistic), {"w": "k", "X": "n k", "y": "n"}, w=np.zeros(k), X=X)
    v = rng.normal(size=k)
    counted(monkeypatch, lambda: L @ v)
    assert counted(monkeypatch, lambda: L @ v) <= 5 * n * k  # X v and Xᵀ(…): nothing is k×k


def test_a_gram_form_is_multiplied_through_its_factors():
    rng = np.random.default_rng(1)
    n, d = 400, 5
    X, w, y = rng.normal(size=(n, d)), rng.normal(size=d), rng.normal(size=n)
    A = operator(H(logistic), {"w": "d", "X": "n d", "y": "n"}, w=w, X=X)
    assert str(A) == "Xᵀdiag(v)X\nwhere v = σ(Xw) ∘ σ(−Xw)"
    p = 1 / (1 + np.exp(-X @ w))
    M = X.T @ ((p * (1 - p))[:, None] * X)
    np.testing.assert_allclose(A @ w, M @ w, rtol=1e-12)
    np.testing.assert_allclose(A.solve(y[:d]), np.linalg.solve(M, y[:d]), rtol=1e-10)
    assert A.solver == "Cholesky of f64[5,5]"


def test_low_rank_and_a_diagonal_by_woodbury():
    rng = np.random.default_rng(2)
    n, d = 10, 200_000
    X, b = rng.normal(size=(n, d)), rng.normal(size=d)
    shapes = {"w": "d", "X": "n d", "y": "n"}
    A = operator(H(ridge), shapes, w=np.zeros(d), X=X, y=np.zeros(n))
    assert A.solver == "Woodbury: diagonal of size 200000 and rank 10"
    x = A.solve(b)
    np.testing.assert_allclose(1.4 * x + 2 * X.T @ (X @ x), b, rtol=1e-8, atol=1e-8)
    small = np.linalg.slogdet(np.eye(n) + X @ X.T / 0.7)[1]
    assert A.logdet() == pytest.approx(d * np.log(1.4) + small, rel=1e-12)


def test_softmax_is_a_diagonal_minus_rank_one_and_singular():
    n = 100_000
    x = np.random.default_rng(3).normal(size=n)
    A = operator(J(softmax), {"x": "n"}, x=x)
    p = softmax(x)
    assert str(A) == "diag(p) − ppᵀ\nwhere p = softmax(x)"
    np.testing.assert_allclose(A @ x, p * x - p * (p @ x), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(A @ np.ones(n), 0, atol=1e-15)
    assert A.trace() == pytest.approx(1 - p @ p) and A.symmetric
    with pytest.raises(SingularOperatorError, match="the 1×1 matrix of Woodbury's formula"):
        A.solve(x)
    with pytest.raises(np.linalg.LinAlgError, match="needs an operator with an inverse"):
        A.logdet()
    damped = operator(J(lambda x: softmax(x) + x / 8), {"x": "n"}, x=x)
    np.testing.assert_allclose(damped @ damped.solve(x), x, rtol=1e-10, atol=1e-12)


def test_a_jacobian_of_a_product_is_block_sparse():
    rng = np.random.default_rng(4)
    m, n = 3000, 2000
    x, A, y = rng.normal(size=n), rng.normal(size=(m, n)), rng.normal(size=m)
    D = operator(J(lambda A, x: A @ x), {"A": "m n", "x": "n"}, A=A, x=x)
    assert D.shape == (m, m * n) and str(D) == "[i,j,k] ↦ δ[i,j] x[k]"
    np.testing.assert_allclose(D @ A, A @ x, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(D.T @ y, np.outer(y, x))


def test_what_is_too_large_to_form_is_solved_by_iteration(monkeypatch):
    rng = np.random.default_rng(5)
    monkeypatch.setattr(inverses, "MAX_BYTES", 8 * 30 * 30)
    n, d = 300, 40
    X, b = rng.normal(size=(n, d)), rng.normal(size=d)
    shapes = {"w": "d", "X": "n d", "y": "n"}
    A = operator(H(logistic), shapes, w=np.zeros(d), X=X)
    assert A.solver == "conjugate gradients on products of size 40"
    np.testing.assert_allclose(A.solve(b), np.linalg.solve(X.T @ X / 4, b), rtol=1e-7)
    with pytest.raises(
        ConvergenceError, match=r"after 2 steps of conjugate gradients; 1.0e-10 was"
    ):
        A.solve(b, max_steps=2)
    with pytest.raises(ArgumentValueError, match="this factor of size 40 is too large"):
        A.logdet()
    B = rng.normal(size=(d, d)) + 10 * np.eye(d)
    G = operator(J(lambda x, B: np.tanh(x) + B @ x), {"x": "d", "B": "d d"}, x=np.zeros(d), B=B)
    assert G.solver == "GMRES on products of size 40"
    np.testing.assert_allclose(G.solve(b), np.linalg.solve(B + np.eye(d), b), rtol=1e-7)
    with pytest.raises(ConvergenceError, match="GMRES"):
        G.solve(b, max_steps=1, rtol=1e-12)


def test_blocks_of_a_batch_are_solved_block_by_block():
    rng = np.random.default_rng(6)
    n, k = 20_000, 3
    X = rng.normal(size=(n, k))
    A = operator(J(lambda X: rowwise_softmax(X) + X), {"X": "n k"}, X=X)
    assert A.solver == "SVD of 20000 blocks f64[3,3]"
    np.testing.assert_allclose(A @ A.solve(X), X, rtol=1e-10, atol=1e-12)


def test_permutations_and_products_of_kronecker_factors():
    rng = np.random.default_rng(7)
    n, m = 300, 200
    A, B, X = (rng.normal(size=s) for s in ((n, n), (m, m), (n, m)))
    K = operator(J(lambda X, A, B: (A @ X @ B).T), {"X": "n m", "A": "n n", "B": "m m"},
                 X=X, A=A, B=B)  # fmt: skip
    assert K.solver == "LU of f64[200,200] ⊗ LU of f64[300,300]"
    np.testing.assert_allclose(K @ X, (A @ X @ B).T, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(K.solve((A @ X @ B).T), X, rtol=1e-6, atol=1e-7)
    assert str(operator(J(lambda X, A, B: A @ X @ B), {"X": "n m", "A": "n n", "B": "m m"},
                        X=X, A=A, B=B)) == "Bᵀ ⊗ A"  # fmt: skip


def test_scipys_algorithms_take_it():
    from scipy.sparse.linalg import eigsh

    rng = np.random.default_rng(8)
    X = rng.normal(size=(50, 20))
    A = operator(H(logistic), {"w": "d", "X": "n d", "y": "n"}, w=np.zeros(20), X=X)
    assert isinstance(A, StructuredOperator)
    top = eigsh(A, k=1, which="LA", return_eigenvectors=False, v0=np.ones(20))
    assert top == pytest.approx(np.linalg.eigvalsh(X.T @ X / 4)[-1], rel=1e-10)
    assert repr(A).startswith("<StructuredOperator f64[20] → f64[20]: Xᵀdiag(v)X")
