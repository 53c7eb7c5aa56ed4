"""The programs from which the law suite harvests a case of every primitive.

One line per family; a new primitive needs a program here that uses it, with arguments at which it
is smooth.
"""

from typing import Any

import numpy as np

import adjoint as ad
import adjoint.scipy.linalg as sla
import adjoint.scipy.special as special
from adjoint.testing.laws import sample

A = np.array([[2.0, 0.3, -0.4], [0.1, 1.7, 0.5], [-0.6, 0.2, 2.4]])
SYMMETRIC = (A + A.T) / 2
SKEW = np.array([[0.0, 0.5, -0.3], [-0.5, 0.0, 0.4], [0.3, -0.4, 0.0]])
TALL = np.array([[1.0, 0.2], [-0.5, 1.3], [0.7, -0.9]])
V = np.array([0.3, -1.2, 0.8])
B = np.array([[0.5, -0.2, 0.9], [1.1, 0.4, -0.7]])
Z = V + 1j * np.array([0.6, 0.1, -0.4])


def written(x: Any) -> Any:
    y = x.copy()
    y[1:] *= x[0]
    y[[0, 2]] = y[[2, 0]] ** 2
    return y


def picked(x: Any) -> Any:
    return x[:, [0, 2, 0]] * x[np.array([1, 0, 1]), np.array([0, 1, 2])]


def selected(x: Any) -> Any:
    return np.where(x > 0, np.sin(x), x**2)


def cosine(primals: Any, tangents: Any) -> Any:
    (x,), (x_dot,) = primals, tangents
    return np.sin(x), np.cos(x) * x_dot


def complement(a: Any) -> Any:
    q = np.linalg.qr(a, mode="complete")[0]
    return q[:, 2:] @ q[:, 2:].T


def projector(a: Any) -> Any:
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    return (u * np.sqrt(s)) @ vt


def scanned(x: Any) -> Any:
    return ad.scan(lambda carry, v: (np.sin(carry) + v, carry * v), x[0], x)


SAMPLES: dict[str, tuple[Any, ...]] = {
    "contraction": (lambda a, b: np.einsum("ij,kj->ik", b, a) + np.trace(a), A, B),
    "diagonals": (lambda a: np.diagonal(a) * np.sum(a, axis=1) + np.broadcast_to(a[0], (2, 3)), A),
    "shapes": (lambda a: np.reshape(np.transpose(a), (-1,)), B),
    "joining": (lambda x: np.concatenate([x, 2 * x]) + np.stack([x, x**2]).ravel(), V),
    "indexing": (picked, B),
    "writing": (written, V),
    "gathered": (lambda a: a[:, np.array([[0, 1], [2, 2]])], B),
    "selection": (selected, V),
    "complex": (lambda z: np.conj(z) * np.real(z) + 1j * np.imag(z), Z),
    "conversion": (lambda x: (x + 0j).astype(complex) * x.astype(np.float32).astype(np.float64), V),
    "orders": (lambda a: np.max(a, axis=1) + np.min(a) + np.prod(a, axis=1), B),
    "cumulative": (lambda x: np.cumsum(x) * np.cumprod(x) + np.maximum.accumulate(x), V),
    "cumulative minimum": (lambda x: np.minimum.accumulate(x) * x, V),
    "sorting": (lambda x: np.sort(x) * x[np.argsort(-x)], V),
    "convolution": (lambda x, y: np.convolve(x, y), V, B[0]),
    "fourier": (lambda x: np.fft.fft(x) + np.fft.ifft(x * x), Z),
    "real fourier": (lambda x: np.fft.irfft(np.fft.rfft(x) ** 2, 3), V),
    "inverse": (lambda a: np.linalg.inv(a), A),
    "determinant": (lambda a: np.linalg.det(a) + np.linalg.slogdet(a)[1], A),
    "solve": (lambda a, b: np.linalg.solve(a, b), A, V),
    "cholesky": (lambda a: np.linalg.cholesky(a), SYMMETRIC),
    "pseudoinverse": (lambda a: np.linalg.pinv(a), TALL),
    "least squares": (lambda a, b: np.linalg.lstsq(a, b)[0], TALL, V),
    "qr": (lambda a: np.linalg.qr(a)[1], TALL),
    "eigenvalues": (lambda a: np.linalg.eigvalsh(a), SYMMETRIC),
    "eigenvectors": (lambda a: np.linalg.eigh(a)[1] ** 2, SYMMETRIC),
    "general eigenvalues": (lambda a: np.sum(np.linalg.eigvals(a) ** 2), A),
    "general eigenvectors": (lambda a: np.abs(np.linalg.eig(a)[1]) ** 2, A),
    "hermitian": (lambda a: np.abs(np.linalg.eigh(a + 1j * (SKEW * a))[1]) ** 2, SYMMETRIC),
    "factors of the svd": (projector, TALL),
    "complex svd": (lambda a: np.abs(np.linalg.svd(a + 0.3j * a**2)[0]) ** 2, A),
    "complete qr": (complement, TALL),
    "sylvester": (lambda a, b: sla.solve_sylvester(a, a.T + 2 * np.eye(3), b), A, SYMMETRIC),
    "lyapunov": (lambda a, q: sla.solve_discrete_lyapunov(a / 5, q), A, SYMMETRIC),
    "riccati": (lambda a: sla.solve_continuous_are(a, TALL, np.eye(3), np.eye(2)), A),
    "discrete riccati": (lambda a: sla.solve_discrete_are(a, TALL, np.eye(3), np.eye(2)), A),
    "lu": (lambda a: sla.lu(a)[1] @ sla.lu(a)[2] + sla.lu(a)[0] @ a, A),
    "lu factors": (lambda a, b: sla.lu_solve(sla.lu_factor(a), b), A, V),
    "polar": (lambda a: sla.polar(a)[0], A),
    "exponential": (lambda a: sla.expm(a), A),
    "custom": (lambda x: ad.custom_derivative(np.sin, jvp=cosine)(x) * x, V),
    "log of a sum": (lambda a: special.logsumexp(a, axis=1), B),
    "rank": (lambda a: np.linalg.matrix_rank(a) * a, A),
    "singular values": (lambda a: np.linalg.svd(a, compute_uv=False), TALL),
    "control": (lambda x: ad.checkpoint(np.sin)(x) * ad.cond(x[0] > 0, np.cos, np.exp, x), V),
    "scan": (scanned, V),
    "while": (
        lambda x: ad.while_loop(lambda s: np.sum(s) < 50.0, lambda s: s * 1.5 + s**2, x),
        np.abs(V),
    ),
    "roots": (lambda p: np.sum(np.roots(p) ** 2), np.array([1.0, -3.5, 2.0])),
    "rounding": (lambda x: np.round(x, 1) + x, V),
    "searching": (lambda x: np.searchsorted(np.sort(x), 0.1) * x + np.argmax(x) * np.argmin(x), V),
    "counting": (lambda x: x * np.count_nonzero(x > 0) + np.any(x > 0) * x + np.all(x > 0), V),
    "partitioning": (lambda x: x[np.argpartition(x, 1)], V),
    "stopping": (lambda x: ad.stop_gradient(x) * x, V),
}

for _name, (_program, *_args) in SAMPLES.items():
    sample(_name, _program, *_args)
