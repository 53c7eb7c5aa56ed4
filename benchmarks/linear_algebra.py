"""Matrix functions: compiled value, compiled gradient and evaluated gradient over NumPy's value.

OPENBLAS_NUM_THREADS=1 taskset -c 1 python -m benchmarks linear_algebra
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import adjoint as ad
from benchmarks.measure import medians
from benchmarks.native import readable

SIZES = (3, 10, 100)


def workloads(n: int) -> dict[str, Callable[[Any], Any]]:
    """Scalar functions of one symmetric positive definite matrix of size n."""
    b = np.random.default_rng(1).normal(size=n)

    def likelihood(a: Any) -> Any:
        return b @ np.linalg.solve(a, b) / 2 + np.linalg.slogdet(a)[1] / 2

    def root(a: Any) -> Any:
        w, v = np.linalg.eigh(a)
        return np.sum((v * np.sqrt(w)) @ v.T)

    return {
        "x solve(A, x)": lambda a: b @ np.linalg.solve(a, b),
        "Gaussian likelihood": likelihood,
        "log det A": lambda a: np.log(np.linalg.det(a)),
        "log det A, cholesky": lambda a: np.sum(np.log(np.diag(np.linalg.cholesky(a)))),
        "sum of eigenvalues²": lambda a: np.sum(np.linalg.eigvalsh(a) ** 2),
        "sum of sqrtm(A)": root,
        "sum of singular values": lambda a: np.sum(np.linalg.svd(a, compute_uv=False)),
    }


def main() -> None:
    """Print the table."""
    head = f"{'NumPy value':>13}{'compiled value':>16}{'and gradient':>14}{'evaluated':>11}"
    print(f"{'times NumPy’s value':34}{head}")
    for n in SIZES:
        m = np.random.default_rng(0).normal(size=(n, n))
        a = m @ m.T / n + np.eye(n)
        for name, f in workloads(n).items():
            both = ad.value_and_grad(f)
            calls = {"numpy": f, "value": ad.compile(f), "both": ad.compile(both), "slow": both}
            found = medians({key: partial(call, a) for key, call in calls.items()}, 9, 5e-3)
            value = found.pop("numpy")
            ratios = "".join(f"{found[k] / value:>{w}.2f}" for k, w in
                             (("value", 16), ("both", 14), ("slow", 11)))  # fmt: skip
            print(f"{name + f', n = {n}':34}{readable(value):>13}{ratios}", flush=True)


if __name__ == "__main__":
    main()
