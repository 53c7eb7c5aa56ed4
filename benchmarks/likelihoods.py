"""Likelihoods of statistics: the compiled value and gradient against NumPy's and SciPy's value.

OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks likelihoods
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

import adjoint as ad


def gamma_loss(p: Any, x: Any) -> Any:
    """Negative log-likelihood of the gamma distribution."""
    a, b = np.exp(p[0]), np.exp(p[1])
    return np.sum(special.gammaln(a) - a * np.log(b) - special.xlogy(a - 1, x) + b * x)


def beta_loss(p: Any, x: Any) -> Any:
    """Negative log-likelihood of the beta distribution."""
    a, b = np.exp(p[0]), np.exp(p[1])
    return np.sum(
        special.gammaln(a)
        + special.gammaln(b)
        - special.gammaln(a + b)
        - special.xlogy(a - 1, x / 9)
        - special.xlog1py(b - 1, -x / 9)
    )


def student_loss(p: Any, x: Any) -> Any:
    """Negative log-likelihood of Student's t."""
    nu, s = np.exp(p[0]), np.exp(p[1])
    norm = special.gammaln(nu / 2) - special.gammaln((nu + 1) / 2) + np.log(nu * np.pi) / 2
    return np.sum(norm + np.log(s) + (nu + 1) / 2 * np.log1p((x / s) ** 2 / nu))


def poisson_loss(p: Any, x: Any) -> Any:
    """Negative log-likelihood of Poisson counts around a regression line."""
    eta = p[0] + p[1] * x
    counts = np.round(x)
    return np.sum(np.exp(eta) - counts * eta + special.gammaln(counts + 1))


def probit_loss(p: Any, x: Any) -> Any:
    """Negative log-likelihood of a probit regression."""
    sign = np.where(x > 3, 1.0, -1.0)
    return -np.sum(special.log_ndtr(sign * (p[0] + p[1] * x)))


def mises_loss(p: Any, x: Any) -> Any:
    """Negative log-likelihood of von Mises' distribution."""
    kappa = np.exp(p[1])
    return np.sum(np.log(2 * np.pi * special.i0e(kappa)) + kappa - kappa * np.cos(x - p[0]))


LOSSES = (gamma_loss, beta_loss, student_loss, poisson_loss, probit_loss, mises_loss)


def seconds(calls: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Median seconds per call, in interleaved rounds."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def main() -> None:
    """Print one line per likelihood and size."""
    p = np.array([0.3, 0.2])
    print(
        f"{'likelihood':14s} {'points':>8s} {'NumPy value':>12s} {'value+grad':>11s} {'ratio':>6s}"
    )
    for loss in LOSSES:
        for size in (100, 10_000, 1_000_000):
            x = np.random.default_rng(0).uniform(0.1, 8, size)
            compiled = ad.compile(ad.value_and_grad(loss), parallel=False)
            np.testing.assert_allclose(compiled(p, x)[0], loss(p, x), rtol=1e-10)
            assert "by NumPy" not in compiled.explain()
            calls = [lambda: loss(p, x), lambda: compiled(p, x)]  # noqa: B023
            numpy, ours = seconds(calls, max(7, min(200, 2_000_000 // size)))
            print(f"{loss.__name__:14s} {size:8d} {numpy * 1e6:9.1f} us {ours * 1e6:8.1f} us"
                  f" {numpy / ours:6.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
