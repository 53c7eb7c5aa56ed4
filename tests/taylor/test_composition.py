"""jet with everything else: loops, branches, custom rules, other transforms, containers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
import adjoint.scipy.linalg as sla
from adjoint.errors import ArgumentError, DtypeError, ShapeMismatchError
from adjoint.graph.ir import next_serial
from adjoint.graph.typecheck import checking

X = np.array([0.4, -0.7, 1.1])
V = np.array([0.3, 0.5, -0.2])
A = np.array([[2.0, 0.3, -0.4], [0.1, 1.7, 0.5], [-0.6, 0.2, 2.4]])
E = np.array([[0.2, -0.1, 0.3], [0.4, 0.1, 0.0], [-0.2, 0.5, 0.3]])


def line(f: Callable[[Any], Any], x: Any, v: Any, order: int) -> list[Any]:
    return ad.jet(f, (x,), ([v] + [0.0 * v] * (order - 1),))[1]


def nested(f: Callable[[Any], Any], k: int) -> Callable[[Any], Any]:
    return f if k == 0 else lambda t: ad.jvp(nested(f, k - 1), (t,), (1.0,))[1]


def assert_nested(f: Callable[[Any], Any], x: Any, v: Any, order: int = 4) -> None:
    with checking():
        found = line(f, x, v, order)
    for k, got in enumerate(found, 1):
        wanted = np.asarray(nested(lambda t: f(x + t * v), k)(0.0))
        size = max(1.0, float(np.max(np.abs(wanted))))
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-11 * size)


# -- control flow ---------------------------------------------------------------------------------


def scanned(x: Any) -> Any:
    """The carry mixes what varies with what does not; the body closes over x."""
    (c, n), ys = ad.scan(
        lambda carry, y: ((np.sin(carry[0]) * y + x[0], carry[1] + 1), carry[0] * carry[1]),
        (x[1], 0.0), x**2,
    )  # fmt: skip
    return c * n + np.sum(ys**2)


def looped(x: Any) -> Any:
    return ad.while_loop(lambda s: s[1] < 6, lambda s: (np.sin(s[0]) + x * 0.1, s[1] + 1), (x, 0))[
        0
    ]


def branched(x: Any) -> Any:
    return ad.cond(x[0] > 0, lambda x: np.exp(x) * x[1], lambda x: x**2, x)


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "scan": scanned,
    "scan backwards": lambda x: ad.scan(lambda c, y: (c * y + 1, c**2), x[0], x, reverse=True)[1],
    "while": looped,
    "cond": branched,
    "checkpoint": lambda x: ad.checkpoint(lambda x: np.sin(x) * np.sum(x**2))(x),
    "gradient of scan": ad.grad(scanned),
    "gradient of while": ad.grad(lambda x: np.sum(looped(x) ** 2)),
    "gradient of checkpoint": ad.grad(lambda x: ad.checkpoint(lambda x: np.sum(np.sin(x)))(x) ** 2),
    "scan in scan": lambda x: ad.scan(
        lambda c, y: (ad.scan(lambda d, z: (d * z + np.cos(y), None), c, x)[0], None), x[0], x
    )[0],
    "in place": lambda x: _written(x),
    "python": lambda x: np.sin(x) if x[0] > 0 else x,
    "gradient": ad.grad(lambda x: np.prod(x) * np.exp(x[0])),
    "jacobian": ad.jacobian(lambda x: np.cumprod(x) * np.sin(x[::-1])),
    "hessian": ad.hessian(lambda x: np.sum(x**3) * x[0] * np.exp(x[1])),
}


def _written(x: Any) -> Any:
    y = np.zeros_like(x)
    y[0] = np.sin(x[1])
    y[1:] += x[:2] * x[0]
    y[np.array([0, 2])] *= x[np.array([2, 2])]
    return np.sort(y)[::-1] * np.cumsum(y)


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in PROGRAMS.items()])
def test_programs(f: Callable[[Any], Any]) -> None:
    assert_nested(f, X, V)


@pytest.mark.parametrize("f", [scanned, lambda x: np.sum(looped(x))], ids=["scan", "while"])
def test_loops_in_one_go_and_by_parts(f: Callable[[Any], Any]) -> None:
    """The same function, its loop unrolled by a custom rule that asks order after order."""
    opaque = ad.custom_derivative(f, jvp=lambda p, t: (f(*p), ad.jvp(f, p, t)[1]))
    for a, b in zip(line(f, X, V, 5), line(opaque, X, V, 5), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)


def nodes_made(f: Callable[[Any], Any], order: int) -> int:
    """How many nodes the series of f has, traced by an outer transform."""
    before = next_serial()
    ad.jvp(lambda x: line(f, x, V, order), (X,), (V,))
    return next_serial() - before


@pytest.mark.parametrize("name", ["scan", "while", "cond", "checkpoint"])
def test_the_cost_is_polynomial(name: str) -> None:
    f = PROGRAMS[name]
    first, second = nodes_made(f, 8), nodes_made(f, 16)
    assert second < 8 * first, (first, second)


def test_custom_rules_in_both_directions() -> None:
    def cosine(primals: Any, tangents: Any) -> Any:
        return np.sin(primals[0]), np.cos(primals[0]) * tangents[0]

    def sine_vjp(x: Any) -> Any:
        return np.sin(x), lambda ct: (ct * np.cos(x),)

    expected = line(np.sin, X, V, 6)
    forward = ad.custom_derivative(np.sin, jvp=cosine)
    backward = ad.custom_derivative(np.sin, vjp=sine_vjp)
    for f in (forward, backward):
        for a, b in zip(line(f, X, V, 6), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13)


def test_a_rule_that_uses_its_own_function_twice() -> None:
    """f′ = 1 + f² by two calls of f: every order would double the work if each were done again."""
    calls = 0

    def value(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return np.tan(x)

    def rule(primals: Any, tangents: Any) -> Any:
        (x,) = primals
        return f(x), (1 + f(x) * f(x)) * tangents[0]

    f = ad.custom_derivative(value, jvp=rule)
    for a, b in zip(line(f, 0.3, 1.0, 12), line(np.tan, 0.3, 1.0, 12), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert calls < 40


# -- linear algebra -------------------------------------------------------------------------------

MATRICES: dict[str, Callable[[Any], Any]] = {
    "solve": lambda a: np.linalg.solve(a @ a.T, a[0]),
    "triangular": lambda a: sla.solve_triangular(np.tril(a), a[:, :2], lower=True),
    "inv": np.linalg.inv,
    "pinv": lambda a: np.linalg.pinv(a[:, :2]),
    "lstsq": lambda a: np.linalg.lstsq(a[:, :2], a[:, 2])[0],
    "det": np.linalg.det,
    "gradient of det": ad.grad(np.linalg.det),
    "slogdet": lambda a: np.linalg.slogdet(a)[1],
    "cholesky": lambda a: np.linalg.cholesky(a @ a.T),
    "qr": lambda a: np.linalg.qr(a)[1],
    "eigh": lambda a: np.linalg.eigh(a + a.T)[0],
    "svd": lambda a: np.linalg.svd(a)[1],
    "expm": sla.expm,
    "gradient of expm": ad.grad(lambda a: np.sum(sla.expm(a) ** 2)),
    "sqrtm": lambda a: sla.sqrtm(a @ a.T),
    "sylvester": lambda a: sla.solve_sylvester(a, a.T, a @ a),
    "fft": lambda a: np.fft.irfft(np.fft.rfft(a, axis=1) ** 2, axis=1),
    "convolve": lambda a: np.convolve(a[0], a[1]),
}  # fmt: skip


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in MATRICES.items()])
def test_linear_algebra(f: Callable[[Any], Any]) -> None:
    assert_nested(f, A, E, order=3)


@pytest.mark.parametrize("n", [1, 3, 6, 9])
def test_determinants_of_any_size(n: int, rng: np.random.Generator) -> None:
    a, e = rng.normal(size=(n, n)), rng.normal(size=(n, n))
    c = [np.linalg.det(a), *line(np.linalg.det, a, e, n + 1)]
    # det(a + t e) is a polynomial of degree n.
    factor = np.cumprod([1.0, *range(1, n + 2)])
    t = 0.37
    total = sum(x / f * t**k for k, (x, f) in enumerate(zip(c, factor, strict=True)))
    np.testing.assert_allclose(total, np.linalg.det(a + t * e), rtol=1e-9)
    size = max(abs(float(x / f)) for x, f in zip(c, factor, strict=True))
    assert abs(c[-1] / factor[-1]) < 1e-10 * size


@pytest.mark.parametrize("f", [np.linalg.det, ad.grad(np.linalg.det)])
def test_determinants_around_a_center_that_is_differentiated(
    f: Any, rng: np.random.Generator
) -> None:
    a, v, w = rng.normal(size=(3, 3, 3))

    def moved(t: Any) -> Any:
        return np.sum(ad.taylor(f, a + t * v, 1)(a + w))

    slope = ad.derivative(moved)(0.0)
    assert slope == pytest.approx((moved(1e-5) - moved(-1e-5)) / 2e-5, rel=1e-7)


def test_determinants_of_singular_matrices() -> None:
    e = np.diag([1.0, 2.0, 3.0])
    assert [float(c) for c in line(np.linalg.det, np.zeros((3, 3)), e, 4)] == [0, 0, 36, 0]
    rank_one = np.outer(X, X)
    c = line(np.linalg.det, rank_one, np.eye(3), 3)
    np.testing.assert_allclose(c, [0.0, 2 * X @ X, 6.0], atol=1e-15)
    seven = np.diag([1.0, 1, 1, 1, 1, 0, 0])
    np.testing.assert_allclose(line(np.linalg.det, seven, np.eye(7), 3), [0, 2, 30], atol=1e-12)


# -- other transforms -----------------------------------------------------------------------------


def coefficients(x: Any) -> Any:
    return np.stack(ad.taylor(lambda t: np.tanh(t) * np.exp(-(t**2)), x, 4).coefficients)


def test_other_transforms_of_a_series() -> None:
    """c′ₖ = (k + 1) cₖ₊₁, which every transform has to find."""
    scale = np.arange(1.0, 6.0)
    f: Any = lambda t: np.tanh(t) * np.exp(-(t**2))  # noqa: E731
    expected = scale * np.stack(ad.taylor(f, 0.3, 5).coefficients)[1:]
    np.testing.assert_allclose(ad.jacobian(coefficients)(0.3), expected, rtol=1e-12)
    np.testing.assert_allclose(ad.jacobian(coefficients, mode="reverse")(0.3), expected, rtol=1e-12)
    np.testing.assert_allclose(ad.grad(lambda x: coefficients(x)[2])(0.3), expected[2], rtol=1e-12)
    xs = np.array([0.1, 0.3, -1.2])
    every = ad.vmap(coefficients)(xs)
    np.testing.assert_allclose(every, [coefficients(x) for x in xs], rtol=1e-14)
    np.testing.assert_allclose(ad.compile(coefficients)(0.3), coefficients(0.3), rtol=1e-13)
    np.testing.assert_allclose(ad.vmap(ad.jacobian(coefficients))(xs)[1], expected, rtol=1e-12)
    third = ad.derivative(lambda x: ad.derivative(f, 2)(x) * x, 1)(0.3)
    c = ad.taylor(f, 0.3, 3).coefficients
    np.testing.assert_allclose(third, 2 * c[2] + 0.3 * 6 * c[3], rtol=1e-12)


@pytest.mark.parametrize("name", ["scan", "while", "cond", "checkpoint"])
def test_compiled_and_batched_series_of_control_flow(name: str) -> None:
    f = PROGRAMS[name]
    series: Any = lambda x: line(f, x, V, 4)  # noqa: E731
    expected = series(X)
    batch = ad.vmap(series)(np.stack([X, X + 0.1]))
    pulled = ad.jacobian(series, mode="reverse")(X)
    pushed = ad.jacobian(series, mode="forward")(X)
    for a, b, c, d, e in zip(expected, ad.compile(series)(X), batch, pulled, pushed, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-11)
        np.testing.assert_allclose(c[0], a, rtol=1e-11)
        np.testing.assert_allclose(d, e, rtol=1e-9, atol=1e-11)


def test_compiled_powers_at_zero_and_elsewhere() -> None:
    """Where the recurrence divides by x, zero is no different path and no NaN."""
    f = ad.compile(lambda x: ad.derivative(lambda t: t**2.5, 2)(x))
    np.testing.assert_allclose([f(1.0), f(0.0), f(4.0)], [3.75, 0.0, 7.5])


# -- types, shapes and containers -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_precision_is_kept(dtype: Any) -> None:
    x, v = X.astype(dtype), V.astype(dtype)
    f: Any = lambda x: np.exp(x) * np.sqrt(2 + x) / (1 + x**2) + np.tanh(x) - np.log(3 + x)  # noqa: E731
    wide = X.astype(np.result_type(dtype, np.float64))
    for got, wanted in zip(line(f, x, v, 4), line(f, wide, V.astype(wide.dtype), 4), strict=True):
        assert got.dtype == dtype
        np.testing.assert_allclose(got, wanted, rtol=2e-4 if got.dtype.itemsize < 16 else 1e-12)


def test_complex_functions() -> None:
    z, w = X + 1j * V, V - 0.3j * X
    assert_nested(lambda z: np.exp(z) * np.conj(z) + np.abs(z) ** 2 + np.angle(z), z, w)
    found = ad.derivative(lambda z: np.sin(z) * z, 3)(1 + 2j)
    z0 = 1 + 2j
    np.testing.assert_allclose(found, -3 * np.sin(z0) - z0 * np.cos(z0))


def test_containers() -> None:
    def f(p: Any) -> Any:
        return {"a": p["w"] @ p["b"], "b": (np.sin(p["b"]), p["w"][0] * 2)}

    p, v = {"w": A, "b": X}, {"w": E, "b": V}
    zero = {"w": 0 * E, "b": 0 * V}
    y, (first, second) = ad.jet(f, (p,), ([v, zero],))
    np.testing.assert_allclose(first["a"], E @ X + A @ V)
    np.testing.assert_allclose(second["a"], 2 * E @ V)
    np.testing.assert_allclose(second["b"][0], -np.sin(X) * V**2)
    np.testing.assert_allclose(second["b"][1], np.zeros(3))
    assert y["b"][1].shape == (3,)


def test_two_arguments_and_curved_lines() -> None:
    y, (y1, y2) = ad.jet(lambda a, b: a * b, (2.0, 3.0), ([1.0, 4.0], [5.0, 6.0]))
    assert (y, y1, y2) == (6.0, 13.0, 2 * 6.0 + 2 * 5.0 + 3 * 4.0)


def test_order_zero_and_empty_arrays() -> None:
    y, terms = ad.jet(np.sin, (0.5,), ([],))
    assert y == np.sin(0.5) and terms == []
    empty = np.zeros((0, 3))
    y, (first,) = ad.jet(lambda x: np.exp(x).sum(axis=0), (empty,), ([empty],))
    np.testing.assert_array_equal(first, np.zeros(3))
    assert line(lambda x: np.sin(x) @ x.T, empty, empty, 3)[2].shape == (0, 0)
    assert ad.derivative(np.sin, 3)(np.zeros(0)).shape == (0,)


def test_integers_and_constants() -> None:
    assert [float(c) for c in line(lambda x: x**2, 3, 1.0, 3)] == [6.0, 2.0, 0.0]
    assert line(lambda x: 7.0, 1.0, 1.0, 2) == [0.0, 0.0]
    assert line(lambda x: np.floor(x) + np.argmax(x), X, V, 2)[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("primals", "series", "error", "message"),
    [
        ((X,), ([V, V[:2]],), ShapeMismatchError, r"order 2 of series 0 of type f64\[3\]"),
        ((X,), ([V], [V]), ArgumentError, "got 1 primals and 2 series"),
        ((X, X), ([V], [V, V]), ArgumentError, r"series of one length; got \[1, 2\]"),
        (X, ([V],), ArgumentError, "tuples with one entry per argument"),
        ((X,), (V,), ArgumentError, "each series as a list of derivatives; series 0 is"),
        ((X,), ([V + 1j],), DtypeError, "order 1 of series 0"),
    ],
)
def test_messages(primals: Any, series: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        ad.jet(lambda *x: x[0], primals, series)
