"""Written arguments, deep graphs, threads that start at once, and a light import."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

X = np.array([2.0, 3.0])


def overwrite(x: Any) -> Any:
    x[0] = 1
    return x * x


def increase(x: Any) -> Any:
    x += 1
    return x**2


def shift(x: Any) -> Any:
    x *= x
    x[1:] = x[:-1]
    return x


WRITERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "overwrite": (overwrite, [[0, 0], [0, 6]]),
    "increase": (increase, [[6, 0], [0, 8]]),
    "shift": (shift, [[4, 0], [4, 0]]),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_function_may_write_to_its_argument(name: str) -> None:
    f, expected = WRITERS[name]
    expected = np.array(expected, float)
    ways: dict[str, Callable[[Any], Any]] = {
        "forward": ad.jacobian(f, mode="forward"),
        "reverse": ad.jacobian(f, mode="reverse"),
        "vmap": lambda x: ad.vmap(ad.jacobian(f))(x[None])[0],
        "jvp": lambda x: np.stack([ad.jvp(f, (x,), (e,))[1] for e in np.eye(2)], 1),
        "vjp": lambda x: np.stack([ad.vjp(f, x)[1](e)[0] for e in np.eye(2)]),
        "linearize": lambda x: np.stack([ad.linearize(f, x)[1](e) for e in np.eye(2)], 1),
        "directional": lambda x: np.stack([ad.directional(f, x, e) for e in np.eye(2)], 1),
        "checkpoint": ad.jacobian(ad.checkpoint(f)),
        "compile": ad.compile(ad.jacobian(f)),
    }
    for way, derivative in ways.items():
        x = X.copy()
        np.testing.assert_allclose(derivative(x), expected, err_msg=way)
        np.testing.assert_array_equal(x, X)  # the caller's array is not written to
    np.testing.assert_allclose(ad.vmap(f)(X[None])[0], f(X.copy()))
    hessian, h = ad.hessian(f)(X), 1e-6
    for i, step in enumerate(h * np.eye(2)):
        change = ad.jacobian(f)(X + step) - ad.jacobian(f)(X - step)
        np.testing.assert_allclose(hessian[..., i], change / (2 * h), atol=1e-7)


def test_two_hundred_thousand_nodes_in_a_row() -> None:
    def f(x: Any) -> Any:
        for _ in range(200_000):
            x = x * 0.999999
        return x

    assert ad.grad(f)(0.5) == pytest.approx(0.999999**200_000, rel=1e-9)


RACE = """
import sys, threading
import numpy as np
import adjoint as ad
sys.setswitchinterval(1e-6)
a = np.array([[3.0, 1.0], [1.0, 2.0]])
work = [
    lambda: ad.grad(lambda a: np.linalg.slogdet(a)[1])(a),
    lambda: ad.grad(lambda a: np.sum(np.abs(np.fft.fft(a)) ** 2))(a),
    lambda: ad.grad(lambda a: np.sum(np.convolve(a[0], a[1])))(a),
    lambda: ad.grad(lambda a: np.sum(np.pad(a, 1) ** 2))(a),
    lambda: ad.grad(lambda a: np.median(a))(a),
    lambda: ad.grad(lambda a: np.sum(np.sinc(a)))(a),
    lambda: ad.grad(lambda a: np.sum(np.interp(a, [0.0, 4.0], [1.0, 2.0])))(a),
    lambda: ad.grad(lambda a: np.nansum(a))(a),
]
start, bad = threading.Barrier(len(work)), []
def run(f):
    start.wait()
    try:
        f()
    except BaseException as error:
        bad.append(repr(error))
threads = [threading.Thread(target=run, args=(f,)) for f in work]
[t.start() for t in threads]
[t.join() for t in threads]
print(bad)
"""


def test_threads_that_start_at_once_find_every_rule() -> None:
    """In a fresh process, where the rules that are loaded late are asked for by all together."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", RACE], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == "[]\n"


def test_the_import_is_light() -> None:
    code = (
        "import sys, adjoint\n"
        "heavy = {'scipy', 'llvmlite', 'matplotlib', 'opt_einsum', 'optree', 'rich', 'click'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "[]\n"
