"""Linear algebra inside kernels: as evaluated or the same error, in one kernel, on any thread."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
import adjoint.scipy.linalg as asl
from adjoint.errors import UndefinedDerivativeError
from tests.compilation.test_agreement import assert_same
from tests.primitives.test_linalg import RULES

L: Any = np.linalg
RNG = np.random.default_rng(5)
SQUARE = RNG.normal(size=(4, 4)) + 4 * np.eye(4)
SPD = SQUARE @ SQUARE.T
TALL = RNG.normal(size=(5, 3))
VECTOR = RNG.normal(size=4)
POINTS, VALUES = RNG.normal(size=(7, 2)), RNG.normal(size=7)
SINGULAR = np.ones((4, 4))
REPEATED = np.diag([1.0, 1.0, 3.0, 7.0])
DIRECTION = RNG.normal(size=(4, 4))
EPS = 1e-13

BY_NUMPY = ("eigvals", "eig vectors", "eig real", "svd hermitian", "pinv hermitian")
"""Rules with a reason in `codegen.lapack.table` for having no native form."""


def is_one_kernel(fast: Any) -> bool:
    """Whether every path is native from end to end."""
    paths = fast._all_paths()
    return bool(paths) and all(p.segments is None for p in paths)


def assert_compiled(f: Any, *calls: tuple[Any, ...], native: bool = True) -> Any:
    """Agreement with evaluation for every call; the first one traces."""
    fast = ad.compile(f)
    for args in calls:
        assert_same(fast(*args), f(*args), EPS)
    assert is_one_kernel(fast) == native, fast.explain()
    return fast


def loss_of(f: Any) -> Any:
    """A scalar that tells all entries of a result apart."""

    def loss(x: Any) -> Any:
        y = f(x)
        return np.sum(np.cos(np.arange(float(np.size(y)))).reshape(np.shape(y)) * y)

    return loss


def along(f: Any, v: Any) -> Any:
    return lambda x: ad.jvp(f, (x,), (v,))


@pytest.mark.parametrize("name", RULES)
def test_rules_compiled_and_evaluated(name: str) -> None:
    f, a = RULES[name]
    v = np.random.default_rng(8).normal(size=a.shape)
    near = a + 1e-2 * v
    native = name not in BY_NUMPY
    for g in (f, ad.value_and_grad(loss_of(f)), along(f, v)):
        assert len(assert_compiled(g, (a,), (near,), native=native)._all_paths()) == 1


# -- one kernel ---------------------------------------------------------------------------------


def covariance(theta: Any) -> Any:
    squares = np.sum((POINTS[:, None] - POINTS) ** 2, axis=-1)
    kernel = np.exp(theta[0] - squares / (2 * np.exp(theta[1])))
    return kernel + np.exp(theta[2]) * np.eye(7)


def gaussian_process(theta: Any) -> Any:
    """The negative logarithm of the marginal likelihood, by the Cholesky factor."""
    lower = L.cholesky(covariance(theta))
    half = asl.solve_triangular(lower, VALUES, lower=True)
    return half @ half / 2 + np.sum(np.log(np.diag(lower)))


def gaussian_process_by_lu(theta: Any) -> Any:
    k = covariance(theta)
    return VALUES @ L.solve(k, VALUES) / 2 + L.slogdet(k)[1] / 2


THETA = np.array([0.1, 0.3, -1.0])

SCALARS: dict[str, tuple[Any, Any, str]] = {
    "gp": (gaussian_process, THETA, "dpotrf"),
    "gp by lu": (gaussian_process_by_lu, THETA, "dgetrf"),
    "log det": (lambda a: np.log(L.det(a)), SPD, "dgetrf"),
    "logdet": (lambda a: L.slogdet(a)[1], SPD, "dgetrf"),
    "x inv(a) x": (lambda a: VECTOR @ L.inv(a) @ VECTOR, SPD, "dgetrf, dgetrs: inv"),
    "x solve(a, x)": (lambda a: VECTOR @ L.solve(a, VECTOR), SPD, "dgetrf, dgetrs: solve"),
    "eigenvalues": (lambda a: np.sum(L.eigvalsh(a) ** 2), SPD, "dsyevd"),
    "eigenvector": (lambda a: L.eigh(a)[1][0, 0] ** 2, SPD, "dsyevd"),
    "function": (lambda a: (lambda w, v: np.sum(((v * w**1.5) @ v.T) ** 2))(*L.eigh(a)), SPD,
                 "dsyevd"),
    "nuclear": (lambda a: L.norm(a, "nuc"), TALL, "dgesdd"),
    "qr": (lambda a: np.sum(L.qr(a)[1] ** 3), TALL, "dgeqrf, dorgqr"),
    "least squares": (lambda a: np.sum(L.lstsq(a, TALL[:, 0] ** 2)[0] ** 2), TALL, "dgelsd"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCALARS)
def test_one_kernel_up_to_the_hessian(name: str) -> None:
    f, x, routine = SCALARS[name]
    v = np.random.default_rng(2).normal(size=x.shape)
    near = x + 0.01 * v
    calls = ((x,), (near,))
    fast = assert_compiled(f, *calls)
    if name != "qr":  # of R alone no Q is made
        assert routine in fast.explain()
    gradient = assert_compiled(ad.value_and_grad(f), *calls)
    assert routine in gradient.explain()
    assert "by NumPy" not in gradient.explain()
    assert gradient._all_paths()[0].direct is not None, "the builtin is called"
    assert_compiled(ad.hessian(f), *calls)
    assert_compiled(along(ad.grad(f), v), *calls)


def test_functions_made_of_singular_values() -> None:
    for f in (
        lambda a: asl.polar(a)[0],
        lambda a: a * L.matrix_rank(a),
        lambda a: a[:2] * L.matrix_rank(a[:2], tol=0.1),
        lambda a: a * L.matrix_rank(a, rtol=1e-3),
        lambda a: L.pinv(a, rcond=0.3),
        lambda a: L.pinv(np.stack([a, 2 * a]), rtol=None),
    ):
        assert_compiled(f, (TALL,), (TALL + 0.1,), (TALL[:, :1] * [1.0, 2, 3] + 1e-9 * TALL,))


def test_what_nobody_reads_is_not_computed() -> None:
    assert "dorgqr" not in assert_compiled(lambda a: L.qr(a)[1] * 2, (TALL,)).llvm_ir()
    assert "dorgqr" in assert_compiled(lambda a: L.qr(a)[0] * 2, (TALL,)).llvm_ir()


def test_steps_of_one_matrix_share_its_factors() -> None:
    def f(a: Any, b: Any) -> Any:
        return b @ L.solve(a, b) + L.slogdet(a)[1] + L.det(a.T) + np.sum(L.inv(a.T) * 2)

    fast = assert_compiled(ad.value_and_grad(f), (SQUARE, VECTOR), (SQUARE.T, VECTOR))
    assert fast.explain().count("dgetrf") == 1
    assert "with the factors of an earlier step" in fast.explain()
    turned = assert_compiled(lambda a, b: (L.solve(a.T, b), L.solve(a, b)), (SQUARE, VECTOR))
    assert turned.explain().count("dgetrf") == 1


def test_operations_of_lapack_are_counted() -> None:
    fast = assert_compiled(lambda a: L.inv(a), (np.eye(40) + 1.0,))
    assert "about 128," in fast.explain()


# -- layouts, sizes, dtypes -----------------------------------------------------------------------

LAYOUTS: dict[str, Any] = {
    "rows": lambda a: np.ascontiguousarray(a),
    "columns": np.asfortranarray,
    "reversed": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "spread": lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
    "big endian": lambda a: a.astype(">f8"),
}


def everything(a: Any, b: Any) -> Any:
    s = a @ a.T + np.eye(a.shape[0], dtype=a.dtype)
    return (
        L.solve(a, b), L.solve(a.T, b), L.inv(a), L.det(a), L.slogdet(a), L.cholesky(s),
        asl.solve_triangular(a, b), asl.solve_triangular(a.T, b, lower=True),
        asl.solve_triangular(a, b, lower=True, unit_diagonal=True),
        asl.solve_triangular(a[:, ::-1], b[:, 0]),
        L.eigvalsh(s), L.svd(a)[1], L.qr(a)[1], L.lstsq(a, b)[0],
    )  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_arguments_and_of_arrays_closed_over(layout: str) -> None:
    a, b = LAYOUTS[layout](SQUARE + 3), LAYOUTS[layout](RNG.normal(size=(4, 2)))
    assert_compiled(everything, (a, b))
    fast = ad.compile(lambda x: everything(a, b * x))
    assert_same(fast(2.0), everything(a, b * 2.0), EPS)


def test_operands_that_are_views_of_what_is_computed() -> None:
    def f(x: Any) -> Any:
        y = np.sin(x) + 3 * np.eye(4)
        return (
            L.inv(y[1:, 1:].T), L.solve(y[::-1], np.diag(x)), L.solve(np.diag(y[0]), y[:, ::2]),
            L.inv(np.reshape(y, (2, 2, 2, 2))), L.solve(np.broadcast_to(y, (2, 4, 4)), y[0]),
            L.eigvalsh(y[:2, :2] + y[:2, :2].T), L.inv(np.reshape(x[0, 0], (1, 1))),
            asl.solve_triangular(np.broadcast_to(y[0], (4, 4)), y.T),
        )  # fmt: skip

    assert_compiled(f, (SQUARE,), (SQUARE.T,))


def test_stacks_and_batches() -> None:
    stack, rows = RNG.normal(size=(3, 4, 4)) + 3 * np.eye(4), RNG.normal(size=(3, 4))
    assert_compiled(lambda a, b: L.solve(a, b[..., None]), (stack, rows), (SQUARE, rows))
    for axes in ((0, 0), (None, 0), (0, None)):
        args = [s if x == 0 else s[0] for s, x in zip((stack, rows), axes, strict=True)]
        for f in (lambda a, b: L.solve(a, b), lambda a, b: asl.solve_triangular(a, b)):
            assert_compiled(ad.vmap(f, in_axes=axes), tuple(args))
    assert_compiled(ad.vmap(ad.grad(lambda a: L.det(a) + L.slogdet(a)[1])), (stack,))
    for f in (lambda a: L.eigvalsh(a @ a.mT) ** 2, L.inv, L.det, lambda a: L.cholesky(a @ a.mT)):
        assert_compiled(ad.vmap(f), (stack,))
        assert_compiled(f, (stack[:, None],))


@pytest.mark.parametrize("n", [1, 2])
def test_small_matrices(n: int) -> None:
    a, b = SQUARE[:n, :n], VECTOR[:n, None]
    assert_compiled(everything, (a, np.hstack([b, b])))
    assert_compiled(ad.hessian(lambda a: L.det(a) + VECTOR[:n] @ L.inv(a) @ VECTOR[:n]), (a,))
    assert_compiled(ad.hessian(lambda a: np.sum(L.eigvalsh(a @ a.T) ** 2)), (a,))


def test_empty_matrices() -> None:
    empty = np.zeros((0, 0))
    for f in (
        L.inv, L.det, L.slogdet, L.cholesky, L.eigvalsh, L.eigh, L.svd, L.qr,
        lambda a: L.solve(a, a[:, :0]),
    ):  # fmt: skip
        assert_compiled(lambda a, f=f: (f(a), a * 2), (empty,), native=False)
    assert_compiled(lambda a: L.inv(a), (np.zeros((0, 3, 3)),), native=False)
    assert_compiled(lambda b: L.solve(SQUARE, b), (np.zeros((4, 0)),), native=False)


def test_float32_is_computed_as_by_numpy() -> None:
    a, b = SQUARE.astype(np.float32), RNG.normal(size=(4, 2)).astype(np.float32)
    assert_compiled(everything, (a, b))
    assert_compiled(ad.grad(lambda a: L.det(a) + np.sum(L.inv(a))), (a,))
    # Single precision inside would lose all digits here.
    hilbert = (1 / (np.arange(6)[:, None] + np.arange(6) + 1.0)).astype(np.float32)
    for f in (L.inv, L.det, lambda h: L.solve(h, h[:, 0]), lambda h: L.solve(h, h)):
        assert_compiled(f, (hilbert,))
    mixed = assert_compiled(lambda a, b: L.solve(a, b), (SQUARE, b))
    assert mixed(SQUARE, b).dtype == np.float64


def test_determinants_at_singular_matrices_and_out_of_range() -> None:
    for f in (L.det, ad.grad(L.det), ad.hessian(L.det)):
        fast = ad.compile(f)
        for a in (SQUARE, SINGULAR, SINGULAR * 0, np.diag([1.0, 2, 0, 3]), 1e-9 * SQUARE,
                  np.diag([1e-12, 1, 1, 1]) @ SQUARE):  # fmt: skip
            assert_same(fast(a), f(a), EPS)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for scale in (1e100, 1e-100):
                assert_same(fast(scale * np.eye(4)), f(scale * np.eye(4)))
            large = np.diag([1e200, 1e200, 1e-200, 1e-200])
            assert fast(large).shape == f(large).shape
        assert is_one_kernel(fast)
        assert len(fast._all_paths()) == 1
    sign, log = ad.compile(L.slogdet)(SINGULAR)
    assert (sign, log) == (0.0, -np.inf)


# -- errors ---------------------------------------------------------------------------------------


def message(f: Any, *args: Any) -> tuple[type, str]:
    with pytest.raises(Exception) as caught:
        f(*args)
    assert caught.value.__context__ is None
    return type(caught.value), str(caught.value)


NAN = SPD * np.where(np.eye(4) == 1, np.nan, 1)
FAILURES: dict[str, tuple[Any, Any, Any]] = {
    "solve": (lambda a: L.solve(a, VECTOR), SQUARE, SINGULAR),
    "solve stack": (lambda a: L.solve(a, a), np.stack([SQUARE] * 2), np.stack([SQUARE, SINGULAR])),
    "solve gradient": (ad.grad(lambda a: VECTOR @ L.solve(a, VECTOR)), SQUARE, SINGULAR),
    "inv": (lambda a: L.inv(a) + 1, SQUARE, SINGULAR),
    "inv hessian": (ad.hessian(lambda a: np.sum(L.inv(a))), SQUARE, SINGULAR),
    "cholesky": (L.cholesky, SPD, -SPD),
    "cholesky gradient": (ad.grad(lambda a: np.sum(L.cholesky(a))), SPD, -SPD),
    "triangular": (lambda a: asl.solve_triangular(a, VECTOR), SQUARE, np.diag([1.0, 2, 0, 3])),
    "triangular stack": (lambda a: ad.vmap(lambda m: asl.solve_triangular(m, VECTOR))(a),
                         np.stack([SQUARE] * 2), np.stack([SQUARE, np.diag([1.0, 2, 0, 3])])),
    "slogdet gradient": (ad.grad(lambda a: L.slogdet(a)[1]), SQUARE, SINGULAR),
    "qr gradient": (ad.grad(lambda a: np.sum(L.qr(a)[0] ** 3)), SQUARE, SINGULAR * 0),
    "eigh": (L.eigh, SPD, NAN),
    "svd": (L.svd, SPD, NAN),
    "lstsq": (lambda a: L.lstsq(a, VECTOR)[0], SPD, NAN),
    "eigh forward": (along(lambda a: L.eigh(a)[1], DIRECTION), SPD, REPEATED),
    "eigh reverse": (ad.grad(lambda a: L.eigh(a)[1][0, 0] ** 2), SPD, REPEATED),
    "svd forward": (along(lambda a: L.svd(a)[0], DIRECTION), SPD, REPEATED),
    "svd reverse": (ad.grad(lambda a: L.svd(a)[0][0, 3] ** 2), SPD, REPEATED),
    "not a function": (ad.grad(lambda a: (lambda w, v: np.sum(((v * (w * VECTOR)) @ v.T) ** 2))(
        *L.eigh(a))), SPD, REPEATED),
    "complex eigh forward": (along(lambda a: np.abs(L.eigh(a * (1 + 0j))[1]), DIRECTION), SPD,
                             REPEATED),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_the_same_error_as_evaluated(name: str) -> None:
    f, good, bad = FAILURES[name]
    expected = message(f, bad)
    assert issubclass(expected[0], L.LinAlgError | UndefinedDerivativeError)
    assert message(ad.compile(f), bad) == expected, "on the first call"
    fast = ad.compile(f)
    right = f(good)
    for _ in range(3):
        assert_same(fast(good), right, EPS)
        assert message(fast, bad) == expected
    assert len(fast._all_paths()) == 1
    assert is_one_kernel(fast) == (not name.startswith("complex"))


def test_what_is_evaluated_and_does_not_raise_makes_no_new_path() -> None:
    """Other vectors repeat than the one that is asked for."""
    f = along(lambda a: L.eigh(a)[1][:, 3] ** 2, DIRECTION)
    fast = assert_compiled(f, (SPD,), *[(REPEATED,)] * 20)
    assert len(fast._all_paths()) == 1


def test_a_path_that_is_refused_is_not_taken_for_another() -> None:
    """What the one branch refuses is no reason to evaluate the other."""

    def f(a: Any, x: Any) -> Any:
        y = ad.jvp(lambda m: L.eigh(m)[1], (a,), (DIRECTION,))[1]
        if np.sum(x * y[0]) > -np.inf and np.sum(np.sin(x)) > 0:
            return L.solve(a, x)
        return x * 2

    fast = ad.compile(f)
    calls = ((SPD, VECTOR), (SPD, -VECTOR), (2 * SPD, VECTOR))
    for args in calls:
        assert_same(fast(*args), f(*args), EPS)
    assert len(fast._all_paths()) == 2
    for _ in range(3):
        assert message(fast, SINGULAR, VECTOR) == message(f, SINGULAR, VECTOR)
        assert_same(fast(SPD, -VECTOR), f(SPD, -VECTOR), EPS)
    assert len(fast._all_paths()) == 2


def test_an_index_outside_is_evaluated_too() -> None:
    def f(x: Any, i: Any) -> Any:
        return x[i] * 2

    fast = ad.compile(f)
    fast(VECTOR, np.array([1, 2]))
    for _ in range(2):
        assert message(fast, VECTOR, np.array([1, 9])) == message(f, VECTOR, np.array([1, 9]))
    assert len(fast._all_paths()) == 1


def test_real_eigenvalues_are_one_decision() -> None:
    fast = ad.compile(lambda a: L.eigvals(a) ** 2)
    for scale in (1.0, 2.0, 3.0):
        assert_same(fast(scale * SPD), L.eigvals(scale * SPD) ** 2, EPS)
    assert len(fast._all_paths()) == 1
    turn = np.diag([0.0, 0, 1, 2])
    turn[:2, :2] = [[0, -1], [1, 0]]
    assert_same(fast(turn), L.eigvals(turn) ** 2, EPS)
    assert len(fast._all_paths()) == 2


# -- inside loops, from threads, from the cache ---------------------------------------------------


def test_in_the_body_of_a_scan() -> None:
    def f(a: Any) -> Any:
        def step(x: Any, b: Any) -> Any:
            x = L.solve(a, x) + b
            return x, L.det(a * x[0])

        return ad.scan(step, VECTOR, np.stack([VECTOR, 2 * VECTOR]))

    fast = ad.compile(f)
    assert_same(fast(SQUARE), f(SQUARE), EPS)
    assert_same(fast(SQUARE.T), f(SQUARE.T), EPS)
    assert fast._all_paths()[0].segments is None
    assert message(fast, SINGULAR) == message(f, SINGULAR)


@pytest.mark.parametrize("n", [4, 40])
def test_many_threads(n: int) -> None:
    """A kernel of n = 40 runs without the lock of the interpreter, each call in its own arena."""
    rng = np.random.default_rng(n)
    f = ad.value_and_grad(lambda a: np.sum(L.eigvalsh(a) ** 3) / n + L.slogdet(a)[1])
    fast = ad.compile(f)
    matrices = [(lambda m: m @ m.T / n + np.eye(n))(rng.normal(size=(n, n))) for _ in range(8)]
    expected = [f(a) for a in matrices]
    fast(matrices[0])
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            for k in range(30):
                i = (number + k) % 8
                assert_same(fast(matrices[i]), expected[i], EPS)
                if k % 10 == 0:
                    with pytest.raises(UndefinedDerivativeError):
                        fast(matrices[i] * 0)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]
    assert len(fast._all_paths()) == 1


PROGRAM = """
import numpy as np, adjoint as ad
import adjoint.codegen.entry.build as build
plain, made = build.compile_ir, []
build.compile_ir = lambda *a, **k: made.append(1) or plain(*a, **k)
fast = ad.compile(ad.value_and_grad(lambda a: np.linalg.slogdet(a)[1] + np.linalg.norm(a, "nuc")))
a = np.diag([1.0, 2.0, 5.0]) + 0.1
fast(a)
print(len(made), [x.tolist() for x in fast(a)])
"""


def test_code_from_the_cache_finds_the_routines(tmp_path: Path) -> None:
    env = {**os.environ, "ADJOINT_CACHE": str(tmp_path / "c"),
           "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip
    found = [
        subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True,
                       check=True).stdout.split(" ", 1)
        for _ in range(2)
    ]  # fmt: skip
    assert found[0][1] == found[1][1]
    assert [n for n, _ in found] == ["1", "0"]
