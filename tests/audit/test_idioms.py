"""Programs as people write them: differentiated in every way, against differences and autograd."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.special
from numpy.lib.stride_tricks import sliding_window_view

import adjoint as ad
import adjoint.numpy as adnp
import adjoint.scipy.linalg
import adjoint.scipy.special

R = np.random.default_rng(7)
A4 = R.normal(size=(4, 4))
SPD = A4 @ A4.T + 4 * np.eye(4)
POINTS = R.normal(size=(12, 2))
V3 = np.array([0.3, -0.5, 0.8])


# -- machine learning -----------------------------------------------------------------------------


def k_means(centres: Any, np: Any = np) -> Any:
    centres = np.reshape(centres, (3, 2))
    squares = np.sum((POINTS[:, None, :] - centres[None]) ** 2, axis=2)
    nearest = np.argmin(squares, axis=1)
    return np.sum(squares[np.arange(len(POINTS)), nearest])


def mixture(parameters: Any, np: Any = np) -> Any:
    means = np.reshape(parameters[:4], (2, 2))
    logits, scales = parameters[4:6], np.exp(parameters[6:8])
    weights = logits - np.log(np.sum(np.exp(logits)))
    z = (POINTS[:, None] - means) / scales[:, None]
    each = weights - 0.5 * np.sum(z**2, axis=-1) - 2 * np.log(scales)
    top = np.max(each, axis=1, keepdims=True)
    return -np.sum(top[:, 0] + np.log(np.sum(np.exp(each - top), axis=1)))


def lstm(weights: Any, np: Any = np) -> Any:
    w = np.reshape(weights, (8, 4))
    h, c = np.zeros(2), np.zeros(2)
    for x in POINTS[:4]:
        gates = np.dot(w, np.concatenate([x, h]))
        i, f, o, g = np.split(gates, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    return np.sum(h**2)


def attention(weights: Any, np: Any = np) -> Any:
    q, k, v = np.reshape(weights, (3, 2, 2))
    x = POINTS[:5]
    scores = np.einsum("ti,si->ts", np.dot(x, q), np.dot(x, k)) / np.sqrt(2.0)
    scores = np.where(np.tril(np.ones((5, 5))) > 0, scores, -1e9)
    scores = scores - np.max(scores, axis=-1, keepdims=True)
    p = np.exp(scores)
    p = p / np.sum(p, axis=-1, keepdims=True)
    return np.sum(np.einsum("ts,si->ti", p, np.dot(x, v)) ** 3)


def softmax_regression(w: Any) -> Any:
    labels = np.arange(12) % 3
    logits = POINTS @ w.reshape(2, 3)
    log_p = logits - adjoint.scipy.special.logsumexp(logits, axis=1, keepdims=True)
    return -log_p[np.arange(12), labels].mean()


def batch_norm(x: Any, np: Any = np) -> Any:
    h = np.reshape(x, (4, 3))
    h = (h - np.mean(h, axis=0)) / np.sqrt(np.var(h, axis=0) + 1e-3)
    return np.sum(np.maximum(h, 0.1 * h) ** 3)


def convolution(kernel: Any) -> Any:
    image = SPD
    windows = sliding_window_view(image, (2, 2))
    out = np.einsum("ijkl,kl->ij", windows, kernel.reshape(2, 2))
    return np.sum(np.tanh(out).max(axis=0))


def convolution_of_traced(image: Any) -> Any:
    windows = sliding_window_view(image.reshape(4, 3), (2, 2))
    return np.sum(np.tanh(windows * np.array([[1.0, -1.0], [0.5, 2.0]])).sum(axis=(2, 3)) ** 2)


# -- statistics -----------------------------------------------------------------------------------


def gaussian_process(theta: Any) -> Any:
    length, noise = np.exp(theta[0]), np.exp(theta[1])
    d = POINTS[:, None, 0] - POINTS[None, :, 0]
    k = np.exp(-0.5 * (d / length) ** 2) + (noise + 0.1) * np.eye(len(POINTS))
    factor = np.linalg.cholesky(k)
    alpha = adjoint.scipy.linalg.cho_solve((factor, True), POINTS[:, 1])
    return 0.5 * POINTS[:, 1] @ alpha + np.sum(np.log(np.diag(factor)))


def gaussian_log_likelihood(entries: Any, np: Any = np) -> Any:
    s = np.reshape(entries, (2, 2))
    s = np.dot(s, s.T) + 0.5 * np.eye(2)
    return 0.5 * np.sum(POINTS * np.linalg.solve(s, POINTS.T).T) + 6 * np.linalg.slogdet(s)[1]


def kalman_filter(theta: Any) -> Any:
    f = np.array([[1.0, 0.1], [0.0, 1.0]])
    h = np.array([[1.0, 0.0]])
    q, r = np.exp(theta[0]) * np.eye(2), np.exp(theta[1])
    x, p, total = np.zeros(2), np.eye(2), 0.0
    for z in POINTS[:6, 0]:
        x, p = f @ x, f @ p @ f.T + q
        s = (h @ p @ h.T)[0, 0] + r
        gain = p @ h[0] / s
        residual = z - h[0] @ x
        total += 0.5 * (residual**2 / s + np.log(s))
        x, p = x + gain * residual, p - np.outer(gain, h[0] @ p)
    return total


def beta_likelihood(theta: Any) -> Any:
    a, b = np.exp(theta)
    x = np.array([0.2, 0.5, 0.7])
    return np.sum(
        (a - 1) * np.log(x) + scipy.special.xlog1py(b - 1, -x) - scipy.special.betaln(a, b)
    ) + scipy.special.gammaln(a * b)


def summary(x: Any) -> Any:
    return (
        np.std(x) + np.median(x) + np.quantile(x, 0.3) + np.ptp(x) + np.var(x, ddof=1)
        + np.average(x, weights=x**2) + np.corrcoef(x, x[::-1] ** 2)[0, 1]
    )  # fmt: skip


# -- scientific computing -------------------------------------------------------------------------


def runge_kutta(p: Any, np: Any = np) -> Any:
    def field(y: Any) -> Any:
        return np.array([p[0] * y[0] - y[0] * y[1], y[0] * y[1] - p[1] * y[1]])

    y, dt = np.array([1.0, 0.5]), 0.1
    for _ in range(8):
        k1 = field(y)
        k2 = field(y + dt / 2 * k1)
        k3 = field(y + dt / 2 * k2)
        k4 = field(y + dt * k3)
        y = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y[0] * y[1]


def newton(a: Any) -> Any:
    x, error = 1.0, 1.0
    while error > 1e-14:
        step = (x * np.exp(x) - a[0]) / (np.exp(x) * (1 + x))
        x, error = x - step, abs(step)
    # One more step makes the derivatives of every order as exact as the value.
    for _ in range(2):
        x = x - (x * np.exp(x) - a[0]) / (np.exp(x) * (1 + x))
    return x * a[1]


def heat(u: Any) -> Any:
    u = u.copy()
    for _ in range(5):
        new = u.copy()
        new[1:-1] += 0.2 * (u[2:] - 2 * u[1:-1] + u[:-2] + u[1:-1] ** 2)
        new[0] = new[-1] = 0.0
        u = new
    return np.sum(u**2)


def buffers(x: Any) -> Any:
    table = adnp.zeros((3, 3))
    for i in range(3):
        for j in range(i + 1):
            table[i, j] = x[i] ** (j + 1) if i != j else np.exp(x[j])
    table += table.T
    np.multiply(table, 0.5, out=table)
    return np.linalg.det(table) + table[-1].sum()


def filtered(signal: Any) -> Any:
    spectrum = np.fft.rfft(signal)
    kept = spectrum * np.exp(-np.arange(len(spectrum)))
    return np.sum(np.fft.irfft(kept, n=len(signal)) ** 3) + np.sum(np.abs(spectrum) ** 2)


def de_boor(controls: Any) -> Any:
    knots, degree = np.arange(9.0), 2

    def value(t: float) -> Any:
        k = int(np.searchsorted(knots, t, "right")) - 1
        d = [controls[k - degree + j] for j in range(degree + 1)]
        for r in range(1, degree + 1):
            for j in range(degree, r - 1, -1):
                left = knots[j + k - degree]
                alpha = (t - left) / (knots[j + 1 + k - r] - left)
                d[j] = (1 - alpha) * d[j - 1] + alpha * d[j]
        return d[degree]

    return sum(value(t) ** 2 for t in (2.5, 3.2, 4.9))


def rodrigues(pose: Any, np: Any = np) -> Any:
    w, t = pose[:3], pose[3:]
    angle = np.sqrt(np.sum(w**2))
    k = w / angle
    points = np.array([[1.0, 0.2, 4.0], [0.1, -1.0, 5.0]])
    total = 0.0
    for p in points:
        p = (
            p * np.cos(angle)
            + np.cross(k, p) * np.sin(angle)
            + k * np.dot(k, p) * (1 - np.cos(angle))
            + t
        )
        image = p[:2] / p[2]
        r2 = np.sum(image**2)
        total = total + np.sum((image * (1 + 0.1 * r2) - 0.3) ** 2)
    return total  # fmt: skip


def warp(shift: Any) -> Any:
    grid, row = np.arange(6.0), np.sin(np.arange(6.0))
    moved = np.interp(grid + shift[0] + shift[1] * grid, grid, row)
    return np.sum((moved - row * shift[2]) ** 2)


def matrix_functions(x: Any) -> Any:
    a = SPD + np.outer(x, x) + np.diag(x)
    w, v = np.linalg.eigh(a)
    root = (v * np.sqrt(w)) @ v.T
    return (
        np.trace(root) + np.sum(np.linalg.svd(a[:3], compute_uv=False)) + np.linalg.cond(a) / 10
        + np.sum(adjoint.scipy.linalg.expm(a / 10)) + np.linalg.matrix_power(a / 10, 3)[0, 1]
        + np.linalg.multi_dot([a, a, x]).sum() + np.sum(np.linalg.qr(a)[1] ** 2)
        + np.sum(np.linalg.pinv(a[:, :2])) + np.linalg.lstsq(a[:, :2], x, rcond=None)[0].sum()
    )  # fmt: skip


def reductions(x: Any) -> Any:
    m = x.reshape(3, 4)
    return (
        np.cumsum(m, 1).prod() + np.cumprod(m[0]).sum() + np.diff(m, 2).sum() ** 2
        + np.gradient(m[1], 0.5) @ m[2] + np.trapezoid(m[0] ** 2, dx=0.1)
        + np.add.reduceat(m[0] ** 2, [0, 2]) @ np.ones(2) + np.roll(m, 1)[0, 0] ** 2
        + np.multiply.outer(m[0], m[1]).sum() ** 2 + np.logaddexp.reduce(m.ravel())
        + np.kron(m[:2], m[1:]).sum() ** 3
    )  # fmt: skip


def generator(x: Any) -> Any:
    def partial_sums() -> Any:
        total = 0.0
        for v in x:
            total = total + np.sin(v)
            yield total

    return sum(a * b for a, b in zip(partial_sums(), reversed(list(x)), strict=True))


SCALARS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "k-means": (k_means, R.normal(size=6)),
    "mixture": (mixture, R.normal(size=8) * 0.3),
    "lstm": (lstm, R.normal(size=32) * 0.5),
    "attention": (attention, R.normal(size=12)),
    "softmax regression": (softmax_regression, R.normal(size=6)),
    "batch norm": (batch_norm, R.normal(size=12)),
    "convolution": (convolution, R.normal(size=4) * 0.1),
    "convolution of traced": (convolution_of_traced, R.normal(size=12)),
    "gaussian process": (gaussian_process, np.array([0.1, -1.0])),
    "gaussian": (gaussian_log_likelihood, R.normal(size=4)),
    "kalman": (kalman_filter, np.array([-1.0, 0.3])),
    "beta": (beta_likelihood, np.array([0.2, 0.4])),
    "summary": (summary, R.normal(size=7)),
    "runge-kutta": (runge_kutta, np.array([0.7, 0.4])),
    "newton": (newton, np.array([2.0, 1.5])),
    "heat": (heat, R.normal(size=7)),
    "buffers": (buffers, np.array([1.2, 0.7, -0.4])),
    "filter": (filtered, R.normal(size=8)),
    "spline": (de_boor, R.normal(size=6)),
    "rodrigues": (rodrigues, np.array([0.1, 0.4, -0.2, 0.3, 0.1, 0.5])),
    "warp": (warp, np.array([0.31, 0.07, 0.9])),
    "matrices": (matrix_functions, R.normal(size=4)),
    "reductions": (reductions, R.normal(size=12) + 2.0),
    "generator": (generator, V3),
}
DECIDES = {"newton"}
"""Those with a branch on a value, which a batch cannot take for all."""


def difference(f: Callable[[Any], Any], x: Any, h: float = 1e-6) -> Any:
    return np.stack([(f(x + d) - f(x - d)) / (2 * h) for d in h * np.eye(len(x))], -1)


def assert_near(got: Any, expected: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.max(np.abs(expected))))
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("name", SCALARS)
def test_program(name: str) -> None:
    f, x = SCALARS[name]
    value, gradient = ad.value_and_grad(f)(x)
    np.testing.assert_allclose(value, f(x), 1e-13)
    assert np.all(np.isfinite(gradient))
    assert_near(gradient, difference(f, x), 1e-6)
    assert_near(ad.jacobian(f, mode="forward")(x), gradient, 1e-11)
    hessian = ad.hessian(f)(x)
    assert_near(hessian, difference(ad.grad(f), x), 1e-6)
    assert_near(hessian, hessian.T, 1e-10)
    assert_near(ad.jacobian(ad.jacobian(f, mode="reverse"), mode="reverse")(x), hessian, 1e-9)
    assert_near(ad.hvp(f, (x,), (x,)), hessian @ x, 1e-9)
    if name not in DECIDES:
        batch = np.stack([x, x * 1.01])
        assert_near(ad.vmap(ad.grad(f))(batch), np.stack([ad.grad(f)(b) for b in batch]), 1e-10)


@pytest.mark.parametrize(
    "name", ["k-means", "mixture", "lstm", "attention", "batch norm", "gaussian", "rodrigues"]
)
def test_agrees_with_autograd(name: str) -> None:
    autograd = pytest.importorskip("autograd", reason="autograd comes with the extra [bench]")
    anp = pytest.importorskip("autograd.numpy")
    f: Any
    f, x = SCALARS[name]
    assert_near(ad.grad(f)(x), autograd.grad(lambda x: f(x, anp))(x), 1e-12)
    assert_near(ad.hessian(f)(x), autograd.hessian(lambda x: f(x, anp))(x), 1e-10)


NORMS: list[tuple[Any, Any, tuple[int, ...]]] = [
    (order, axis, shape)
    for shape, axis, orders in (
        ((5,), None, (None, 0.5, 1, 2, 3, np.inf, -np.inf, -1)),
        ((3, 3), None, (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)),
        ((2, 3, 3), (1, 2), ("fro", "nuc", 1, 2, -2, np.inf)),
        ((2, 4), 1, (None, 1, 2, 3, np.inf)),
    )
    for order in orders
]


@pytest.mark.parametrize(("order", "axis", "shape"), NORMS)
def test_norms_of_every_order(order: Any, axis: Any, shape: tuple[int, ...]) -> None:
    weights = np.array([1.0, 2.0])

    def f(flat: Any) -> Any:
        found = np.linalg.norm(flat.reshape(shape), ord=order, axis=axis)
        return found @ weights if found.shape else found

    x = np.random.default_rng(3).normal(size=int(np.prod(shape)))
    assert_near(ad.grad(f)(x), difference(f, x), 1e-7)
    assert_near(ad.jacobian(f, mode="forward")(x), ad.grad(f)(x), 1e-12)
    assert_near(ad.hessian(f)(x), difference(ad.grad(f), x), 1e-6)
    assert_near(ad.vmap(ad.grad(f))(x[None])[0], ad.grad(f)(x), 1e-11)


@dataclass
class Layer:
    weight: Any
    bias: Any


class Network(NamedTuple):
    layers: list[Layer]
    scale: dict[str, Any]


def test_parameters_in_containers() -> None:
    network = Network([Layer(R.normal(size=(2, 3)), np.zeros(3)), Layer(np.ones((3, 1)), 0.5)],
                      {"out": 2.0})  # fmt: skip

    def loss(network: Network, x: Any) -> Any:
        for layer in network.layers:
            x = np.tanh(x @ layer.weight + layer.bias)
        return np.mean(x**2) * network.scale["out"]

    gradient = ad.grad(loss)(network, POINTS)
    assert isinstance(gradient, Network) and isinstance(gradient.layers[0], Layer)
    h = 1e-6
    up = Network(network.layers, {"out": 2.0 + h})
    assert gradient.scale["out"] == pytest.approx(
        (loss(up, POINTS) - loss(network, POINTS)) / h, rel=1e-6
    )
    per_example = ad.vmap(ad.grad(loss), in_axes=(None, 0))(network, POINTS)
    np.testing.assert_allclose(
        per_example.layers[0].weight.mean(axis=0), gradient.layers[0].weight, 1e-12
    )
    report = ad.check_derivatives(lambda n: loss(n, POINTS), network, order=2)
    assert report.worst < 1e-6
    product = ad.hvp(lambda n: loss(n, POINTS), network, gradient)
    along = ad.directional(lambda n: loss(n, POINTS), network, gradient, k=2)
    parts = (
        np.sum(p * g) for a, b in zip(product.layers, gradient.layers, strict=True)
        for p, g in ((a.weight, b.weight), (a.bias, b.bias))
    )  # fmt: skip
    assert sum(parts) + product.scale["out"] * gradient.scale["out"] == pytest.approx(along)
