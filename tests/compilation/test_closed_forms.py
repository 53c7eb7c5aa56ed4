"""Jacobians and Hessians are compiled in closed form: what is computed, where the laws hold, and
what happens elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.testing.random_graphs import SHAPE, random_program
from tests.compilation.random_programs import random_program as random_numpy

RNG = np.random.default_rng(3)
U, V, T = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 3)), RNG.normal(size=(20, 20))
B = RNG.normal(size=(12, 12))
X = RNG.normal(size=12)
LAYERS = [RNG.normal(0.0, 0.4, (8, 8)) for _ in range(5)]
SIGNAL = RNG.normal(size=8)


def factorisation(u: Any, v: Any, t: Any) -> Any:
    return np.sum((t - u @ v.T) ** 2)


def quadratic(x: Any, b: Any) -> Any:
    return x @ b @ x


def rectified(first: Any, others: Any, x: Any) -> Any:
    h = np.maximum(first @ x, 0.0)
    for weights in others:
        h = np.maximum(weights @ h, 0.0)
    return np.log(np.sum(np.exp(h))) - h[0]


def leaky(first: Any, x: Any) -> Any:
    z = first @ x
    return np.sum(np.where(z > 0.0, z, 0.1 * z) ** 2)


def smooth(first: Any, others: Any, x: Any) -> Any:
    h = np.tanh(first @ x)
    for weights in others:
        h = np.tanh(weights @ h)
    return np.sum(h**2) / (1.0 + np.sum(h))


CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "factorisation": (factorisation, (U, V, T)),
    "quadratic form": (quadratic, (X, B)),
    "rectified network": (rectified, (LAYERS[0], LAYERS[1:], SIGNAL)),
    "leaky network": (leaky, (LAYERS[0], SIGNAL)),
    "smooth network": (smooth, (LAYERS[0], LAYERS[1:3], SIGNAL)),
    "norms": (lambda a: np.linalg.norm(a) + np.sum(a**2), (B,)),
    "log det": (lambda a: np.linalg.slogdet(a @ a.T + np.eye(4))[1], (B[:4, :4],)),
    "softmax": (lambda x: np.exp(x) / np.sum(np.exp(x)), (X,)),
    "outer product": (lambda x: np.outer(x, x) @ x, (X[:4],)),
    "written out": (lambda x: np.stack([x[0] * x[1], np.sin(x[2]), x[0] ** 2 + x[3]]), (X,)),
    "slices": (lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2), (X,)),
    "loop": (lambda x: ad.scan(lambda h, z: (np.tanh(h + z), h * z), 0.1, x)[1], (X,)),
    "single precision": (quadratic, (X.astype(np.float32), B.astype(np.float32))),
    "integers": (lambda x, k: np.sum(x**2 * k[::-1]), (X, np.arange(12))),
    "nothing to simplify": (lambda x: np.sum(np.sin(x) * np.cos(x[::-1])), (X,)),
}
DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "jacobian": lambda f: ad.jacobian(f, mode="forward"),
    "reverse": lambda f: ad.jacobian(f, mode="reverse"),
    "hessian": ad.hessian,
    "of a gradient's norm": lambda f: ad.jacobian(
        lambda x, *rest: np.sum(ad.jacobian(f)(x, *rest) ** 2)
    ),
    "in a batch": lambda f: (
        lambda x, *rest: ad.vmap(lambda z: ad.jacobian(f)(z, *rest))(np.stack([x, 2 * x]))
    ),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("name", CASES)
def test_compiled_is_evaluated(name: str, derivative: str) -> None:
    f, args = CASES[name]
    function = DERIVATIVES[derivative](f)
    expected = function(*args)
    fast = ad.compile(function)
    tolerance = 1e-4 if args[0].dtype == np.float32 else 1e-9
    for _ in range(2):
        got = fast(*args)
        assert got.dtype == expected.dtype
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(got, expected, tolerance, tolerance * scale)


def operations(fast: Any) -> int:
    (line,) = [line for line in fast.explain().splitlines() if line.startswith("  about ")]
    return int(line.split()[1].replace(",", ""))


def test_the_hessian_of_a_factorisation_costs_a_gram_matrix() -> None:
    fast = ad.compile(ad.hessian(factorisation))
    fast(U, V, T)
    entries = U.size**2
    assert operations(fast) < entries + 20 * V.size
    assert "gemm" not in fast.explain()


def test_the_hessian_of_a_quadratic_form_multiplies_nothing() -> None:
    fast = ad.compile(ad.hessian(quadratic))
    fast(X, B)
    assert operations(fast) < 6 * B.size
    assert "->" not in "".join(line for line in fast.explain().splitlines() if "gemm" in line)


def test_the_hessian_of_a_layer_is_made_of_outer_products() -> None:
    fast = ad.compile(ad.hessian(rectified))
    fast(LAYERS[0], LAYERS[1:], SIGNAL)
    entries = LAYERS[0].size ** 2
    assert operations(fast) < 2 * entries + 40 * 8**3


def test_a_value_that_decides_something_is_computed() -> None:
    def f(x: Any) -> Any:
        curvature = ad.hessian(lambda z: np.sum(z**4))(x)
        return curvature @ x if curvature[0, 0] > 1.0 else x

    fast = ad.compile(f)
    for x in (np.array([1.0, 2.0]), np.array([0.1, 2.0]), np.array([1.0, 2.0])):
        np.testing.assert_allclose(fast(x), f(x))


def test_numbers_that_are_not_finite_take_a_path_of_their_own() -> None:
    function = ad.hessian(factorisation)
    fast = ad.compile(function)
    holes = V.copy()
    holes[1, 2] = np.nan
    infinite = V.copy()
    infinite[0, 0] = np.inf
    with np.errstate(all="ignore"):
        for v in (V, holes, V, infinite, V):
            np.testing.assert_allclose(fast(U, v, T), function(U, v, T), 1e-9, 1e-12)
    assert repr(fast).endswith(", 2 paths>")


def test_a_branch_not_taken_puts_nothing_into_a_derivative() -> None:
    def f(x: Any) -> Any:
        root = np.where(x > 0.0, np.sqrt(x), 0.0)
        return np.sum(root) ** 2 + np.sum(np.where(x > 0.0, x * np.log(x), 0.0))

    x = np.array([0.0, 1.0, 4.0, -1.0])
    with np.errstate(all="ignore"):
        expected = ad.hessian(f)(x)
        assert np.all(np.isfinite(expected))
        fast = ad.compile(ad.hessian(f))
        for _ in range(2):
            np.testing.assert_allclose(fast(x), expected)


def test_what_is_the_same_for_all_examples_of_a_choice_stays_outside() -> None:
    def f(x: Any, s: Any) -> Any:
        return np.sum(np.where(x > 0.0, x / s, 0.0) ** 2)

    fast = ad.compile(ad.hessian(f))
    x = np.array([1.0, -2.0, 3.0])
    with np.errstate(all="ignore"):
        for s in (2.0, 0.5):
            np.testing.assert_allclose(fast(x, s), ad.hessian(f)(x, s))
        # Zeros of the structure stay zeros where evaluation multiplies them by infinity.
        np.testing.assert_array_equal(fast(x, 0.0), np.diag([np.inf, 0.0, np.inf]))


def test_division_by_pythons_zero_is_numpys() -> None:
    with np.errstate(all="ignore"):
        slopes = ad.jacobian(lambda x: x / 0.0, mode="forward")(np.array(2.0))
    assert slopes == np.inf


# 19: nested selects that LLVM's NewGVN pass miscompiles; the others cover the steps.
@pytest.mark.parametrize("seed", [19, *range(100, 112)])
def test_random_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = random_program(rng, int(rng.integers(1, 9)))
    x = rng.normal(size=SHAPE)
    for function in (ad.jacobian(program, mode="forward"), ad.hessian(program)):
        expected = function(x)
        fast = ad.compile(function)
        for _ in range(2):
            scale = float(np.abs(expected).max())
            np.testing.assert_allclose(fast(x), expected, 1e-9, 1e-9 * scale)


# 20: a matrix of truth values among the factors of a sum.
@pytest.mark.parametrize("seed", [20, *range(200, 212)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_numpy_programs(seed: int) -> None:
    function, args = random_numpy(seed)
    chosen = [i for i, a in enumerate(args) if np.asarray(a).dtype.kind == "f"]
    single = any(np.asarray(a).dtype.itemsize < 8 for a in args)
    tolerance = 1e-4 if single else 1e-8

    def total(*values: Any) -> Any:
        found = function(*values)
        parts = found if isinstance(found, tuple) else (found,)
        return sum(np.sum(part * 1.0) for part in parts)

    if not chosen:
        return
    hessian = ad.hessian(total, chosen[0])
    with np.errstate(all="ignore"):
        expected = np.asarray(hessian(*args))
        fast = ad.compile(hessian)
        for _ in range(2):
            got = np.asarray(fast(*args))
            finite = np.isfinite(expected)
            scale = float(np.abs(expected[finite]).max(initial=0.0))
            np.testing.assert_allclose(got[finite], expected[finite], tolerance, tolerance * scale)


@pytest.mark.parametrize("f", [lambda x: 0 * np.log(x), lambda x: 0.0 * np.sqrt(x) + x**2])
def test_zero_times_what_is_infinite_is_not_zero(f):
    x = np.array([0.0, 1.0, 2.0])
    with np.errstate(all="ignore"):
        for derivative in (ad.jacobian(f), ad.hessian(lambda x: np.sum(f(x)))):
            fast = ad.compile(derivative)
            got, expected = np.diagonal(fast(x)), np.diagonal(derivative(x))
            assert np.isnan(expected[0])
            np.testing.assert_array_equal(got, expected)


SQUARE = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.cumsum(np.einsum("ii,i->i", SQUARE, x)),
        lambda x: np.concatenate([np.einsum("ii,i->i", SQUARE, x), x * x]),
        lambda x: np.sort(np.einsum("ii,i->i", SQUARE, x)) * np.sum(x),
    ],
)
def test_a_diagonal_of_a_matrix_is_zero_elsewhere(f: Any) -> None:
    x = np.array([1.0, 2.0])
    fast = ad.compile(ad.jacobian(f))
    for _ in range(2):
        np.testing.assert_allclose(fast(x), ad.jacobian(f)(x), rtol=1e-14)


def test_a_mask_by_the_identity_in_a_hessian() -> None:
    s, shifted = np.array([1.0, 2.0]), SQUARE + 10

    def f(A: Any) -> Any:
        return (s * np.diag(A))[0] * np.sum(A * np.eye(2) * shifted)

    np.testing.assert_allclose(ad.compile(ad.hessian(f))(SQUARE), ad.hessian(f)(SQUARE), rtol=1e-14)


NARROW = (np.linspace(-1, 1, 6) * 100).astype(np.float32)
ZEROS, ONES, UNIT = np.zeros(6), np.ones(6), np.eye(6)


@pytest.mark.parametrize(
    "widened",
    [
        lambda x: x + ZEROS,
        lambda x: x * ONES,
        lambda x: UNIT @ x,
        lambda x: x * np.float64(1.0),
        lambda x: x - np.float64(0.0),
    ],
)
def test_what_only_widens_a_type_is_kept(widened: Any) -> None:
    """exp(100) is no float32: that x + 0 is x must not narrow what follows."""
    w = np.linspace(1, 2, 6)

    def f(x: Any, w: Any) -> Any:
        return w * w * np.log1p(np.exp(widened(x)))

    derivative = ad.jacobian(f, argnums=1)
    got = ad.compile(derivative)(NARROW, w)
    expected = derivative(NARROW, w)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("constant", "point", "dtype"),
    [(1e30, 1e-25, np.float32), (1e-30, 1e18, np.float32),
     (1e200, 1e-150, np.float64), (1e-200, 1e150, np.float64)],
)  # fmt: skip
def test_constants_that_overflow_together_meet_the_array_first(
    constant: float, point: float, dtype: Any
) -> None:
    x = np.full(2, point, dtype)
    derivative = ad.jacobian(lambda x: np.sum(constant * (constant * (x * x) * x)))
    expected = derivative(x)
    assert np.all(np.isfinite(expected)) and np.all(expected != 0)
    np.testing.assert_allclose(ad.compile(derivative)(x), expected, rtol=1e-5)
