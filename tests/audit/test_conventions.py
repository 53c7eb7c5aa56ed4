"""Where a derivative is a convention: what is smooth all the same is right, and the rest can be
made to warn."""

import os
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import UndefinedDerivativeWarning
from adjoint.testing import warn_undefined

ZERO = np.zeros(2)
W = np.array([[1.0, 2.0], [3.0, 5.0]])


@pytest.mark.parametrize(
    ("f", "hessian"),
    [
        (lambda x: np.sqrt(x @ x) * np.sqrt(x @ x), 2 * np.eye(2)),
        (lambda x: np.linalg.norm(x) * np.linalg.norm(x), 2 * np.eye(2)),
        (lambda x: np.linalg.norm(W @ x) * np.linalg.norm(W @ x), 2 * W.T @ W),
        (lambda x: np.abs(x[0]) * np.abs(x[0]), np.diag([2.0, 0.0])),
    ],
)
def test_a_square_written_twice_is_smooth(f: Any, hessian: Any) -> None:
    for inner in ("forward", "reverse"):
        for outer in ("forward", "reverse"):
            found = ad.jacobian(ad.jacobian(f, mode=inner), mode=outer)(ZERO)
            np.testing.assert_allclose(found, hessian, 1e-14)
    np.testing.assert_allclose(ad.hessian(f)(np.ones(2)), ad.hessian(f)(-np.ones(2)), 1e-12)


def test_products_of_different_roots_are_not_taken_for_squares() -> None:
    x = np.array([1.0, 2.0])
    one, other = np.array([1.0, 1.0]), np.array([1.0, 1.0])
    cross = ad.grad(lambda x: np.linalg.norm(x - one) * np.linalg.norm(x + other))(x)
    h = 1e-6
    expected = [
        (np.linalg.norm(x + d - one) * np.linalg.norm(x + d + other)
         - np.linalg.norm(x - d - one) * np.linalg.norm(x - d + other)) / (2 * h)
        for d in h * np.eye(2)
    ]  # fmt: skip
    np.testing.assert_allclose(cross, expected, 1e-7)
    # Two variables for one value: the derivative is with respect to one of them.
    inner = ad.grad(
        lambda y: np.sum(ad.grad(lambda z: np.linalg.norm(y) * np.linalg.norm(z))(x))
    )(x)  # fmt: skip
    np.testing.assert_allclose(inner, np.sum(x) * x / (x @ x), 1e-13)


CASES: dict[str, tuple[Any, str]] = {
    "arctan2": (lambda v: np.arctan2(v[0], v[1]), r"arctan2\(y, x\) at \(0, 0\)"),
    "hypot": (lambda v: np.hypot(v[0], v[1]), r"hypot\(x, y\) at \(0, 0\)"),
    "norm": (np.linalg.norm, "the root of a sum of squares at 0"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_convention_warns_if_asked(name: str) -> None:
    f, message = CASES[name]
    ways: dict[str, Any] = {
        "grad": ad.grad(f),
        "forward": ad.jacobian(f, mode="forward"),
        "vmap": lambda v: ad.vmap(ad.grad(f))(v[None])[0],
        "hessian": lambda v: ad.hessian(f)(v)[0],
    }
    for way in ways.values():
        np.testing.assert_array_equal(way(ZERO), ZERO)  # silent: a warning would be an error here
        with warn_undefined():
            with pytest.warns(UndefinedDerivativeWarning, match=message):
                np.testing.assert_array_equal(way(ZERO), ZERO)
            assert np.any(way(np.array([3.0, 4.0])) != 0)  # silent again: here it exists


def test_the_environment_can_ask() -> None:
    code = (
        "import numpy as np, adjoint as ad\n"
        "ad.grad(lambda x: np.arctan2(x, 0.0))(0.0)\n"
        "print('went on')\n"
    )
    for value, warned in (("1", True), ("0", False)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"ADJOINT_WARN_UNDEFINED": value},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "went on\n"
        assert ("UndefinedDerivativeWarning" in done.stderr) is warned


def test_warnings_of_the_users_own_code_arrive() -> None:
    def f(x: Any) -> Any:
        warnings.warn("the user's own", RuntimeWarning, stacklevel=1)
        return np.sum(x)

    for transform in (ad.grad, ad.vmap, ad.hessian):
        with pytest.warns(RuntimeWarning, match="the user's own"):
            transform(f)(np.ones((2, 2)))
