"""What `Formula.operator` takes, and what it and its products and solves say when they cannot."""

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import (
    ArgumentError,
    ArgumentValueError,
    DtypeError,
    ShapeMismatchError,
    SingularOperatorError,
    UnknownNameError,
)

FACTORISATION = {"U": "n k", "V": "m k", "T": "n m"}
J, H = ad.jacobian, ad.hessian


def factorisation(U, V, T):
    return np.sum((T - U @ V.T) ** 2)


def rowwise_softmax(X):
    return np.exp(X) / np.sum(np.exp(X), axis=1, keepdims=True)


def operator(f, shapes, **values):
    return ad.formula(f, **shapes).operator(**values)


def test_what_the_formula_does_not_contain_may_be_left_out():
    V = np.ones((3, 2))
    A = operator(H(factorisation), FACTORISATION, V=V, T=np.ones((4, 3)))
    assert A.output_shape == (4, 2)
    with pytest.raises(ArgumentError, match=r"needs the length of n, which U and T have"):
        operator(H(factorisation), FACTORISATION, V=V)
    with pytest.raises(ArgumentError, match=r"needs a value of V, which the formula contains"):
        operator(H(factorisation), FACTORISATION, U=np.ones((4, 2)), T=np.ones((4, 3)))


def test_arrays_from_outside_have_their_own_values():
    W = np.array([[2.0, 1.0], [0.0, 3.0]])
    A = ad.formula(H(lambda x: x @ W @ x), "2").operator(x=np.zeros(2))
    assert str(A) == "W + Wᵀ" and A.to_dense().tolist() == [[4, 1], [1, 6]]


def test_examples_and_containers():
    tree = {"a": np.ones(3), "b": np.arange(3.0)}
    A = ad.formula(J(lambda c, p: c * p["a"] * p["b"], 0), c=2.0, p=tree).operator(2.0, tree)
    assert A.shape == (3, 1) and A.matvec(np.ones(1)).tolist() == [0, 1, 2]


def test_formulas_of_other_functions_say_how_many_axes_are_inputs():
    f = ad.formula(lambda X, A: J(lambda Z: A @ Z)(X), X="n m", A="n n")
    with pytest.raises(ArgumentValueError, match=r"of the 4 that this formula has; got None"):
        f.operator(np.ones((3, 2)), np.eye(3))
    A = f.operator(np.ones((3, 2)), 2 * np.eye(3), inputs=2)
    assert A.solver == "Cholesky of f64[3,3] ⊗ identity of size 2"
    plain = ad.formula(lambda A, B: A @ B, "n m", "m k").operator(np.ones((2, 3)), np.ones((3, 4)))
    assert plain.shape == (2, 4)


def test_several_derivatives_are_refused():
    f = ad.formula(ad.grad(lambda p: p["a"] @ p["b"]), {"a": np.ones(3), "b": np.ones(3)})
    with pytest.raises(ArgumentError, match=r"needs one derivative; this formula has 2: \['a'\]"):
        f.operator({"a": np.ones(3), "b": np.ones(3)})


@pytest.mark.parametrize(
    ("error", "message", "values"),
    [
        (ShapeMismatchError, r"needs x as f64\[n\]; got f64\[2,2\]", {"x": np.ones((2, 2))}),
        (ShapeMismatchError, r"needs one length of n; B is f64\[3,3\], but x has n = 2",
         {"x": np.ones(2), "B": np.ones((3, 3))}),
        (UnknownNameError, r"variables of f \(x, B\); got C", {"C": np.ones(2)}),
        (ArgumentError, "needs real numbers for x; got c128", {"x": np.ones(2) * 1j}),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(error, message, values):
    with pytest.raises(error, match=message):
        operator(H(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}, **values)


def test_too_many_values():
    f = ad.formula(H(lambda x, B: x @ B @ x), "n", "n n")
    with pytest.raises(ArgumentError, match="got 3 values; f has 2 variables"):
        f.operator(1, 2, 3)
    with pytest.raises(ArgumentError, match="got two values of x"):
        f.operator(np.ones(2), x=np.ones(2))


def test_vectors_that_do_not_fit():
    A = operator(H(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}, B=np.eye(3))
    with pytest.raises(ShapeMismatchError, match=r"A @ x needs f64\[3\], or vectors of length 3"):
        A @ np.ones(4)
    with pytest.raises(ShapeMismatchError, match=r"solve\(b\) needs f64\[3\]"):
        A.solve(np.ones(4))
    with pytest.raises(DtypeError, match="maps real arrays; got c128"):
        A @ (1j * np.ones(3))
    with pytest.raises(ArgumentError, match="maps arrays of numbers"):
        A @ np.array(["a", "b", "c"])
    with pytest.raises(ShapeMismatchError, match=r"trace\(\) needs outputs and inputs of one"):
        operator(J(lambda A, x: A @ x), {"A": "m n", "x": "n"}, A=np.ones((2, 3)),
                 x=np.ones(3)).trace()  # fmt: skip


def test_singular_operators_say_why():
    ones = np.ones(3)
    with pytest.raises(SingularOperatorError, match=r"entry 1 of its diagonal is 0"):
        operator(H(lambda x, a: np.sum(a * x**2)), {"x": "n", "a": "n"}, a=np.array([1, 0, 2])
                 ).solve(ones)  # fmt: skip
    with pytest.raises(SingularOperatorError, match="1 / its condition number is"):
        operator(H(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}, B=np.ones((3, 3))).solve(ones)
    with pytest.raises(SingularOperatorError, match="factor of 3×1, so its rank is at most 1"):
        operator(H(lambda x, a: (a @ x) ** 2), {"x": "n", "a": "n"}, a=ones).solve(ones)
    with pytest.raises(SingularOperatorError, match="it is of size 8 and rank at most 2"):
        operator(H(lambda x, A: np.sum((A @ x) ** 2)), {"x": "n", "A": "m n"}, A=np.ones((2, 8))
                 ).solve(np.ones(8))  # fmt: skip
    with pytest.raises(SingularOperatorError, match="this one is 0"):
        operator(H(lambda x, a: a * x @ x), {"x": "n", "a": ""}, x=ones, a=0.0).solve(ones)
    with pytest.raises(SingularOperatorError, match="block 0 has singular values"):
        operator(J(rowwise_softmax), {"X": "n k"}, X=np.ones((3, 2))).solve(np.ones((3, 2)))
    with pytest.raises(SingularOperatorError, match="entries that are not finite"):
        operator(H(lambda x, B: x @ B @ x), {"x": "n", "B": "n n"}, B=np.full((3, 3), np.nan)
                 ).solve(ones)  # fmt: skip
